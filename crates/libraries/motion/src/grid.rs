//! Cells in rows, and their neighbours.

/// The size of a picture in cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Grid {
    /// The number of cells.
    pub(crate) fn cells(self) -> usize {
        self.width * self.height
    }

    /// The larger of both sides, in cells.
    pub(crate) fn longest(self) -> f32 {
        self.width.max(self.height) as f32
    }
}

/// A rectangle of cells, both corners inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) right: usize,
    pub(crate) bottom: usize,
}

impl Bounds {
    /// The rectangle of one cell.
    pub(crate) fn at(column: usize, row: usize) -> Self {
        Self {
            left: column,
            top: row,
            right: column,
            bottom: row,
        }
    }

    pub(crate) fn include(&mut self, column: usize, row: usize) {
        self.left = self.left.min(column);
        self.right = self.right.max(column);
        self.top = self.top.min(row);
        self.bottom = self.bottom.max(row);
    }

    pub(crate) fn join(&mut self, other: Self) {
        self.include(other.left, other.top);
        self.include(other.right, other.bottom);
    }

    pub(crate) fn width(self) -> usize {
        self.right - self.left + 1
    }

    pub(crate) fn height(self) -> usize {
        self.bottom - self.top + 1
    }

    /// The larger of both sides, in cells.
    pub(crate) fn longest(self) -> f32 {
        self.width().max(self.height()) as f32
    }

    /// Whether both have cells in common, when this one is larger by so many cells on each side.
    pub(crate) fn is_near(self, other: Self, reach: usize) -> bool {
        other.left <= self.right + reach
            && self.left <= other.right + reach
            && other.top <= self.bottom + reach
            && self.top <= other.bottom + reach
    }
}
