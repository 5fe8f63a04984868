//! What is asked of a device for pictures of a size: decided here, apart from it.

use eyelid_picture::{SamplePlane, Yuv420};
use eyelid_v4l2::FormatMplane;

/// Fewer pixels on a side the Raspberry Pi's driver does not take (`MIN_W`).
pub(super) const LEAST_PIXELS: u32 = 32;
/// More, and what it makes is broken (rpicam-apps#508, picamera2#753). Its driver may take fewer.
pub(super) const MOST_PIXELS: u32 = 2032;

/// Bits a second: less the driver does not take, and with 25 Mbit/s the Raspberry Pi's encoder
/// fails (raspberrypi/linux#4938). 20 are what level 4.0 has, too.
pub(super) const BITRATES: std::ops::RangeInclusive<u32> = 25_000..=20_000_000;

/// Bytes for a picture's bits: 768 KiB, which the Raspberry Pi's driver takes by itself, were too
/// few (ustreamer#169), and what does not fit is torn into two.
pub(super) const CODED_BYTES: u32 = 3 << 19;

/// The luma of a row begins at a multiple of this, and the chroma at one of half of it: with others
/// pictures of 1296 columns are broken (raspberrypi/firmware#1608).
const ROW_ALIGNMENT: u32 = 64;

/// The rate that is said to a device. Never 0, by which pictures break after seconds, nor what
/// comes in truth: it is the moments of the pictures that count.
pub(super) fn rate(pictures_per_second: f32) -> u32 {
    if pictures_per_second <= 30.0 { 30 } else { 60 }
}

/// The level (`enum v4l2_mpeg_video_h264_level`) for pictures of a size: 4.0, which the hardware
/// has, or where that cannot be said of them 4.2 or 5.1 (ITU-T H.264, table A-1).
pub(super) fn level((width, height): (u32, u32), rate: u32) -> i32 {
    const LEVELS: [(i32, u32, u32); 2] = [(11, 8_192, 245_760), (13, 8_704, 522_240)];
    const LEVEL_5_1: i32 = 15;
    let macroblocks = width.div_ceil(16) * height.div_ceil(16);
    let fits = LEVELS
        .iter()
        .find(|(_, most, per_second)| macroblocks <= *most && macroblocks * rate <= *per_second);
    fits.map_or(LEVEL_5_1, |(level, ..)| *level)
}

/// How many bytes a row is to have.
pub(super) fn row_bytes(width: u32) -> u32 {
    width.next_multiple_of(ROW_ALIGNMENT)
}

/// Where the samples of a picture lie in a device's buffer, which is I420 in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    width: usize,
    height: usize,
    row_bytes: usize,
    /// As many as the device has of them; those behind the picture's are not looked at.
    rows: usize,
}

impl Layout {
    /// That of what the device has made of a format, for a picture that may be smaller; `None`
    /// where it cannot be one.
    pub(super) fn new((width, height): (u32, u32), format: &FormatMplane) -> Option<Self> {
        let row_bytes = match format.bytes_per_line {
            0 => format.width,
            bytes => bytes,
        };
        let layout = Self {
            width: width as usize,
            height: height as usize,
            row_bytes: row_bytes as usize,
            rows: format.height as usize,
        };
        let fits = format.planes == 1
            && format.width >= width
            && format.height >= height
            && row_bytes >= format.width
            && row_bytes.is_multiple_of(2)
            && format.height.is_multiple_of(2)
            && layout.bytes() <= format.image_bytes as usize;
        fits.then_some(layout)
    }

    /// How many bytes a picture has.
    pub(super) fn bytes(self) -> usize {
        self.row_bytes * self.rows / 2 * 3
    }

    /// Writes a picture to where there is room for it.
    pub(super) fn write(self, picture: &Yuv420<'_>, to: &mut [u8]) {
        let (luma, chroma) = to.split_at_mut(self.row_bytes * self.rows);
        let (u, v) = chroma.split_at_mut(self.row_bytes / 2 * (self.rows / 2));
        copy(picture.y, luma, self.width, self.row_bytes, self.height);
        for (plane, to) in [(picture.u, u), (picture.v, v)] {
            let (columns, bytes) = (self.width / 2, self.row_bytes / 2);
            copy(plane, to, columns, bytes, self.height / 2);
        }
    }
}

/// Copies rows. What is behind a row in the device's is as its last sample: a device may look
/// there, and an edge would cost bits.
fn copy(from: SamplePlane<'_>, to: &mut [u8], columns: usize, row_bytes: usize, rows: usize) {
    let from = from.bytes.chunks(from.stride).take(rows);
    for (from, to) in from.zip(to.chunks_exact_mut(row_bytes)) {
        let (picture, behind) = to.split_at_mut(columns);
        picture.copy_from_slice(&from[..columns]);
        behind.fill(from[columns - 1]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_picture::SampleRange;

    #[test]
    fn the_level_is_that_of_the_hardware_where_it_can_be() {
        for (size, rate, level) in [
            ((320, 240), 30, 11),
            ((1280, 720), 60, 11),
            ((1920, 1080), 30, 11),
            ((1080, 1920), 30, 11),
            ((1920, 1080), 60, 13),
            ((1920, 1200), 30, 15),
            ((2032, 2032), 60, 15),
        ] {
            assert_eq!(super::level(size, rate), level, "{size:?} {rate}");
        }
        for (expected, said) in [(5.0, 30), (30.0, 30), (31.0, 60), (0.0, 30)] {
            assert_eq!(rate(expected), said);
        }
    }

    fn format(width: u32, height: u32, bytes_per_line: u32) -> FormatMplane {
        FormatMplane {
            fourcc: super::super::I420,
            width,
            height,
            colorspace: 0,
            quantization: 0,
            bytes_per_line,
            image_bytes: bytes_per_line * height * 3 / 2,
            planes: 1,
        }
    }

    #[test]
    fn rows_are_padded_and_planes_lie_behind_one_another() {
        assert_eq!([1296, 1280, 36].map(row_bytes), [1344, 1280, 64]);
        // 4x2 of a picture that says 6x2, in rows of 8 and 4 of them.
        let layout = Layout::new((4, 2), &format(6, 4, 8)).unwrap();
        let plane = |bytes, stride| SamplePlane { bytes, stride };
        let picture = Yuv420 {
            width: 4,
            height: 2,
            y: plane(&[1, 2, 3, 4, 99, 5, 6, 7, 8, 99], 5),
            u: plane(&[9, 10], 2),
            v: plane(&[11, 12], 2),
            range: SampleRange::Limited,
        };
        let mut to = vec![0; 48];
        assert_eq!(layout.bytes(), 48);
        layout.write(&picture, &mut to);
        assert_eq!(to[..16], [1, 2, 3, 4, 4, 4, 4, 4, 5, 6, 7, 8, 8, 8, 8, 8]);
        assert_eq!(to[16..32], [0; 16]);
        assert_eq!(to[32..40], [9, 10, 10, 10, 0, 0, 0, 0]);
        assert_eq!(to[40..], [11, 12, 12, 12, 0, 0, 0, 0]);
    }

    #[test]
    fn what_a_device_has_made_of_a_format_is_not_taken_on_trust() {
        let size = (64, 64);
        assert!(Layout::new(size, &format(64, 64, 0)).is_none(), "no room");
        let good = format(64, 64, 64);
        assert!(Layout::new(size, &good).is_some());
        for bad in [
            format(32, 64, 64),
            format(64, 32, 64),
            format(64, 64, 62),
            format(64, 64, 65),
            format(64, 65, 64),
            FormatMplane { planes: 3, ..good },
            FormatMplane {
                image_bytes: good.image_bytes - 1,
                ..good
            },
        ] {
            assert!(Layout::new(size, &bad).is_none(), "{bad:?}");
        }
    }
}
