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

/// A frame whose payload is this, masked.
fn masked(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut frame = frame(first, payload.len());
    let start = frame.len() - payload.len();
    frame[start - 4..start].copy_from_slice(&mask);
    let bytes = payload.iter().zip(mask.iter().cycle());
    bytes
        .zip(&mut frame[start..])
        .for_each(|((byte, mask), into)| *into = byte ^ mask);
    frame
}

/// Reads this in pieces; gives the messages, and what tungstenite got.
fn read_in_pieces(stream: &[u8], piece_bytes: usize) -> (Vec<Bytes>, Vec<u8>) {
    let mut parting = Parting::new(Buffers::default(), &[], at(0));
    let (mut messages, mut passed) = (Vec::new(), Vec::new());
    for piece in stream.chunks(piece_bytes) {
        parting.room().extend_from_slice(piece);
        parting.read(piece.len(), at(0));
        loop {
            match parting.next(MOST_BYTES) {
                Next::Message(message, _) => messages.push(message),
                Next::Passed => passed.extend(parting.take_passed(usize::MAX)),
                Next::TooLong(bytes) => panic!("{bytes} are too many"),
                Next::More => break,
            }
        }
    }
    (messages, passed)
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
            Next::TooLong(bytes) => panic!("{bytes} are too many"),
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
    let mut parting = Parting::new(Buffers::default(), &[], at(0));
    let read_byte = |(ms, byte): (usize, &u8)| read(&mut parting, &[*byte], at(ms as u64));
    let found: Vec<_> = bytes.iter().enumerate().flat_map(read_byte).collect();
    let text = (stream[0].len() + stream[1].len() + stream[2].len()) as u64;
    let last = text + stream[3].len() as u64;
    assert_eq!(found, [at(0), at(text), at(last)]);
    // All at once but the end of the last: it has begun all the same.
    let mut parting = Parting::new(Buffers::default(), &[], at(0));
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
        let mut parting = Parting::new(Buffers::default(), start, at(1));
        let found = pieces.map(|(bytes, ms)| read(&mut parting, bytes, at(ms)));
        assert_eq!(found.concat(), [1, 2, 2, 2, 2, 2].map(at));
    }
}

#[test]
fn of_a_connection_that_ends_all_is_passed_and_half_a_message_is_nobodys() {
    let picture = frame(FIN | BINARY, 50);
    let mut parting = Parting::new(Buffers::default(), &picture[..30], at(1));
    parting.read(0, at(2));
    assert!(matches!(parting.next(MOST_BYTES), Next::Passed));
    assert!(parting.take_passed(usize::MAX).is_empty() && parting.has_ended());
    let mut parting = Parting::new(Buffers::default(), &picture, at(1));
    parting.pass_all();
    assert!(matches!(parting.next(MOST_BYTES), Next::Passed) && !parting.lacks_all());
    assert_eq!(parting.take_passed(usize::MAX), picture);
    assert!(parting.lacks_all());
}

#[test]
fn fragments_are_put_together_whatever_comes_between_them() {
    let picture: Vec<u8> = (0..5_003_u32).map(|n| (n / 7) as u8).collect();
    let (ping, text) = (frame(FIN | PING, 5), frame(FIN | TEXT, 9));
    let mut stream = text.clone();
    let last = picture.chunks(1024).count() - 1;
    for (number, piece) in picture.chunks(1024).enumerate() {
        let kind = if number == 0 { BINARY } else { CONTINUATION };
        let fin = if number == last { FIN } else { 0 };
        stream.extend(masked(kind | fin, piece, [1, 2, 3, number as u8]));
        stream.extend(masked(CONTINUATION, &[], [9; 4]).repeat(usize::from(number < last)));
        stream.extend_from_slice(&ping);
    }
    stream.extend(masked(BINARY | FIN, &picture, [5; 4]));
    for piece_bytes in [1, 3, 1000, usize::MAX] {
        let (messages, passed) = read_in_pieces(&stream, piece_bytes);
        assert_eq!(messages, [&picture[..], &picture[..]], "{piece_bytes}");
        assert_eq!(passed, [text.clone(), ping.repeat(last + 1)].concat());
    }
}

#[test]
fn a_message_in_fragments_lies_here_once() {
    let mut parting = Parting::new(Buffers::default(), &[], at(0));
    for _ in 0..3 {
        for number in 0..90_u8 {
            let kind = if number == 0 { BINARY } else { CONTINUATION };
            let fin = if number == 89 { FIN } else { 0 };
            let found = read(&mut parting, &frame(kind | fin, 1024), at(0));
            assert_eq!(found.len(), usize::from(fin == FIN));
            assert!(parting.room().capacity() <= 2 * FRAGMENTS_READ_BYTES);
        }
        assert!(!parting.is_within_message());
    }
}

#[test]
fn what_breaks_into_fragments_is_tungstenites_with_all_that_follows() {
    let (start, ping) = (frame(BINARY, 9), frame(FIN | PING, 2));
    let mut unmasked = frame(CONTINUATION, 3);
    unmasked[1] &= !MASK;
    for wrong in [
        frame(FIN | BINARY, 7),
        frame(TEXT, 7),
        frame(3, 7),
        frame(0x40 | CONTINUATION, 7),
        unmasked,
    ] {
        let stream = [&start[..], &ping, &wrong, &frame(FIN | CONTINUATION, 4)].concat();
        for piece_bytes in [1, usize::MAX] {
            let (messages, passed) = read_in_pieces(&stream, piece_bytes);
            assert!(messages.is_empty(), "{wrong:?}");
            let rest = &stream[start.len() + ping.len()..];
            assert_eq!(passed, [&ping, &EMPTY_FRAGMENT[..], rest].concat());
        }
    }
}

#[test]
fn fragments_that_become_too_much_are_told_before_they_have_come() {
    let mut parting = Parting::new(Buffers::default(), &frame(BINARY, MOST_BYTES), at(0));
    assert!(matches!(parting.next(MOST_BYTES), Next::More));
    let next = frame(FIN | CONTINUATION, 1);
    parting.room().extend_from_slice(&next[..6]);
    parting.read(6, at(1));
    let told = parting.next(MOST_BYTES);
    assert!(matches!(told, Next::TooLong(bytes) if bytes == MOST_BYTES as u64 + 1));
    assert!(matches!(parting.next(MOST_BYTES), Next::Passed));
    let passed = parting.take_passed(usize::MAX);
    assert_eq!(passed, [&EMPTY_FRAGMENT[..], &next[..6]].concat());
}
