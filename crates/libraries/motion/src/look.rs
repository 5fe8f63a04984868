//! What a picture is said to show.

use crate::grid::{Bounds, Grid};

/// A part of the picture, in shares of its width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// From the picture's left edge.
    pub left: f32,
    /// From its upper edge.
    pub top: f32,
    /// How wide.
    pub width: f32,
    /// How high.
    pub height: f32,
}

impl Region {
    pub(crate) fn of(grid: Grid, bounds: Bounds) -> Self {
        let (width, height) = (grid.width as f32, grid.height as f32);
        Self {
            left: bounds.left as f32 / width,
            top: bounds.top as f32 / height,
            width: bounds.width() as f32 / width,
            height: bounds.height() as f32 / height,
        }
    }
}

/// Something that is there since lately, or is not there any more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Which of both.
    pub kind: ChangeKind,
    /// Where.
    pub region: Region,
}

/// Whether something was left or taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is there, and was not.
    Left,
    /// It was there, and is not.
    Taken,
}

/// What one picture shows.
#[derive(Debug)]
pub struct Look<'a> {
    /// What moves.
    pub moving: Vec<Region>,
    /// Whether something new is there that may turn out to move: who looks again soon knows sooner.
    /// Of what comes to nothing it is said for three pictures at most.
    pub may_move: bool,
    /// What was left or taken, said once.
    pub changed: Vec<Change>,
    /// Whether what the view looks like is still being learned, or anew: nothing is said then.
    pub is_learning: bool,
    /// The cells that look different, row by row, whatever the reason.
    pub cells: &'a [bool],
    /// How wide and how high the picture is in cells.
    pub size: (usize, usize),
    /// What is not as it was in the picture before, light apart: less than motion, and more often.
    /// What goes to and fro for long becomes noise there, and stirs for ever here. Each is a part
    /// of a row of cells.
    pub stirring: Vec<Region>,
}
