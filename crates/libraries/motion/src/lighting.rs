//! The background in the light of now: what a picture would show without anything in it.

use crate::background::Background;
use crate::grid::Grid;
use crate::light::{LightFit, with_tones};

/// Explains pictures by the background. Keeps its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lighting {
    fit: LightFit,
    /// What each cell would show in this light, 0 to 255.
    pub(crate) expected: Vec<f32>,
    /// The same, corrected by a curve of tones.
    corrected: Vec<f32>,
    /// By how much contrasts are stronger than the background's.
    pub(crate) gain: f32,
    /// How much brighter the whole view is than its background, in levels.
    brighter_by: f32,
    /// How much that has changed since the picture before, in levels, never below 0.
    pub(crate) brightness_jump: f32,
    /// Whether it takes a curve of tones to explain the view.
    is_toned: bool,
    /// Whether that began with this picture.
    pub(crate) has_become_toned: bool,
}

impl Lighting {
    /// Begins with pictures of this size.
    pub(crate) fn begin(&mut self, grid: Grid) {
        self.expected = vec![0.0; grid.cells()];
        self.corrected = vec![0.0; grid.cells()];
        self.brighter_by = 0.0;
        self.is_toned = false;
    }

    /// Explains a picture by the background in another light. `excess` is that of the picture
    /// before: the fit begins with cells that were as expected.
    pub(crate) fn explain(
        &mut self,
        grid: Grid,
        picture: &[f32],
        background: &Background,
        excess: &[f32],
    ) {
        let mean = &background.mean;
        let light = self
            .fit
            .fit(grid, picture, mean, excess, &mut self.expected);
        self.gain = light.gain;
        let unexplained = unexplained_share(picture, &self.expected, background);
        let was_toned = self.is_toned;
        self.is_toned = false;
        // A curve that was needed stays until it is not needed at all: to come and go would make
        // the picture change.
        if unexplained > if was_toned { 0.002 } else { 0.05 } {
            with_tones(picture, mean, &self.expected, &mut self.corrected);
            if unexplained_share(picture, &self.corrected, background) * 2.0 < unexplained {
                std::mem::swap(&mut self.expected, &mut self.corrected);
                self.is_toned = true;
            }
        }
        self.has_become_toned = self.is_toned && !was_toned;
        let brighter = self.expected.iter().zip(mean).map(|(e, mean)| e - mean);
        let brighter_by = brighter.sum::<f32>() / grid.cells() as f32;
        self.brightness_jump = (brighter_by - self.brighter_by).abs();
        self.brighter_by = brighter_by;
    }

    /// How steep the background is at a cell, in brightness a cell.
    pub(crate) fn slope(&self, cell: usize) -> f32 {
        self.fit.slope(cell)
    }
}

/// The share of cells that are far from what is expected.
fn unexplained_share(picture: &[f32], expected: &[f32], background: &Background) -> f32 {
    let cells = picture.iter().zip(expected).zip(&background.noise);
    let far = cells.filter(|((f, e), noise)| (*f - *e).abs() > 4.0 * **noise + 3.0);
    far.count() as f32 / picture.len() as f32
}
