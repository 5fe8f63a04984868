//! Pieces of one picture after the other that can be the same thing.
//!
//! Each time a piece is where the one before can have gone, that speaks for a thing: the more, the
//! less likely it was by chance. The sum of the logarithms is the track's evidence, as in the
//! sequential probability ratio test (A. Wald, 1945).

use crate::blobs::{Blob, Verdict};
use crate::clutter::Clutter;
use crate::grid::{Bounds, Grid};

/// The most that are followed.
pub(crate) const MOST_TRACKS: usize = 256;
/// The evidence from which a track is a thing: chance is then less than 1 in 400.
const ENOUGH: f32 = 5.0;
/// Below that a thing is one no more.
const TOO_LITTLE: f32 = 2.0;
const MOST: f32 = 20.0;
/// How much a picture without a piece speaks against a track.
const MISSED: f32 = 2.5;

/// In how many pictures something is new.
const NEW: u32 = 3;
/// What is new and weaker than this is not worth another look: some four cells.
const LEAST_STRENGTH: f32 = 6.0;

/// By how much a thing seems to grow or shrink from one picture to the next: the standard deviation
/// of the logarithm of its strength.
const GROWTH: f32 = 0.4;

/// For how long a thing may be behind something, in seconds.
const BEHIND: f32 = 0.15;
/// After how long without a movement a thing does not move, in seconds.
const RESTING: f32 = 1.5;

/// A thing, or what may become one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Track {
    pub(crate) bounds: Bounds,
    centre: (f32, f32),
    /// Where it was first.
    origin: (f32, f32),
    /// Cells a second.
    velocity: (f32, f32),
    strength: f32,
    strongest: f32,
    evidence: f32,
    /// In how many pictures it was seen.
    pub(crate) seen: u32,
    /// In how many it was not, since.
    missed: u32,
    is_thing: bool,
    /// Whether it looked like a thing when it was seen last.
    is_thinglike: bool,
    /// Since when it has not moved, in seconds.
    resting: f32,
    /// For how long it was not seen, in seconds.
    unseen: f32,
    is_at_border: bool,
    /// How long it has been followed, in seconds.
    age: f32,
    /// Cells that it has covered, and those that it has left again.
    covered: f32,
    uncovered: f32,
}

/// Follows pieces. Keeps its memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracks {
    pub(crate) tracks: Vec<Track>,
    clutter: Clutter,
    /// Of each blob, whether a track has it.
    taken: Vec<bool>,
}

impl Track {
    fn begin(grid: Grid, blob: &Blob) -> Self {
        Self {
            bounds: blob.bounds,
            centre: blob.centre,
            origin: blob.centre,
            velocity: (0.0, 0.0),
            strength: blob.strength,
            strongest: blob.strength,
            evidence: 0.0,
            seen: 1,
            missed: 0,
            is_thing: false,
            is_thinglike: blob.is_thinglike(grid),
            resting: 0.0,
            unseen: 0.0,
            is_at_border: blob.touches_border,
            age: 0.0,
            covered: 0.0,
            uncovered: 0.0,
        }
    }

    /// Whether it leaves as many cells as it takes, 0 to 1: what moves does, what grows does not.
    pub(crate) fn balance(&self) -> f32 {
        let (less, more) = if self.covered < self.uncovered {
            (self.covered, self.uncovered)
        } else {
            (self.uncovered, self.covered)
        };
        (2.0 * less / more.max(1.0)).min(1.0)
    }

    /// Whether it was a thing for long enough to be known.
    fn is_known(&self) -> bool {
        self.is_thing && self.age > 3.0
    }

    /// Whether it is a thing, and it moves. One that was not seen for a moment is behind something,
    /// unless it was at the edge of the picture.
    pub(crate) fn is_moving(&self) -> bool {
        let is_there = self.missed == 0 || (self.unseen < BEHIND && !self.is_at_border);
        self.is_thing && is_there && self.resting < RESTING
    }

    /// Whether something may be there: its cells are not learned.
    pub(crate) fn covers(&self) -> bool {
        self.is_thing || self.evidence > 2.5
    }

    /// Whether it is new, and the next picture may show that it is a thing.
    fn may_move(&self) -> bool {
        !self.is_thing && self.is_thinglike && self.missed == 0 && self.seen <= NEW
    }

    /// How far it has come since it was first seen, as a share of what a thing of its size moves
    /// soon, 0 to 1: a branch and its shadow only sway.
    fn progress(&self, centre: (f32, f32)) -> f32 {
        let apart = (centre.0 - self.origin.0).hypot(centre.1 - self.origin.1);
        (apart / (1.0 + 0.1 * self.bounds.longest())).min(1.0)
    }

    /// How far a piece may be from where this one is expected, in cells.
    fn reach(&self, seconds: f32) -> f32 {
        let size = self.bounds.longest();
        if self.seen < 2 {
            1.5 + (8.0 + 1.5 * size) * seconds
        } else {
            1.0 + (4.0 + 0.7 * size) * seconds + self.missed as f32
        }
    }

    fn expected(&self, seconds: f32) -> (f32, f32) {
        let seconds = seconds * (1 + self.missed) as f32;
        (
            self.centre.0 + self.velocity.0 * seconds,
            self.centre.1 + self.velocity.1 * seconds,
        )
    }

    fn meet(&mut self, blob: &Blob, bounds: Bounds, seconds: f32, gain: f32) {
        let elapsed = seconds * (1 + self.missed) as f32;
        let speed = (
            (blob.centre.0 - self.centre.0) / elapsed,
            (blob.centre.1 - self.centre.1) / elapsed,
        );
        let share = if self.seen < 2 { 0.7 } else { 0.3 };
        self.velocity.0 += share * (speed.0 - self.velocity.0);
        self.velocity.1 += share * (speed.1 - self.velocity.1);
        self.centre = blob.centre;
        self.bounds = bounds;
        self.strength += 0.3 * (blob.strength - self.strength);
        self.strongest = self.strongest.max(blob.strength);
        self.seen += 1;
        self.missed = 0;
        self.unseen = 0.0;
        self.is_at_border = blob.touches_border;
        self.age += elapsed;
        self.evidence = (self.evidence + gain).min(MOST);
        let active = blob.active as f32 / blob.area as f32;
        self.resting = if active > 0.08 {
            0.0
        } else {
            self.resting + elapsed
        };
        self.judge();
    }

    fn miss(&mut self, seconds: f32) {
        self.missed += 1;
        self.unseen += seconds;
        self.evidence -= MISSED;
        self.judge();
    }

    fn judge(&mut self) {
        self.is_thing = if self.is_thing {
            self.evidence > TOO_LITTLE
        } else {
            self.evidence >= ENOUGH && self.seen >= 2
        };
    }

    fn is_over(&self) -> bool {
        self.evidence < -1.0 || self.missed > 3 || (self.missed > 0 && self.seen < 2)
    }
}

impl Tracks {
    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.tracks.clear();
    }

    /// Whether one of them is new, is more than weather, and may turn out to move.
    pub(crate) fn may_move(&self) -> bool {
        let least = self.clutter.weather().max(LEAST_STRENGTH);
        let mut tracks = self.tracks.iter();
        tracks.any(|track| track.may_move() && track.strength >= least)
    }

    /// Follows the pieces of a picture that many seconds after the last. `is_uncovered` says of a
    /// cell whether it looked different before and does not any more.
    pub(crate) fn follow(
        &mut self,
        grid: Grid,
        blobs: &[Blob],
        seconds: f32,
        is_uncovered: &impl Fn(usize) -> bool,
    ) {
        self.clutter.begin(seconds);
        self.taken.clear();
        self.taken.resize(blobs.len(), false);
        // What is surest chooses first.
        self.tracks
            .sort_unstable_by(|a, b| b.evidence.total_cmp(&a.evidence));
        for index in 0..self.tracks.len() {
            let bounds = self.tracks[index].bounds;
            self.tracks[index].uncovered += uncovered(grid, bounds, is_uncovered);
            self.extend(index, grid, blobs, seconds);
        }
        let clutter = &mut self.clutter;
        self.tracks.retain(|track| {
            if track.is_over() && track.age < 4.0 {
                clutter.count(grid, track.strongest, track.centre);
            }
            !track.is_over()
        });
        for (blob, taken) in blobs.iter().zip(&self.taken) {
            if !taken && blob.verdict != Verdict::Light && self.tracks.len() < MOST_TRACKS {
                self.tracks.push(Track::begin(grid, blob));
            }
        }
    }

    fn extend(&mut self, index: usize, grid: Grid, blobs: &[Blob], seconds: f32) {
        let track = self.tracks[index];
        let reach = track.reach(seconds);
        let (x, y) = track.expected(seconds);
        let half = (
            track.bounds.width() as f32 / 2.0 + reach,
            track.bounds.height() as f32 / 2.0 + reach,
        );
        let mut best: Option<(usize, f32)> = None;
        for (number, blob) in blobs.iter().enumerate() {
            let apart = ((blob.centre.0 - x).abs(), (blob.centre.1 - y).abs());
            if self.taken[number] || apart.0 > half.0 || apart.1 > half.1 {
                continue;
            }
            let unlike = (blob.strength / track.strength).ln().abs();
            let distance = apart.0.hypot(apart.1) / reach + 1.5 * unlike;
            if unlike < 1.8 && best.is_none_or(|(_, least)| distance < least) {
                best = Some((number, distance));
            }
        }
        let Some((number, _)) = best else {
            self.tracks[index].miss(seconds);
            return;
        };
        self.taken[number] = true;
        let blob = &blobs[number];
        let mut bounds = blob.bounds;
        if track.is_thing {
            // What else is within it belongs to it.
            for (number, blob) in blobs.iter().enumerate() {
                let apart = ((blob.centre.0 - x).abs(), (blob.centre.1 - y).abs());
                if !self.taken[number]
                    && apart.0 < half.0 - reach + 1.0
                    && apart.1 < half.1 - reach + 1.0
                {
                    self.taken[number] = true;
                    bounds.join(blob.bounds);
                }
            }
        }
        let area = (2.0 * half.0) * (2.0 * half.1) / grid.cells() as f32;
        let chance = self.chance(&track, blob, blobs, area);
        self.tracks[index].covered += blob.fresh as f32;
        let gain = if track.strength.max(blob.strength) < self.clutter.weather() {
            -1.0
        } else {
            let track = &self.tracks[index];
            let progress = track.progress(blob.centre);
            gain(grid, blob, chance, track.balance(), progress)
        };
        let gain = match gain {
            met if met > 0.0 => met - unlikely(blob.strength / track.strength),
            against => against,
        };
        // What comes in and may be light says nothing before all of it is seen.
        let gain = match blob.verdict {
            Verdict::Plain => gain.max(-self.tracks[index].evidence.max(0.0)),
            _ => gain,
        };
        self.tracks[index].is_thinglike = blob.is_thinglike(grid);
        self.tracks[index].meet(blob, bounds, seconds, gain);
    }

    /// How likely it is that a piece like this one is within an area by chance; the area is a share
    /// of the picture.
    fn chance(&self, track: &Track, blob: &Blob, blobs: &[Blob], area: f32) -> f32 {
        let is_like = |strength: f32| strength > 0.7 * blob.strength;
        let like = blobs.iter().filter(|blob| is_like(blob.strength)).count();
        let known = self.tracks.iter();
        let known = known.filter(|track| track.is_known() && is_like(track.strength));
        let others = like.saturating_sub(1 + known.count()) as f32;
        let strength = track.strength.min(blob.strength);
        self.clutter.chance(strength, area, others)
    }
}

/// How many cells of a rectangle look different no more.
fn uncovered(grid: Grid, bounds: Bounds, is_uncovered: &impl Fn(usize) -> bool) -> f32 {
    let rows = bounds.top..=bounds.bottom;
    let cells =
        rows.flat_map(|row| (bounds.left..=bounds.right).map(move |c| row * grid.width + c));
    cells.filter(|cell| is_uncovered(*cell)).count() as f32
}

/// How much it speaks against a thing that it is larger or smaller than it was, by that share:
/// light that comes in grows from one picture to the next.
fn unlikely(growth: f32) -> f32 {
    0.5 * (growth.ln() / GROWTH).powi(2)
}

/// How much a piece speaks for a thing.
fn gain(grid: Grid, blob: &Blob, chance: f32, balance: f32, progress: f32) -> f32 {
    let active = (blob.active as f32 / blob.area as f32 / 0.2).min(1.0);
    // Of things a tenth of the pictures has no piece.
    let met = (0.9 / chance).ln();
    match blob.verdict {
        Verdict::Light => -2.0,
        Verdict::Textured => met * active * balance.max(0.7),
        Verdict::Plain if blob.is_outlined(grid) => met * active * balance * progress,
        Verdict::Plain => -1.0,
        // What comes in from the side grows, as a shadow does.
        Verdict::Open if blob.is_compact(grid) && !blob.touches_border => met * active * balance,
        // Before a tree in the wind only its movement tells a thing from light.
        Verdict::Open if blob.is_unclear() => met * active * (balance - 0.3).max(0.0),
        Verdict::Open => met.min(0.0),
    }
}
