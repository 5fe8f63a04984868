use super::*;
use std::time::{Duration, UNIX_EPOCH};

const FIN: u8 = 0x80;
const PING: u8 = 9;
const CONTINUATION: u8 = 0;
const MASK: u8 = 0x80;

const MOST_BYTES: usize = 100_000;

fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first];
    match length {
        0..126 => frame.push(MASK | length as u8),
        126..=0xFFFF => {
            frame.push(MASK | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        _ => {
            frame.push(MASK | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([7; 4]);
    frame.extend(vec![0xFF; length]);
    frame
}

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

/// Reads this at this moment; gives when the messages began that are there then, of tungstenite's
/// all those that have begun.
fn read(parting: &mut Parting, bytes: &[u8], now: SystemTime) -> Vec<SystemTime> {
    parting.room().extend_from_slice(bytes);
    parting.read(bytes.len(), now);
    let mut found = Vec::new();
    loop {
        match parting.next(MOST_BYTES) {
            Next::Message(_, began) => found.push(began),
            Next::Passed => {
                parting.take_passed(usize::MAX);
                found.extend(std::iter::from_fn(|| parting.next_passed_start()));
            }
            Next::More => return found,
        }
    }
}

#[test]
fn a_message_begins_with_its_first_byte_in_whatever_pieces_it_comes() {
    let stream = [
        frame(BINARY, 5),
        frame(FIN | PING, 3),
        frame(FIN | CONTINUATION, 200),
        frame(FIN | TEXT, 0),
        frame(FIN | BINARY, 70_000),
    ];
    let bytes = stream.concat();
    // Byte by byte, each a millisecond after the one before.
    let mut parting = Parting::new(&[], at(0));
    let read_byte = |(ms, byte): (usize, &u8)| read(&mut parting, &[*byte], at(ms as u64));
    let found: Vec<_> = bytes.iter().enumerate().flat_map(read_byte).collect();
    let text = (stream[0].len() + stream[1].len() + stream[2].len()) as u64;
    let last = text + stream[3].len() as u64;
    assert_eq!(found, [at(0), at(text), at(last)]);
    // All at once but the end of the last: it has begun all the same.
    let mut parting = Parting::new(&[], at(0));
    let (start, end) = bytes.split_at(bytes.len() - 10);
    let mut found = read(&mut parting, start, at(5));
    found.extend(read(&mut parting, end, at(900)));
    assert_eq!(found, [at(5); 3]);
}

#[test]
fn a_message_whose_end_brings_others_began_before_them() {
    for message in [frame(FIN | BINARY, 50), frame(FIN | TEXT, 50)] {
        let text = frame(FIN | TEXT, 9);
        let (start, end) = message.split_at(30);
        let others = [end, &message, &text, &text, &message, &message[..1]].concat();
        let pieces = [(&others[..], 2), (&message[1..9], 3), (&message[9..], 4)];
        let mut parting = Parting::new(start, at(1));
        let found = pieces.map(|(bytes, ms)| read(&mut parting, bytes, at(ms)));
        assert_eq!(found.concat(), [1, 2, 2, 2, 2, 2].map(at));
    }
}

#[test]
fn of_a_connection_that_ends_all_is_passed_and_half_a_message_is_nobodys() {
    let picture = frame(FIN | BINARY, 50);
    let mut parting = Parting::new(&picture[..30], at(1));
    parting.read(0, at(2));
    assert!(matches!(parting.next(MOST_BYTES), Next::Passed));
    assert!(parting.take_passed(usize::MAX).is_empty() && parting.has_ended());
    let mut parting = Parting::new(&picture, at(1));
    parting.pass_all();
    assert!(matches!(parting.next(MOST_BYTES), Next::Passed) && !parting.lacks_all());
    assert_eq!(parting.take_passed(usize::MAX), picture);
    assert!(parting.lacks_all());
}
