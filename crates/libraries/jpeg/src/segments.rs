//! The segments before a JPEG's first scan: what it says of itself (ITU-T T.81, annex B).

use crate::markers::{EOI, SOS};

/// One segment of a JPEG before its first scan: a marker and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The marker's second byte, for example `0xE0` for APP0.
    pub code: u8,
    /// What follows the two bytes of length.
    pub payload: &'a [u8],
    /// Marker, length and payload.
    pub bytes: &'a [u8],
}

/// As many as a camera's JPEG has, with some to spare: room for them is made at once.
pub(crate) const USUAL_SEGMENTS: usize = 24;

/// Iterates over the segments between SOI and the first SOS, which is not given. Stops where the
/// structure breaks.
pub fn segments(jpeg: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    head(jpeg).take_while(|segment| segment.code != SOS)
}

/// Iterates over the segments between SOI and the first scan, of which the last is its header
/// (SOS).
pub(crate) fn head(jpeg: &[u8]) -> impl Iterator<Item = Segment<'_>> {
    let mut rest = jpeg.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        let segment = next(&mut rest)?;
        if segment.code == SOS {
            rest = &[];
        }
        Some(segment)
    })
}

/// The same, all of them at once.
pub(crate) fn head_of(jpeg: &[u8]) -> Vec<Segment<'_>> {
    let mut segments = Vec::with_capacity(USUAL_SEGMENTS);
    segments.extend(head(jpeg));
    segments
}

/// Iterates over all segments up to EOI. Behind the header of a scan lie its entropy-coded data;
/// there are none behind others.
pub(crate) fn with_data(jpeg: &[u8]) -> impl Iterator<Item = (Segment<'_>, &[u8])> {
    let mut rest = jpeg.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        let segment = next(&mut rest)?;
        let length = match segment.code {
            SOS => data_length(rest),
            _ => 0,
        };
        let (data, behind) = rest.split_at(length);
        rest = behind;
        Some((segment, data))
    })
}

/// Takes the next segment off the front; `None` where there is none.
fn next<'a>(rest: &mut &'a [u8]) -> Option<Segment<'a>> {
    while let [0xFF, 0xFF, ..] = *rest {
        *rest = &rest[1..];
    }
    let &[0xFF, code, high, low, ..] = *rest else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (bytes, behind) = rest.split_at_checked(2 + length)?;
    if length < 2 || code == EOI {
        return None;
    }
    *rest = behind;
    Some(Segment {
        code,
        payload: &bytes[4..],
        bytes,
    })
}

/// The bytes before the next marker but those of restarts.
fn data_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(offset) = memchr::memchr(0xFF, &bytes[at..]) {
        let start = at + offset;
        // What fills up before a marker, or before a stuffed zero, belongs to neither.
        let ffs = bytes[start..].iter().take_while(|byte| **byte == 0xFF);
        let code = start + ffs.count();
        if !matches!(bytes.get(code), Some(0x00 | 0xD0..=0xD7)) {
            return start;
        }
        at = code + 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::tests::tricky;

    #[test]
    fn lists_the_segments_before_the_scan() {
        let jpeg = tricky();
        let codes: Vec<u8> = segments(&jpeg).map(|s| s.code).collect();
        assert_eq!(codes, [0xE1, 0xFE, 0xC2]);
        assert_eq!(
            segments(&jpeg).next().unwrap().payload,
            [0xFF, 0xD8, 1, 2, 3, 4, 0xFF, 0xD9]
        );
        assert_eq!(segments(b"").count(), 0);
    }

    #[test]
    fn lists_the_segments_behind_scans_too() {
        let jpeg = tricky();
        let codes: Vec<(u8, usize)> = with_data(&jpeg)
            .map(|(segment, data)| (segment.code, data.len()))
            .collect();
        let expected = [
            (0xE1, 0),
            (0xFE, 0),
            (0xC2, 0),
            (SOS, 7),
            (0xC4, 0),
            (SOS, 1),
        ];
        assert_eq!(codes, expected);
        let filled = [0xFF, 0xD8, 0xFF, SOS, 0, 2, 1, 0xFF, 0xFF, 0, 2, 0xFF, 0xFF];
        let data: Vec<usize> = with_data(&filled).map(|(_, data)| data.len()).collect();
        assert_eq!(data, [5]);
    }
}
