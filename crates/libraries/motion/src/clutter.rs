//! How often pieces come by chance: what flakes, drops and leaves make of a picture.
//!
//! A piece that was near by in the picture before says little in falling snow, where there is
//! always one near, and much in a quiet view. How many pieces of at least a strength have come and
//! gone lately is counted; from that follows how likely it is that one is met by chance.

/// The strengths that are told apart: doublings from 1.
const STEPS: usize = 10;
/// How long what came and went is remembered, in seconds.
const MEMORY: f32 = 8.0;

/// What comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Clutter {
    /// Pieces of each strength that came and went, a picture.
    gone: [f32; STEPS],
    /// Those of the last picture.
    now: [f32; STEPS],
}

fn step(strength: f32) -> usize {
    (strength.max(1.0).log2() as usize).min(STEPS - 1)
}

impl Clutter {
    /// Begins a picture that many seconds after the last.
    pub(crate) fn begin(&mut self, seconds: f32) {
        let rate = 1.0 - (-seconds / MEMORY).exp();
        for (gone, now) in self.gone.iter_mut().zip(&mut self.now) {
            // What is new counts at once where it is more.
            *gone += (*now - *gone) * if *now > *gone { 0.3 } else { rate };
            *now = 0.0;
        }
    }

    /// Counts a piece that came and went.
    pub(crate) fn count(&mut self, strength: f32) {
        self.now[step(strength)] += 1.0;
    }

    /// How likely it is that a piece of at least about this strength is within an area by chance;
    /// the area is a share of the picture. `others` are those of this picture that nobody knows.
    pub(crate) fn chance(&self, strength: f32, area: f32, others: f32) -> f32 {
        // A strong one that becomes weak is the same: from half of it on.
        let from = step(strength * 0.7);
        let gone: f32 = self.gone[from..].iter().sum();
        // Of what a quiet view has, little is known before it is seen.
        let quiet = 6.0 / (strength * strength).max(1.0) + 0.2;
        let expected = (gone.max(others) + quiet) * area;
        (1.0 - (-expected).exp()).clamp(1e-4, 1.0)
    }
}
