//! JPEGs of strangers become JPEGs that every client takes, without decoding them.
//!
//! Clients want a JFIF segment first (go2rtc), no second FF D8 or FF D9 as in thumbnails (Mainsail,
//! Home Assistant), and Huffman tables in each frame (USB cameras leave them out). What the picture
//! needs stays byte for byte.

mod exif;

use std::borrow::Cow;

use crate::huffman::STANDARD_TABLES;
use crate::markers::{
    APP0, APP1, APP2, APP14, APP15, BASELINE, COMMENT, EOI, EXTENDED, HUFFMAN_TABLES, LOSSLESS,
    SOI, SOS,
};
use crate::segments::{Segment, USUAL_SEGMENTS, segments};
use crate::turn::Turn;
use crate::walk::{Header, JpegError, whole};

/// APP0 "JFIF" 1.01, square pixels, no thumbnail.
const JFIF: [u8; 18] = [
    0xFF, 0xE0, 0, 16, b'J', b'F', b'I', b'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0,
];

/// A JPEG as clients want it, and what its metadata said before it was dropped.
#[derive(Debug)]
pub struct Normalised<'a> {
    /// The JPEG; borrowed where nothing had to be changed.
    pub jpeg: Cow<'a, [u8]>,
    /// What its frame header says.
    pub header: Header,
    /// How it is to be shown (EXIF).
    pub turn: Turn,
    /// It stores red, green and blue, which decoders that trust a JFIF segment take for something
    /// else: it has to be encoded again. `jpeg` is then still without such a segment.
    pub stores_rgb: bool,
}

/// Walks a JPEG to its end and changes what clients stumble over.
///
/// # Errors
/// What makes it no whole JPEG.
pub fn normalise(bytes: &[u8]) -> Result<Normalised<'_>, JpegError> {
    let (header, length) = whole(bytes)?;
    let jpeg = &bytes[..length];
    let mut found = Vec::with_capacity(USUAL_SEGMENTS);
    found.extend(segments(jpeg));
    let segments: Vec<Segment<'_>> = found;
    let scans = scans(jpeg, &segments)?;
    let turn = segments
        .iter()
        .find_map(|s| (s.code == APP1).then(|| exif::orientation(s.payload))?)
        .map_or(Turn::NONE, Turn::from_exif);
    let stores_rgb = stores_rgb(&segments);
    let kept: Vec<&Segment<'_>> = kept(&segments);
    let insert_jfif = !stores_rgb && !segments.first().is_some_and(is_plain_jfif);
    let insert_tables = lacks_tables(&segments);
    let kept_bytes: usize = kept.iter().map(|s| s.bytes.len()).sum();
    let unchanged = !insert_jfif && !insert_tables && 2 + kept_bytes + scans.len() == jpeg.len();
    let jpeg = if unchanged {
        Cow::Borrowed(jpeg)
    } else {
        let mut rebuilt = Vec::with_capacity(jpeg.len() + JFIF.len() + STANDARD_TABLES.len());
        rebuilt.extend([0xFF, SOI]);
        rebuilt.extend_from_slice(if insert_jfif { &JFIF } else { &[] });
        kept.iter().for_each(|s| rebuilt.extend_from_slice(s.bytes));
        rebuilt.extend_from_slice(if insert_tables { STANDARD_TABLES } else { &[] });
        rebuilt.extend_from_slice(scans);
        Cow::Owned(rebuilt)
    };
    Ok(Normalised {
        jpeg,
        header,
        turn,
        stores_rgb,
    })
}

/// Everything from the first SOS on.
fn scans<'a>(jpeg: &'a [u8], segments: &[Segment<'a>]) -> Result<&'a [u8], JpegError> {
    let start = segments.last().map_or(2, |last| {
        last.bytes.as_ptr().addr() - jpeg.as_ptr().addr() + last.bytes.len()
    });
    let mut rest = jpeg.get(start..).unwrap_or_default();
    while let [0xFF, 0xFF, ..] = rest {
        rest = &rest[1..];
    }
    match rest {
        [0xFF, SOS, ..] => Ok(rest),
        [0xFF, code, ..] => Err(JpegError::Misplaced(*code)),
        _ => Err(JpegError::NoPicture),
    }
}

fn kept<'a, 'b>(segments: &'b [Segment<'a>]) -> Vec<&'b Segment<'a>> {
    // A profile in several segments is of no use without one of them.
    let profile_is_safe = !segments
        .iter()
        .any(|s| is_profile(s) && has_start_or_end(&s.bytes[2..]));
    let wanted = |index: usize, segment: &Segment<'_>| match segment.code {
        APP0 => index == 0 && is_plain_jfif(segment),
        APP2 => is_profile(segment) && profile_is_safe,
        APP14 => segment.payload.starts_with(b"Adobe") && !has_start_or_end(&segment.bytes[2..]),
        APP1..=APP15 => false,
        COMMENT => !segment.bytes[2..].contains(&0xFF),
        _ => true,
    };
    let numbered = segments.iter().enumerate();
    let mut kept = Vec::with_capacity(segments.len());
    kept.extend(numbered.filter_map(|(index, segment)| wanted(index, segment).then_some(segment)));
    kept
}

fn is_plain_jfif(segment: &Segment<'_>) -> bool {
    segment.code == APP0
        && segment.payload.len() == 14
        && segment.payload.starts_with(b"JFIF\0")
        && !has_start_or_end(segment.payload)
}

fn is_profile(segment: &Segment<'_>) -> bool {
    segment.code == APP2 && segment.payload.starts_with(b"ICC_PROFILE\0")
}

fn has_start_or_end(bytes: &[u8]) -> bool {
    memchr::memchr_iter(0xFF, bytes).any(|at| matches!(bytes.get(at + 1), Some(&(SOI | EOI))))
}

fn lacks_tables(segments: &[Segment<'_>]) -> bool {
    segments
        .iter()
        .any(|s| matches!(s.code, BASELINE | EXTENDED))
        && !segments.iter().any(|s| s.code == HUFFMAN_TABLES)
}

/// Follows libjpeg: JFIF means YCbCr, else Adobe's segment decides, else the names of the
/// components.
fn stores_rgb(segments: &[Segment<'_>]) -> bool {
    let jfif = |s: &Segment<'_>| s.code == APP0 && s.payload.starts_with(b"JFIF\0");
    if segments.iter().any(jfif) {
        return false;
    }
    // SOFn: precision, height, width, then a count and three bytes per component, of which the
    // first is its name.
    let names = segments.iter().find_map(|s| match (s.code, s.payload) {
        (BASELINE..=LOSSLESS | 0xC9..=0xCB, &[_, _, _, _, _, 3, r, _, _, g, _, _, b, ..]) => {
            Some([r, g, b])
        }
        _ => None,
    });
    let adobe = segments
        .iter()
        .find(|s| s.code == APP14 && s.payload.starts_with(b"Adobe"));
    match (names, adobe) {
        (None, _) => false,
        (Some(_), Some(adobe)) => adobe.payload.get(11) == Some(&0),
        (Some(names), None) => &names == b"RGB",
    }
}

#[cfg(test)]
mod tests;
