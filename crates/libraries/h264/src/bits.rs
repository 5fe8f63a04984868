//! Reads a unit's bits as ITU-T H.264 writes them (7.2, 9.1).

/// The bits of a unit's payload, without the 3 that stands between two zeros and what would look
/// like a start code.
#[derive(Clone, Debug)]
pub(crate) struct Bits<'a> {
    bytes: &'a [u8],
    byte: u8,
    /// How many bits of `byte` are left.
    left: u32,
    zeros: u32,
}

impl<'a> Bits<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            byte: 0,
            left: 0,
            zeros: 0,
        }
    }

    /// The next bit; `None` at the end.
    pub(crate) fn bit(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.next_byte()?;
        }
        self.left -= 1;
        Some(self.byte >> self.left & 1 == 1)
    }

    fn next_byte(&mut self) -> Option<()> {
        let (mut byte, mut rest) = self.bytes.split_first()?;
        if self.zeros >= 2 && *byte == 3 {
            (byte, rest) = rest.split_first()?;
            self.zeros = 0;
        }
        self.zeros = if *byte == 0 { self.zeros + 1 } else { 0 };
        (self.byte, self.bytes, self.left) = (*byte, rest, 8);
        Some(())
    }

    /// An unsigned number of so many bits, at most 32.
    pub(crate) fn number(&mut self, bits: u32) -> Option<u32> {
        let mut number = 0u32;
        for _ in 0..bits {
            number = number << 1 | u32::from(self.bit()?);
        }
        Some(number)
    }

    /// ue(v): as many zeros as bits follow the one behind them. `None` for more than 31, which no
    /// field has.
    pub(crate) fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some((1 << zeros) - 1 + self.number(zeros)?)
    }

    /// se(v).
    pub(crate) fn signed(&mut self) -> Option<i32> {
        let code = i64::from(self.unsigned()?);
        let size = (code + 1) / 2;
        i32::try_from(if code % 2 == 1 { size } else { -size }).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_as_the_standard_writes_them() {
        // 1 | 010 | 011 | 00100 | 00101, then 4 bits of 1.
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1111_1000]);
        let codes: Vec<_> = (0..5).map_while(|_| bits.unsigned()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        assert_eq!(bits.number(4), Some(15));
        assert_eq!(bits.unsigned(), None);
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        let codes: Vec<_> = (0..5).map_while(|_| bits.signed()).collect();
        assert_eq!(codes, [0, 1, -1, 2, -2]);
        assert_eq!(Bits::new(&[0; 5]).unsigned(), None);
    }

    #[test]
    fn a_three_between_zeros_is_not_read() {
        let mut bits = Bits::new(&[0, 0, 3, 1, 0, 0, 3, 0, 3]);
        let bytes: Vec<_> = (0..9).map_while(|_| bits.number(8)).collect();
        assert_eq!(bytes, [0, 0, 1, 0, 0, 0, 3]);
    }
}
