//! From a JPEG to a small grey picture, for those who look for motion.
//!
//! A JPEG's blocks of 8x8 pixels begin with their mean, so at an eighth of its size a picture needs
//! no more of them. With the feature `turbojpeg` that is all that is computed, and colour is passed
//! over; what libjpeg-turbo does not take, and all without the feature, is decoded whole in Rust
//! and made smaller by means.

use crate::decode::{decode_luma_into, refuse_large};
use crate::error::PictureError;
#[cfg(feature = "turbojpeg")]
use crate::scaled::ScaledDecoder;
use crate::walk::{Header, whole};

/// The widest grey picture that is made.
const MOST_COLUMNS: usize = 160;
/// The highest.
const MOST_ROWS: usize = 90;

/// How many decoded pixels' memory is kept for the next picture: those of the small ones that a
/// watcher looks at all the time, 640x360 at most. The frame itself, at an alert, is one among them
/// and takes four times as much.
const MOST_KEPT_PX: usize = 640 * 360;

/// A grey picture of cells: each the mean brightness of a square of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LumaCells<'a> {
    /// Cells in a row, at most 160.
    pub width: usize,
    /// Rows, at most 90.
    pub height: usize,
    /// Brightness, 0 to 255, row by row, `width * height` of them.
    pub samples: &'a [u8],
}

/// Decodes JPEGs to small grey pictures. Reuses its memory from one to the next, but for that of
/// large pictures.
#[derive(Debug, Default)]
pub struct LumaDecoder {
    #[cfg(feature = "turbojpeg")]
    scaled: ScaledDecoder,
    #[cfg(feature = "turbojpeg")]
    is_pure_rust: bool,
    /// What the decoder in Rust gives.
    pixels: Vec<u8>,
    cells: Vec<u8>,
}

impl LumaDecoder {
    /// Decodes in Rust, whatever the features are: to compare with.
    pub fn pure_rust() -> Self {
        Self {
            #[cfg(feature = "turbojpeg")]
            is_pure_rust: true,
            ..Self::default()
        }
    }

    /// Gives the brightness of a JPEG, at most 160 cells wide and 90 high: made smaller by the
    /// least of 1, 2, 4, 8, 16, ... for which it is. One that is broken, though not in its
    /// markers, gives what viewers show of it.
    ///
    /// # Errors
    /// See [`PictureError`].
    pub fn decode(&mut self, jpeg: &[u8]) -> Result<LumaCells<'_>, PictureError> {
        let (header, length) = whole(jpeg)?;
        let jpeg = &jpeg[..length];
        refuse_large(header.width, header.height)?;
        let step = step(header);
        #[cfg(feature = "turbojpeg")]
        if !self.is_pure_rust
            && let Some(samples) = self.scaled.decode_luma(jpeg, header, step.min(8))
        {
            let side = |pixels: u32| (pixels as usize).div_ceil(step.min(8));
            let (width, height) = (side(header.width), side(header.height));
            shrink(samples, width, height, step / step.min(8), &mut self.cells);
            return Ok(self.made(header, step));
        }
        decode_luma_into(jpeg, header, &mut self.pixels)?;
        let (width, height) = (header.width as usize, header.height as usize);
        shrink(&self.pixels, width, height, step, &mut self.cells);
        if self.pixels.len() > MOST_KEPT_PX {
            self.pixels = Vec::new();
        }
        Ok(self.made(header, step))
    }

    fn made(&self, header: Header, step: usize) -> LumaCells<'_> {
        let (width, height) = (header.width as usize, header.height as usize);
        LumaCells {
            width: width.div_ceil(step),
            height: height.div_ceil(step),
            samples: &self.cells,
        }
    }
}

/// By how much a picture is made smaller.
fn step(header: Header) -> usize {
    let (width, height) = (header.width as usize, header.height as usize);
    let mut step = 1;
    while width.div_ceil(step) > MOST_COLUMNS || height.div_ceil(step) > MOST_ROWS {
        step *= 2;
    }
    step
}

/// Makes cells of a picture: the means of squares of `step` pixels, less of them at its right and
/// lower edge.
fn shrink(pixels: &[u8], width: usize, height: usize, step: usize, cells: &mut Vec<u8>) {
    cells.clear();
    if step == 1 {
        cells.extend_from_slice(&pixels[..width * height]);
        return;
    }
    for rows in pixels[..width * height].chunks(width * step) {
        let row_count = rows.len() / width;
        for left in (0..width).step_by(step) {
            let right = (left + step).min(width);
            let sum: u32 = rows
                .chunks_exact(width)
                .flat_map(|row| &row[left..right])
                .map(|pixel| u32::from(*pixel))
                .sum();
            let count = (row_count * (right - left)) as u32;
            cells.push(u8::try_from((sum + count / 2) / count).unwrap_or(u8::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_replay::case;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let rgb: Vec<u8> = pixels
            .flat_map(|(x, y)| [(x / 16 * 40 % 256) as u8, (y / 16 * 24 % 256) as u8, 90])
            .collect();
        let mut encoder = eyelid_picture::Encoder::default();
        encoder
            .encode_rgb(&rgb, width, height, 90)
            .unwrap()
            .to_vec()
    }

    #[test]
    fn is_made_smaller_until_it_fits() {
        let mut decoder = LumaDecoder::default();
        for ((width, height), cells) in [
            ((160, 90), (160, 90)),
            ((161, 90), (81, 45)),
            ((320, 240), (80, 60)),
            ((768, 576), (96, 72)),
            ((1280, 720), (160, 90)),
            ((1290, 722), (81, 46)),
            ((1920, 1080), (120, 68)),
        ] {
            let jpeg = jpeg(width, height);
            let luma = decoder.decode(&jpeg).unwrap();
            assert_eq!((luma.width, luma.height), cells, "{width}x{height}");
            assert_eq!(luma.samples.len(), cells.0 * cells.1);
        }
    }

    #[test]
    fn both_decoders_see_the_same() {
        let (mut usual, mut pure) = (LumaDecoder::default(), LumaDecoder::pure_rust());
        let large = jpeg(1300, 730);
        for jpeg in [
            large.as_slice(),
            case!("jpeg-420"),
            case!("jpeg-411"),
            case!("jpeg-422-restarts"),
            case!("jpeg-444-optimised"),
            case!("jpeg-grey"),
            case!("jpeg-progressive"),
        ] {
            let one = usual.decode(jpeg).unwrap();
            let other = pure.decode(jpeg).unwrap();
            assert_eq!((one.width, one.height), (other.width, other.height));
            let apart = one.samples.iter().zip(other.samples);
            let apart: u32 = apart.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            assert!(apart as usize <= one.samples.len() * 2, "{apart}");
        }
    }

    #[test]
    fn a_large_picture_leaves_no_memory_taken() {
        let mut decoder = LumaDecoder::pure_rust();
        let (small, large) = (jpeg(320, 180), jpeg(1280, 720));
        decoder.decode(&small).unwrap();
        let kept = decoder.pixels.capacity();
        assert!(kept >= 320 * 180, "that of small ones is used again");
        decoder.decode(&large).unwrap();
        assert_eq!(decoder.pixels.capacity(), 0);
        decoder.decode(&small).unwrap();
        assert_eq!(decoder.pixels.capacity(), kept);
    }

    #[test]
    fn refuses_what_is_no_picture_and_goes_on() {
        let mut decoder = LumaDecoder::default();
        assert!(decoder.decode(b"").is_err());
        assert!(decoder.decode(&case!("jpeg-420")[..200]).is_err());
        assert!(decoder.decode(case!("jpeg-420")).is_ok());
    }
}
