//! What a camera gives becomes three planes of the values that JFIF wants, or video. Memory is
//! reused from picture to picture, and what lies right already is not copied. The loops are such
//! that the compiler makes vector instructions of them.

use crate::error::EncodeError;
use crate::yuv::{Nv12, SamplePlane, SampleRange, Sizes, Yuv420, Yuyv};

/// Memory for three planes.
#[derive(Debug, Default)]
pub struct Planes {
    pub(crate) y: Vec<u8>,
    pub(crate) u: Vec<u8>,
    pub(crate) v: Vec<u8>,
}

impl Planes {
    /// Gives a picture the full range. One that has it is given back as it is.
    ///
    /// # Errors
    /// [`EncodeError::Size`], [`EncodeError::Plane`].
    pub fn full_range<'a>(&'a mut self, picture: &Yuv420<'a>) -> Result<Yuv420<'a>, EncodeError> {
        let sizes = picture.sizes()?;
        if picture.range == SampleRange::Full {
            return Ok(*picture);
        }
        self.resize_luma(sizes);
        self.resize_chroma(sizes);
        stretch_plane(picture.y, &mut self.y, sizes.width, stretched_luma);
        stretch_plane(picture.u, &mut self.u, sizes.chroma_width, stretched_chroma);
        stretch_plane(picture.v, &mut self.v, sizes.chroma_width, stretched_chroma);
        Ok(self.picture(sizes))
    }

    /// Gives a picture the range of television, which all that decode video take a picture for that
    /// says nothing. One that has it is given back as it is.
    ///
    /// # Errors
    /// [`EncodeError::Size`], [`EncodeError::Plane`].
    pub fn limited_range<'a>(
        &'a mut self,
        picture: &Yuv420<'a>,
    ) -> Result<Yuv420<'a>, EncodeError> {
        let sizes = picture.sizes()?;
        if picture.range == SampleRange::Limited {
            return Ok(*picture);
        }
        self.resize_luma(sizes);
        self.resize_chroma(sizes);
        stretch_plane(picture.y, &mut self.y, sizes.width, limited_luma);
        stretch_plane(picture.u, &mut self.u, sizes.chroma_width, limited_chroma);
        stretch_plane(picture.v, &mut self.v, sizes.chroma_width, limited_chroma);
        let range = SampleRange::Limited;
        Ok(Yuv420 {
            range,
            ..self.picture(sizes)
        })
    }

    /// Takes U and V apart, and gives them the full range. Y stays where it lies if it has that.
    ///
    /// # Errors
    /// [`EncodeError::Size`], [`EncodeError::Plane`].
    pub fn from_nv12<'a>(&'a mut self, picture: &Nv12<'a>) -> Result<Yuv420<'a>, EncodeError> {
        let sizes = picture.sizes()?;
        self.resize_chroma(sizes);
        let rows = picture.uv.rows(sizes.chroma_width * 2, sizes.chroma_height);
        for (uv, (u, v)) in rows.zip(self.chroma_rows(sizes)) {
            take_apart(uv, u, v);
            if picture.range == SampleRange::Limited {
                stretch(u, stretched_chroma);
                stretch(v, stretched_chroma);
            }
        }
        if picture.range == SampleRange::Full {
            return Ok(Yuv420 {
                y: picture.y,
                ..self.picture(sizes)
            });
        }
        self.resize_luma(sizes);
        stretch_plane(picture.y, &mut self.y, sizes.width, stretched_luma);
        Ok(self.picture(sizes))
    }

    /// Takes Y, U and V apart, makes one row of colour of two, and gives all the full range.
    ///
    /// # Errors
    /// [`EncodeError::Size`], [`EncodeError::Plane`].
    pub fn from_yuyv<'a>(&'a mut self, picture: &Yuyv<'_>) -> Result<Yuv420<'a>, EncodeError> {
        let sizes = picture.sizes()?;
        self.resize_luma(sizes);
        self.resize_chroma(sizes);
        let row_bytes = sizes.chroma_width * 4;
        let pixels = picture.pixels.rows(row_bytes, sizes.height);
        for (row, y) in pixels.zip(self.y.chunks_mut(sizes.width)) {
            every_second(row, y);
            if picture.range == SampleRange::Limited {
                stretch(y, stretched_luma);
            }
        }
        let upper = picture.pixels.rows(row_bytes, sizes.height).step_by(2);
        let mut lower = picture
            .pixels
            .rows(row_bytes, sizes.height)
            .skip(1)
            .step_by(2);
        for (upper, (u, v)) in upper.zip(self.chroma_rows(sizes)) {
            mean_chroma(upper, lower.next().unwrap_or(upper), u, v);
            if picture.range == SampleRange::Limited {
                stretch(u, stretched_chroma);
                stretch(v, stretched_chroma);
            }
        }
        Ok(self.picture(sizes))
    }

    pub(crate) fn resize_luma(&mut self, sizes: Sizes) {
        self.y.resize(sizes.width * sizes.height, 0);
    }

    pub(crate) fn resize_chroma(&mut self, sizes: Sizes) {
        let samples = sizes.chroma_width * sizes.chroma_height;
        self.u.resize(samples, 0);
        self.v.resize(samples, 0);
    }

    fn chroma_rows(&mut self, sizes: Sizes) -> impl Iterator<Item = (&mut [u8], &mut [u8])> {
        let u = self.u.chunks_mut(sizes.chroma_width);
        u.zip(self.v.chunks_mut(sizes.chroma_width))
    }

    pub(crate) fn picture(&self, sizes: Sizes) -> Yuv420<'_> {
        let plane = |bytes, stride| SamplePlane { bytes, stride };
        Yuv420 {
            width: sizes.width as u32,
            height: sizes.height as u32,
            y: plane(&self.y, sizes.width),
            u: plane(&self.u, sizes.chroma_width),
            v: plane(&self.v, sizes.chroma_width),
            range: SampleRange::Full,
        }
    }
}

fn stretch_plane(from: SamplePlane<'_>, to: &mut [u8], width: usize, stretched: impl Fn(u8) -> u8) {
    let rows = to.chunks_mut(width);
    let count = rows.len();
    for (from, to) in from.rows(width, count).zip(rows) {
        for (from, to) in from.iter().zip(to) {
            *to = stretched(*from);
        }
    }
}

fn stretch(row: &mut [u8], stretched: impl Fn(u8) -> u8) {
    for value in row {
        *value = stretched(*value);
    }
}

/// 16 to 235 becomes 0 to 255. A table could say the same, but no vector instruction looks things
/// up; 149/128 is 255/219 to within a tenth of a step.
fn stretched_luma(value: u8) -> u8 {
    let above_black = u16::from(value.clamp(16, 235) - 16);
    ((above_black * 149 + 64) >> 7) as u8
}

/// 16 to 240 becomes 0 to 255, and 128, no colour, stays. 291/256 is 255/224 to within two fifths
/// of a step, and fits 16 bits.
fn stretched_chroma(value: u8) -> u8 {
    let above_least = u16::from(value.clamp(16, 240) - 16);
    ((above_least * 291 + 255) >> 8) as u8
}

/// 0 to 255 becomes 16 to 235; 220/256 is 219/255 to within a seventh of a step.
fn limited_luma(value: u8) -> u8 {
    let above_black = u16::from(value) * 220 + 115;
    16 + (above_black >> 8) as u8
}

/// 0 to 255 becomes 16 to 240, and 128, no colour, stays. 225/256 is 224/255 to within an eighth of
/// a step.
fn limited_chroma(value: u8) -> u8 {
    let above_least = u16::from(value) * 225 + 100;
    16 + (above_least >> 8) as u8
}

// Bytes are picked out of whole words in what follows. Picked by their index, the compiler makes no
// vector instructions of it, which takes 4 to 18 times as long.

fn take_apart(uv: &[u8], u: &mut [u8], v: &mut [u8]) {
    for ((pair, u), v) in uv.as_chunks().0.iter().zip(u).zip(v) {
        let pair = u16::from_le_bytes(*pair);
        *u = pair as u8;
        *v = (pair >> 8) as u8;
    }
}

/// `to` may have one byte less than there are pairs: with an odd width.
fn every_second(from: &[u8], to: &mut [u8]) {
    for (pair, to) in from.as_chunks().0.iter().zip(to) {
        *to = u16::from_le_bytes(*pair) as u8;
    }
}

fn mean_chroma(upper: &[u8], lower: &[u8], u: &mut [u8], v: &mut [u8]) {
    let (upper, lower) = (upper.as_chunks().0, lower.as_chunks().0);
    for (((upper, lower), u), v) in upper.iter().zip(lower).zip(u).zip(v) {
        let (upper, lower) = (u32::from_le_bytes(*upper), u32::from_le_bytes(*lower));
        let mean = |shift: u32| ((upper >> shift & 0xFF) + (lower >> shift & 0xFF) + 1) >> 1;
        *u = mean(8) as u8;
        *v = mean(24) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretching_is_right_to_a_step() {
        for value in 0..=255u8 {
            let luma = (f64::from(value) - 16.0) * 255.0 / 219.0;
            let chroma = (f64::from(value) - 128.0) * 255.0 / 224.0 + 128.0;
            for (got, wanted) in [
                (stretched_luma(value), luma),
                (stretched_chroma(value), chroma),
            ] {
                let apart = f64::from(got) - wanted.clamp(0.0, 255.0);
                assert!(apart.abs() < 1.0, "{value}: {got} for {wanted}");
            }
        }
        for value in 0..=255u8 {
            let luma = f64::from(value) * 219.0 / 255.0 + 16.0;
            let chroma = (f64::from(value) - 128.0) * 224.0 / 255.0 + 128.0;
            for (got, wanted) in [(limited_luma(value), luma), (limited_chroma(value), chroma)] {
                let apart = f64::from(got) - wanted;
                assert!(apart.abs() < 1.0, "{value}: {got} for {wanted}");
            }
        }
        assert_eq!([0, 255].map(limited_luma), [16, 235]);
        assert_eq!([0, 128, 255].map(limited_chroma), [16, 128, 240]);
        assert_eq!([16, 235].map(stretched_luma), [0, 255]);
        assert_eq!([16, 128, 240].map(stretched_chroma), [0, 128, 255]);
    }

    #[test]
    fn what_lies_right_is_not_copied() {
        let bytes = [7; 64];
        let plane = SamplePlane {
            bytes: &bytes,
            stride: 8,
        };
        let mut planes = Planes::default();
        let nv12 = Nv12 {
            width: 8,
            height: 8,
            y: plane,
            uv: plane,
            range: SampleRange::Full,
        };
        let picture = planes.from_nv12(&nv12).unwrap();
        assert!(std::ptr::eq(picture.y.bytes, &bytes[..]));
        let mut unused = Planes::default();
        let picture = unused.full_range(&picture).unwrap();
        assert!(std::ptr::eq(picture.y.bytes, &bytes[..]));
        assert!(unused.y.is_empty() && planes.y.is_empty());
    }

    #[test]
    fn the_range_of_television_is_made_of_another_one_only() {
        let bytes = [7; 64];
        let plane = SamplePlane {
            bytes: &bytes,
            stride: 8,
        };
        let picture = Yuv420 {
            width: 8,
            height: 8,
            y: plane,
            u: plane,
            v: plane,
            range: SampleRange::Full,
        };
        let mut planes = Planes::default();
        let limited = planes.limited_range(&picture).unwrap();
        assert_eq!(limited.range, SampleRange::Limited);
        let planes = [limited.y, limited.u, limited.v].map(|plane| plane.bytes);
        assert_eq!(planes, [&[22; 64][..], &[22; 16], &[22; 16]]);
        let mut unused = Planes::default();
        let same = unused.limited_range(&limited).unwrap();
        assert!(std::ptr::eq(same.y.bytes, limited.y.bytes));
    }
}
