//! What must hold whatever strangers send. The fuzz targets call this, and the tests with what
//! those found (`fuzz/README.md`).

use std::borrow::Cow;

use eyelid_picture::Tables;
use eyelid_slot::Rendition;

use crate::markers::SOS;
pub use crate::splitter::splitter;
use crate::{
    Check, EncodedPicture, FrameMaker, FrameOptions, Header, JpegError, JpegKind, LumaDecoder,
    MAX_PIXELS, PictureError, Progress, Recoder, RenditionMaker, Segment, Sequential, Turn, Walker,
    decode_jpeg, decode_luma, normalise, segments, whole,
};

/// The walk does not depend on the pieces in which a JPEG comes, and gives a JPEG that can be
/// walked by itself.
///
/// # Panics
/// Where that does not hold.
pub fn walker(bytes: &[u8]) {
    let at_once = walk([bytes]);
    assert_eq!(walk(bytes.chunks(1)), at_once, "byte by byte");
    for at in 0..=bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(walk([head, tail]), at_once, "split at {at}");
    }
    match (whole(bytes), at_once) {
        (Ok((header, length)), (Ok(Some(walked)), Some(seen))) => {
            assert_eq!((length, header), (walked, seen));
            assert!(header.width > 0 && header.height > 0 && header.components > 0);
            let jpeg = &bytes[..length];
            assert_eq!(
                whole(jpeg),
                Ok((header, length)),
                "what follows a JPEG matters"
            );
            assert_eq!(
                whole(&jpeg[..length - 1]),
                Err(JpegError::CutOff(length - 1))
            );
            let kind = JpegKind::of(jpeg);
            assert_eq!(kind, JpegKind::of(bytes), "what follows a JPEG matters");
            if let Some(kind) = kind {
                check_words(&kind.to_string());
            }
        }
        (Err(JpegError::CutOff(length)), (Ok(None), _)) => assert_eq!(length, bytes.len()),
        (Err(error), (Err(walked), _)) => assert_eq!(error, walked),
        (whole, walked) => panic!("{whole:?}, but {walked:?}"),
    }
    let mut end = 2;
    for segment in segments(bytes) {
        let start = segment.bytes.as_ptr().addr() - bytes.as_ptr().addr();
        assert!(start >= end && start + segment.bytes.len() <= bytes.len());
        assert!(bytes[end..start].iter().all(|fill| *fill == 0xFF));
        assert_eq!(segment.bytes.len(), segment.payload.len() + 4);
        assert_eq!(segment.bytes[..2], [0xFF, segment.code]);
        assert_ne!(segment.code, SOS);
        end = start + segment.bytes.len();
    }
}

/// A kind is two or three words, of which others than ours read the first two (docs/slot.md).
fn check_words(kind: &str) {
    let words: Vec<&str> = kind.split('-').collect();
    let plain = |word: &&str| {
        word.bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    assert!(
        matches!(words.len(), 2 | 3) && words.iter().all(plain),
        "{kind}"
    );
}

/// Where the JPEG ends, if it does, or what is wrong; and what its header says.
type Walk = (Result<Option<usize>, JpegError>, Option<Header>);

fn walk<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Walk {
    let mut walker = Walker::default();
    let mut before = 0;
    for piece in pieces {
        match walker.feed(piece) {
            Ok(Progress::More) => before += piece.len(),
            Ok(Progress::Done(length)) => return (Ok(Some(before + length)), walker.header()),
            Err(error) => return (Err(error), walker.header()),
        }
    }
    (Ok(None), walker.header())
}

/// Larger pictures are only looked at as far as it takes to refuse them: a fuzzer wants many, not
/// large ones.
const MOST_PIXELS: u64 = 1 << 16;

/// A stranger's picture is refused, or becomes a JPEG that every client takes, of the size that is
/// said; as it is, and turned. Its renditions are such JPEGs, too.
///
/// # Panics
/// Where that does not hold.
pub fn picture(bytes: &[u8]) {
    let pixels = claimed_pixels(bytes);
    if pixels > MOST_PIXELS && pixels <= MAX_PIXELS {
        return;
    }
    // Whatever it is, it gives cells or an error; and as many as it says.
    if let Ok(luma) = LumaDecoder::default().decode(bytes) {
        assert!(luma.width <= 160 && luma.height <= 90);
        assert_eq!(luma.samples.len(), luma.width * luma.height);
    }
    // As they are, turned clockwise, and mirrored (EXIF's numbers).
    for turn in [1, 6, 2].map(Turn::from_exif) {
        let mut maker = FrameMaker::new(FrameOptions {
            turn,
            quality_percent: 80,
            tables: Tables::Standard,
        });
        let refused = match maker.picture(bytes) {
            Ok(made) => {
                assert!(pixels <= MAX_PIXELS);
                check(&made);
                for rendition in RENDITIONS {
                    check_rendition(&made, rendition);
                }
                None
            }
            Err(error) => {
                let large = matches!(error, PictureError::TooManyPixels { .. });
                assert!(!large || pixels > MAX_PIXELS, "{error}");
                assert!(!error.to_string().contains('\n'), "{error}");
                Some(error)
            }
        };
        // What a command writes is decoded only if it has to be turned.
        match maker.jpeg(bytes, Check::Markers) {
            Ok(made) => {
                check_markers(&made);
                // A scan that nobody has looked at may well be broken.
                let mut maker = RenditionMaker::new(Tables::Standard);
                let _ = maker.from_jpeg(&made.jpeg, Rendition::Half);
            }
            Err(error) => assert!(
                refused.is_some() || !bytes.starts_with(b"\xFF\xD8"),
                "{error}"
            ),
        }
    }
}

/// A stranger's JPEG is refused, or recoded as one scan with the standard tables, of the same size
/// and with the same quantisation tables. To recode that again changes nothing.
///
/// # Panics
/// Where that does not hold.
pub fn recode(bytes: &[u8]) {
    let pixels = claimed_pixels(bytes);
    if pixels > MOST_PIXELS && pixels <= MAX_PIXELS {
        return;
    }
    let mut recoder = Recoder::default();
    let made = match recoder.recode(bytes) {
        Ok(made) => made.to_vec(),
        Err(error) => {
            assert!(!error.to_string().contains('\n'), "{error}");
            return;
        }
    };
    let (header, length) = whole(&made).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(length, made.len());
    assert_eq!(whole(bytes).map(|(header, _)| header), Ok(header));
    let parts = Sequential::of(&made).unwrap_or_else(|error| panic!("{error}"));
    assert!(parts.has_standard_tables);
    if let Ok(before) = Sequential::of(bytes) {
        assert_eq!(parts.brightness_table, before.brightness_table);
        assert_eq!(parts.colour_table, before.colour_table);
        assert_eq!(parts.restart_interval, before.restart_interval);
    }
    let again = recoder.recode(&made);
    assert_eq!(again.map(<[u8]>::to_vec), Ok(made), "once is not enough");
}

fn check(made: &EncodedPicture<'_>) {
    check_markers(made);
    let (header, _) = whole(&made.jpeg).unwrap_or_else(|error| panic!("{error}"));
    match decode_jpeg(&made.jpeg, header) {
        Ok(pixels) => assert_eq!(pixels.rgb.len(), 3 * (made.width * made.height) as usize),
        Err(error) => panic!("{error}"),
    }
    match decode_luma(&made.jpeg, header) {
        Ok(luma) => assert_eq!(luma.samples.len(), (made.width * made.height) as usize),
        Err(error) => panic!("{error}"),
    }
}

/// Those that are made of a JPEG, and their size against the frame's.
const RENDITIONS: [(Rendition, u32); 3] = [
    (Rendition::Low, 1),
    (Rendition::Half, 2),
    (Rendition::Quarter, 4),
];

/// What could be decoded has all of them.
fn check_rendition(frame: &EncodedPicture<'_>, (rendition, divisor): (Rendition, u32)) {
    let mut maker = RenditionMaker::new(Tables::Standard);
    let made = maker.from_jpeg(&frame.jpeg, rendition);
    let made = made.unwrap_or_else(|error| panic!("{rendition}: {error}"));
    let size = (
        frame.width.div_ceil(divisor),
        frame.height.div_ceil(divisor),
    );
    assert_eq!((made.width, made.height), size, "{rendition}");
    check(&EncodedPicture {
        jpeg: Cow::Borrowed(made.bytes),
        width: made.width,
        height: made.height,
        kind: None,
    });
}

fn check_markers(made: &EncodedPicture<'_>) {
    let (header, length) = whole(&made.jpeg).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(length, made.jpeg.len());
    assert_eq!((header.width, header.height), (made.width, made.height));
    let kind = JpegKind::of(&made.jpeg).unwrap_or_else(|| panic!("no kind"));
    assert_eq!(kind.hidden_by(), None, "{kind}");
    assert_eq!(made.kind.unwrap_or(kind), kind);
    let segments: Vec<Segment<'_>> = segments(&made.jpeg).collect();
    let first = segments.first().map(|segment| segment.bytes);
    assert!(first.is_some_and(|first| first.starts_with(b"\xFF\xE0\0\x10JFIF\0")));
    for segment in &segments {
        let misleads = |pair: &[u8]| matches!(pair, [0xFF, 0xD8 | 0xD9]);
        let misleads = segment.payload.windows(2).any(misleads);
        let is_metadata = matches!(segment.code, 0xE0..=0xEF | 0xFE);
        assert!(!(is_metadata && misleads), "FF{:02X}", segment.code);
    }
    let has = |code: u8| segments.iter().any(|segment| segment.code == code);
    assert!(has(0xC4) || !(has(0xC0) || has(0xC1)), "no Huffman tables");
    let again = normalise(&made.jpeg).unwrap_or_else(|error| panic!("{error}"));
    assert!(matches!(again.jpeg, Cow::Borrowed(_)), "once is not enough");
}

/// How large the picture says it is, read apart from the code that is checked.
fn claimed_pixels(bytes: &[u8]) -> u64 {
    let number = |at: usize, length: usize| {
        let bytes = bytes.get(at..at + length).unwrap_or_default();
        bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    };
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return number(16, 4) * number(20, 4);
    }
    whole(bytes).map_or(0, |(header, _)| {
        u64::from(header.width) * u64::from(header.height)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walker_corpus() {
        eyelid_replay::replay("walker", walker);
    }

    #[test]
    fn splitter_corpus() {
        eyelid_replay::replay("splitter", splitter);
    }

    #[test]
    fn picture_corpus() {
        eyelid_replay::replay("picture", picture);
    }

    /// The pictures are JPEGs of all kinds.
    #[test]
    fn recode_corpus() {
        eyelid_replay::replay("picture", recode);
        eyelid_replay::replay("recode", recode);
    }
}
