//! Quarter turns and mirrors.

use eyelid_config::Rotation;

use super::Pixels;

/// How a picture is to be shown: mirrored left to right or not, then turned clockwise by quarters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    mirrored: bool,
    quarters: u8,
}

impl Turn {
    /// As it is.
    pub const NONE: Self = Self {
        mirrored: false,
        quarters: 0,
    };

    /// What an EXIF orientation (tag 0x0112) asks for. Values that EXIF does not know ask for nothing.
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

    /// This, and then a rotation.
    pub fn then(self, rotation: Rotation) -> Self {
        let quarters = match rotation {
            Rotation::None => 0,
            Rotation::Right => 1,
            Rotation::Half => 2,
            Rotation::Left => 3,
        };
        Self {
            quarters: (self.quarters + quarters) % 4,
            ..self
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
        let (w, h) = (width as usize, height as usize);
        (turned.width, turned.height) = if self.quarters.is_multiple_of(2) {
            (width, height)
        } else {
            (height, width)
        };
        turned.rgb.clear();
        turned.rgb.reserve(w * h * 3);
        for y in 0..turned.height as usize {
            for x in 0..turned.width as usize {
                let (across, down) = match self.quarters {
                    0 => (x, y),
                    1 => (y, h - 1 - x),
                    2 => (w - 1 - x, h - 1 - y),
                    _ => (w - 1 - y, x),
                };
                let across = if self.mirrored {
                    w - 1 - across
                } else {
                    across
                };
                let at = (down * w + across) * 3;
                turned.rgb.extend_from_slice(&rgb[at..at + 3]);
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
        let rotated = |rotation| turned(Turn::NONE.then(rotation));
        assert_eq!(rotated(Rotation::None), "abc/def");
        assert_eq!(rotated(Rotation::Right), "da/eb/fc");
        assert_eq!(rotated(Rotation::Half), "fed/cba");
        assert_eq!(rotated(Rotation::Left), "cf/be/ad");
    }

    #[test]
    fn obeys_exif_and_combines_it_with_a_rotation() {
        // What orientation 1 to 8 asks for (Exif 2.32, 4.6.4): where the stored row 0 and column 0 are shown.
        let expected = [
            "abc/def", "cba/fed", "fed/cba", "def/abc", "ad/be/cf", "da/eb/fc", "fc/eb/da",
            "cf/be/ad",
        ];
        for (orientation, expected) in (1..).zip(expected) {
            let turn = Turn::from_exif(orientation);
            assert_eq!(turned(turn), expected, "{orientation}");
            assert_eq!(turn.then(Rotation::Left).then(Rotation::Right), turn);
        }
        assert_eq!(turned(Turn::from_exif(6).then(Rotation::Left)), "abc/def");
        assert_eq!(Turn::from_exif(0), Turn::NONE);
        assert_eq!(Turn::from_exif(9), Turn::NONE);
    }
}
