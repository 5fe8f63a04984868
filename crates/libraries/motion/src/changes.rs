//! What was left behind and what was taken away.
//!
//! A piece that looks different, has not changed for some seconds, and is where something moved
//! before: nothing puts itself down. Whether it was put there or taken away is seen at its edge:
//! who puts a thing before a wall makes an edge where the wall had none.

use crate::blobs::{Blob, BlobFinder, Verdict};
use crate::grid::{Bounds, Grid};
use crate::look::ChangeKind;

/// How long a piece has to be unchanged, in seconds.
pub(crate) const CALM: f32 = 3.0;
/// How long before that something has to have moved there, at most, in seconds.
const BEFORE: f32 = 6.0;
/// The fewest cells: fewer are a leaf.
const LEAST_AREA: usize = 4;

/// What is known of cells that look different.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// For how many seconds each cell has been different and unchanged.
    pub(crate) calm: Vec<f32>,
    /// How many seconds ago a thing was at each cell.
    visited: Vec<f32>,
    /// Cells of which it was said.
    said: Vec<bool>,
}

impl Changes {
    pub(crate) fn begin(&mut self, grid: Grid) {
        self.calm.clear();
        self.calm.resize(grid.cells(), 0.0);
        self.visited.clear();
        self.visited.resize(grid.cells(), f32::INFINITY);
        self.said.clear();
        self.said.resize(grid.cells(), false);
    }

    /// Takes note of a picture that many seconds after the last.
    pub(crate) fn pass(&mut self, seconds: f32, different: &[bool], active: &[bool]) {
        for (cell, calm) in self.calm.iter_mut().enumerate() {
            self.visited[cell] += seconds;
            if !different[cell] {
                *calm = (*calm - 2.0 * seconds).max(0.0);
                self.said[cell] = self.said[cell] && *calm > 0.0;
            } else if active[cell] {
                *calm = (*calm - 2.0 * seconds).max(0.0);
            } else {
                *calm += seconds;
            }
        }
    }

    /// Takes note of where a thing moves, and as far around as it may reach.
    pub(crate) fn visit(&mut self, grid: Grid, bounds: Bounds) {
        let reach = 2 + bounds.longest() as usize / 4;
        let right = (bounds.right + reach).min(grid.width - 1);
        let bottom = (bounds.bottom + reach).min(grid.height - 1);
        for row in bounds.top.saturating_sub(reach)..=bottom {
            let row = row * grid.width;
            self.visited[row + bounds.left.saturating_sub(reach)..=row + right].fill(0.0);
        }
    }

    /// Calls `found` for each piece that was left or taken, once. `expected` is what the background
    /// looks like in the light of the picture.
    pub(crate) fn find(
        &mut self,
        grid: Grid,
        finder: &BlobFinder,
        picture: &[f32],
        expected: &[f32],
        mut found: impl FnMut(ChangeKind, Bounds),
    ) {
        for (index, blob) in finder.blobs.iter().enumerate() {
            let members = finder.members(index);
            if self.is_settled(grid, blob, members) {
                for member in members {
                    self.said[*member as usize] = true;
                }
                let contrast = |levels| edge_contrast(grid, finder, index, levels);
                let kind = if contrast(picture) >= contrast(expected) {
                    ChangeKind::Left
                } else {
                    ChangeKind::Taken
                };
                found(kind, blob.bounds);
            }
        }
    }

    fn is_settled(&self, grid: Grid, blob: &Blob, members: &[u32]) -> bool {
        let large = blob.bounds.longest() > 0.6 * grid.longest();
        let is_light = match blob.verdict {
            Verdict::Light => true,
            Verdict::Plain => !blob.is_outlined(grid),
            Verdict::Textured | Verdict::Open => false,
        };
        if blob.area < LEAST_AREA || large || is_light {
            return false;
        }
        let count = |is: &dyn Fn(usize) -> bool| {
            let members = members.iter().filter(|member| is(**member as usize));
            members.count() as f32 / blob.area as f32
        };
        count(&|cell| self.calm[cell] >= CALM) > 0.6
            && count(&|cell| self.said[cell]) < 0.3
            && count(&|cell| self.visited[cell] < self.calm[cell] + BEFORE) > 0.7
    }
}

/// How unlike the cells of a piece those around it are, in levels, all together.
fn edge_contrast(grid: Grid, finder: &BlobFinder, index: usize, levels: &[f32]) -> f32 {
    let label = index as u16 + 1;
    let mut contrast = 0.0;
    for member in finder.members(index) {
        let cell = *member as usize;
        let (column, row) = (cell % grid.width, cell / grid.width);
        let others = [
            (column > 0).then(|| cell - 1),
            (column + 1 < grid.width).then(|| cell + 1),
            (row > 0).then(|| cell - grid.width),
            (row + 1 < grid.height).then(|| cell + grid.width),
        ];
        for other in others.into_iter().flatten() {
            if finder.labels[other] != label {
                contrast += (levels[cell] - levels[other]).abs();
            }
        }
    }
    contrast
}
