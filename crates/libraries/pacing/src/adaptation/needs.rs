//! What a link must carry to bring a rung often enough.
//!
//! The numbers are in the table of [`adaptation`](super).

use std::time::Duration;

use super::{Adaptation, HOLD_SHARE, Ladder, Rung};
use crate::units::BytesPerSecond;

/// A larger rung is left for a smaller one where the link carries less than this share of all
/// frames of it, if the client would rather have motion: 24 of 30 look as smooth.
const SMOOTH_SHARE: f64 = 0.8;

/// Making a rendition is taken to take this share of the time between two frames at most: what is
/// more may be a source that gives fewer frames than it says.
const MAX_MAKING_SHARE: f64 = 0.5;

impl Adaptation {
    /// What a link must carry to bring this rung often enough.
    pub(super) fn needed_rate(&self, rung: Rung) -> BytesPerSecond {
        let all = self.wanted.all_fps();
        let smooth = all.filter(|all| self.is_to_be_smooth(rung, *all));
        let of_all = smooth.map(|all| self.smooth_rate(rung, all));
        let least_fps = self.wanted.least_fps();
        let least = self.sizes.mean(rung).times_a_second(least_fps);
        of_all.map_or(least, |rate| rate.max(least))
    }

    /// Says whether a smaller rung is better than too few frames of this one.
    fn is_to_be_smooth(&self, rung: Rung, all_fps: f64) -> bool {
        let may_be_left = match rung {
            Rung::Main => self.is_allowed(Rung::Low),
            // `Half` of a picture with much noise has fewer bytes and looks better. Of any other
            // picture it has less detail, and is worth that only where it looks smooth.
            Rung::Low => {
                self.is_allowed(Rung::Half)
                    && (self.sizes.is_low_large() || self.half_is_smooth(all_fps))
            }
            Rung::Half | Rung::Quarter => false,
        };
        self.ladder == Ladder::Smooth && may_be_left
    }

    /// Says whether the link carries as much of `Half` as looks smooth.
    fn half_is_smooth(&self, all_fps: f64) -> bool {
        let needed = self.smooth_rate(Rung::Half, all_fps);
        let carries = |share| self.carried.is_some_and(|rate| rate >= needed * share);
        match self.rung {
            // What `Low` would do is to be seen.
            Rung::Main | Rung::Quarter => false,
            Rung::Low => carries(1.0),
            Rung::Half => carries(HOLD_SHARE),
        }
    }

    /// What a link must carry to bring as many frames of this rung as look smooth: in the time
    /// between two of them one is made, and then goes.
    fn smooth_rate(&self, rung: Rung, all_fps: f64) -> BytesPerSecond {
        let interval = Duration::from_secs_f64(1.0 / (all_fps * SMOOTH_SHARE));
        self.sizes.mean(rung) / interval.saturating_sub(self.making(rung))
    }

    /// How long it takes to make a frame of this rung, as far as that has been seen and matters: to
    /// a client that would rather have motion, and whose link is known.
    pub(super) fn making(&self, rung: Rung) -> Duration {
        let matters = self.ladder == Ladder::Smooth && self.carried.is_some();
        let all_fps = self.wanted.all_fps().filter(|_| matters);
        let most = all_fps.map(|all| Duration::from_secs_f64(MAX_MAKING_SHARE / all));
        let takes = self.making.takes(rung).unwrap_or_default();
        takes.min(most.unwrap_or_default())
    }
}
