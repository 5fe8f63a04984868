//! The pictures that `eyelid-video` is measured with: planes, in each of which stands, in black and
//! white, when it was published. Who sees it in a browser reads that, too (`watched-video.js`).

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::ValueEnum;
use eyelid_picture::{Yuv420, write_y4m};

use crate::photo::Photo;

/// The clock's bits: milliseconds since 1970, the lower ones, then a byte that tells them from
/// anything else. Each is a cell, black or white, in one row at the top.
const MOMENT_BITS: u32 = 24;
const CHECK_BITS: u32 = 8;
const CELLS: usize = (MOMENT_BITS + CHECK_BITS) as usize;
const CHECK: u32 = 0xA5;
const CELL_ROWS: usize = 32;
const BLACK: u8 = 40;
const WHITE: u8 = 200;

/// What moves across the picture: a square with a side of this share of the picture's height, so
/// many pixels each time.
const SQUARE_SHARE: usize = 4;
const SQUARE_STEP: usize = 6;

/// How far everything moves each time, and how far in all, if all of it does.
const PAN_STEP: usize = 4;
const PAN_PIXELS: usize = 256;

/// How large the pictures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

/// What is to be seen. Both have the grain of a sensor, new in each picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scene {
    /// A room, in which something moves: what the camera of a printer sees.
    Quiet,
    /// All of it moves.
    Moving,
}

/// Pictures, one after the other.
pub struct Film {
    size: Size,
    scene: Scene,
    /// Wider than the pictures by what they move.
    luma: Vec<u8>,
    stride: usize,
    grain: Vec<i8>,
    /// The last picture, as a file.
    file: Vec<u8>,
    luma_at: usize,
    number: usize,
}

impl FromStr for Size {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parse = || {
            let (width, height) = text.split_once('x')?;
            let (width, height) = (width.parse().ok()?, height.parse().ok()?);
            Some(Self { width, height })
        };
        parse().with_context(|| format!("size {text:?}: use WIDTHxHEIGHT"))
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}x{}", self.width, self.height)
    }
}

impl Film {
    /// Draws what is to be seen.
    ///
    /// # Errors
    /// No picture has such a size.
    pub fn new(size: Size, scene: Scene) -> anyhow::Result<Self> {
        let wider = match scene {
            Scene::Quiet => 0,
            Scene::Moving => PAN_PIXELS as u32,
        };
        let photo = Photo::new(size.width + wider, size.height);
        let whole = photo.yuv420();
        // Its colour stands still.
        let picture = Yuv420 {
            width: size.width,
            ..whole
        };
        let mut file = Vec::new();
        write_y4m(&picture, &mut file)?;
        let samples = (size.width * size.height) as usize;
        let mut seed = 1_u32;
        // One row more: each picture begins elsewhere in it.
        let grain = (0..samples + 4096).map(|_| {
            // The constants are those of a full-period generator modulo 2^32.
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 28) as i8 - 8
        });
        Ok(Self {
            size,
            scene,
            luma: whole.y.bytes.to_vec(),
            stride: whole.y.stride,
            grain: grain.collect(),
            luma_at: file.len() - samples * 3 / 2,
            file,
            number: 0,
        })
    }

    /// Draws the next picture: a YUV4MPEG2 file, with this moment in it.
    pub fn next(&mut self, at: SystemTime) -> &[u8] {
        let (width, height) = (self.size.width as usize, self.size.height as usize);
        let number = self.number;
        self.number += 1;
        let pan = match self.scene {
            Scene::Quiet => 0,
            Scene::Moving => to_and_fro(number * PAN_STEP, PAN_PIXELS),
        };
        let grain_at = number.wrapping_mul(997) % 4096;
        let luma = &mut self.file[self.luma_at..self.luma_at + width * height];
        for (y, row) in luma.chunks_exact_mut(width).enumerate() {
            let from = &self.luma[y * self.stride + pan..][..width];
            let grain = &self.grain[grain_at + y * width..][..width];
            for ((sample, from), grain) in row.iter_mut().zip(from).zip(grain) {
                *sample = from.saturating_add_signed(*grain);
            }
        }
        let side = height / SQUARE_SHARE;
        let left = to_and_fro(number * SQUARE_STEP, width - side);
        for row in luma.chunks_exact_mut(width).skip(height / 2).take(side) {
            row[left..left + side].iter_mut().for_each(|it| *it = !*it);
        }
        write_moment(luma, width, at);
        &self.file
    }
}

/// Goes to `end` and back again.
pub fn to_and_fro(way: usize, end: usize) -> usize {
    let way = way % (2 * end);
    way.min(2 * end - way)
}

fn write_moment(luma: &mut [u8], width: usize, at: SystemTime) {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let moment = since.as_millis() as u32 & ((1 << MOMENT_BITS) - 1);
    let check = (moment ^ moment >> 8 ^ moment >> 16 ^ CHECK) & 0xFF;
    let bits = moment << CHECK_BITS | check;
    let cell = width / CELLS;
    for row in luma.chunks_exact_mut(width).take(CELL_ROWS) {
        for (number, samples) in row.chunks_exact_mut(cell).take(CELLS).enumerate() {
            let is_set = bits >> (CELLS - 1 - number) & 1 == 1;
            samples.fill(if is_set { WHITE } else { BLACK });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SIZE: Size = Size {
        width: 640,
        height: 480,
    };

    #[test]
    fn its_moment_can_be_read() {
        let at = UNIX_EPOCH + Duration::from_millis(1_795_207_369_123);
        let mut film = Film::new(SIZE, Scene::Quiet).unwrap();
        let at_luma = film.luma_at;
        let luma = &film.next(at)[at_luma..];
        let read = (0..CELLS).fold(0_u32, |bits, cell| {
            let middle = 640 * CELL_ROWS / 2 + cell * 20 + 10;
            bits << 1 | u32::from(luma[middle] > 120)
        });
        let moment = read >> CHECK_BITS;
        assert_eq!(u64::from(moment), 1_795_207_369_123 % (1 << MOMENT_BITS));
        assert_eq!(
            read & 0xFF,
            (moment ^ moment >> 8 ^ moment >> 16 ^ CHECK) & 0xFF
        );
    }

    #[test]
    fn pictures_differ() {
        for scene in [Scene::Quiet, Scene::Moving] {
            let mut film = Film::new(SIZE, scene).unwrap();
            let at = UNIX_EPOCH;
            let first = film.next(at).to_vec();
            assert_ne!(film.next(at), first, "{scene:?}");
        }
    }
}
