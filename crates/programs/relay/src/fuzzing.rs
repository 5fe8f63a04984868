//! What must hold whatever comes from a broker. The fuzz target calls this, and the tests with what
//! that found (`fuzz/README.md`).

use std::time::SystemTime;

use crate::wire::{Assembly, Directory, FarState, MAX_CAMERAS, Presence, Reply, Request, Subject};

/// The largest frame that is taken here, in bytes.
const MAX_BYTES: u32 = 600;

/// What is read of a message is written so again; a subject is the only one of its camera; a frame
/// is never larger than its head says, and takes no more memory than twice what came of it.
///
/// # Panics
/// Where that does not hold.
pub fn relay_wire(bytes: &[u8]) {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(request.to_bytes(), bytes);
    }
    if let Ok(reply) = Reply::parse(bytes) {
        assert_eq!(reply.to_bytes(), bytes);
    }
    if let Ok(presence) = Presence::parse(bytes) {
        assert_eq!(presence.to_bytes(), bytes);
    }
    if let Some(subject) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
    {
        let subject: Subject = subject;
        assert_eq!(subject.to_string().as_bytes(), bytes);
    }
    of_state(bytes);
    of_directory(bytes);
    of_frame(bytes);
}

fn of_state(bytes: &[u8]) {
    let Ok(read) = FarState::parse(bytes) else {
        return;
    };
    let texts = [&read.state.source, &read.state.error, &read.state.waiting];
    for text in texts.into_iter().flatten() {
        assert!(text.chars().count() <= 500 && !text.chars().any(char::is_control));
    }
    // Written by other rules it may be larger, and is refused then.
    if let Ok(written) = read.to_bytes() {
        match FarState::parse(&written) {
            Ok(again) => assert_eq!(again, read),
            Err(error) => panic!("what was read and written is refused: {error}"),
        }
    }
    let json = read.into_state(SystemTime::now()).to_json();
    assert!(json.len() > 2 && !json[..json.len() - 1].contains(&b'\n'));
}

fn of_directory(bytes: &[u8]) {
    let Ok(read) = Directory::parse(bytes) else {
        return;
    };
    assert!(read.cameras.len() <= MAX_CAMERAS && !read.keeps_name_against(&read));
    let written = read.to_bytes().map(|bytes| Directory::parse(&bytes));
    assert!(matches!(written, Ok(Ok(again)) if again == read));
}

/// The bytes as messages, each behind its length in a byte.
fn of_frame(mut bytes: &[u8]) {
    let mut assembly: Option<Assembly> = None;
    let mut came = 0;
    while let Some((&length, rest)) = bytes.split_first() {
        let (message, rest) = rest.split_at(rest.len().min(length.into()));
        bytes = rest;
        match Reply::parse(message) {
            Ok(Reply::Head(head, first)) => {
                came = first.len();
                assembly = Assembly::new(&head, first, MAX_BYTES).ok();
            }
            Ok(Reply::Part(part, more)) => {
                let Some(assembly) = &mut assembly else {
                    continue;
                };
                if assembly.push(&part, more).is_ok() {
                    came += more.len();
                }
            }
            _ => continue,
        }
        if let Some(assembly) = &assembly {
            assert_eq!(assembly.received_bytes() as usize, came);
            assert!(assembly.received_bytes() <= assembly.bytes());
            assert!(assembly.bytes() <= MAX_BYTES);
        }
    }
    if let Some(received) = assembly.map(Assembly::into_received) {
        assert!(received.capacity() <= 2 * received.len().max(8));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn relay_wire_corpus() {
        eyelid_replay::replay("relay_wire", super::relay_wire);
    }
}
