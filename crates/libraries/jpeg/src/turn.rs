//! Quarter turns and mirrors.

use eyelid_picture::SamplePlane;

use crate::pixels::Pixels;

/// How a picture is to be shown: mirrored left to right or not, then turned clockwise by quarters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    pub(crate) mirrored: bool,
    /// 0 to 3.
    pub(crate) quarters: u8,
}

impl Turn {
    /// As it is.
    pub const NONE: Self = Self {
        mirrored: false,
        quarters: 0,
    };
    /// Mirrored left to right.
    pub const MIRRORED: Self = Self {
        mirrored: true,
        quarters: 0,
    };
    /// A quarter clockwise.
    pub const RIGHT: Self = Self {
        mirrored: false,
        quarters: 1,
    };
    /// Upside down.
    pub const HALF: Self = Self {
        mirrored: false,
        quarters: 2,
    };
    /// A quarter anticlockwise.
    pub const LEFT: Self = Self {
        mirrored: false,
        quarters: 3,
    };

    /// What an EXIF orientation (tag 0x0112) asks for. Values that EXIF does not know ask for
    /// nothing.
    pub fn from_exif(orientation: u16) -> Self {
        let (mirrored, quarters) = match orientation {
            2 => (true, 0),
            3 => (false, 2),
            4 => (true, 2),
            5 => (true, 3),
            6 => (false, 1),
            7 => (true, 1),
            8 => (false, 3),
            _ => (false, 0),
        };
        Self { mirrored, quarters }
    }

    /// This, and then another.
    pub fn followed_by(self, other: Self) -> Self {
        // A mirror shows a turn as a turn the other way.
        let before = if other.mirrored {
            4 - self.quarters
        } else {
            self.quarters
        };
        Self {
            mirrored: self.mirrored != other.mirrored,
            quarters: (before + other.quarters) % 4,
        }
    }

    /// What undoes this.
    pub fn inverse(self) -> Self {
        if self.mirrored {
            return self;
        }
        Self {
            quarters: (4 - self.quarters) % 4,
            ..self
        }
    }

    /// Whether width and height change places.
    pub fn is_sideways(self) -> bool {
        !self.quarters.is_multiple_of(2)
    }

    /// The size, turned, of what has this size.
    pub fn size<T>(self, width: T, height: T) -> (T, T) {
        if self.is_sideways() {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// Turns a picture.
    pub fn apply(self, pixels: Pixels) -> Pixels {
        if self == Self::NONE {
            return pixels;
        }
        let mut turned = Pixels {
            width: 0,
            height: 0,
            rgb: Vec::new(),
        };
        self.apply_into(&pixels.rgb, pixels.width, pixels.height, &mut turned);
        turned
    }

    /// Turns a picture into memory that is there already.
    pub fn apply_into(self, rgb: &[u8], width: u32, height: u32, turned: &mut Pixels) {
        let (columns, rows) = (width as usize, height as usize);
        let plane = SamplePlane {
            bytes: rgb,
            stride: columns * 3,
        };
        (turned.width, turned.height) = self.size(width, height);
        self.apply_to_plane::<3>(plane, columns, rows, &mut turned.rgb);
    }

    /// Turns a plane of pixels of `BYTES` bytes. The turned one has no gaps.
    ///
    /// # Panics
    /// If there are fewer bytes than pixels, or the plane's stride is less than its width or 0.
    pub fn apply_to_plane<const BYTES: usize>(
        self,
        plane: SamplePlane<'_>,
        width: usize,
        height: usize,
        turned: &mut Vec<u8>,
    ) {
        // Every pixel is written below.
        turned.resize(width * height * BYTES, 0);
        if turned.is_empty() {
            return;
        }
        let rows = (0..height).map(|row| {
            let bytes = &plane.bytes[row * plane.stride..][..width * BYTES];
            bytes.as_chunks::<BYTES>().0
        });
        let turned = turned.as_chunks_mut::<BYTES>().0;
        match (self.quarters, self.mirrored) {
            (0, mirrored) => rows_to_rows(rows, turned, width, mirrored),
            (2, mirrored) => rows_to_rows(rows.rev(), turned, width, !mirrored),
            (1, mirrored) => rows_to_columns(rows.rev(), turned, height, mirrored),
            (_, mirrored) => rows_to_columns(rows, turned, height, !mirrored),
        }
    }
}

fn rows_to_rows<'a, const BYTES: usize>(
    rows: impl Iterator<Item = &'a [[u8; BYTES]]>,
    turned: &mut [[u8; BYTES]],
    width: usize,
    backwards: bool,
) {
    for (from, to) in rows.zip(turned.chunks_exact_mut(width)) {
        if backwards {
            let pixels = to.iter_mut().zip(from.iter().rev());
            pixels.for_each(|(to, from)| *to = *from);
        } else {
            to.copy_from_slice(from);
        }
    }
}

/// How many columns are written at once: each takes one line of the processor's cache, which fits
/// well within its first level, and every byte of a line that was fetched for reading is used.
const BAND: usize = 16;

/// The first of `rows` becomes the left column. It is read `backwards` if its last pixel becomes
/// the upper one.
fn rows_to_columns<'a, const BYTES: usize>(
    rows: impl Iterator<Item = &'a [[u8; BYTES]]> + Clone,
    turned: &mut [[u8; BYTES]],
    height: usize,
    backwards: bool,
) {
    let width = turned.len() / height;
    for (start, band) in (0..).step_by(BAND).zip(turned.chunks_mut(BAND * height)) {
        let end = width.min(start + BAND);
        for (column, row) in rows.clone().enumerate() {
            let to = band.iter_mut().skip(column).step_by(height);
            if backwards {
                let from = row[width - end..width - start].iter().rev();
                to.zip(from).for_each(|(to, from)| *to = *from);
            } else {
                let from = &row[start..end];
                to.zip(from).for_each(|(to, from)| *to = *from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of 3x2 pixels with a letter for each, and how it looks turned.
    fn turned(turn: Turn) -> String {
        let rgb = b"abcdef".iter().flat_map(|l| [*l; 3]).collect();
        let pixels = turn.apply(Pixels {
            width: 3,
            height: 2,
            rgb,
        });
        let letters: Vec<u8> = pixels.rgb.chunks(3).map(|p| p[0]).collect();
        let rows = letters.chunks(pixels.width as usize);
        let rows: Vec<_> = rows.map(|row| String::from_utf8_lossy(row)).collect();
        assert_eq!(rows.len(), pixels.height as usize);
        rows.join("/")
    }

    #[test]
    fn rotates_clockwise() {
        assert_eq!(turned(Turn::NONE), "abc/def");
        assert_eq!(turned(Turn::RIGHT), "da/eb/fc");
        assert_eq!(turned(Turn::HALF), "fed/cba");
        assert_eq!(turned(Turn::LEFT), "cf/be/ad");
    }

    #[test]
    fn obeys_exif_and_combines_it_with_a_rotation() {
        // What orientation 1 to 8 asks for (Exif 2.32, 4.6.4): where the stored row 0 and column 0
        // are shown.
        let expected = [
            "abc/def", "cba/fed", "fed/cba", "def/abc", "ad/be/cf", "da/eb/fc", "fc/eb/da",
            "cf/be/ad",
        ];
        for (orientation, expected) in (1..).zip(expected) {
            let turn = Turn::from_exif(orientation);
            assert_eq!(turned(turn), expected, "{orientation}");
            let turned_back = turn.followed_by(Turn::LEFT).followed_by(Turn::RIGHT);
            assert_eq!(turned_back, turn);
        }
        let upright = Turn::from_exif(6).followed_by(Turn::LEFT);
        assert_eq!(turned(upright), "abc/def");
        assert_eq!(Turn::from_exif(0), Turn::NONE);
        assert_eq!(Turn::from_exif(9), Turn::NONE);
    }
    fn all() -> impl Iterator<Item = Turn> + Clone {
        (1..=8).map(Turn::from_exif)
    }

    #[test]
    fn turns_after_each_other_are_one_turn() {
        let picture = Pixels {
            width: 5,
            height: 3,
            rgb: (0..45).collect(),
        };
        for (first, second) in all().flat_map(|first| all().map(move |second| (first, second))) {
            let expected = second.apply(first.apply(picture.clone()));
            let both = first.followed_by(second);
            assert_eq!(
                both.apply(picture.clone()),
                expected,
                "{first:?} {second:?}"
            );
        }
    }

    #[test]
    fn the_inverse_undoes() {
        for turn in all() {
            assert_eq!(turn.followed_by(turn.inverse()), Turn::NONE, "{turn:?}");
            assert_eq!(turn.inverse().followed_by(turn), Turn::NONE, "{turn:?}");
        }
    }

    #[test]
    fn mirrors_left_and_right_after_what_was_before() {
        assert_eq!(turned(Turn::MIRRORED), "cba/fed");
        let sideways = Turn::RIGHT.followed_by(Turn::MIRRORED);
        assert_eq!(turned(sideways), "ad/be/cf");
    }

    #[test]
    fn planes_of_any_size_are_turned_as_pixels_are() {
        for (width, height) in [(1, 1), (3, 2), (16, 7), (33, 50), (50, 33)] {
            let gap = 3;
            let samples: Vec<u8> = (0..width * height).map(|n| (n % 251) as u8).collect();
            let rgb: Vec<u8> = samples.iter().flat_map(|s| [*s; 3]).collect();
            let mut apart = Vec::new();
            for row in samples.chunks(width) {
                apart.extend_from_slice(row);
                apart.extend([0xAA; 3]);
            }
            let plane = SamplePlane {
                bytes: &apart[..apart.len() - gap],
                stride: width + gap,
            };
            // What was there before does not show.
            let mut turned = vec![0x55; 9000];
            for turn in all() {
                let pixels = turn.apply(Pixels {
                    width: width as u32,
                    height: height as u32,
                    rgb: rgb.clone(),
                });
                let expected: Vec<u8> = pixels.rgb.chunks(3).map(|p| p[0]).collect();
                turn.apply_to_plane::<1>(plane, width, height, &mut turned);
                assert_eq!(turned, expected, "{turn:?} {width}x{height}");
            }
        }
        let mut turned = vec![1];
        let nothing = SamplePlane {
            bytes: &[],
            stride: 0,
        };
        Turn::from_exif(6).apply_to_plane::<1>(nothing, 0, 5, &mut turned);
        assert!(turned.is_empty());
    }
}
