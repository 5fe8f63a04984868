//! From what a device gives to a picture that stands alone: which of its units are there, and the
//! parameter sets before each keyframe, whether the device repeats them or not.

use eyelid_h264::{NalType, ParameterSets, nal_units};

use crate::encoder::Encoded;

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// What the bits of a buffer are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bits {
    /// A picture.
    Picture(Encoded),
    /// What stands before one, and was kept: the picture is still to come.
    BeforePicture,
    /// A keyframe that nobody can decode: no parameter sets came.
    WithoutParameterSets,
}

/// The parameter sets that a device gave last.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    sets: Option<ParameterSets>,
}

impl Assembler {
    /// Takes the bits of a buffer.
    pub(super) fn take(&mut self, bits: &[u8]) -> Bits {
        let (mut is_key, mut is_picture) = (false, false);
        for kind in nal_units(bits).filter_map(NalType::of) {
            is_key |= kind == NalType::Idr;
            is_picture |= matches!(kind, NalType::Idr | NalType::Slice);
        }
        let sets = ParameterSets::of(bits);
        let has_sets = sets.is_some();
        self.sets = sets.or(self.sets.take());
        if !is_picture {
            return Bits::BeforePicture;
        }
        let mut annex_b = Vec::new();
        if is_key && !has_sets {
            let Some(sets) = &self.sets else {
                return Bits::WithoutParameterSets;
            };
            for set in [sets.sps(), sets.pps()] {
                annex_b.extend_from_slice(&START_CODE);
                annex_b.extend_from_slice(set);
            }
        }
        annex_b.extend_from_slice(bits);
        Bits::Picture(Encoded { annex_b, is_key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETS: &[u8] = &[0, 0, 0, 1, 0x67, 66, 0xC0, 40, 0, 0, 0, 1, 0x68, 1];
    const IDR: &[u8] = &[0, 0, 0, 1, 0x65, 1];
    const SLICE: &[u8] = &[0, 0, 1, 0x41, 2];

    fn picture(parts: &[&[u8]], is_key: bool) -> Bits {
        let annex_b = parts.concat();
        Bits::Picture(Encoded { annex_b, is_key })
    }

    #[test]
    fn a_keyframe_begins_with_its_sets_whether_they_came_with_it_before_or_apart() {
        let mut assembler = Assembler::default();
        let whole = [SETS, IDR].concat();
        assert_eq!(assembler.take(&whole), picture(&[SETS, IDR], true));
        assert_eq!(assembler.take(SLICE), picture(&[SLICE], false));
        assert_eq!(assembler.take(IDR), picture(&[SETS, IDR], true));
        let mut assembler = Assembler::default();
        assert_eq!(assembler.take(SETS), Bits::BeforePicture);
        assert_eq!(assembler.take(IDR), picture(&[SETS, IDR], true));
    }

    #[test]
    fn a_keyframe_without_any_is_none() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.take(IDR), Bits::WithoutParameterSets);
        assert_eq!(assembler.take(&[]), Bits::BeforePicture);
        assert_eq!(assembler.take(&[1, 2, 3]), Bits::BeforePicture);
    }
}
