//! Where a thing is.

/// A rectangle in a picture, in shares of its width and height: 0 to 1, from the left and the top.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Its left edge.
    pub left: f32,
    /// Its top edge.
    pub top: f32,
    /// How wide it is.
    pub width: f32,
    /// How high it is.
    pub height: f32,
}

impl Region {
    /// Gives the rectangle between two edges each way as far as it lies within the picture; `None`
    /// where nothing of it does, or an edge is no number.
    pub(crate) fn between(left: f32, top: f32, right: f32, bottom: f32) -> Option<Self> {
        // `max` and `min` take the other one of a number and none.
        if [left, top, right, bottom].iter().any(|edge| edge.is_nan()) {
            return None;
        }
        let (left, top) = (left.max(0.0), top.max(0.0));
        let region = Self {
            left,
            top,
            width: right.min(1.0) - left,
            height: bottom.min(1.0) - top,
        };
        (region.width > 0.0 && region.height > 0.0).then_some(region)
    }

    /// Gives its right edge.
    #[must_use]
    pub fn right(self) -> f32 {
        self.left + self.width
    }

    /// Gives its bottom edge.
    #[must_use]
    pub fn bottom(self) -> f32 {
        self.top + self.height
    }

    /// Gives how much of the picture it covers, 0 to 1.
    #[must_use]
    pub fn area(self) -> f32 {
        self.width * self.height
    }

    /// Gives how much two cover one another, 0 (not at all) to 1 (they are the same): the area of
    /// what both cover by that of what either does (intersection over union).
    #[must_use]
    pub fn overlap(self, other: Self) -> f32 {
        let width = self.right().min(other.right()) - self.left.max(other.left);
        let height = self.bottom().min(other.bottom()) - self.top.max(other.top);
        if width <= 0.0 || height <= 0.0 {
            return 0.0;
        }
        let both = width * height;
        both / (self.area() + other.area() - both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_the_picture_is_cut_off() {
        let region = Region::between(-0.5, 0.25, 0.5, 7.0).unwrap();
        assert_eq!((region.left, region.right()), (0.0, 0.5));
        assert_eq!((region.top, region.bottom()), (0.25, 1.0));
        assert_eq!(Region::between(1.5, 0.0, 2.0, 1.0), None);
        assert_eq!(Region::between(0.5, 0.0, 0.5, 1.0), None);
    }

    #[test]
    fn what_is_no_number_is_no_region() {
        for at in 0..4 {
            let mut edges = [0.1, 0.1, 0.9, 0.9];
            edges[at] = f32::NAN;
            let [left, top, right, bottom] = edges;
            assert_eq!(Region::between(left, top, right, bottom), None, "{at}");
        }
    }

    #[test]
    fn overlap_is_the_share_of_what_either_covers() {
        let one = Region::between(0.0, 0.0, 0.5, 0.5).unwrap();
        let half = Region::between(0.0, 0.0, 0.5, 0.25).unwrap();
        let beside = Region::between(0.5, 0.0, 1.0, 0.5).unwrap();
        assert_eq!(one.overlap(one), 1.0);
        assert_eq!(one.overlap(half), 0.5);
        assert_eq!(one.overlap(beside), 0.0);
    }
}
