//! The looks at pictures, one after the other.

use std::time::Duration;

use crate::Luma;
use crate::background::{Background, Lesson, Rates};
use crate::blobs::{BlobFinder, Cells, Verdict, WEAK};
use crate::changes::{CALM, Changes};
use crate::grid::{Bounds, Grid};
use crate::light::{LightFit, with_tones};
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
/// How many pictures back a cell is compared with to see whether it has changed just now.
const BACK: usize = 3;

/// Looks at the pictures of one camera.
#[derive(Debug)]
pub struct Motion {
    zones: Zones,
    grid: Grid,
    watched: Vec<bool>,
    picture: Vec<f32>,
    expected: Vec<f32>,
    corrected: Vec<f32>,
    difference: Vec<f32>,
    excess: Vec<f32>,
    active: Vec<bool>,
    /// Cells that look different, and those of the picture before.
    different: Vec<bool>,
    before: Vec<bool>,
    inliers: Vec<bool>,
    /// Differences of the last pictures, the newest at `newest`.
    history: [Vec<f32>; BACK],
    newest: usize,
    /// The one before that.
    previous: usize,
    changes: Changes,
    stillness: Stillness,
    background: Background,
    light: LightFit,
    finder: BlobFinder,
    tracks: Tracks,
    started: Duration,
    last: Duration,
    pictures: u32,
    /// Seconds for which to learn quickly and to say nothing.
    hurry: f32,
    /// How much brighter the view is than its background, in levels, and how much that jumped.
    lit: f32,
    jump: f32,
    /// Whether a curve of tones explains the view, and whether that began with this picture.
    is_toned: bool,
    began_toned: bool,
    /// Seconds since the last hurry began.
    since_hurry: f32,
    still_since: Option<Duration>,
}

impl Motion {
    /// Watches these zones.
    pub fn new(zones: Zones) -> Self {
        Self {
            zones,
            grid: Grid::default(),
            watched: Vec::new(),
            picture: Vec::new(),
            expected: Vec::new(),
            corrected: Vec::new(),
            difference: Vec::new(),
            excess: Vec::new(),
            active: Vec::new(),
            different: Vec::new(),
            before: Vec::new(),
            inliers: Vec::new(),
            history: Default::default(),
            newest: 0,
            previous: 0,
            changes: Changes::default(),
            stillness: Stillness::default(),
            background: Background::default(),
            light: LightFit::default(),
            finder: BlobFinder::default(),
            tracks: Tracks::default(),
            started: Duration::ZERO,
            last: Duration::ZERO,
            pictures: 0,
            hurry: 0.0,
            lit: 0.0,
            jump: 0.0,
            is_toned: false,
            began_toned: false,
            since_hurry: 0.0,
            still_since: None,
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
        self.picture.clear();
        self.picture
            .extend(luma.samples.iter().map(|&s| f32::from(s)));
        let gain = self.explain_light();
        self.notice(gain);
        let is_switch = self.is_switch();
        let cells = Cells {
            picture: &self.picture,
            expected: &self.expected,
            noise: &self.background.noise,
            excess: &self.excess,
            active: &self.active,
            before: &self.before,
        };
        self.finder.find(grid, &cells);
        let learns_first =
            self.pictures < LEARNING_PICTURES || at.saturating_sub(self.started) < LEARNING;
        if is_switch {
            self.hurry = RELEARNING;
            self.since_hurry = 0.0;
        }
        let is_learning = learns_first || self.hurry > 0.0;
        if is_learning {
            self.tracks.clear();
        } else {
            let is_uncovered =
                |cell: usize| self.before[cell] && !self.different[cell] && self.active[cell];
            self.tracks
                .follow(grid, &self.finder.blobs, seconds, &is_uncovered);
        }
        let (moving, changed) = self.found(seconds, at, is_learning);
        self.learn(seconds, is_learning);
        self.hurry = (self.hurry - seconds).max(0.0);
        self.since_hurry += seconds;
        Look {
            moving,
            changed,
            is_learning,
            cells: &self.different,
            size: (grid.width, grid.height),
            still_since: self.still_since,
        }
    }

    /// Says what moves, and what was left or taken; takes note of when all was still.
    fn found(
        &mut self,
        seconds: f32,
        at: Duration,
        is_learning: bool,
    ) -> (Vec<Region>, Vec<Change>) {
        let grid = self.grid;
        let (mut moving, mut changed) = (Vec::new(), Vec::new());
        self.changes.pass(seconds, &self.different, &self.active);
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
        let (picture, expected) = (&self.picture, &self.expected);
        self.changes
            .find(grid, &self.finder, picture, expected, |kind, bounds| {
                let region = Region::of(grid, bounds);
                changed.push(Change { kind, region });
            });
        let stirs = self.stillness.is_stirred(
            grid,
            &self.difference,
            &self.history[self.previous],
            &self.picture,
            &self.watched,
        );
        if stirs || !moving.is_empty() || self.still_since.is_none() {
            self.still_since = Some(at);
        }
        (moving, changed)
    }

    fn nothing(&self) -> Look<'_> {
        Look {
            moving: Vec::new(),
            changed: Vec::new(),
            is_learning: true,
            cells: &self.different,
            size: (self.grid.width, self.grid.height),
            still_since: None,
        }
    }

    fn begin(&mut self, grid: Grid, samples: &[u8], at: Duration) {
        let count = grid.cells();
        self.grid = grid;
        self.zones.watched(grid, &mut self.watched);
        self.picture = samples.iter().map(|&s| f32::from(s)).collect();
        self.background.begin(grid, &self.picture);
        for cells in [
            &mut self.expected,
            &mut self.corrected,
            &mut self.difference,
        ] {
            *cells = vec![0.0; count];
        }
        self.excess = vec![0.0; count];
        self.changes.begin(grid);
        for cells in [&mut self.active, &mut self.different, &mut self.before] {
            *cells = vec![false; count];
        }
        self.inliers = vec![true; count];
        for differences in &mut self.history {
            *differences = vec![0.0; count];
        }
        self.tracks.clear();
        self.started = at;
        self.last = at;
        self.pictures = 1;
        self.hurry = 0.0;
        self.lit = 0.0;
        self.is_toned = false;
        self.since_hurry = f32::INFINITY;
        self.still_since = None;
    }

    /// Explains the picture by the background in another light. Gives the gain.
    fn explain_light(&mut self) -> f32 {
        let light = self.light.fit(
            self.grid,
            &self.picture,
            &self.background.mean,
            &self.inliers,
            &mut self.expected,
        );
        let far = |expected: &[f32]| {
            let far = self
                .picture
                .iter()
                .zip(expected)
                .zip(&self.background.noise);
            far.filter(|((f, e), noise)| (*f - *e).abs() > 4.0 * **noise + 3.0)
                .count()
        };
        let share = far(&self.expected) as f32 / self.grid.cells() as f32;
        let was_toned = self.is_toned;
        self.is_toned = false;
        // A curve that was needed stays until it is not needed at all: to come and go would make
        // the picture change.
        if share > if was_toned { 0.002 } else { 0.05 } {
            with_tones(
                &self.picture,
                &self.background.mean,
                &self.expected,
                &mut self.corrected,
            );
            let left = far(&self.corrected) as f32 / self.grid.cells() as f32;
            if left * 2.0 < share {
                std::mem::swap(&mut self.expected, &mut self.corrected);
                self.is_toned = true;
            }
        }
        self.began_toned = self.is_toned && !was_toned;
        let lit = self.expected.iter().zip(&self.background.mean);
        let lit = lit.map(|(e, mean)| e - mean).sum::<f32>() / self.grid.cells() as f32;
        self.jump = (lit - self.lit).abs();
        self.lit = lit;
        light.gain
    }

    /// Says of each cell how far it is from what is expected.
    fn notice(&mut self, gain: f32) {
        std::mem::swap(&mut self.different, &mut self.before);
        let oldest = (self.newest + 1) % BACK;
        let gain = gain.clamp(0.7, 2.0);
        for cell in 0..self.grid.cells() {
            let (f, e) = (self.picture[cell], self.expected[cell]);
            let mut d = f - e;
            if f > 250.0 && e > 240.0 {
                d = 0.0;
            }
            let noise = self.background.noise[cell] * gain;
            let lit = (e - self.background.mean[cell]).abs();
            let least = (4.0 * noise).max(3.0) + 0.08 * lit + 0.1 * self.light.slope(cell);
            self.difference[cell] = d;
            let excess = if self.watched[cell] {
                d.abs() / least
            } else {
                0.0
            };
            self.excess[cell] = excess;
            self.different[cell] = excess >= WEAK;
            let since = |back: usize| (d - self.history[back][cell]).abs();
            self.active[cell] = since(oldest).max(since(self.newest)) > 0.7 * least;
        }
        self.previous = self.newest;
        self.newest = oldest;
        self.history[oldest].copy_from_slice(&self.difference);
        for (inlier, excess) in self.inliers.iter_mut().zip(&self.excess) {
            *inlier = *excess < 1.0;
        }
    }

    /// Whether somebody switched the light, or the camera its mode: most of the view has changed at
    /// once, or some of it all over the view while the light of the whole jumped.
    fn is_switch(&self) -> bool {
        const PARTS: usize = 4;
        if self.since_hurry < 6.0 {
            return false;
        }
        let mut counts = [[0u32; PARTS]; PARTS];
        for row in 0..self.grid.height {
            for column in 0..self.grid.width {
                let cell = row * self.grid.width + column;
                if self.excess[cell] >= 1.0 && !self.before[cell] {
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
            || (self.jump > JUMP && (self.began_toned || changed(0.02) >= 3))
    }

    fn learn(&mut self, seconds: f32, hurries: bool) {
        let rates = Rates::new(seconds, hurries);
        let finder = &self.finder;
        let (width, tracks) = (self.grid.width, &self.tracks.tracks);
        let (excess, calm, active) = (&self.excess, &self.changes.calm, &self.active);
        let lesson = |cell: usize| {
            let at = Bounds::at(cell % width, cell / width);
            let is_covered = tracks.iter().any(|t| t.covers() && t.bounds.is_near(at, 1));
            let is_lit = match finder.labels[cell] {
                0 => false,
                label => match finder.blobs[label as usize - 1].verdict {
                    Verdict::Light => true,
                    // Light or thing: what is no thing yet may be light.
                    Verdict::Plain => !is_covered,
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
            match (excess[cell] >= WEAK, is_covered) {
                (true, true) => Lesson::Covered,
                (true, false) if active[cell] => Lesson::Odd,
                (true, false) => Lesson::Steady,
                (false, _) => Lesson::Usual,
            }
        };
        let history = &mut self.history;
        if hurries {
            // Not what is unlike in this light, but all as it is.
            let differences = self.picture.iter().zip(&self.background.mean);
            self.difference.clear();
            self.difference
                .extend(differences.map(|(f, mean)| f - mean));
        }
        self.background
            .learn(rates, &self.difference, lesson, |cell, step| {
                // So that what is learned does not look like a change of the picture.
                for differences in history.iter_mut() {
                    differences[cell] -= step;
                }
            });
        if !hurries {
            let share = 1.0 - (-seconds / 3.0).exp();
            self.background.follow(share, &self.expected);
        }
    }
}

#[cfg(test)]
mod tests;
