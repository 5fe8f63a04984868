//! The looks at pictures, one after the other.

use std::time::Duration;

use crate::Luma;
use crate::background::{Background, Lesson, Rates};
use crate::blobs::{BlobFinder, Cells, Verdict, WEAK};
use crate::changes::{CALM, Changes};
use crate::differences::Differences;
use crate::grid::{Bounds, Grid};
use crate::lighting::Lighting;
use crate::look::{Change, Look, Region};
use crate::stillness::Stillness;
use crate::tracks::Tracks;
use crate::zones::Zones;

/// How long a view is learned at first.
const LEARNING: Duration = Duration::from_secs(2);
/// The fewest pictures of that.
const LEARNING_PICTURES: u32 = 5;
/// How long a new light is learned.
const RELEARNING: f32 = 1.0;
/// For how long a piece of another light is not taken for the background, in seconds: at a shadow's
/// edge all of the shadow says that it is one.
const LIT_PATIENCE: f32 = 30.0;
/// A jump of the whole view's light from one picture to the next, in levels.
const JUMP: f32 = 6.0;

/// Looks at the pictures of one camera.
#[derive(Clone, Debug, Default)]
pub struct Motion {
    zones: Zones,
    grid: Grid,
    watched: Vec<bool>,
    picture: Vec<f32>,
    background: Background,
    lighting: Lighting,
    differences: Differences,
    finder: BlobFinder,
    tracks: Tracks,
    changes: Changes,
    stillness: Stillness,
    started: Duration,
    last: Duration,
    pictures: u32,
    /// Seconds for which to learn quickly and to say nothing.
    hurry: f32,
    /// Seconds since the last hurry began.
    since_hurry: f32,
}

impl Motion {
    /// Watches these zones.
    pub fn new(zones: Zones) -> Self {
        Self {
            zones,
            ..Self::default()
        }
    }

    /// Looks at a picture of that moment, which counts from any start and never goes back. A
    /// picture of another size than the one before begins anew; one that is no picture (fewer
    /// samples than cells, or less than 4 cells in a row or column) shows nothing.
    pub fn look(&mut self, luma: &Luma<'_>, at: Duration) -> Look<'_> {
        let grid = Grid {
            width: luma.width,
            height: luma.height,
        };
        if luma.width < 4 || luma.height < 4 || luma.samples.len() != grid.cells() {
            return self.nothing();
        }
        if grid != self.grid {
            self.begin(grid, luma.samples, at);
            return self.nothing();
        }
        let seconds = at.saturating_sub(self.last).as_secs_f32().clamp(0.02, 2.0);
        self.last = at;
        self.pictures += 1;
        self.find(grid, luma.samples);
        let is_learning = self.is_learning(at);
        if is_learning {
            self.tracks.clear();
        } else {
            let is_uncovered = |cell: usize| self.differences.is_uncovered(cell);
            self.tracks
                .follow(grid, &self.finder.blobs, seconds, &is_uncovered);
        }
        let (moving, changed) = self.found(seconds, is_learning);
        let stirring = if is_learning {
            Vec::new()
        } else {
            self.stirring()
        };
        self.learn(seconds, is_learning);
        self.hurry = (self.hurry - seconds).max(0.0);
        self.since_hurry += seconds;
        Look {
            moving,
            may_move: self.tracks.may_move(),
            changed,
            is_learning,
            cells: &self.differences.different,
            size: (grid.width, grid.height),
            stirring,
        }
    }

    /// Finds what is not as it is to be expected.
    fn find(&mut self, grid: Grid, samples: &[u8]) {
        self.picture.clear();
        self.picture.extend(samples.iter().map(|&s| f32::from(s)));
        let differences = &mut self.differences;
        self.lighting
            .explain(grid, &self.picture, &self.background, &differences.excess);
        differences.notice(
            &self.picture,
            &self.lighting,
            &self.background,
            &self.watched,
        );
        let cells = Cells {
            picture: &self.picture,
            expected: &self.lighting.expected,
            noise: &self.background.noise,
            excess: &differences.excess,
            active: &differences.active,
            before: &differences.different_before,
        };
        self.finder.find(grid, &cells);
    }

    /// Says whether what the view looks like is still being learned, or again.
    fn is_learning(&mut self, at: Duration) -> bool {
        let learns_first =
            self.pictures < LEARNING_PICTURES || at.saturating_sub(self.started) < LEARNING;
        if self.is_switch() {
            self.hurry = RELEARNING;
            self.since_hurry = 0.0;
        }
        learns_first || self.hurry > 0.0
    }

    /// Says what moves, and what was left or taken.
    fn found(&mut self, seconds: f32, is_learning: bool) -> (Vec<Region>, Vec<Change>) {
        let grid = self.grid;
        let (mut moving, mut changed) = (Vec::new(), Vec::new());
        let (picture, differences) = (&self.picture, &self.differences);
        self.changes
            .pass(seconds, &differences.different, &differences.active);
        for track in self.tracks.tracks.iter().filter(|track| track.is_moving()) {
            // What is only there suddenly, and leaves nothing, does not bring anything.
            if track.balance() > 0.3 {
                self.changes.visit(grid, track.bounds);
            }
            moving.push(Region::of(grid, track.bounds));
        }
        if is_learning {
            return (moving, changed);
        }
        let expected = &self.lighting.expected;
        self.changes
            .find(grid, &self.finder, picture, expected, |kind, bounds| {
                let region = Region::of(grid, bounds);
                changed.push(Change { kind, region });
            });
        (moving, changed)
    }

    /// Says what is not as it was in the picture before.
    fn stirring(&mut self) -> Vec<Region> {
        let (grid, differences) = (self.grid, &self.differences);
        let levels = (&differences.levels[..], differences.levels_before());
        let mut stirring = Vec::new();
        let found = |bounds| stirring.push(Region::of(grid, bounds));
        self.stillness
            .find(grid, levels, &self.picture, &self.watched, found);
        stirring
    }

    fn nothing(&self) -> Look<'_> {
        Look {
            moving: Vec::new(),
            may_move: false,
            changed: Vec::new(),
            is_learning: true,
            cells: &self.differences.different,
            size: (self.grid.width, self.grid.height),
            stirring: Vec::new(),
        }
    }

    fn begin(&mut self, grid: Grid, samples: &[u8], at: Duration) {
        self.grid = grid;
        self.zones.watched(grid, &mut self.watched);
        self.picture = samples.iter().map(|&s| f32::from(s)).collect();
        self.background.begin(grid, &self.picture);
        self.lighting.begin(grid);
        self.differences.begin(grid);
        self.changes.begin(grid);
        self.tracks.clear();
        self.started = at;
        self.last = at;
        self.pictures = 1;
        self.hurry = 0.0;
        self.since_hurry = f32::INFINITY;
    }

    /// Whether somebody switched the light, or the camera its mode: most of the view has changed at
    /// once, or some of it all over the view while the light of the whole jumped.
    fn is_switch(&self) -> bool {
        const PARTS: usize = 4;
        if self.since_hurry < 6.0 {
            return false;
        }
        let (lighting, differences) = (&self.lighting, &self.differences);
        let mut counts = [[0u32; PARTS]; PARTS];
        for row in 0..self.grid.height {
            for column in 0..self.grid.width {
                let cell = row * self.grid.width + column;
                if differences.excess[cell] >= 1.0 && !differences.different_before[cell] {
                    counts[row * PARTS / self.grid.height][column * PARTS / self.grid.width] += 1;
                }
            }
        }
        let part = (self.grid.cells() / (PARTS * PARTS)) as f32;
        let changed = |share: f32| {
            let counts = counts.iter().flatten();
            counts.filter(|count| **count as f32 > share * part).count()
        };
        changed(0.15) >= PARTS * PARTS / 2
            || (lighting.brightness_jump > JUMP
                && (lighting.has_become_toned || changed(0.02) >= 3))
    }

    fn learn(&mut self, seconds: f32, hurries: bool) {
        let rates = Rates::new(seconds, hurries);
        let (finder, calm) = (&self.finder, &self.changes.calm);
        let (width, tracks) = (self.grid.width, &self.tracks.tracks);
        let Differences {
            levels,
            excess,
            active,
            history,
            ..
        } = &mut self.differences;
        let lesson = |cell: usize| {
            let at = Bounds::at(cell % width, cell / width);
            let is_covered = || {
                let mut tracks = tracks.iter();
                tracks.any(|track| track.covers() && track.bounds.is_near(at, 1))
            };
            let is_lit = match finder.labels[cell] {
                0 => false,
                label => match finder.blobs[label as usize - 1].verdict {
                    Verdict::Light => true,
                    // Light or thing: what is no thing yet may be light.
                    Verdict::Plain => !is_covered(),
                    Verdict::Textured | Verdict::Open => false,
                },
            };
            let patience = if is_lit { LIT_PATIENCE } else { CALM };
            if calm[cell] > patience {
                return Lesson::Settled;
            }
            if is_lit {
                return Lesson::Lit;
            }
            if excess[cell] < WEAK {
                Lesson::Usual
            } else if is_covered() {
                Lesson::Covered
            } else if active[cell] {
                Lesson::Odd
            } else {
                Lesson::Steady
            }
        };
        if hurries {
            // Not what is unlike in this light, but all as it is.
            let differences = self.picture.iter().zip(&self.background.mean);
            levels.clear();
            levels.extend(differences.map(|(f, mean)| f - mean));
        }
        self.background.learn(rates, levels, lesson, |cell, step| {
            // So that what is learned does not look like a change of the picture.
            for differences in history.iter_mut() {
                differences[cell] -= step;
            }
        });
        if !hurries {
            let share = 1.0 - (-seconds / 3.0).exp();
            self.background.follow(share, &self.lighting.expected);
        }
    }
}

#[cfg(test)]
mod tests;
