//! What comes by a WebSocket is parted by frames (RFC 6455, section 5.2): a message of bytes in one
//! frame, as nearly all cameras send it, is taken as it lies there; one in fragments, as
//! Espressif's client sends it, is put together as they come; all else is tungstenite's, which gets
//! it frame by frame. It would clear its memory before each read, and keep a message twice that it
//! puts together.
//!
//! The moment of a message's first byte is the nearest to its capture that a plain camera lets be
//! known. Nothing here reads a clock or a socket.

use std::collections::VecDeque;
use std::time::SystemTime;

use bytes::{Buf, Bytes, BytesMut};

use crate::buffers::Buffers;
use crate::frame_header::{BINARY, FrameHeader, TEXT, unmask};

/// How much is read at once at least, and at most where no frame is known to be larger: a frame of
/// 640x480 has some 30 KB.
const LEAST_READ_BYTES: usize = 4 << 10;
const MOST_READ_BYTES: usize = 64 << 10;

/// How much is read at once of a message in fragments, which are copied from there: a few of the
/// usual 1 KB.
const FRAGMENTS_READ_BYTES: usize = 8 << 10;

/// The beginning of a message of bytes in fragments, with nothing in it yet.
const EMPTY_FRAGMENT: [u8; 6] = [BINARY, 0x80, 0, 0, 0, 0];

/// What has come, and who gets it.
#[derive(Debug)]
pub(crate) struct Parting {
    /// Where memory comes from.
    buffers: Buffers,
    buffer: BytesMut,
    /// When the first byte of the buffer came, and when the last. Nothing is read while more than a
    /// part of one message lies here, so each other message begins with what was read last.
    first_came: SystemTime,
    last_came: SystemTime,
    passed: Share,
    /// When the messages began that were passed to tungstenite, and that it has not given yet. As
    /// many as fit into what is read at once.
    passed_starts: VecDeque<SystemTime>,
    /// There while a message is put together of its fragments.
    fragments: Option<Fragments>,
    /// How long the last of those was.
    usual_bytes: usize,
    /// tungstenite has the beginning of a message, and waits for its other fragments.
    is_fragmented: bool,
    has_ended: bool,
    /// It has, within a message.
    ended_within: bool,
    /// How much to make room for.
    expected_bytes: usize,
}

/// A message of which some fragments have come.
#[derive(Debug)]
struct Fragments {
    message: BytesMut,
    began: SystemTime,
    /// How much of the fragment that comes now is still to come, and its mask from there on.
    left_bytes: usize,
    mask: [u8; 4],
    is_last: bool,
}

/// How much of the buffer, and of what comes, is tungstenite's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    /// So many bytes.
    Bytes(u64),
    /// All, to the end.
    All,
}

impl Share {
    const NOTHING: Self = Self::Bytes(0);
}

/// What lies at the beginning of the buffer.
#[derive(Debug)]
pub(crate) enum Next {
    /// A whole message of bytes, and when it began.
    Message(Bytes, SystemTime),
    /// The beginning of one that would have more bytes than it may: so many at least.
    TooLong(u64),
    /// Something for tungstenite.
    Passed,
    /// Not enough yet.
    More,
}

impl Parting {
    /// Begins with what was read already, at this moment.
    pub(crate) fn new(buffers: Buffers, early: &[u8], now: SystemTime) -> Self {
        Self {
            buffers,
            buffer: BytesMut::from(early),
            first_came: now,
            last_came: now,
            passed: Share::NOTHING,
            passed_starts: VecDeque::new(),
            fragments: None,
            usual_bytes: 0,
            is_fragmented: false,
            has_ended: false,
            ended_within: false,
            expected_bytes: LEAST_READ_BYTES,
        }
    }

    /// Gives what is next, unless tungstenite has not got what is its own. Messages of more than
    /// `most_bytes` are left to it, which refuses them.
    pub(crate) fn next(&mut self, most_bytes: usize) -> Next {
        if self.passed != Share::NOTHING {
            return match self.buffer.is_empty() && !self.has_ended {
                true => Next::More,
                false => Next::Passed,
            };
        }
        loop {
            if let Some(fragments) = &mut self.fragments {
                fragments.take_from(&mut self.buffer);
                if fragments.left_bytes > 0 {
                    return self.more();
                }
                if fragments.is_last {
                    return self.put_together();
                }
            }
            let header = self.pass_others(most_bytes as u64);
            if self.passed != Share::NOTHING {
                return Next::Passed;
            }
            let Some(header) = header else {
                return self.more();
            };
            if header.is_plain_message() {
                return self.whole(header);
            }
            if let Err(bytes) = self.fragment(header, most_bytes) {
                self.surrender();
                return Next::TooLong(bytes);
            }
        }
    }

    /// A message in one frame begins; gives it, if all of it is there.
    fn whole(&mut self, header: FrameHeader) -> Next {
        // It is no more than `most_bytes`.
        let payload_bytes = header.payload_bytes as usize;
        let bytes = header.bytes + payload_bytes;
        if self.buffer.len() < bytes {
            self.expected_bytes = bytes;
            return self.more();
        }
        let began = self.first_came;
        let mut message = self.take(bytes);
        message.advance(header.bytes);
        unmask(&mut message, header.mask);
        // The next one may be a little larger, and a read that fills its room has to be repeated.
        self.expected_bytes = with_some_more(bytes).clamp(LEAST_READ_BYTES, MOST_READ_BYTES);
        self.usual_bytes = 0;
        Next::Message(message.freeze(), began)
    }

    /// A fragment begins. Gives how long its message is, if that is too long.
    fn fragment(&mut self, header: FrameHeader, most_bytes: usize) -> Result<(), u64> {
        let before = self.fragments.as_ref().map_or(0, |it| it.message.len());
        let bytes = header.payload_bytes.saturating_add(before as u64);
        if bytes > most_bytes as u64 {
            return Err(bytes);
        }
        let began = self.first_came;
        let usual_bytes = with_some_more(self.usual_bytes).min(most_bytes);
        let buffers = &self.buffers;
        let fragments = self.fragments.get_or_insert_with(|| Fragments {
            message: buffers.take(usual_bytes),
            began,
            left_bytes: 0,
            mask: [0; 4],
            is_last: false,
        });
        fragments.left_bytes = header.payload_bytes as usize;
        fragments.mask = header.mask;
        fragments.is_last = header.is_final();
        self.buffer.advance(header.bytes);
        Ok(())
    }

    /// The last fragment has come.
    fn put_together(&mut self) -> Next {
        let Some(fragments) = self.fragments.take() else {
            return Next::More;
        };
        // What lies behind it came with what was read last.
        self.first_came = self.last_came;
        self.usual_bytes = fragments.message.len();
        self.expected_bytes = FRAGMENTS_READ_BYTES;
        Next::Message(fragments.message.freeze(), fragments.began)
    }

    /// Passes to tungstenite what is its own, up to the next frame that is not: a message, or a
    /// fragment of one. Gives the header of that, if it is whole.
    fn pass_others(&mut self, most_bytes: u64) -> Option<FrameHeader> {
        let mut passed = 0;
        let own = loop {
            let rest = usize::try_from(passed).ok();
            let rest = rest.and_then(|passed| self.buffer.get(passed..));
            let Some(header) = rest.and_then(FrameHeader::parse) else {
                break None;
            };
            if self.fragments.is_some() && !header.is_control() {
                if header.is_plain_continuation() {
                    break Some(header);
                }
                // It is against the protocol, and tungstenite is to say how.
                if passed == 0 {
                    self.surrender();
                    return None;
                }
                break None;
            }
            let is_message = header.is_plain_message() || header.is_plain_beginning();
            if is_message && !self.is_fragmented && header.payload_bytes <= most_bytes {
                break Some(header);
            }
            if matches!(header.opcode(), TEXT | BINARY) {
                self.passed_starts.push_back(match passed {
                    0 => self.first_came,
                    _ => self.last_came,
                });
            }
            self.is_fragmented = header.is_fragmented_after(self.is_fragmented);
            passed = header.frame_bytes().saturating_add(passed);
        };
        self.passed = Share::Bytes(passed);
        own
    }

    /// From now on all is tungstenite's, which hears that a message has begun: it cannot be put
    /// together here, and that ends the connection.
    fn surrender(&mut self) {
        let rest = std::mem::take(&mut self.buffer);
        self.buffer.extend_from_slice(&EMPTY_FRAGMENT);
        self.buffer.extend_from_slice(&rest);
        let began = self.fragments.take().map(|fragments| fragments.began);
        self.passed_starts.extend(began);
        self.is_fragmented = true;
        self.pass_all();
    }

    /// Where nothing more comes, tungstenite is to say what that means; half a message is nobody's.
    fn more(&mut self) -> Next {
        if !self.has_ended {
            // Cameras wait most of the time, and hold nothing then.
            if self.buffer.is_empty() && self.fragments.is_none() {
                self.buffers.give(std::mem::take(&mut self.buffer).freeze());
            }
            return Next::More;
        }
        self.ended_within = self.is_within_message();
        self.buffer.clear();
        self.fragments = None;
        self.pass_all();
        Next::Passed
    }

    /// Says whether a message has begun that is not whole.
    pub(crate) fn is_within_message(&self) -> bool {
        let is_passed = !matches!(self.passed, Share::Bytes(0) | Share::All);
        let is_fragmented = self.is_fragmented || self.fragments.is_some();
        self.ended_within || is_passed || is_fragmented || !self.buffer.is_empty()
    }

    /// Room for what is likely to come.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        let missing = self.missing_bytes(self.buffer.len());
        if !self.buffer.try_reclaim(missing) {
            let mut roomy = self.buffers.take(self.buffer.len() + missing);
            roomy.extend_from_slice(&self.buffer);
            self.buffer = roomy;
        }
        &mut self.buffer
    }

    /// So many bytes were read into the room, at this moment; none where nothing more comes.
    pub(crate) fn read(&mut self, bytes: usize, now: SystemTime) {
        self.has_ended = bytes == 0;
        if self.has_ended {
            return;
        }
        let before = self.buffer.len() - bytes;
        let comes_in_fragments = self.fragments.is_some() || self.usual_bytes > 0;
        let has_filled_room = bytes >= self.missing_bytes(before);
        if has_filled_room && !comes_in_fragments && self.expected_bytes < MOST_READ_BYTES {
            self.expected_bytes *= 2;
        }
        if before == 0 {
            self.first_came = now;
        }
        self.last_came = now;
    }

    fn missing_bytes(&self, before: usize) -> usize {
        let expected_bytes = match self.fragments {
            Some(_) => FRAGMENTS_READ_BYTES,
            None => self.expected_bytes,
        };
        expected_bytes.saturating_sub(before).max(1)
    }

    /// From now on all is tungstenite's: the connection ends.
    pub(crate) fn pass_all(&mut self) {
        self.passed = Share::All;
    }

    /// Gives what was passed to tungstenite and has come, but no more than this.
    pub(crate) fn take_passed(&mut self, most_bytes: usize) -> BytesMut {
        let most_bytes = most_bytes.min(self.buffer.len());
        let bytes = match &mut self.passed {
            Share::All => most_bytes,
            Share::Bytes(left) => {
                let bytes = usize::try_from(*left).unwrap_or(usize::MAX).min(most_bytes);
                *left -= bytes as u64;
                bytes
            }
        };
        self.take(bytes)
    }

    /// Takes the beginning of the buffer. What lies behind it came with what was read last.
    fn take(&mut self, bytes: usize) -> BytesMut {
        if bytes > 0 {
            self.first_came = self.last_came;
        }
        self.buffer.split_to(bytes)
    }

    /// When the message began that tungstenite gives now.
    pub(crate) fn next_passed_start(&mut self) -> Option<SystemTime> {
        self.passed_starts.pop_front()
    }

    /// Says whether tungstenite has got what was its own.
    pub(crate) fn has_passed_all(&self) -> bool {
        self.passed == Share::NOTHING || self.buffer.is_empty()
    }

    /// Says whether tungstenite is to have all that comes, and has got what is there.
    pub(crate) fn lacks_all(&self) -> bool {
        self.passed == Share::All && self.buffer.is_empty() && !self.has_ended
    }

    /// Says whether nothing more comes.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }
}

impl Fragments {
    /// Takes what has come of the fragment.
    fn take_from(&mut self, buffer: &mut BytesMut) {
        let bytes = self.left_bytes.min(buffer.len());
        let before = self.message.len();
        self.message.extend_from_slice(&buffer[..bytes]);
        unmask(&mut self.message[before..], self.mask);
        buffer.advance(bytes);
        self.left_bytes -= bytes;
        let masked = bytes % self.mask.len();
        self.mask.rotate_left(masked);
    }
}

/// A little more than the last, for the next one.
fn with_some_more(bytes: usize) -> usize {
    bytes + bytes / 16
}

#[cfg(test)]
mod tests;
