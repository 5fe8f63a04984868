//! Planar pictures are turned plane by plane, for cameras that cannot turn.

use eyelid_picture::{SamplePlane, Yuv420};

use crate::turn::Turn;

/// Memory for the planes of a turned picture.
#[derive(Debug, Default)]
pub struct TurnedPlanes {
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
}

impl TurnedPlanes {
    /// Turns a picture. With [`Turn::NONE`], it is given back as it lies. Where an odd side is
    /// turned around, the colour is off by one pixel: its samples stand for pairs that start at the
    /// other end.
    ///
    /// # Panics
    /// If the picture does not pass [`Yuv420::check`]; what [`eyelid_picture::Planes`] gives does.
    pub fn turn<'a>(&'a mut self, picture: &Yuv420<'a>, turn: Turn) -> Yuv420<'a> {
        if turn == Turn::NONE {
            return *picture;
        }
        let (columns, rows) = (picture.width as usize, picture.height as usize);
        let (half_columns, half_rows) = (columns.div_ceil(2), rows.div_ceil(2));
        turn.apply_to_plane::<1>(picture.y, columns, rows, &mut self.y);
        turn.apply_to_plane::<1>(picture.u, half_columns, half_rows, &mut self.u);
        turn.apply_to_plane::<1>(picture.v, half_columns, half_rows, &mut self.v);
        let (width, height) = turn.size(picture.width, picture.height);
        let (stride, _) = turn.size(columns, rows);
        let (half_stride, _) = turn.size(half_columns, half_rows);
        let plane = |bytes, stride| SamplePlane { bytes, stride };
        Yuv420 {
            width,
            height,
            y: plane(&self.y, stride),
            u: plane(&self.u, half_stride),
            v: plane(&self.v, half_stride),
            range: picture.range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_picture::SampleRange;

    #[test]
    fn turns_all_planes_and_keeps_the_range() {
        let bytes: Vec<u8> = (0..8).collect();
        let plane = |start: usize, stride| SamplePlane {
            bytes: &bytes[start..],
            stride,
        };
        let picture = Yuv420 {
            width: 3,
            height: 2,
            y: plane(0, 4),
            u: plane(1, 2),
            v: plane(4, 2),
            range: SampleRange::Limited,
        };
        let mut memory = TurnedPlanes::default();
        let right = memory.turn(&picture, Turn::from_exif(6));
        right.check().unwrap();
        assert_eq!(
            (right.width, right.height, right.range),
            (2, 3, SampleRange::Limited)
        );
        assert_eq!(
            (right.y.bytes, right.y.stride),
            (&[4, 0, 5, 1, 6, 2][..], 2)
        );
        assert_eq!((right.u.bytes, right.u.stride), (&[1, 2][..], 1));
        assert_eq!((right.v.bytes, right.v.stride), (&[4, 5][..], 1));
        let mirrored = memory.turn(&picture, Turn::from_exif(2));
        assert_eq!(
            (mirrored.y.bytes, mirrored.y.stride),
            (&[2, 1, 0, 6, 5, 4][..], 3)
        );
        assert_eq!((mirrored.u.bytes, mirrored.u.stride), (&[2, 1][..], 2));
        let same = memory.turn(&picture, Turn::NONE);
        assert!(std::ptr::eq(same.y.bytes, picture.y.bytes));
    }
}
