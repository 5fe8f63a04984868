//! What each cell usually looks like, and how much it wavers.

use crate::grid::Grid;

/// The noise that is thought of a cell before anything is known, in levels of brightness.
const FIRST_NOISE: f32 = 3.0;
/// The least noise: JPEG's quantisation.
const LEAST_NOISE: f32 = 0.5;
const MOST_NOISE: f32 = 60.0;

/// How a cell is to be learned from a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// It looks as it does: learn its brightness and its noise.
    Usual,
    /// It looks different, nobody knows why: its noise, and its brightness slowly.
    Odd,
    /// It looks different, but always in the same way: its brightness slowly, and no noise, or what
    /// stands still for a moment would hide what comes next.
    Steady,
    /// A thing is before it: learn next to nothing.
    Covered,
    /// It is in another light: no noise.
    Lit,
    /// It has looked like this for long: this is what it looks like.
    Settled,
}

/// What each cell looks like without anything before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Background {
    pub(crate) mean: Vec<f32>,
    /// Variance, in squares of levels.
    variance: Vec<f32>,
    /// The standard deviation: its root.
    pub(crate) noise: Vec<f32>,
}

/// The shares of what is new that are learned from one picture, for a time between two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    usual: f32,
    odd: f32,
    covered: f32,
    lit: f32,
    settled: f32,
    rise: f32,
    fall: f32,
}

impl Rates {
    /// The rates for pictures that are so many seconds apart. While it `hurries` all are quick.
    pub(crate) fn new(seconds: f32, hurries: bool) -> Self {
        let rate = |over: f32| 1.0 - (-seconds / over).exp();
        if hurries {
            let quick = rate(0.15);
            return Self {
                usual: quick,
                odd: quick,
                covered: quick,
                lit: quick,
                settled: quick,
                rise: rate(2.0),
                fall: rate(2.0),
            };
        }
        Self {
            usual: rate(2.0),
            odd: rate(10.0),
            covered: rate(60.0),
            lit: rate(20.0),
            settled: rate(0.5),
            rise: rate(3.0),
            fall: rate(10.0),
        }
    }
}

impl Background {
    /// Begins with a picture.
    pub(crate) fn begin(&mut self, grid: Grid, picture: &[f32]) {
        self.mean.clear();
        self.mean.extend_from_slice(picture);
        self.variance.clear();
        self.variance
            .resize(grid.cells(), FIRST_NOISE * FIRST_NOISE);
        self.noise.clear();
        self.noise.resize(grid.cells(), FIRST_NOISE);
    }

    /// Learns a picture. `differences` are those from what was expected; a cell moves towards the
    /// picture by its share of these, so a light that explains the picture is not learned here.
    /// `learned` is told how far each has moved.
    pub(crate) fn learn(
        &mut self,
        rates: Rates,
        differences: &[f32],
        lesson: impl Fn(usize) -> Lesson,
        mut learned: impl FnMut(usize, f32),
    ) {
        for (cell, difference) in differences.iter().enumerate() {
            let lesson = lesson(cell);
            let rate = match lesson {
                Lesson::Usual => rates.usual,
                Lesson::Odd | Lesson::Steady => rates.odd,
                Lesson::Covered => rates.covered,
                Lesson::Lit => rates.lit,
                Lesson::Settled => rates.settled,
            };
            self.mean[cell] = (self.mean[cell] + rate * difference).clamp(0.0, 255.0);
            learned(cell, rate * difference);
            if matches!(lesson, Lesson::Usual | Lesson::Odd) {
                let noise = self.noise[cell];
                let limited = difference.abs().min(6.0 * noise + 2.0);
                let new = limited * limited - self.variance[cell];
                let rate = if new > 0.0 { rates.rise } else { rates.fall };
                self.variance[cell] += rate * new;
                let root = self.variance[cell].max(0.0).sqrt();
                self.noise[cell] = root.clamp(LEAST_NOISE, MOST_NOISE);
            }
        }
    }

    /// Moves all of it a share towards what the present light makes of it, so that dusk and dawn
    /// are followed.
    pub(crate) fn follow(&mut self, share: f32, expected: &[f32]) {
        for (mean, expected) in self.mean.iter_mut().zip(expected) {
            *mean += share * (expected - *mean);
        }
    }
}
