//! A picture of any size becomes what the network takes.

use crate::runtime::SIDE;

/// A picture to look at: red, green and blue, 3 bytes per pixel, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
}

/// As many bytes are no picture of that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are no {width}x{height} pixels of red, green and blue")]
pub struct WrongLength {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How many bytes there are.
    pub bytes: usize,
}

impl<'a> Picture<'a> {
    /// Takes the bytes of a picture with this width and height in pixels.
    ///
    /// # Errors
    /// [`WrongLength`], also for one without pixels.
    pub fn new(width: u32, height: u32, rgb: &'a [u8]) -> Result<Self, WrongLength> {
        let expected = (u64::from(width) * u64::from(height)).saturating_mul(3);
        if expected == 0 || expected != rgb.len() as u64 {
            return Err(WrongLength {
                width,
                height,
                bytes: rgb.len(),
            });
        }
        Ok(Self {
            width: width as usize,
            height: height as usize,
            rgb,
        })
    }
}

/// Fits a picture into the network's square, whatever its shape (so the network was trained), and
/// each sample into -1 to 1: red, then green, then blue, each row by row.
pub(crate) fn tensor(picture: Picture<'_>, tensor: &mut Vec<f32>) {
    tensor.clear();
    tensor.resize(3 * SIDE * SIDE, 0.0);
    let columns = taps(picture.width);
    let rows = taps(picture.height);
    // Each row of the picture narrowed, once, and added to the rows of the square that it is in.
    let mut narrow = vec![0.0; 3 * SIDE];
    let mut first = 0;
    for (y, row) in picture.rgb.chunks_exact(3 * picture.width).enumerate() {
        while rows[first].ends_before(y) {
            first += 1;
        }
        narrow_row(row, &columns, &mut narrow);
        let within = rows.iter().enumerate().skip(first);
        for (to, row) in within.take_while(|(_, row)| row.first <= y) {
            let Some(weight) = row.weights.get(y - row.first) else {
                continue;
            };
            for (channel, narrow) in narrow.chunks_exact(SIDE).enumerate() {
                let at = (channel * SIDE + to) * SIDE;
                for (sum, sample) in tensor[at..at + SIDE].iter_mut().zip(narrow) {
                    *sum += sample * weight;
                }
            }
        }
    }
    for sample in tensor {
        *sample = *sample / 127.5 - 1.0;
    }
}

/// Narrows or widens one row of pixels to the side of the square, channel by channel.
fn narrow_row(row: &[u8], columns: &[Taps], narrow: &mut [f32]) {
    let (red, rest) = narrow.split_at_mut(SIDE);
    let (green, blue) = rest.split_at_mut(SIDE);
    let to = red.iter_mut().zip(green).zip(blue);
    for (taps, ((red, green), blue)) in columns.iter().zip(to) {
        let mut sums = [0.0; 3];
        let pixels = row[3 * taps.first..].chunks_exact(3);
        for (weight, pixel) in taps.weights.iter().zip(pixels) {
            for (sum, sample) in sums.iter_mut().zip(pixel) {
                *sum += weight * f32::from(*sample);
            }
        }
        [*red, *green, *blue] = sums;
    }
}

/// Of which samples in a row one sample of the square is made, and how much of each.
#[derive(Debug)]
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

impl Taps {
    fn ends_before(&self, at: usize) -> bool {
        self.first + self.weights.len() <= at
    }
}

/// Gives the taps of each sample of the square in a row of so many: linear where the picture is the
/// smaller one, and where it is the larger one a triangle as wide as to leave nothing out. A thing
/// that is some pixels high must not depend on which of them are taken.
fn taps(length: usize) -> Vec<Taps> {
    let step = length as f64 / SIDE as f64;
    let reach = step.max(1.0);
    (0..SIDE)
        .map(|to| {
            let middle = (to as f64 + 0.5) * step;
            let first = (middle - reach).max(0.0) as usize;
            let last = ((middle + reach).ceil() as usize).min(length);
            let weight = |at: usize| {
                let distance = (at as f64 + 0.5 - middle).abs();
                (1.0 - distance / reach).max(0.0)
            };
            let sum: f64 = (first..last).map(weight).sum();
            let weights = (first..last).map(|at| (weight(at) / sum) as f32);
            Taps {
                first,
                weights: weights.collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) -> Vec<f32> {
        let rgb: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| pixel(x, y))
            .collect();
        let mut into = vec![7.0; 5];
        tensor(Picture::new(width, height, &rgb).unwrap(), &mut into);
        into
    }

    #[test]
    fn a_picture_of_its_size_is_taken_as_it_is() {
        let pixel = |x: u32, y: u32| [(x % 256) as u8, (y % 256) as u8, 255];
        let tensor = of(300, 300, pixel);
        assert_eq!(tensor.len(), 3 * SIDE * SIDE);
        for (x, y) in [(0, 0), (17, 250), (299, 299)] {
            let expected = pixel(x, y).map(|sample| f32::from(sample) / 127.5 - 1.0);
            for (channel, expected) in expected.into_iter().enumerate() {
                let found = tensor[(channel * SIDE + y as usize) * SIDE + x as usize];
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
    }

    #[test]
    fn one_colour_stays_itself_at_any_size() {
        for (width, height) in [(1, 1), (2, 3), (299, 301), (640, 480), (1281, 77)] {
            let tensor = of(width, height, |_, _| [0, 51, 255]);
            for (channel, expected) in [-1.0, -0.6, 1.0].into_iter().enumerate() {
                let plane = &tensor[channel * SIDE * SIDE..][..SIDE * SIDE];
                assert!(
                    plane
                        .iter()
                        .all(|sample: &f32| (sample - expected).abs() < 1e-4),
                    "{width}x{height}"
                );
            }
        }
    }

    #[test]
    fn left_stays_left_and_up_stays_up() {
        let tensor = of(640, 480, |x, y| {
            [
                if x < 320 { 0 } else { 255 },
                if y < 240 { 0 } else { 255 },
                0,
            ]
        });
        let at = |channel: usize, x: usize, y: usize| tensor[(channel * SIDE + y) * SIDE + x];
        assert!(at(0, 10, 10) < -0.99 && at(0, 290, 10) > 0.99);
        assert!(at(1, 10, 10) < -0.99 && at(1, 10, 290) > 0.99);
    }

    #[test]
    fn no_pixel_of_a_large_picture_is_left_out() {
        // A line of one pixel, wherever it is, is seen, and as much as its share.
        for at in [0, 1, 640, 1917, 1919] {
            let tensor = of(1920, 4, |x, _| [if x == at { 255 } else { 0 }, 0, 0]);
            let sum: f32 = tensor[..SIDE].iter().map(|sample| sample + 1.0).sum();
            assert!((0.2..0.6).contains(&sum), "{at}: {sum}");
        }
    }

    #[test]
    fn bytes_that_are_no_picture_are_refused() {
        for (width, height, bytes) in [(2, 2, 11), (0, 5, 0), (2, 2, 13), (u32::MAX, u32::MAX, 3)] {
            let error = Picture::new(width, height, &vec![0; bytes]).unwrap_err();
            assert_eq!(error.bytes, bytes);
        }
    }
}
