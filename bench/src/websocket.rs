//! Frames of WebSockets (RFC 6455, section 5.2), as far as cameras that push and those who receive
//! them need any.

use std::ops::Range;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// More of the message before it.
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// Its codes.
const KINDS: [(Kind, u8); 6] = [
    (Kind::Continuation, 0x0),
    (Kind::Text, 0x1),
    (Kind::Binary, 0x2),
    (Kind::Close, 0x8),
    (Kind::Ping, 0x9),
    (Kind::Pong, 0xA),
];

const LAST: u8 = 0x80;
const MASKED: u8 = 0x80;
const LENGTH_OF_16_BITS: u8 = 126;
const LENGTH_OF_64_BITS: u8 = 127;

/// A frame at the beginning of some bytes, whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// It is the message's last.
    pub(crate) is_last: bool,
    pub(crate) mask: [u8; 4],
    /// Where its payload is in the bytes.
    pub(crate) payload: Range<usize>,
}

impl Frame {
    /// Finds the frame that the bytes begin with, if all of it has come and it is of a kind that
    /// there is.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&first, &second) = (bytes.first()?, bytes.get(1)?);
        let (kind, _) = KINDS.into_iter().find(|(_, code)| *code == first & 0xF)?;
        let (length, mut at) = match second & !MASKED {
            LENGTH_OF_16_BITS => (u16::from_be_bytes(array(bytes, 2)?).into(), 4),
            LENGTH_OF_64_BITS => (u64::from_be_bytes(array(bytes, 2)?), 10),
            length => (length.into(), 2),
        };
        let mut mask = [0; 4];
        if second & MASKED != 0 {
            mask = array(bytes, at)?;
            at += mask.len();
        }
        let end = at.checked_add(usize::try_from(length).ok()?)?;
        (end <= bytes.len()).then_some(Self {
            kind,
            is_last: first & LAST != 0,
            mask,
            payload: at..end,
        })
    }
}

/// The header of a frame that a client sends.
pub(crate) fn header(kind: Kind, is_last: bool, mask: [u8; 4], length: usize) -> Vec<u8> {
    let code = KINDS.into_iter().find(|(there, _)| *there == kind);
    let code = code.map_or(0, |(_, code)| code);
    let mut header = vec![code | if is_last { LAST } else { 0 }];
    match u16::try_from(length) {
        Ok(short) if short < LENGTH_OF_16_BITS.into() => header.push(MASKED | short as u8),
        Ok(short) => {
            header.push(MASKED | LENGTH_OF_16_BITS);
            header.extend(short.to_be_bytes());
        }
        Err(_) => {
            header.push(MASKED | LENGTH_OF_64_BITS);
            header.extend((length as u64).to_be_bytes());
        }
    }
    header.extend(mask);
    header
}

/// Masks a payload, or takes its mask off.
pub(crate) fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    if mask == [0; 4] {
        return;
    }
    let wide = u64::from_ne_bytes([mask, mask].as_flattened().try_into().unwrap_or_default());
    let mut words = payload.chunks_exact_mut(8);
    for word in &mut words {
        let masked = u64::from_ne_bytes(array(word, 0).unwrap_or_default()) ^ wide;
        word.copy_from_slice(&masked.to_ne_bytes());
    }
    let rest = words.into_remainder().iter_mut();
    rest.zip(mask.iter().cycle())
        .for_each(|(byte, mask)| *byte ^= mask);
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_found_again_once_it_is_whole() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            for mask in [[0; 4], [1, 2, 3, 4]] {
                let payload: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
                let mut sent = header(Kind::Binary, true, mask, length);
                let start = sent.len();
                sent.extend(&payload);
                apply_mask(&mut sent[start..], mask);
                let found = Frame::parse(&sent).unwrap();
                let expected = Frame {
                    kind: Kind::Binary,
                    is_last: true,
                    mask,
                    payload: start..sent.len(),
                };
                assert_eq!(found, expected);
                apply_mask(&mut sent[start..], mask);
                assert_eq!(sent[start..], payload);
                for part in [0, 1, start - 1, sent.len() - 1] {
                    assert_eq!(Frame::parse(&sent[..part]), None, "{part} of {length}");
                }
            }
        }
    }

    #[test]
    fn a_server_masks_nothing() {
        let ping = Frame::parse(&[0x89, 2, 7, 8, 0x81]).unwrap();
        assert_eq!((ping.kind, ping.payload), (Kind::Ping, 2..4));
        assert_eq!(Frame::parse(&[0x83, 0]), None, "there is no such kind");
    }
}
