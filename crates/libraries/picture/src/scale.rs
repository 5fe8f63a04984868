//! Smaller pictures: each sample becomes the mean of those whose place it takes. That is what a
//! smaller sensor would have seen, keeps the colour where JPEG has it, in the middle of its pixels,
//! and is quick: the loops are such that the compiler makes vector instructions of them.

use crate::error::EncodeError;
use crate::planes::Planes;
use crate::yuv::{SamplePlane, Sizes, Yuv420};

/// How large a picture is to become, against what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As large.
    Whole,
    /// Half as wide and half as high.
    Half,
    /// A quarter as wide and a quarter as high.
    Quarter,
}

impl Scale {
    /// How many pixels become one, across and down.
    pub const fn divisor(self) -> u32 {
        match self {
            Self::Whole => 1,
            Self::Half => 2,
            Self::Quarter => 4,
        }
    }

    /// A side of this many pixels, scaled. What is left over becomes a pixel, too.
    pub const fn side(self, pixels: u32) -> u32 {
        pixels.div_ceil(self.divisor())
    }
}

impl Planes {
    /// Scales a picture, and keeps its range. One that stays as large is given back as it lies.
    ///
    /// # Errors
    /// [`EncodeError::Size`], [`EncodeError::Plane`].
    pub fn scaled<'a>(
        &'a mut self,
        picture: &Yuv420<'a>,
        scale: Scale,
    ) -> Result<Yuv420<'a>, EncodeError> {
        let from = picture.sizes()?;
        if scale == Scale::Whole {
            return Ok(*picture);
        }
        // The half of a half, rounded up, is the half of both: colour fits brightness again.
        let to = Sizes::of(scale.side(picture.width), scale.side(picture.height))?;
        self.resize_luma(to);
        self.resize_chroma(to);
        let luma = (from.width, from.height);
        let chroma = (from.chroma_width, from.chroma_height);
        for (plane, (width, height), samples) in [
            (picture.y, luma, &mut self.y),
            (picture.u, chroma, &mut self.u),
            (picture.v, chroma, &mut self.v),
        ] {
            match scale {
                Scale::Whole => {}
                Scale::Half => shrink(plane, width, height, samples, means_of_2x2),
                Scale::Quarter => shrink(plane, width, height, samples, means_of_4x4),
            }
        }
        Ok(Yuv420 {
            range: picture.range,
            ..self.picture(to)
        })
    }
}

/// Makes one sample of each square of `N` by `N`, of which those at the right and at the bottom may
/// be smaller. `means` is for whole squares.
fn shrink<const N: usize>(
    plane: SamplePlane<'_>,
    width: usize,
    height: usize,
    to: &mut [u8],
    means: impl Fn([&[u8]; N], &mut [u8]),
) {
    for (index, to) in to.chunks_exact_mut(width.div_ceil(N)).enumerate() {
        let top = index * N;
        let mut done = 0;
        if top + N <= height {
            done = width / N;
            let rows = std::array::from_fn(|row| plane.row(top + row, width));
            means(rows, &mut to[..done]);
        }
        for (column, to) in to.iter_mut().enumerate().skip(done) {
            let left = column * N;
            let columns = left..width.min(left + N);
            let rows = top..height.min(top + N);
            let count = (columns.len() * rows.len()) as u32;
            let sum: u32 = rows
                .flat_map(|row| &plane.row(row, width)[columns.clone()])
                .map(|sample| u32::from(*sample))
                .sum();
            *to = ((sum + count / 2) / count) as u8;
        }
    }
}

// As in `planes`, bytes are picked out of whole words, without which the compiler makes no vector
// instructions of it.

pub(crate) fn means_of_2x2([upper, lower]: [&[u8]; 2], to: &mut [u8]) {
    let (upper, lower) = (upper.as_chunks().0, lower.as_chunks().0);
    for ((upper, lower), to) in upper.iter().zip(lower).zip(to) {
        let (upper, lower) = (u16::from_le_bytes(*upper), u16::from_le_bytes(*lower));
        let sum = (upper & 0xFF) + (upper >> 8) + (lower & 0xFF) + (lower >> 8);
        *to = ((sum + 2) >> 2) as u8;
    }
}

/// How many samples of each row are summed before their means are taken: the sums stay in the
/// processor, and the width of most cameras' planes is a multiple of it.
const BLOCK: usize = 64;

fn means_of_4x4(rows: [&[u8]; 4], to: &mut [u8]) {
    let [first, second, third, fourth] = rows.map(|row| row.as_chunks().0);
    let (blocks, rest) = to.as_chunks_mut();
    let done = blocks.len() * BLOCK;
    let blocks_of_rows = first.iter().zip(second).zip(third).zip(fourth);
    for ((((first, second), third), fourth), to) in blocks_of_rows.zip(blocks) {
        block_of_means_of_4x4([first, second, third, fourth], to);
    }
    few_means_of_4x4(rows.map(|row| &row[done..]), rest);
}

/// The same of a block, in fewer instructions: in words of 16 bits the upper byte needs no mask.
fn block_of_means_of_4x4(rows: [&[u8; BLOCK]; 4], to: &mut [u8; BLOCK / 4]) {
    let pair = |two: &[u8; 2]| {
        let word = u16::from_le_bytes(*two);
        (word & 0xFF) + (word >> 8)
    };
    let mut sums = [0; BLOCK];
    let [first, second, third, fourth] = rows.map(|row| row.as_chunks().0);
    let pairs = first.iter().zip(second).zip(third).zip(fourth);
    for ((((first, second), third), fourth), sum) in pairs.zip(sums.as_chunks_mut().0) {
        *sum = (pair(first) + pair(second) + pair(third) + pair(fourth)).to_le_bytes();
    }
    for (two_sums, to) in sums.as_chunks().0.iter().zip(to) {
        *to = mean_of_16(u32::from_le_bytes(*two_sums));
    }
}

fn few_means_of_4x4(rows: [&[u8]; 4], to: &mut [u8]) {
    // Two sums of two in one word each: no carry gets from the lower into the upper one.
    let pairs = |four: &[u8; 4]| {
        let word = u32::from_le_bytes(*four);
        (word & 0x00FF_00FF) + (word >> 8 & 0x00FF_00FF)
    };
    let [first, second, third, fourth] = rows.map(|row| row.as_chunks().0);
    let rows = first.iter().zip(second).zip(third).zip(fourth);
    for ((((first, second), third), fourth), to) in rows.zip(to) {
        *to = mean_of_16(pairs(first) + pairs(second) + pairs(third) + pairs(fourth));
    }
}

/// Of two sums of eight samples, each in half of the word.
fn mean_of_16(two_sums: u32) -> u8 {
    (((two_sums & 0xFFFF) + (two_sums >> 16) + 8) >> 4) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yuv::SampleRange;
    use proptest::prelude::*;

    /// A picture whose rows lie further apart than they are long, with bytes of `gap` in between.
    struct Spread {
        width: usize,
        height: usize,
        apart: usize,
        planes: [Vec<u8>; 3],
    }

    impl Spread {
        fn new(width: usize, height: usize, apart: usize, seed: u32, gap: u8) -> Self {
            let mut state = seed;
            let mut plane = |width: usize, height: usize| -> Vec<u8> {
                let rows = (0..height).flat_map(|_| {
                    (0..width + apart)
                        .map(|column| {
                            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                            if column < width {
                                (state >> 24) as u8
                            } else {
                                gap
                            }
                        })
                        .collect::<Vec<u8>>()
                });
                rows.collect()
            };
            let planes = [
                plane(width, height),
                plane(width.div_ceil(2), height.div_ceil(2)),
                plane(width.div_ceil(2), height.div_ceil(2)),
            ];
            Self {
                width,
                height,
                apart,
                planes,
            }
        }

        fn picture(&self) -> Yuv420<'_> {
            let [y, u, v] = [0, 1, 2].map(|index| SamplePlane {
                bytes: &self.planes[index],
                stride: self.apart
                    + if index == 0 {
                        self.width
                    } else {
                        self.width.div_ceil(2)
                    },
            });
            Yuv420 {
                width: self.width as u32,
                height: self.height as u32,
                y,
                u,
                v,
                range: SampleRange::Limited,
            }
        }
    }

    /// The mean of the square that the sample at this place stands for, as a child would take it.
    fn mean(plane: SamplePlane<'_>, size: (usize, usize), at: (usize, usize), n: usize) -> f64 {
        let mut samples = Vec::new();
        for row in at.1 * n..size.1.min(at.1 * n + n) {
            for column in at.0 * n..size.0.min(at.0 * n + n) {
                samples.push(f64::from(plane.bytes[row * plane.stride + column]));
            }
        }
        samples.iter().sum::<f64>() / samples.len() as f64
    }

    fn check(source: &Spread, scale: Scale) {
        let picture = source.picture();
        let mut planes = Planes::default();
        let scaled = planes.scaled(&picture, scale).unwrap();
        scaled.check().unwrap();
        let n = scale.divisor() as usize;
        let (width, height) = (source.width, source.height);
        assert_eq!(scaled.width as usize, width.div_ceil(n));
        assert_eq!(scaled.height as usize, height.div_ceil(n));
        assert_eq!(scaled.range, SampleRange::Limited);
        let chroma = (width.div_ceil(2), height.div_ceil(2));
        for (from, to, size) in [
            (picture.y, scaled.y, (width, height)),
            (picture.u, scaled.u, chroma),
            (picture.v, scaled.v, chroma),
        ] {
            for row in 0..size.1.div_ceil(n) {
                for column in 0..size.0.div_ceil(n) {
                    let got = f64::from(to.bytes[row * to.stride + column]);
                    let wanted = mean(from, size, (column, row), n);
                    assert!(
                        (got - wanted).abs() <= 0.5,
                        "{column},{row}: {got} {wanted}"
                    );
                }
            }
        }
    }

    #[test]
    fn each_sample_is_the_mean_of_those_it_stands_for() {
        for size in [1, 2, 3, 4, 5, 7, 8, 9, 33, 64] {
            for other in [1, 2, 3, 6, 31] {
                for scale in [Scale::Whole, Scale::Half, Scale::Quarter] {
                    check(&Spread::new(size, other, 0, 1, 0), scale);
                    check(&Spread::new(other, size, 3, 2, 255), scale);
                }
            }
        }
    }

    #[test]
    fn no_sum_overflows_and_rounding_is_to_the_nearest() {
        for (value, scale) in [
            (255, Scale::Half),
            (255, Scale::Quarter),
            (0, Scale::Quarter),
        ] {
            let mut source = Spread::new(17, 9, 0, 1, 0);
            source.planes.iter_mut().for_each(|plane| plane.fill(value));
            let mut planes = Planes::default();
            let scaled = planes.scaled(&source.picture(), scale).unwrap();
            for plane in [scaled.y, scaled.u, scaled.v] {
                assert!(plane.bytes.iter().all(|sample| *sample == value));
            }
        }
        let mut to = [0; 2];
        means_of_2x2([&[0, 0, 1, 0], &[0, 1, 1, 0]], &mut to);
        assert_eq!(to, [0, 1], "a quarter is nothing, a half is one");
    }

    #[test]
    fn what_stays_as_large_is_not_copied_and_what_is_too_short_is_refused() {
        let source = Spread::new(6, 4, 0, 1, 0);
        let picture = source.picture();
        let mut planes = Planes::default();
        let same = planes.scaled(&picture, Scale::Whole).unwrap();
        assert!(std::ptr::eq(same.y.bytes, picture.y.bytes));
        let short = Yuv420 {
            height: 5,
            ..picture
        };
        assert!(planes.scaled(&short, Scale::Half).is_err());
        assert!(planes.scaled(&short, Scale::Whole).is_err());
    }

    proptest! {
        #[test]
        fn the_mean_stays_whatever_the_size(
            width in 1usize..90,
            height in 1usize..40,
            apart in 0usize..9,
            seed in any::<u32>(),
        ) {
            for scale in [Scale::Half, Scale::Quarter] {
                check(&Spread::new(width, height, apart, seed, 77), scale);
                // Of whole squares only: those that are smaller weigh more than they have samples.
                let n = scale.divisor() as usize;
                let whole = Spread::new(width * n * 2, height * n * 2, apart, seed, 77);
                let picture = whole.picture();
                let mut planes = Planes::default();
                let scaled = planes.scaled(&picture, scale).unwrap();
                let before = mean(picture.y, (whole.width, whole.height), (0, 0), usize::MAX / 100);
                let samples = scaled.y.bytes.iter().map(|sample| f64::from(*sample));
                let after = samples.sum::<f64>() / scaled.y.bytes.len() as f64;
                prop_assert!((before - after).abs() <= 0.5, "{} {}", before, after);
            }
        }

        #[test]
        fn what_lies_between_the_rows_does_not_matter(
            width in 1usize..70,
            height in 1usize..20,
            apart in 1usize..9,
            seed in any::<u32>(),
        ) {
            for scale in [Scale::Half, Scale::Quarter] {
                let [one, other] = [0, 255].map(|gap| Spread::new(width, height, apart, seed, gap));
                let (mut first, mut second) = (Planes::default(), Planes::default());
                let first = first.scaled(&one.picture(), scale).unwrap();
                let second = second.scaled(&other.picture(), scale).unwrap();
                prop_assert_eq!(first.y.bytes, second.y.bytes);
                prop_assert_eq!(first.u.bytes, second.u.bytes);
                prop_assert_eq!(first.v.bytes, second.v.bytes);
            }
        }
    }
}
