//! The frames that the bench publishes: one picture, and in each copy of it the moment when it was
//! published.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Frames per second, of the feeder and of the bare loop.
pub const FPS: f64 = 30.0;

/// A JPEG's comment marker (ITU T.81, B.2.4.5), the segment's length, and what tells this comment
/// from others.
const COMMENT: [u8; 8] = [0xFF, 0xFE, 0x00, 0x0F, b's', b'e', b'e', b'n'];

/// Bytes of the moment: nanoseconds since 1970, seven bits in each. `eyelid-capture` drops a
/// comment that has an FF in it, as a camera's might.
const MOMENT_BYTES: usize = 9;

/// Bytes of the comment.
const COMMENT_BYTES: usize = COMMENT.len() + MOMENT_BYTES;

/// The bytes of a quantisation table (ITU T.81, B.2.4.1), and what stands before the first one: the
/// marker, the segment's length, and the table's number.
const TABLE_BYTES: usize = 64;
const TABLES_MARKER: [u8; 2] = [0xFF, 0xDB];
const TABLES_HEADER_BYTES: usize = 5;

/// What frames to make.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub width: u16,
    pub height: u16,
    /// About so many bytes.
    pub bytes: usize,
}

impl Spec {
    pub const SMALL: Self = Self {
        width: 640,
        height: 480,
        bytes: 30_000,
    };
    pub const LARGE: Self = Self {
        width: 1920,
        height: 1080,
        bytes: 190_000,
    };

    pub fn size(self) -> String {
        format!("{}x{}", self.width, self.height)
    }
}

impl FromStr for Spec {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parse = || {
            let (size, bytes) = text.split_once(':')?;
            let (width, height) = size.split_once('x')?;
            Some(Self {
                width: width.parse().ok()?,
                height: height.parse().ok()?,
                bytes: bytes.parse().ok()?,
            })
        };
        parse().with_context(|| format!("frames {text:?}: use WIDTHxHEIGHT:BYTES"))
    }
}

/// A JPEG that can be stamped.
pub struct Picture {
    jpeg: Vec<u8>,
    stamp: usize,
    /// Where its brightness is quantised, if the moment is to be there, too.
    table: Option<usize>,
}

impl Picture {
    /// Encodes a picture with the highest quality that keeps to the bytes wanted.
    pub fn new(spec: Spec) -> anyhow::Result<Self> {
        let rgb = draw(spec);
        let (mut low, mut high) = (1_u8, 100);
        while low < high {
            let middle = (low + high).div_ceil(2);
            if encode(spec, &rgb, middle)?.len() <= spec.bytes {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let mut jpeg = encode(spec, &rgb, low)?;
        let Some(stamp) = after_first_segment(&jpeg) else {
            bail!("the encoder's JPEG has no segments");
        };
        jpeg.splice(stamp..stamp, COMMENT.into_iter().chain([0; MOMENT_BYTES]));
        Ok(Self {
            jpeg,
            stamp,
            table: None,
        })
    }

    /// Writes the moment into the picture's first quantisation table, too: its last entries, which
    /// only the finest detail has need of. RTP carries no comment (RFC 2435), but tables.
    pub fn with_stamped_table(mut self) -> anyhow::Result<Self> {
        let marker = self.jpeg.windows(2).position(|two| two == TABLES_MARKER);
        self.table = Some(marker.context("a JPEG without tables")? + TABLES_HEADER_BYTES);
        Ok(self)
    }

    /// The JPEG with this moment in it.
    pub fn stamped(&mut self, at: SystemTime) -> &[u8] {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut nanoseconds = since.as_nanos() as u64;
        let moment = self.stamp + COMMENT.len()..self.stamp + COMMENT_BYTES;
        for byte in self.jpeg[moment.clone()].iter_mut().rev() {
            *byte = (nanoseconds & 0x7F) as u8;
            nanoseconds >>= 7;
        }
        if let Some(table) = self.table {
            let entries = table + TABLE_BYTES - MOMENT_BYTES;
            self.jpeg.copy_within(moment, entries);
            // No entry is 0.
            let entries = &mut self.jpeg[entries..table + TABLE_BYTES];
            entries.iter_mut().for_each(|entry| *entry += 1);
        }
        &self.jpeg
    }
}

/// The moment in a JPEG of which at least the beginning is given, if it is one of ours.
pub fn stamp(jpeg: &[u8]) -> Option<SystemTime> {
    let start = after_first_segment(jpeg)?;
    let moment = jpeg
        .get(start..start + COMMENT_BYTES)?
        .strip_prefix(&COMMENT)?;
    Some(moment_of(moment.iter().copied()))
}

/// The moment in a quantisation table, if it can be one.
pub fn stamp_of_table(table: &[u8; TABLE_BYTES]) -> Option<SystemTime> {
    let entries = &table[TABLE_BYTES - MOMENT_BYTES..];
    let are_stamp = entries.iter().all(|entry| (1..=128).contains(entry));
    are_stamp.then(|| moment_of(entries.iter().map(|entry| entry - 1)))
}

fn moment_of(sevens: impl Iterator<Item = u8>) -> SystemTime {
    let nanoseconds = sevens.fold(0, |all: u64, byte| all << 7 | u64::from(byte));
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

/// Where the second segment starts: some clients want a JFIF segment to be the first.
fn after_first_segment(jpeg: &[u8]) -> Option<usize> {
    let length = jpeg.get(4..6)?;
    Some(4 + usize::from(u16::from_be_bytes([length[0], length[1]])))
}

fn encode(spec: Spec, rgb: &[u8], quality: u8) -> anyhow::Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(rgb, spec.width, spec.height, ColorType::Rgb)?;
    Ok(jpeg)
}

/// A slope with grain, which JPEG finds about as hard as a room.
fn draw(spec: Spec) -> Vec<u8> {
    let (width, height) = (u32::from(spec.width), u32::from(spec.height));
    let mut grain: u32 = 1;
    (0..height)
        .flat_map(|y| (0..width).map(move |x| (x * 200 / width, y * 200 / height)))
        .flat_map(|(across, down)| {
            // The constants are those of a full-period generator modulo 2^32.
            grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = grain >> 28;
            [across + grain, down + grain, (across + down) / 2 + grain].map(|value| value as u8)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_about_the_wanted_size_and_says_when() {
        for (spec, at_least) in [(Spec::SMALL, 25_000), (Spec::LARGE, 160_000)] {
            let mut picture = Picture::new(spec).unwrap();
            let moment = UNIX_EPOCH + Duration::from_nanos(1_795_207_369_123_456_789);
            let jpeg = picture.stamped(moment);
            assert!(
                (at_least..=spec.bytes + COMMENT_BYTES).contains(&jpeg.len()),
                "{}",
                jpeg.len()
            );
            assert_eq!(stamp(jpeg), Some(moment));
            assert!(jpeg.ends_with(&[0xFF, 0xD9]));
        }
        assert_eq!(stamp(&[0xFF, 0xD8, 0xFF, 0xE0, 0, 2, 0xFF]), None);
    }

    #[test]
    fn says_when_in_a_table_too_if_it_is_to() {
        let mut picture = Picture::new(Spec::SMALL).unwrap();
        let moment = UNIX_EPOCH + Duration::from_nanos(1_795_207_369_123_456_789);
        let before = table_of(picture.stamped(moment));
        assert_ne!(stamp_of_table(&before), Some(moment));
        let mut picture = picture.with_stamped_table().unwrap();
        let table = table_of(picture.stamped(moment));
        assert_eq!(stamp_of_table(&table), Some(moment));
        assert_eq!(stamp(picture.stamped(moment)), Some(moment));
        assert_eq!(table[..55], before[..55]);
    }

    fn table_of(jpeg: &[u8]) -> [u8; TABLE_BYTES] {
        let marker = jpeg.windows(2).position(|two| two == TABLES_MARKER);
        let start = marker.unwrap() + TABLES_HEADER_BYTES;
        jpeg[start..start + TABLE_BYTES].try_into().unwrap()
    }
}
