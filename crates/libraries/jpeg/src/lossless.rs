//! JPEGs are turned without being decoded, where nothing is lost by it: their blocks are moved and
//! turned as they are, and written with the standard Huffman tables. What is not known to go well
//! is left to the decoder.

use memchr::memmem;
use turbojpeg::{Transform, TransformOp, Transformer};

use crate::markers::{BASELINE, SOS};
use crate::pixels::MAX_PIXELS;
use crate::segments::segments;
use crate::turn::Turn;

/// The most pixels that are turned so. All blocks lie in memory twice, with 2 bytes a sample: 12
/// bytes a pixel at 4:4:4, four times as many as a decoded picture has.
const MOST_PIXELS: u64 = MAX_PIXELS / 4;

/// Turns JPEGs. Reuses its memory from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Lossless {
    transformer: Option<Transformer>,
    jpeg: Vec<u8>,
    length: usize,
}

impl Lossless {
    /// Turns a JPEG that `normalise` gave. Its segments, and with them JFIF first, stay. `None`
    /// where it cannot be done without a loss, or should not: a side that is turned around ends
    /// within a block; the turned one would have a sampling that clients do not know (4:2:2 on its
    /// side is 4:4:0, which RFC 2435 does not have); it is broken, not baseline, or has several
    /// scans.
    pub(crate) fn turn(&mut self, jpeg: &[u8], turn: Turn) -> Option<()> {
        if !is_possible(jpeg, turn) {
            return None;
        }
        // The standard tables may take more room than a camera's own.
        let room = jpeg.len() * 2;
        if self.jpeg.len() < room {
            self.jpeg = vec![0; room];
        }
        if self.transformer.is_none() {
            self.transformer = Transformer::new().ok();
        }
        let mut transform = Transform::op(operation(turn));
        transform.perfect = true;
        let transformer = self.transformer.as_mut()?;
        let turned = transformer.transform_to_slice(&transform, jpeg, &mut self.jpeg);
        self.length = turned.ok()?;
        Some(())
    }

    /// The JPEG that was turned last.
    pub(crate) fn turned(&self) -> &[u8] {
        &self.jpeg[..self.length]
    }
}

fn is_possible(jpeg: &[u8], turn: Turn) -> bool {
    let mut scans = 2;
    let mut frame = None;
    for segment in segments(jpeg) {
        scans += segment.bytes.len();
        if segment.code == BASELINE {
            frame = Some(segment.payload);
        }
    }
    // Precision in bits, height, width, number of components, and of each its name, sampling
    // factors and table.
    let Some(&[8, h1, h0, w1, w0, _, ref components @ ..]) = frame else {
        return false;
    };
    let side = |high, low| u64::from(u16::from_be_bytes([high, low]));
    side(w1, w0) * side(h1, h0) <= MOST_PIXELS
        && keeps_a_known_sampling(components, turn)
        // libjpeg goes over the whole picture for each scan, of which a stranger's may have
        // thousands.
        && memmem::find_iter(&jpeg[scans..], &[0xFF, SOS]).count() == 1
}

fn keeps_a_known_sampling(components: &[u8], turn: Turn) -> bool {
    match components {
        [_, _, _] => true,
        [_, y, _, _, 0x11, _, _, 0x11, _] => {
            // 4:2:0, 4:2:2, 4:4:4.
            let (across, down) = turn.size(y >> 4, y & 15);
            matches!((across, down), (2, 2) | (2, 1) | (1, 1))
        }
        _ => false,
    }
}

fn operation(turn: Turn) -> TransformOp {
    match (turn.mirrored, turn.quarters) {
        (false, 0) => TransformOp::None,
        (false, 1) => TransformOp::Rot90,
        (false, 2) => TransformOp::Rot180,
        (false, _) => TransformOp::Rot270,
        (true, 0) => TransformOp::Hflip,
        (true, 1) => TransformOp::Transverse,
        (true, 2) => TransformOp::Vflip,
        (true, _) => TransformOp::Transpose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pixels, decode_jpeg, normalise, whole};
    use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

    fn all() -> impl Iterator<Item = Turn> + Clone {
        (1..=8).map(Turn::from_exif)
    }

    fn compressor(sampling: Subsamp) -> Compressor {
        let mut compressor = Compressor::new().unwrap();
        compressor.set_subsamp(sampling).unwrap();
        compressor.set_quality(90).unwrap();
        compressor
    }

    fn compress(compressor: &mut Compressor, width: usize, height: usize) -> Vec<u8> {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgb: Vec<u8> = places
            .flat_map(|(x, y)| [x * 3, y * 4, 60 + x + 80 * (x / 8 % 2)])
            .map(|value| value as u8)
            .collect();
        let image = Image {
            pixels: &rgb[..],
            width,
            pitch: width * 3,
            height,
            format: PixelFormat::RGB,
        };
        compressor.compress_to_vec(image).unwrap()
    }

    fn jpeg(sampling: Subsamp, width: usize, height: usize) -> Vec<u8> {
        compress(&mut compressor(sampling), width, height)
    }

    fn turned(jpeg: &[u8], turn: Turn) -> Option<Vec<u8>> {
        let mut lossless = Lossless::default();
        lossless.turn(jpeg, turn)?;
        Some(lossless.turned().to_vec())
    }

    fn pixels(jpeg: &[u8]) -> Pixels {
        decode_jpeg(jpeg, whole(jpeg).unwrap().0).unwrap()
    }

    /// The largest difference.
    fn difference(one: &Pixels, other: &Pixels) -> u8 {
        assert_eq!((one.width, one.height), (other.width, other.height));
        let pairs = one.rgb.iter().zip(&other.rgb);
        pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    /// Decoders go over a block across and down, and round in between: on its side, a value may be
    /// one off, and three of them may make two in a colour.
    fn rounding(turn: Turn) -> u8 {
        if turn.is_sideways() { 2 } else { 0 }
    }

    fn tables(jpeg: &[u8]) -> Vec<u8> {
        let tables = segments(jpeg).filter(|s| s.code == 0xC4);
        tables.flat_map(|s| s.payload.to_vec()).collect()
    }

    #[test]
    fn shows_the_turned_picture() {
        for sampling in [
            Subsamp::Gray,
            Subsamp::None,
            Subsamp::Sub2x1,
            Subsamp::Sub2x2,
        ] {
            let source = jpeg(sampling, 64, 48);
            for turn in all() {
                if sampling == Subsamp::Sub2x1 && turn.is_sideways() {
                    continue;
                }
                let jpeg = turned(&source, turn).unwrap();
                let difference = difference(&pixels(&jpeg), &turn.apply(pixels(&source)));
                assert!(
                    difference <= rounding(turn),
                    "{sampling:?} {turn:?}: {difference}"
                );
            }
        }
    }

    #[test]
    fn loses_nothing() {
        let source = jpeg(Subsamp::Sub2x2, 64, 48);
        let same = turned(&source, Turn::NONE).unwrap();
        for turn in all() {
            let there = turned(&source, turn).unwrap();
            let back = turned(&there, turn.inverse()).unwrap();
            assert!(back == same, "{turn:?}");
        }
    }

    #[test]
    fn a_side_must_end_with_a_block_only_if_it_is_turned_around() {
        let source = jpeg(Subsamp::Sub2x2, 50, 48);
        let right = Turn::from_exif(6);
        let jpeg_right = turned(&source, right).unwrap();
        let difference = difference(&pixels(&jpeg_right), &right.apply(pixels(&source)));
        assert!(difference <= rounding(right), "{difference}");
        assert!(turned(&source, Turn::from_exif(8)).is_none());
        assert!(turned(&source, Turn::from_exif(3)).is_none());
        let full_hd = jpeg(Subsamp::Sub2x1, 1920, 1080);
        assert!(turned(&full_hd, Turn::from_exif(3)).is_some());
    }

    #[test]
    fn keeps_to_samplings_that_clients_know() {
        for (sampling, half, quarter) in [
            (Subsamp::Sub2x1, true, false),
            (Subsamp::Sub1x2, false, true),
            (Subsamp::Sub4x1, false, false),
        ] {
            let source = jpeg(sampling, 64, 64);
            assert_eq!(turned(&source, Turn::from_exif(3)).is_some(), half);
            assert_eq!(turned(&source, Turn::from_exif(6)).is_some(), quarter);
        }
    }

    #[test]
    fn jfif_stays_first_and_the_tables_become_the_standard_ones() {
        let mut optimising = compressor(Subsamp::Sub2x2);
        optimising.set_optimize(true).unwrap();
        let source = compress(&mut optimising, 64, 48);
        let standard = tables(&jpeg(Subsamp::Sub2x2, 64, 48));
        assert_ne!(tables(&source), standard);
        // A profile, which colours need, and a comment.
        let mut source = source;
        let profile = b"\xFF\xE2\0\x11ICC_PROFILE\0\x01\x01p";
        source.splice(20..20, profile.iter().copied());
        let normal = normalise(&source).unwrap();
        let jpeg = turned(&normal.jpeg, Turn::from_exif(6)).unwrap();
        assert_eq!(tables(&jpeg), standard);
        let found: Vec<_> = segments(&jpeg).collect();
        assert!(found[0].code == 0xE0 && found[0].payload.len() == 14);
        assert!(found[0].payload.starts_with(b"JFIF\0"));
        assert_eq!(found.iter().filter(|s| s.code == 0xE2).count(), 1);
        assert!(found.iter().any(|s| s.code == BASELINE));
        assert!(matches!(
            normalise(&jpeg).unwrap().jpeg,
            std::borrow::Cow::Borrowed(_)
        ));
    }

    #[test]
    fn leaves_to_the_decoder_what_is_broken_or_not_plain() {
        let source = jpeg(Subsamp::Sub2x2, 64, 48);
        let half = Turn::from_exif(3);
        assert!(turned(&source, half).is_some());
        let cut = [&source[..source.len() * 2 / 3], &[0xFF, 0xD9]].concat();
        assert!(turned(&cut, half).is_none(), "half a scan");
        let find = |code: u8| memmem::find(&source, &[0xFF, code]).unwrap();
        let mut extended = source.clone();
        extended[find(BASELINE) + 1] = 0xC1;
        assert!(turned(&extended, half).is_none(), "not baseline");
        let mut progressive = compressor(Subsamp::Sub2x2);
        progressive.set_progressive(true).unwrap();
        let progressive = compress(&mut progressive, 64, 48);
        assert!(turned(&progressive, half).is_none());
        assert!(turned(b"\xFF\xD8\xFF\xD9", half).is_none());
        for (side, possible) in [(4096u16, true), (4097, false)] {
            let mut large = source.clone();
            let size = find(BASELINE) + 5;
            large[size..size + 2].copy_from_slice(&side.to_be_bytes());
            large[size + 2..size + 4].copy_from_slice(&side.to_be_bytes());
            assert_eq!(is_possible(&large, half), possible, "{side}");
        }
        for length in 0..source.len() {
            assert!(turned(&source[..length], half).is_none(), "{length}");
        }
    }

    /// A whole JPEG in which each component has a scan of its own, made of a grey one.
    fn three_scans() -> Vec<u8> {
        let grey = jpeg(Subsamp::Gray, 64, 48);
        let find = |code: u8| memmem::find(&grey, &[0xFF, code]).unwrap();
        let (frame, scan) = (find(BASELINE), find(SOS));
        let coefficients = &grey[scan + 10..grey.len() - 2];
        let mut jpeg = grey[..frame].to_vec();
        jpeg.extend([0xFF, BASELINE, 0, 17]);
        jpeg.extend_from_slice(&grey[frame + 4..frame + 9]);
        jpeg.extend([3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
        jpeg.extend_from_slice(&grey[frame + 13..scan]);
        for component in 1..=3 {
            jpeg.extend([0xFF, SOS, 0, 8, 1, component, 0, 0, 63, 0]);
            jpeg.extend_from_slice(coefficients);
        }
        [&jpeg[..], &[0xFF, 0xD9]].concat()
    }

    #[test]
    fn a_jpeg_of_many_scans_is_left_to_the_decoder() {
        let jpeg = three_scans();
        assert_eq!(pixels(&jpeg).rgb.len(), 64 * 48 * 3);
        assert!(turned(&jpeg, Turn::from_exif(3)).is_none());
    }
}
