//! Whether anything stirs from one picture to the next.
//!
//! This asks less than motion: what moves to and fro for long becomes noise there, as a tree does,
//! and a printer's head would. Here each picture is compared with the one before alone, in the
//! same light, against the noise of the whole view.

use crate::grid::Grid;
use crate::light::median;

/// How far above the view's noise a cell stirs, and the levels that are added.
const ABOVE_NOISE: f32 = 5.0;
const LEAST: f32 = 2.5;
/// Light is never explained quite: the share of a cell's brightness that is let pass.
const UNEXPLAINED: f32 = 0.04;

/// Compares pictures with those before. Keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Stillness {
    steps: Vec<f32>,
    stirs: Vec<bool>,
}

impl Stillness {
    /// Whether at least three cells that touch each other have changed. Differences are those from
    /// what is expected, of this picture and of the one before.
    pub(crate) fn is_stirred(
        &mut self,
        grid: Grid,
        now: &[f32],
        before: &[f32],
        picture: &[f32],
        watched: &[bool],
    ) -> bool {
        self.steps.clear();
        self.steps.extend(
            now.iter()
                .zip(before)
                .map(|(now, before)| (now - before).abs()),
        );
        let least = ABOVE_NOISE * median(&self.steps) + LEAST;
        self.stirs.clear();
        let cells = self.steps.iter().zip(picture).zip(watched);
        self.stirs
            .extend(cells.map(|((step, brightness), watched)| {
                *watched && *step > least + UNEXPLAINED * brightness
            }));
        let mut touching = (0..grid.cells()).filter(|cell| {
            let (column, row) = (cell % grid.width, cell / grid.width);
            let stirs = |column: usize, row: usize| self.stirs[row * grid.width + column];
            stirs(column, row)
                && [
                    column > 0 && stirs(column - 1, row),
                    column + 1 < grid.width && stirs(column + 1, row),
                    row > 0 && stirs(column, row - 1),
                    row + 1 < grid.height && stirs(column, row + 1),
                ]
                .iter()
                .filter(|stirs| **stirs)
                .count()
                    >= 2
        });
        touching.next().is_some()
    }
}
