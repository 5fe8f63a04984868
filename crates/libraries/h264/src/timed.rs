//! How programs are told of the pictures of a camera: at the socket `timed` of `eyelid-video` each
//! stands behind a header. `docs/video.md` promises it to all; what is here is for those of ours.

use std::time::{Duration, SystemTime};

/// The socket of all cameras, in the directory of the taps.
pub const TIMED_SOCKET: &str = "timed";

/// Flags of a picture.
const IS_KEY: u32 = 1;
const AFTER_GAP: u32 = 2;

/// What stands before a picture, all of it big-endian: its length, its flags, its moment, its
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedHeader {
    /// How many bytes the picture has.
    pub length: u32,
    /// It can be decoded without any other.
    pub is_key: bool,
    /// Some were left out before it.
    pub is_after_gap: bool,
    /// The moment of capture.
    pub captured: SystemTime,
    /// Which of its encode it is.
    pub number: u64,
}

impl TimedHeader {
    /// How many bytes it has.
    pub const BYTES: usize = 24;

    /// Gives what is written. No moment is before 1970.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let is_key = if self.is_key { IS_KEY } else { 0 };
        let after_gap = if self.is_after_gap { AFTER_GAP } else { 0 };
        let since_1970 = self.captured.duration_since(SystemTime::UNIX_EPOCH);
        let nanoseconds = since_1970.unwrap_or_default().as_nanos() as u64;
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.length.to_be_bytes());
        bytes[4..8].copy_from_slice(&(is_key | after_gap).to_be_bytes());
        bytes[8..16].copy_from_slice(&nanoseconds.to_be_bytes());
        bytes[16..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Reads what was written. Flags that nobody knows are passed over.
    pub fn of(bytes: [u8; Self::BYTES]) -> Self {
        let word = |at: usize| {
            let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            u32::from_be_bytes(word)
        };
        let long = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        let flags = word(4);
        Self {
            length: word(0),
            is_key: flags & IS_KEY != 0,
            is_after_gap: flags & AFTER_GAP != 0,
            captured: SystemTime::UNIX_EPOCH + Duration::from_nanos(long(8)),
            number: long(16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_is_written_and_promised() {
        let at = Duration::from_nanos(0x0102_0304_0506_0708);
        let mut header = TimedHeader {
            length: 0x0A0B_0C0D,
            is_key: true,
            is_after_gap: false,
            captured: SystemTime::UNIX_EPOCH + at,
            number: 9,
        };
        let mut bytes = header.to_bytes();
        let promised = [
            0x0A, 0x0B, 0x0C, 0x0D, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9,
        ];
        assert_eq!(bytes, promised);
        assert_eq!(TimedHeader::of(bytes), header);
        (header.is_key, header.is_after_gap) = (false, true);
        bytes[7] = 2;
        assert_eq!(header.to_bytes(), bytes);
        // What may be said one day.
        bytes[6] = 0xFF;
        assert_eq!(TimedHeader::of(bytes), header);
    }
}
