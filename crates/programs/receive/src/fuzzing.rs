//! What must hold whatever a camera sends. The fuzz target calls this, and a test with what it
//! found (`fuzz/README.md`).

use std::path::Path;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use eyelid_http::Peer;
use eyelid_jpeg::{Splitter, whole};
use eyelid_producer::CameraClock;
use eyelid_slot::CameraName;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue, ORIGIN};

use crate::access;
use crate::buffers::Buffers;
use crate::frame_header::FrameHeader;
use crate::parting::{Next, Parting};
use crate::prepare::{PREFIX_BYTES, Prepared, prepare};
use crate::route::Route;
use crate::session::told_ms;
use crate::tokens::Tokens;

/// How many bytes a picture in a body may have here.
const MAX_BYTES: usize = 600;

/// Whatever the bytes are taken for, they open no door, are no moment after now, and become no
/// frame that is no whole JPEG; and of a body no more is kept than a picture may have.
///
/// # Panics
/// Where that does not hold.
pub fn push(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        of_text(text);
    }
    of_header(bytes);
    of_frames(bytes);
    of_message(bytes);
    of_body(bytes);
}

/// A header of a WebSocket frame is read once it is whole, and what it is does not depend on what
/// follows. Nor do messages on the pieces in which they come.
fn of_frames(bytes: &[u8]) {
    if let Some(header) = FrameHeader::parse(bytes) {
        assert!(header.bytes <= bytes.len() && header.frame_bytes() >= header.payload_bytes);
        assert_eq!(FrameHeader::parse(&bytes[..header.bytes]), Some(header));
        assert_eq!(FrameHeader::parse(&bytes[..header.bytes - 1]), None);
    }
    let at_once = parted(bytes.chunks(usize::MAX));
    for piece_bytes in [1, 3] {
        assert_eq!(parted(bytes.chunks(piece_bytes)), at_once, "{piece_bytes}");
    }
}

/// What tungstenite got between messages, and these.
fn parted<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<(Vec<u8>, Bytes)> {
    let mut parting = Parting::new(Buffers::default(), &[], SystemTime::UNIX_EPOCH);
    let (mut all, mut passed) = (Vec::new(), Vec::new());
    for piece in pieces {
        parting.room().extend_from_slice(piece);
        parting.read(piece.len(), SystemTime::UNIX_EPOCH);
        loop {
            match parting.next(MAX_BYTES) {
                Next::Message(message, _) => {
                    assert!(message.len() <= MAX_BYTES);
                    all.push((std::mem::take(&mut passed), message));
                }
                Next::Passed => passed.extend(parting.take_passed(usize::MAX)),
                Next::TooLong(bytes) => {
                    assert!(bytes > MAX_BYTES as u64);
                    all.push((passed, Bytes::new()));
                    return all;
                }
                Next::More => break,
            }
        }
    }
    all.push((passed, Bytes::new()));
    all
}

fn of_text(text: &str) {
    if let Route::Push(name) = Route::parse(text) {
        let directory = name.directory(Path::new("/slots"));
        assert!(
            name.is_default() || directory.parent() == Some(Path::new("/slots")),
            "{name}"
        );
        assert!(!name.as_str().starts_with('.'), "{name}");
    }
    if let Some(told_ms) = told_ms(text) {
        let mut clock = CameraClock::default();
        let arrived = SystemTime::now();
        for told_ms in [0.0, told_ms, 1.0, told_ms] {
            assert!(
                clock.captured(told_ms, arrived, Instant::now()) <= arrived,
                "{told_ms}"
            );
        }
    }
    if let Err(error) = Tokens::parse(text, Path::new("tokens")) {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

/// Nobody knows the token of this hash.
fn of_header(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else {
        return;
    };
    let line = format!("door:{}", "0".repeat(64));
    let Ok(tokens) = Tokens::parse(&line, Path::new("tokens")) else {
        panic!("a token file is refused: {line}");
    };
    let camera: CameraName = "door".parse().unwrap_or_default();
    let query = std::str::from_utf8(bytes).ok();
    for name in [AUTHORIZATION, ORIGIN, access::API_KEY] {
        let headers = HeaderMap::from_iter([(name, value.clone())]);
        let checked = access::check(&headers, query, Peer::Unix, &camera, Some(&tokens));
        assert!(checked.is_err());
    }
}

fn of_message(bytes: &[u8]) {
    let message = Bytes::copy_from_slice(bytes);
    let Ok(Prepared::Ready(picture)) = prepare(&message, MAX_BYTES) else {
        return;
    };
    let Ok((header, length)) = whole(&picture.jpeg) else {
        panic!("no whole JPEG");
    };
    assert_eq!(length, picture.jpeg.len());
    assert_eq!(
        (header.width, header.height),
        (picture.width, picture.height)
    );
    // It begins where the message's does, whatever was added to it.
    let starts = bytes.windows(3).position(|it| it == b"\xFF\xD8\xFF");
    assert!(starts.is_some_and(|at| at <= PREFIX_BYTES), "{starts:?}");
}

fn of_body(bytes: &[u8]) {
    let mut splitter = Splitter::with_max_bytes(MAX_BYTES);
    for piece in bytes.chunks(100) {
        if splitter
            .feed_bounded(piece, SystemTime::UNIX_EPOCH)
            .is_err()
        {
            return;
        }
        if let Some((picture, _)) = splitter.take_newest() {
            assert!(picture.len() <= MAX_BYTES);
            assert_eq!(whole(&picture).map(|(_, length)| length), Ok(picture.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn push_corpus() {
        eyelid_replay::replay("push", super::push);
    }
}
