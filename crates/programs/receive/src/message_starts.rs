//! When each WebSocket message began to come: the bytes of frames (RFC 6455, section 5.2) are
//! counted as they are read, beside who makes messages of them. The moment of a message's first
//! byte is the nearest to its capture that a plain camera lets be known. Nothing here reads a
//! clock.

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::frame_header::{BINARY, FrameHeader, TEXT};

/// Counts the bytes of one connection.
#[derive(Debug, Default)]
pub(crate) struct MessageStarts {
    header: Vec<u8>,
    header_came: Option<SystemTime>,
    payload_left: u64,
    /// When the messages began that were not asked for yet. As many as fit into what is read at
    /// once.
    starts: VecDeque<SystemTime>,
}

impl MessageStarts {
    /// These bytes were read at this moment.
    pub(crate) fn read(&mut self, mut bytes: &[u8], now: SystemTime) {
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let left = usize::try_from(self.payload_left).unwrap_or(usize::MAX);
                let skipped = left.min(bytes.len());
                self.payload_left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            if self.header.is_empty() {
                self.header_came = Some(now);
            }
            self.header.push(bytes[0]);
            bytes = &bytes[1..];
            if let Some(header) = FrameHeader::parse(&self.header) {
                if matches!(header.opcode(), TEXT | BINARY) {
                    self.starts
                        .push_back(self.header_came.take().unwrap_or(now));
                }
                self.payload_left = header.payload_bytes;
                self.header.clear();
            }
        }
    }

    /// A message of text or bytes is whole: gives when it began.
    pub(crate) fn next(&mut self) -> Option<SystemTime> {
        self.starts.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    const FIN: u8 = 0x80;
    const PING: u8 = 9;
    const CONTINUATION: u8 = 0;
    const MASK: u8 = 0x80;

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
        let mut starts = MessageStarts::default();
        for (ms, byte) in bytes.iter().enumerate() {
            starts.read(&[*byte], at(ms as u64));
        }
        let text = (stream[0].len() + stream[1].len() + stream[2].len()) as u64;
        let last = text + stream[3].len() as u64;
        let found: Vec<_> = std::iter::from_fn(|| starts.next()).collect();
        assert_eq!(found, [at(0), at(text), at(last)]);
        // All at once but the end of the last: it has begun all the same.
        let mut starts = MessageStarts::default();
        starts.read(&bytes[..bytes.len() - 10], at(5));
        starts.read(&bytes[bytes.len() - 10..], at(900));
        let found: Vec<_> = std::iter::from_fn(|| starts.next()).collect();
        assert_eq!(found, [at(5); 3]);
    }
}
