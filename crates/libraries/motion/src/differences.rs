//! How far each cell is from what is expected in the light of now, and whether that is new.

use crate::background::Background;
use crate::blobs::WEAK;
use crate::grid::Grid;
use crate::lighting::Lighting;

/// How many pictures back a cell is compared with to see whether it has changed just now.
const BACK: usize = 3;

/// How the cells of a picture differ from what is expected. Keeps its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Differences {
    /// From what is expected, in levels.
    pub(crate) levels: Vec<f32>,
    /// The same in units of what is to be noticed; 0 where nobody watches.
    pub(crate) excess: Vec<f32>,
    /// Whether the difference has changed a moment ago.
    pub(crate) active: Vec<bool>,
    /// Cells that look different, and those of the picture before.
    pub(crate) different: Vec<bool>,
    pub(crate) different_before: Vec<bool>,
    /// Differences of the last pictures, the newest at `newest`.
    pub(crate) history: [Vec<f32>; BACK],
    newest: usize,
    /// The noise that was known of each cell before the last picture was learned.
    noise_before: Vec<f32>,
}

impl Differences {
    /// Begins with pictures of this size.
    pub(crate) fn begin(&mut self, grid: Grid) {
        let count = grid.cells();
        let levels = [&mut self.levels, &mut self.excess];
        for cells in levels.into_iter().chain(&mut self.history) {
            *cells = vec![0.0; count];
        }
        for cells in [
            &mut self.active,
            &mut self.different,
            &mut self.different_before,
        ] {
            *cells = vec![false; count];
        }
        self.noise_before = vec![f32::INFINITY; count];
    }

    /// Says of each cell of a picture how far it is from what is expected.
    pub(crate) fn notice(
        &mut self,
        picture: &[f32],
        lighting: &Lighting,
        background: &Background,
        watched: &[bool],
    ) {
        std::mem::swap(&mut self.different, &mut self.different_before);
        let oldest = (self.newest + 1) % BACK;
        let gain = lighting.gain.clamp(0.7, 2.0);
        for (cell, (&now, &expected)) in picture.iter().zip(&lighting.expected).enumerate() {
            let is_clipped = now > 250.0 && expected > 240.0;
            let difference = if is_clipped { 0.0 } else { now - expected };
            let relit_by = (expected - background.mean[cell]).abs();
            let unexplained = 0.08 * relit_by + 0.1 * lighting.slope(cell);
            let least = |noise: f32| (4.0 * noise * gain).max(3.0) + unexplained;
            let noise = background.noise[cell];
            let excess = match watched[cell] {
                true => difference.abs() / least(noise),
                false => 0.0,
            };
            self.levels[cell] = difference;
            self.excess[cell] = excess;
            self.different[cell] = excess >= WEAK;
            let since = |back: usize| (difference - self.history[back][cell]).abs();
            // What stood here in the picture before has made noise of it already, the more the
            // fewer pictures there are: that it went is measured by what was known before it came.
            let known = noise.min(self.noise_before[cell]);
            self.active[cell] = since(oldest).max(since(self.newest)) > 0.7 * least(known);
        }
        self.noise_before.copy_from_slice(&background.noise);
        self.newest = oldest;
        self.history[oldest].copy_from_slice(&self.levels);
    }

    /// Whether a cell shows its background again: it looked different in the picture before, and
    /// does not any more.
    pub(crate) fn is_uncovered(&self, cell: usize) -> bool {
        self.different_before[cell] && !self.different[cell] && self.active[cell]
    }

    /// The levels of the picture before.
    pub(crate) fn levels_before(&self) -> &[f32] {
        &self.history[(self.newest + BACK - 1) % BACK]
    }
}
