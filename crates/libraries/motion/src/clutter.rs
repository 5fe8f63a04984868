//! How often pieces come by chance: what flakes, drops and leaves make of a picture.
//!
//! A piece that was near by in the picture before says little in falling snow, where there is
//! always one near, and much in a quiet view: how many pieces of at least a strength there are, and
//! have come and gone lately, says how likely it is that one is met by chance. And where small
//! pieces come and go all over the picture, it is weather: then what is no stronger than these is
//! nothing, however long it is followed.

use crate::grid::Grid;

/// The strengths that are told apart: half doublings from 1.
const STEPS: usize = 20;
/// The picture's parts, in a row and in a column.
const PARTS: usize = 4;
/// How long what came and went is remembered, in seconds.
const MEMORY: f32 = 8.0;
/// Weather falls in at least so many parts of the picture.
const PARTS_OF_WEATHER: usize = 9;
/// A piece that is stronger is seldom there by chance.
const STRONG: f32 = 20.0;
/// What is stronger is no flake: cars come and go all over a picture of a road, too.
const STRONGEST_WEATHER: f32 = 28.0;
/// A thing of this strength, some thirty cells, is seen in any weather.
const MOST_WEATHER: f32 = 50.0;
/// How much stronger than nine tenths of the weather's pieces a thing is: several of these can be
/// one piece for some pictures.
const ABOVE_WEATHER: f32 = 3.5;

/// What comes and goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clutter {
    /// Pieces of each strength that came and went, a second.
    strengths: [f32; STEPS],
    /// Those of each part of the picture.
    parts: [[f32; PARTS]; PARTS],
    /// The strength above which something is more than weather.
    weather: f32,
    seconds: f32,
}

fn step(strength: f32) -> usize {
    ((strength.max(1.0).log2() * 2.0) as usize).min(STEPS - 1)
}

impl Clutter {
    /// Begins a picture that many seconds after the last.
    pub(crate) fn begin(&mut self, seconds: f32) {
        self.seconds = seconds;
        self.weather = self.least();
        let kept = (-seconds / MEMORY).exp();
        let parts = self.parts.iter_mut().flatten();
        for rate in self.strengths.iter_mut().chain(parts) {
            *rate *= kept;
        }
    }

    /// Counts a piece that came and went, at a place in cells.
    pub(crate) fn count(&mut self, grid: Grid, strength: f32, (x, y): (f32, f32)) {
        self.strengths[step(strength)] += 1.0 / MEMORY;
        if step(strength) > step(STRONGEST_WEATHER) {
            return;
        }
        let part =
            |at: f32, side: usize| ((at * PARTS as f32 / side as f32) as usize).min(PARTS - 1);
        self.parts[part(y, grid.height)][part(x, grid.width)] += 1.0 / MEMORY;
    }

    /// The strength above which something is more than weather: 0 without any.
    pub(crate) fn weather(&self) -> f32 {
        self.weather
    }

    fn least(&self) -> f32 {
        let often = |rate: &&f32| **rate > 0.5 / MEMORY;
        let parts = self.parts.iter().flatten().filter(often).count();
        let small = &self.strengths[..=step(STRONGEST_WEATHER)];
        let all: f32 = small.iter().sum();
        if parts < PARTS_OF_WEATHER || all < 1.5 {
            return 0.0;
        }
        let mut sum = 0.0;
        let most = small.iter().position(|rate| {
            sum += rate;
            sum >= 0.9 * all
        });
        let most = most.unwrap_or(small.len() - 1) as f32;
        (ABOVE_WEATHER * ((most + 0.5) / 2.0).exp2()).min(MOST_WEATHER)
    }

    /// How likely it is that a piece of at least about this strength is within an area by chance;
    /// the area is a share of the picture. `others` are those of this picture that are no things.
    pub(crate) fn chance(&self, strength: f32, area: f32, others: f32) -> f32 {
        // One that becomes weaker may be the same.
        let from = step(strength * 0.7);
        let gone: f32 = self.strengths[from..].iter().sum();
        // What a quiet view has is not known before it is seen.
        let square = (strength * strength).max(1.0);
        let quiet = 6.0 / square + 0.01;
        // Strong ones that are there together are rather a group of people than weather.
        let others = others * (STRONG * STRONG / square).min(1.0);
        let expected = ((gone * self.seconds).max(others) + quiet) * area;
        (1.0 - (-expected).exp()).clamp(1e-4, 1.0)
    }
}
