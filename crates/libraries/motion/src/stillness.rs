//! What stirs from one picture to the next.
//!
//! This asks less than motion: what moves to and fro for long becomes noise there, as a tree does,
//! and a printer's head would. Here each picture is compared with the one before alone, in the
//! same light, against the noise of the whole view.

use crate::grid::{Bounds, Grid};
use crate::light::median;

/// How far above the view's noise a cell stirs, and the levels that are added.
const ABOVE_NOISE: f32 = 5.0;
const LEAST: f32 = 2.5;
/// Light is never explained quite: the share of a cell's brightness that is let pass.
const UNEXPLAINED: f32 = 0.04;

/// Compares pictures with those before. Keeps its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stillness {
    steps: Vec<f32>,
    stirs: Vec<bool>,
}

impl Stillness {
    /// Calls `found` for each run of cells in a row that have changed, each of which touches two
    /// others that have. Differences are those from what is expected, of this picture and of the
    /// one before.
    pub(crate) fn find(
        &mut self,
        grid: Grid,
        (now, before): (&[f32], &[f32]),
        picture: &[f32],
        watched: &[bool],
        mut found: impl FnMut(Bounds),
    ) {
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
        for row in 0..grid.height {
            let mut run: Option<Bounds> = None;
            for column in 0..grid.width {
                if !self.is_among_others(grid, column, row) {
                    run.take().into_iter().for_each(&mut found);
                    continue;
                }
                let cell = Bounds::at(column, row);
                run.get_or_insert(cell).right = cell.right;
            }
            run.into_iter().for_each(&mut found);
        }
    }

    /// Whether a cell stirs, and at least two that touch it do: at least three together.
    fn is_among_others(&self, grid: Grid, column: usize, row: usize) -> bool {
        let stirs = |column: usize, row: usize| self.stirs[row * grid.width + column];
        let others = || {
            [
                column > 0 && stirs(column - 1, row),
                column + 1 < grid.width && stirs(column + 1, row),
                row > 0 && stirs(column, row - 1),
                row + 1 < grid.height && stirs(column, row + 1),
            ]
        };
        stirs(column, row) && others().iter().filter(|stirs| **stirs).count() >= 2
    }
}
