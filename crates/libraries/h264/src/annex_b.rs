//! NAL units behind start codes (ITU-T H.264, Annex B), and behind their lengths (ISO/IEC
//! 14496-15).

use memchr::memmem::Finder;

/// What ends the zeros before a unit. Within a unit it does not occur: there a 3 stands between.
const START_CODE: &[u8] = &[0, 0, 1];

/// What a NAL unit is (ITU-T H.264, table 7-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NalType {
    /// 1 to 4: a part of a picture that needs others.
    Slice,
    /// 5: a part of a picture that needs no other, and behind which nothing needs one before it.
    Idr,
    /// 6: what a decoder may know.
    Sei,
    /// 7: a sequence parameter set.
    Sps,
    /// 8: a picture parameter set.
    Pps,
    /// 9: a picture begins.
    Delimiter,
    /// Anything else.
    Other(u8),
}

impl NalType {
    /// What a unit is; `None` if it is empty.
    pub fn of(unit: &[u8]) -> Option<Self> {
        Some(match unit.first()? & 0x1F {
            1..=4 => Self::Slice,
            5 => Self::Idr,
            6 => Self::Sei,
            7 => Self::Sps,
            8 => Self::Pps,
            9 => Self::Delimiter,
            other => Self::Other(other),
        })
    }
}

/// The units of a stream, without their start codes and without the zeros that may lie between
/// them. None is empty. What lies before the first start code is no unit.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let finder = Finder::new(START_CODE);
    let first = finder.find(stream).map(|at| at + START_CODE.len());
    let mut rest = first.map(|first| &stream[first..]);
    std::iter::from_fn(move || {
        let from = rest?;
        let end = finder.find(from);
        rest = end.map(|end| &from[end + START_CODE.len()..]);
        Some(without_zeros(&from[..end.unwrap_or(from.len())]))
    })
    .filter(|unit| !unit.is_empty())
}

/// A unit ends with a bit that is set, so zeros behind it are the next start code's.
fn without_zeros(unit: &[u8]) -> &[u8] {
    let end = unit.iter().rposition(|byte| *byte != 0);
    &unit[..end.map_or(0, |end| end + 1)]
}

/// Writes a picture as MP4 has it, in place of what `sample` has: each unit behind its length in
/// four bytes. Parameter sets are left out, since they stand once for all in the track's box
/// `avcC`, and so are delimiters.
pub fn length_prefixed(access_unit: &[u8], sample: &mut Vec<u8>) {
    sample.clear();
    for unit in nal_units(access_unit) {
        let is_left_out = matches!(
            NalType::of(unit),
            Some(NalType::Sps | NalType::Pps | NalType::Delimiter)
        );
        // None that is longer can be said; there is none in memory, either.
        let Some(length) = u32::try_from(unit.len()).ok().filter(|_| !is_left_out) else {
            continue;
        };
        sample.extend_from_slice(&length.to_be_bytes());
        sample.extend_from_slice(unit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(stream: &[u8]) -> Vec<&[u8]> {
        nal_units(stream).collect()
    }

    #[test]
    fn takes_a_stream_apart_at_short_and_long_start_codes() {
        let stream = [
            0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 0, 1, 0x65, 0, 0, 3, 1, 9,
        ];
        let expected: [&[u8]; 3] = [&[0x67, 1, 2], &[0x68, 3], &[0x65, 0, 0, 3, 1, 9]];
        assert_eq!(units(&stream), expected);
        let types: Vec<_> = nal_units(&stream).filter_map(NalType::of).collect();
        assert_eq!(types, [NalType::Sps, NalType::Pps, NalType::Idr]);
    }

    #[test]
    fn what_is_no_unit_is_left_out() {
        assert!(units(&[]).is_empty());
        assert!(units(&[0x65, 1, 2]).is_empty());
        assert!(units(&[0, 0, 1]).is_empty());
        assert!(units(&[0, 0, 1, 0, 0, 1, 0, 0]).is_empty());
        assert_eq!(units(&[7, 7, 0, 0, 1, 0x41, 0, 0]), [&[0x41][..]]);
    }

    #[test]
    fn a_sample_of_mp4_has_lengths_and_no_parameter_sets() {
        let mut sample = vec![1; 3];
        let stream = [
            0, 0, 0, 1, 9, 0xF0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x68, 2, 0, 0, 1, 6, 5, 0, 0, 1, 0x65,
            8, 9,
        ];
        length_prefixed(&stream, &mut sample);
        assert_eq!(sample, [0, 0, 0, 2, 6, 5, 0, 0, 0, 3, 0x65, 8, 9]);
    }
}
