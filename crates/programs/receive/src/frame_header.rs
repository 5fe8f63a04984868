//! The header of a WebSocket frame (RFC 6455, section 5.2), as far as it says where the frame ends
//! and whether it is a message of its own. Whether it may be so, tungstenite judges.

const FINAL: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
const MASKED: u8 = 0x80;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;

/// The first opcode of frames that may come between the fragments of a message.
const CONTROL: u8 = 8;

/// A header that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    first: u8,
    is_masked: bool,
    /// Zeros, if it has none.
    pub(crate) mask: [u8; 4],
    /// How long the header is.
    pub(crate) bytes: usize,
    /// How long what follows is.
    pub(crate) payload_bytes: u64,
}

impl FrameHeader {
    /// Reads the header at the beginning of these bytes; `None` if it is not whole.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let (&second, rest) = rest.split_first()?;
        let is_masked = second & MASKED != 0;
        let length_bytes = match second & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let (length, rest) = rest.split_at_checked(length_bytes)?;
        let payload_bytes = match length {
            [] => u64::from(second & !MASKED),
            length => length
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let mask = match is_masked {
            true => *rest.first_chunk()?,
            false => [0; 4],
        };
        Some(Self {
            first,
            is_masked,
            mask,
            bytes: 2 + length_bytes + if is_masked { 4 } else { 0 },
            payload_bytes,
        })
    }

    /// What kind of frame it is.
    pub(crate) fn opcode(self) -> u8 {
        self.first & OPCODE
    }

    /// How long header and payload are.
    pub(crate) fn frame_bytes(self) -> u64 {
        self.payload_bytes.saturating_add(self.bytes as u64)
    }

    /// Says whether it is a message of bytes by itself, as a client may send it, unless the
    /// fragments of another have not all come.
    pub(crate) fn is_plain_message(self) -> bool {
        self.first == FINAL | BINARY && self.is_masked
    }

    /// Says whether it begins a message of bytes in fragments, as a client may send it.
    pub(crate) fn is_plain_beginning(self) -> bool {
        self.first == BINARY && self.is_masked
    }

    /// Says whether it goes on with a message, as a client may send it.
    pub(crate) fn is_plain_continuation(self) -> bool {
        self.first & !FINAL == 0 && self.is_masked
    }

    /// Says whether it ends its message.
    pub(crate) fn is_final(self) -> bool {
        self.first & FINAL != 0
    }

    /// Says whether it may come between the fragments of a message.
    pub(crate) fn is_control(self) -> bool {
        self.opcode() >= CONTROL
    }

    /// Says whether the fragments of a message have not all come after this frame, if that was so
    /// before it or not.
    pub(crate) fn is_fragmented_after(self, before: bool) -> bool {
        match self.opcode() < CONTROL && self.first & RESERVED == 0 {
            true => self.first & FINAL == 0,
            false => before,
        }
    }
}

/// Takes a mask off, which a client puts on (section 5.3). That of zeros is none.
pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    if mask == [0; 4] {
        return;
    }
    let (words, rest) = payload.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_once_it_is_whole() {
        let cases: [(&[u8], u8, usize, u64); 5] = [
            (&[0x82, 0x85, 1, 2, 3, 4], BINARY, 6, 5),
            (&[0x81, 5], TEXT, 2, 5),
            (&[0x02, 0xFE, 1, 0, 9, 9, 9, 9], BINARY, 8, 256),
            (
                &[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, 7, 1, 1, 1, 1],
                BINARY,
                14,
                7,
            ),
            (
                &[0x89, 0x7F, 255, 255, 255, 255, 255, 255, 255, 255],
                9,
                10,
                u64::MAX,
            ),
        ];
        for (bytes, opcode, length, payload_bytes) in cases {
            for short in 0..bytes.len() {
                assert_eq!(FrameHeader::parse(&bytes[..short]), None, "{bytes:?}");
            }
            let header = FrameHeader::parse(bytes).unwrap();
            assert_eq!(header.opcode(), opcode);
            assert_eq!(
                (header.bytes, header.payload_bytes),
                (length, payload_bytes)
            );
            assert!(header.frame_bytes() >= payload_bytes);
        }
    }

    #[test]
    fn only_a_masked_frame_of_bytes_that_ends_its_message_is_one_by_itself() {
        let is_plain = |first, second| {
            let bytes = [first, second, 0, 0, 0, 0];
            FrameHeader::parse(&bytes).unwrap().is_plain_message()
        };
        assert!(is_plain(0x82, 0x81));
        for (first, second) in [
            (0x82, 1),
            (0x02, 0x81),
            (0xC2, 0x81),
            (0x81, 0x81),
            (0x80, 0x81),
            (0x88, 0x81),
            (0x83, 0x81),
        ] {
            assert!(!is_plain(first, second), "{first:02x} {second:02x}");
        }
    }

    #[test]
    fn fragments_go_on_until_the_last_whatever_comes_between() {
        let mut is_fragmented = false;
        for (first, after) in [
            (0x81, false),
            (0x02, true),
            (0x89, true),
            (0x00, true),
            (0x8A, true),
            (0x80, false),
            (0x89, false),
            (0x01, true),
        ] {
            let header = FrameHeader::parse(&[first, 0x80, 0, 0, 0, 0]).unwrap();
            is_fragmented = header.is_fragmented_after(is_fragmented);
            assert_eq!(is_fragmented, after, "{first:02x}");
        }
    }

    #[test]
    fn a_mask_is_taken_off_whatever_the_length() {
        let mask = [0x6D, 0xB6, 0xB2, 0x80];
        for length in 0..40 {
            let plain: Vec<u8> = (0..length).collect();
            let masked = plain.iter().zip(mask.iter().cycle());
            let mut payload: Vec<u8> = masked.map(|(byte, mask)| byte ^ mask).collect();
            unmask(&mut payload, mask);
            assert_eq!(payload, plain);
            unmask(&mut payload, [0; 4]);
            assert_eq!(payload, plain);
        }
    }
}
