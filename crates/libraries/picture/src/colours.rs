//! What is not 4:2:0 becomes it: decoded JPEGs, whose colour may be finer or coarser across and
//! down, or not there; and pixels of three bytes.

use crate::error::EncodeError;
use crate::planes::Planes;
use crate::scale::means_of_2x2;
use crate::yuv::{SamplePlane, SampleRange, Sizes, Yuv420};

/// How many samples of brightness there are for one of colour, in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChromaStep {
    /// One.
    One,
    /// Two, as 4:2:0 has it in both directions.
    Two,
    /// Four.
    Four,
}

/// A planar picture of the full range with any sampling that JPEGs have.
#[derive(Clone, Copy, Debug)]
pub struct Subsampled<'a> {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Brightness.
    pub y: SamplePlane<'a>,
    /// Colour; `None` where all is grey.
    pub chroma: Option<Chroma<'a>>,
}

/// The colour of a planar picture.
#[derive(Clone, Copy, Debug)]
pub struct Chroma<'a> {
    /// Blue difference (Cb).
    pub u: SamplePlane<'a>,
    /// Red difference (Cr).
    pub v: SamplePlane<'a>,
    /// How coarse the colour is across.
    pub across: ChromaStep,
    /// How coarse the colour is down.
    pub down: ChromaStep,
}

/// What the three bytes of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelKind {
    /// Red, green and blue.
    Rgb,
    /// Y, Cb and Cr of the full range.
    YCbCr,
}

impl ChromaStep {
    const fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
        }
    }
}

impl Planes {
    /// Brings colour to half the width and half the height. Y stays where it lies, and colour too
    /// if it has that size.
    ///
    /// # Errors
    /// [`EncodeError::Size`], [`EncodeError::Plane`].
    pub fn from_subsampled<'a>(
        &'a mut self,
        picture: &Subsampled<'a>,
    ) -> Result<Yuv420<'a>, EncodeError> {
        let sizes = Sizes::of(picture.width, picture.height)?;
        picture.y.check("Y", sizes.width, sizes.height)?;
        let with = |u, v| Yuv420 {
            width: picture.width,
            height: picture.height,
            y: picture.y,
            u,
            v,
            range: SampleRange::Full,
        };
        let Some(chroma) = picture.chroma else {
            self.u.clear();
            self.u.resize(sizes.chroma_width * sizes.chroma_height, 128);
            let grey = SamplePlane {
                bytes: &self.u,
                stride: sizes.chroma_width,
            };
            return Ok(with(grey, grey));
        };
        let Chroma { u, v, across, down } = chroma;
        let width = sizes.width.div_ceil(across.count());
        let height = sizes.height.div_ceil(down.count());
        u.check("U", width, height)?;
        v.check("V", width, height)?;
        if (across, down) == (ChromaStep::Two, ChromaStep::Two) {
            return Ok(with(u, v));
        }
        self.resize_chroma(sizes);
        for (plane, samples) in [(u, &mut self.u), (v, &mut self.v)] {
            for (row, to) in samples.chunks_exact_mut(sizes.chroma_width).enumerate() {
                let [upper, lower] = source_rows(down, row, height);
                let rows = [plane.row(upper, width), plane.row(lower, width)];
                bring_across(across, rows, to);
            }
        }
        let made = self.picture(sizes);
        Ok(with(made.u, made.v))
    }

    /// Makes planes of `width * height` pixels of 3 bytes.
    ///
    /// # Errors
    /// [`EncodeError::Size`], [`EncodeError::Plane`].
    pub fn from_pixels(
        &mut self,
        pixels: &[u8],
        width: u32,
        height: u32,
        kind: PixelKind,
    ) -> Result<Yuv420<'_>, EncodeError> {
        let sizes = Sizes::of(width, height)?;
        let row_bytes = sizes.width * 3;
        let all = SamplePlane {
            bytes: pixels,
            stride: row_bytes,
        };
        all.check("pixels", row_bytes, sizes.height)?;
        self.resize_luma(sizes);
        self.resize_chroma(sizes);
        let luma = self.y.chunks_exact_mut(sizes.width);
        for (row, y) in all.rows(row_bytes, sizes.height).zip(luma) {
            match kind {
                PixelKind::Rgb => luma_of_rgb(row, y),
                PixelKind::YCbCr => first_of_three(row, y),
            }
        }
        let u = self.u.chunks_exact_mut(sizes.chroma_width);
        let rows = u.zip(self.v.chunks_exact_mut(sizes.chroma_width));
        for (row, (u, v)) in rows.enumerate() {
            let [upper, lower] = source_rows(ChromaStep::One, row, sizes.height);
            let rows = [all.row(upper, row_bytes), all.row(lower, row_bytes)];
            match kind {
                PixelKind::Rgb => chroma_of_pixels(rows, u, v, chroma_of_rgb),
                PixelKind::YCbCr => chroma_of_pixels(rows, u, v, chroma_of_ycbcr),
            }
        }
        Ok(self.picture(sizes))
    }
}

/// The rows that a row of 4:2:0's colour is the mean of. There are `height`.
fn source_rows(down: ChromaStep, row: usize, height: usize) -> [usize; 2] {
    match down {
        ChromaStep::One => [row * 2, (row * 2 + 1).min(height - 1)],
        ChromaStep::Two => [row; 2],
        ChromaStep::Four => [row / 2; 2],
    }
}

fn bring_across(across: ChromaStep, [upper, lower]: [&[u8]; 2], to: &mut [u8]) {
    let mean = |upper: &u8, lower: &u8| (u16::from(*upper) + u16::from(*lower)).div_ceil(2) as u8;
    match across {
        ChromaStep::One => {
            means_of_2x2([upper, lower], to);
            if let (1, Some(upper), Some(lower), Some(to)) =
                (upper.len() % 2, upper.last(), lower.last(), to.last_mut())
            {
                *to = mean(upper, lower);
            }
        }
        ChromaStep::Two => {
            for ((upper, lower), to) in upper.iter().zip(lower).zip(to) {
                *to = mean(upper, lower);
            }
        }
        ChromaStep::Four => {
            for ((upper, lower), to) in upper.iter().zip(lower).zip(to.chunks_mut(2)) {
                to.fill(mean(upper, lower));
            }
        }
    }
}

fn first_of_three(pixels: &[u8], to: &mut [u8]) {
    for ([first, _, _], to) in pixels.as_chunks().0.iter().zip(to) {
        *to = *first;
    }
}

/// JFIF's Y: 0.299, 0.587 and 0.114 of red, green and blue, in parts of 65536.
fn luma_of_rgb(pixels: &[u8], to: &mut [u8]) {
    for (pixel, to) in pixels.as_chunks().0.iter().zip(to) {
        let [r, g, b]: [u32; 3] = pixel.map(u32::from);
        *to = ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8;
    }
}

/// Colour of each two pixels by two, of the sums of their channels. The last ones of a row with an
/// odd number stand for two each.
fn chroma_of_pixels(
    [upper, lower]: [&[u8]; 2],
    u: &mut [u8],
    v: &mut [u8],
    of_sums: impl Fn([i32; 3]) -> [u8; 2],
) {
    let ((upper, last_upper), (lower, last_lower)) = (upper.as_chunks::<6>(), lower.as_chunks());
    let mut samples = u.iter_mut().zip(v);
    for ((upper, lower), (u, v)) in upper.iter().zip(lower).zip(&mut samples) {
        let row = |pixels: &[u8; 6], at: usize| i32::from(pixels[at]) + i32::from(pixels[at + 3]);
        [*u, *v] = of_sums([0, 1, 2].map(|at| row(upper, at) + row(lower, at)));
    }
    if let (Some((u, v)), Some(upper), Some(lower)) = (
        samples.next(),
        last_upper.first_chunk::<3>(),
        last_lower.first_chunk::<3>(),
    ) {
        let sum = |at: usize| 2 * (i32::from(upper[at]) + i32::from(lower[at]));
        [*u, *v] = of_sums([0, 1, 2].map(sum));
    }
}

fn chroma_of_ycbcr([_, u, v]: [i32; 3]) -> [u8; 2] {
    [u, v].map(|sum| ((sum + 2) >> 2) as u8)
}

/// JFIF's Cb and Cr of four pixels' sums, in parts of 65536: -0.168736, -0.331264 and 0.5 of red,
/// green and blue; 0.5, -0.418688 and -0.081312 of them.
fn chroma_of_rgb([r, g, b]: [i32; 3]) -> [u8; 2] {
    // Half of the last place less than is needed to round, so that 255.5 stays 255 (as libjpeg).
    let offset = (128 << 18) + (1 << 17) - 1;
    [
        -11059 * r - 21709 * g + 32768 * b,
        32768 * r - 27439 * g - 5329 * b,
    ]
    .map(|sum| ((sum + offset) >> 18) as u8)
}

#[cfg(test)]
mod tests;
