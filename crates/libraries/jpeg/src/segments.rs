//! The segments before a JPEG's first scan: what it says of itself (ITU-T T.81, annex B).

use crate::markers::SOS;

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
        while let [0xFF, 0xFF, ..] = rest {
            rest = &rest[1..];
        }
        let &[0xFF, code, high, low, ..] = rest else {
            return None;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let bytes = rest.get(..2 + length)?;
        if length < 2 {
            return None;
        }
        rest = if code == SOS {
            &[]
        } else {
            &rest[2 + length..]
        };
        Some(Segment {
            code,
            payload: &bytes[4..],
            bytes,
        })
    })
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
}
