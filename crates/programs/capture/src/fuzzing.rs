//! What must hold whatever strangers send. The fuzz targets call this, and the tests with what those found
//! (`fuzz/README.md`).

use std::borrow::Cow;
use std::sync::LazyLock;

use clap::Parser;
use eyelid_slot::jpeg::{Kind, Segment, segments, whole};

use crate::frame_maker::{Check, FrameMaker, Made};
use crate::normalise::normalise;
use crate::pixels::{MAX_PIXELS, PictureError, decode_jpeg};
pub use crate::source::check_splitter as splitter;
use crate::{Arguments, Settings};

/// Larger pictures are only looked at as far as it takes to refuse them: a fuzzer wants many, not large ones.
const MOST_PIXELS: u64 = 1 << 16;

/// A stranger's picture is refused, or becomes a JPEG that every client takes, of the size that is said; as it is, and
/// turned.
///
/// # Panics
/// Where that does not hold.
pub fn picture(bytes: &[u8]) {
    let pixels = claimed_pixels(bytes);
    if pixels > MOST_PIXELS && pixels <= MAX_PIXELS {
        return;
    }
    for settings in SETTINGS.iter() {
        let mut maker = FrameMaker::new(settings);
        let refused = match maker.picture(bytes) {
            Ok(made) => {
                assert!(pixels <= MAX_PIXELS);
                check(&made);
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
            Ok(made) => check_markers(&made),
            Err(error) => assert!(
                refused.is_some() || !bytes.starts_with(b"\xFF\xD8"),
                "{error}"
            ),
        }
    }
}

/// Pictures as they are, and turned.
static SETTINGS: LazyLock<[Settings; 3]> = LazyLock::new(|| {
    [&[][..], &["--rotate", "90"], &["--flip", "horizontal"]].map(|turn| {
        let given = ["eyelid-capture", "--slot", "/", "--source", "test"];
        let arguments = Arguments::parse_from(given.iter().chain(turn));
        arguments.settle().unwrap_or_else(|error| panic!("{error}"))
    })
});

fn check(made: &Made<'_>) {
    check_markers(made);
    let (header, _) = whole(&made.jpeg).unwrap_or_else(|error| panic!("{error}"));
    match decode_jpeg(&made.jpeg, header) {
        Ok(pixels) => assert_eq!(pixels.rgb.len(), 3 * (made.width * made.height) as usize),
        Err(error) => panic!("{error}"),
    }
}

fn check_markers(made: &Made<'_>) {
    let (header, length) = whole(&made.jpeg).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(length, made.jpeg.len());
    assert_eq!((header.width, header.height), (made.width, made.height));
    let kind = Kind::of(&made.jpeg).unwrap_or_else(|| panic!("no kind"));
    assert_eq!(kind.hidden_by(), None, "{kind}");
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
    fn picture_corpus() {
        eyelid_replay::replay("picture", picture);
    }

    #[test]
    fn splitter_corpus() {
        eyelid_replay::replay("splitter", splitter);
    }
}
