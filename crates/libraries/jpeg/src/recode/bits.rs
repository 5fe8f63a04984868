//! Bits of entropy-coded data, read and written (ITU-T T.81, F.1.2.3 and F.2.2.5): the highest
//! comes first, and a zero is stuffed behind each 0xFF.

use super::RecodeError;

/// Reads from data between two markers.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    /// The next bits, from the highest on.
    bits: u64,
    /// How many of them there are. Those below are zeros.
    count: u32,
    /// How many of these stand for data that is not there.
    invented: u32,
}

/// Writes data between two markers.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    bytes: &'a mut Vec<u8>,
    /// The last bits, to the lowest.
    bits: u64,
    /// How many of them have not been written: fewer than 32 between two calls.
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            rest: data,
            bits: 0,
            count: 0,
            invented: 0,
        }
    }

    /// Has at least 56 bits at hand: enough for a code and what it says of its coefficient. Behind
    /// the data's end, they are zeros.
    #[inline]
    pub(super) fn refill(&mut self) {
        if self.count > 55 {
            return;
        }
        if let Some(next) = self.rest.first_chunk::<8>()
            && !has_ff(u64::from_be_bytes(*next))
        {
            let bytes = (64 - self.count) / 8;
            self.bits |= u64::from_be_bytes(*next) >> self.count;
            self.count += bytes * 8;
            // Those that fit in part come once more.
            self.bits &= u64::MAX << (64 - self.count);
            self.rest = &self.rest[bytes as usize..];
            return;
        }
        self.refill_bytes();
    }

    fn refill_bytes(&mut self) {
        while self.count <= 56 {
            let byte = match *self.rest {
                [0xFF, 0x00, ref rest @ ..] => {
                    self.rest = rest;
                    0xFF
                }
                // Fill bytes, before a stuffed one.
                [0xFF, 0xFF, ..] => {
                    self.rest = &self.rest[1..];
                    continue;
                }
                [] | [0xFF, ..] => {
                    self.rest = &[];
                    self.invented += 8;
                    0
                }
                [byte, ref rest @ ..] => {
                    self.rest = rest;
                    byte
                }
            };
            self.bits |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// The next bits, which stay: at most 32.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> u32 {
        debug_assert!((1..=32).contains(&count));
        (self.bits >> (64 - count)) as u32
    }

    /// Goes on by as many bits as there are at hand at most.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        debug_assert!(count <= self.count);
        self.bits <<= count;
        self.count -= count;
    }

    /// Takes at most 16 bits.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Looks whether what was read was there.
    pub(super) fn check(&self) -> Result<(), RecodeError> {
        if self.count < self.invented {
            return Err(RecodeError::Broken("its data end early"));
        }
        Ok(())
    }
}

/// Whether one of the bytes is 0xFF: adding one to it carries out of it.
#[inline]
fn has_ff(bytes: u64) -> bool {
    const LOWEST: u64 = 0x0101_0101_0101_0101;
    const HIGHEST: u64 = 0x8080_8080_8080_8080;
    // Bytes with their highest bit set, of which the others become 0 or more.
    bytes & !bytes.wrapping_add(LOWEST) & HIGHEST != 0
}

impl<'a> BitWriter<'a> {
    /// Appends to these bytes.
    pub(super) fn new(bytes: &'a mut Vec<u8>) -> Self {
        Self {
            bytes,
            bits: 0,
            count: 0,
        }
    }

    /// Writes the lowest bits of a number: at most 32. The others are zeros.
    #[inline]
    pub(super) fn put(&mut self, bits: u32, count: u32) {
        debug_assert!(count <= 32 && u64::from(bits) < 1 << count);
        self.bits = self.bits << count | u64::from(bits);
        self.count += count;
        if self.count >= 32 {
            self.count -= 32;
            self.write((self.bits >> self.count) as u32);
        }
    }

    #[inline]
    fn write(&mut self, word: u32) {
        if has_ff(u64::from(word)) {
            word.to_be_bytes()
                .into_iter()
                .for_each(|byte| self.byte(byte));
        } else {
            self.bytes.extend_from_slice(&word.to_be_bytes());
        }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
        if byte == 0xFF {
            self.bytes.push(0);
        }
    }

    /// Fills the last byte up with ones, as a marker follows.
    pub(super) fn align(&mut self) {
        let missing = self.count.next_multiple_of(8) - self.count;
        self.put((1 << missing) - 1, missing);
        while self.count > 0 {
            self.count -= 8;
            self.byte((self.bits >> self.count) as u8);
        }
    }

    /// Writes a restart marker, whose number is cut to 3 bits.
    pub(super) fn restart(&mut self, number: usize) {
        self.align();
        self.bytes.extend([0xFF, 0xD0 | (number as u8 & 7)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_can_be_read(
            numbers in proptest::collection::vec((any::<u16>(), 0_u32..17, any::<bool>()), 0..200),
        ) {
            let mut bytes = vec![];
            let mut writer = BitWriter::new(&mut bytes);
            // Many ones make many stuffed zeros.
            let numbers: Vec<(u32, u32)> = numbers
                .into_iter()
                .map(|(bits, count, ones)| {
                    let bits = if ones { u32::from(u16::MAX) } else { u32::from(bits) };
                    (bits & ((1 << count) - 1), count)
                })
                .collect();
            for (bits, count) in &numbers {
                writer.put(*bits, *count);
            }
            writer.align();
            for pair in bytes.windows(2) {
                prop_assert!(pair[0] != 0xFF || pair[1] == 0);
            }
            prop_assert_ne!(bytes.last(), Some(&0xFF));
            let mut reader = BitReader::new(&bytes);
            for (bits, count) in &numbers {
                reader.refill();
                prop_assert_eq!(reader.take(*count), *bits);
                prop_assert!(reader.check().is_ok());
            }
            reader.refill();
            reader.skip(32);
            prop_assert!(reader.check().is_err());
        }

        #[test]
        fn finds_every_ff(
            bytes in proptest::array::uniform8(prop_oneof![Just(0xFF_u8), any::<u8>()]),
        ) {
            prop_assert_eq!(has_ff(u64::from_be_bytes(bytes)), bytes.contains(&0xFF));
        }
    }
}
