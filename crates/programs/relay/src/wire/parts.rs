//! A frame as the messages in which it travels.
//!
//! They are small: a broker hands a message on when all of it has come, so that a frame in one
//! piece is sent twice over, one link after the other. The first one of a frame that is larger than
//! a packet has none of its bytes. When it comes tells the round trip, whatever the frame takes.

use super::message::{FrameId, RequestId};
use super::reply::{Head, Part};

/// How many bytes of a frame a message has at most: a broker passes them on 13 ms later by a link
/// of 10 Mbit/s, and what stands around them is 1 % of that.
const PART_BYTES: usize = 16 << 10;

/// A frame with its head in a packet of Ethernet, with the headers of IP, TCP, TLS and the broker's
/// protocol.
const PACKET_BYTES: usize = 1_200;

/// A broker that takes no message in which a frame could go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// The broker's messages are too small.
    #[error("the broker takes messages of {0} bytes only (max_payload): 128 at least")]
    MaxMessage(usize),
    /// The head is not this frame's.
    #[error("frame of {frame_bytes} bytes, announced as of {announced_bytes}")]
    Announced {
        /// The frame's bytes.
        frame_bytes: usize,
        /// Those that its head says.
        announced_bytes: u32,
    },
}

/// Gives the messages of a frame, one after the other, none larger than `max_message_bytes`.
///
/// # Errors
/// See [`CutError`].
pub fn cut(
    head: Head,
    frame: &[u8],
    max_message_bytes: usize,
) -> Result<impl Iterator<Item = Vec<u8>>, CutError> {
    if max_message_bytes < 128 {
        return Err(CutError::MaxMessage(max_message_bytes));
    }
    if u32::try_from(frame.len()) != Ok(head.bytes) {
        return Err(CutError::Announced {
            frame_bytes: frame.len(),
            announced_bytes: head.bytes,
        });
    }
    let is_one = Head::BYTES + frame.len() <= max_message_bytes.min(PACKET_BYTES);
    let (first, rest) = frame.split_at(if is_one { frame.len() } else { 0 });
    let part_bytes = PART_BYTES.min(max_message_bytes - Part::BYTES);
    let parts = (rest.chunks(part_bytes).zip(0_u32..)).map(move |(bytes, index)| {
        // A frame's size has 32 bits, and no chunk is larger than the frame.
        let offset_bytes = index.saturating_mul(part_bytes as u32);
        let part = Part {
            id: head.id,
            frame: head.frame,
            offset_bytes,
        };
        part.message(bytes)
    });
    Ok(std::iter::once(head.message(first)).chain(parts))
}

/// A message that does not go on with the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    /// The frame is larger than whoever asked takes.
    #[error("frame of {bytes} bytes, larger than the {max_bytes} that were asked for")]
    TooLarge {
        /// The size that its head says.
        bytes: u32,
        /// What was asked for.
        max_bytes: u32,
    },
    /// Another frame's, or another request's.
    #[error("part of another frame")]
    Another,
    /// One before it is missing, or it has come before.
    #[error("part that begins at {found_bytes}, not at {wanted_bytes}")]
    Offset {
        /// Where it begins.
        found_bytes: u32,
        /// Where the next one is to begin.
        wanted_bytes: u32,
    },
    /// It has more than the frame.
    #[error("more bytes than the frame has")]
    Beyond,
}

/// A frame that is put together again. It has no more memory than twice what has come of it.
#[derive(Debug)]
pub struct Assembly {
    id: RequestId,
    frame: FrameId,
    bytes: u32,
    received: Vec<u8>,
}

impl Assembly {
    /// Begins one.
    ///
    /// # Errors
    /// [`AssemblyError::TooLarge`], [`AssemblyError::Beyond`]
    pub fn new(head: &Head, first: &[u8], max_bytes: u32) -> Result<Self, AssemblyError> {
        if head.bytes > max_bytes {
            return Err(AssemblyError::TooLarge {
                bytes: head.bytes,
                max_bytes,
            });
        }
        if first.len() > head.bytes as usize {
            return Err(AssemblyError::Beyond);
        }
        Ok(Self {
            id: head.id,
            frame: head.frame,
            bytes: head.bytes,
            received: first.to_vec(),
        })
    }

    /// Takes the bytes that come next.
    ///
    /// # Errors
    /// All of [`AssemblyError`] but the first. Nothing is taken then.
    pub fn push(&mut self, part: &Part, bytes: &[u8]) -> Result<(), AssemblyError> {
        if (part.id, part.frame) != (self.id, self.frame) {
            return Err(AssemblyError::Another);
        }
        if part.offset_bytes != self.received_bytes() {
            return Err(AssemblyError::Offset {
                found_bytes: part.offset_bytes,
                wanted_bytes: self.received_bytes(),
            });
        }
        if bytes.len() > self.bytes as usize - self.received.len() {
            return Err(AssemblyError::Beyond);
        }
        self.received.extend_from_slice(bytes);
        Ok(())
    }

    /// How many bytes the frame has.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// How many of them have come.
    pub fn received_bytes(&self) -> u32 {
        // Never more than `bytes`.
        self.received.len() as u32
    }

    /// Says whether all have come.
    pub fn is_whole(&self) -> bool {
        self.received_bytes() == self.bytes
    }

    /// Gives what has come.
    pub fn into_received(self) -> Vec<u8> {
        self.received
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Asker, Reply, Subject, SubjectTag};

    fn head(bytes: usize) -> Head {
        let subject: Subject = "eyelid.v1.pi.door".parse().unwrap();
        Head {
            id: RequestId {
                asker: Asker(1),
                subject: SubjectTag::of(&subject),
                number: 2,
            },
            frame: FrameId {
                instance: 3,
                sequence: 4,
            },
            held_us: 5,
            age_us: 6,
            width_px: 7,
            height_px: 8,
            bytes: bytes as u32,
        }
    }

    fn frame(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| (at * 7 + at / 256) as u8).collect()
    }

    fn put_together(messages: &[Vec<u8>]) -> Result<Assembly, AssemblyError> {
        let Ok(Reply::Head(head, first)) = Reply::parse(&messages[0]) else {
            panic!("no head");
        };
        let mut assembly = Assembly::new(&head, first, u32::MAX)?;
        for message in &messages[1..] {
            let Ok(Reply::Part(part, bytes)) = Reply::parse(message) else {
                panic!("no part");
            };
            assembly.push(&part, bytes)?;
        }
        Ok(assembly)
    }

    fn messages(bytes: usize, max_message_bytes: usize) -> Vec<Vec<u8>> {
        let frame = frame(bytes);
        let cut = cut(head(bytes), &frame, max_message_bytes);
        cut.unwrap().collect()
    }

    #[test]
    fn a_frame_of_a_packet_is_one_message_and_a_larger_one_begins_with_its_head() {
        assert_eq!(messages(1_000, 1 << 20).len(), 1);
        let lengths: Vec<_> = messages(40_000, 1 << 20).iter().map(Vec::len).collect();
        let full = Part::BYTES + PART_BYTES;
        let last = Part::BYTES + 40_000 - 2 * PART_BYTES;
        assert_eq!(lengths, [Head::BYTES, full, full, last]);
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let refused = |bytes, max| cut(head(bytes), &frame(9), max).map(|_| ()).unwrap_err();
        assert_eq!(refused(9, 127), CutError::MaxMessage(127));
        assert!(matches!(refused(8, 128), CutError::Announced { .. }));
    }

    #[test]
    fn messages_lost_repeated_or_of_another_frame_are_found_out() {
        let whole = messages(1_000, 200);
        assert_eq!(put_together(&whole).unwrap().into_received(), frame(1_000));
        for index in 1..whole.len() - 1 {
            let mut lost = whole.clone();
            lost.remove(index);
            let repeated = [&whole[..=index], &whole[index..]].concat();
            for torn in [lost, repeated] {
                let error = put_together(&torn).unwrap_err();
                assert!(matches!(error, AssemblyError::Offset { .. }), "{error}");
            }
            let mut other = whole.clone();
            other[index][47] ^= 1;
            assert_eq!(put_together(&other).unwrap_err(), AssemblyError::Another);
        }
        let mut longer = whole.clone();
        longer.last_mut().unwrap().push(0);
        assert_eq!(put_together(&longer).unwrap_err(), AssemblyError::Beyond);
        let shorter = put_together(&whole[..whole.len() - 1]).unwrap();
        assert!(!shorter.is_whole());
    }

    #[test]
    fn nothing_is_allocated_for_what_was_only_claimed() {
        let head = head(32 << 20);
        let too_large = Assembly::new(&head, b"", 1 << 20).unwrap_err();
        assert!(matches!(too_large, AssemblyError::TooLarge { .. }));
        let assembly = Assembly::new(&head, b"ab", 32 << 20).unwrap();
        assert!(assembly.received.capacity() <= 8);
    }

    proptest! {
        #[test]
        fn a_frame_is_the_same_however_it_is_cut(bytes in 1_usize..3_000, max in 128_usize..2_000) {
            let messages = messages(bytes, max);
            prop_assert!(messages.iter().all(|message| message.len() <= max));
            let assembly = put_together(&messages).unwrap();
            prop_assert!(assembly.is_whole());
            prop_assert_eq!(assembly.into_received(), frame(bytes));
        }
    }

    #[test]
    fn a_frame_is_the_same_split_at_every_point() {
        let (head, frame) = (head(40), frame(40));
        for end in 0..=40 {
            let mut assembly = Assembly::new(&head, &frame[..end], 40).unwrap();
            for (offset, byte) in frame.iter().enumerate().skip(end) {
                let part = Part {
                    id: head.id,
                    frame: head.frame,
                    offset_bytes: offset as u32,
                };
                assert!(!assembly.is_whole());
                assembly.push(&part, &[*byte]).unwrap();
            }
            assert!(assembly.is_whole());
            assert_eq!(assembly.into_received(), frame);
        }
    }
}
