//! Whether a camera keeps to the rate that it was asked for.

use std::time::{Duration, SystemTime};

/// How many frames to see before saying that it does.
const ENOUGH: u32 = 8;

/// A camera that is this much too fast still keeps to its rate: its clock is another one.
const TOLERANCE: f64 = 0.97;

/// The average time between frames.
#[derive(Clone, Debug)]
pub(crate) struct FrameRate {
    wanted: Option<Duration>,
    last: Option<SystemTime>,
    average_s: f64,
    seen: u32,
}

impl FrameRate {
    /// Begins with a camera that was asked for a frame each `wanted`.
    pub(crate) fn new(wanted: Option<Duration>) -> Self {
        Self {
            wanted,
            last: None,
            average_s: 0.0,
            seen: 0,
        }
    }

    /// Takes in the moment of a frame.
    pub(crate) fn see(&mut self, captured: SystemTime) {
        let last = self.last.replace(captured);
        let Some(apart) = last.and_then(|last| captured.duration_since(last).ok()) else {
            return;
        };
        self.seen = self.seen.saturating_add(1);
        // The mean of the first few, then one that forgets.
        let weight = 1.0 / f64::from(self.seen.min(ENOUGH));
        self.average_s += (apart.as_secs_f64() - self.average_s) * weight;
    }

    /// Says whether the camera is no faster than it should be, so that holding frames back would
    /// only make them old.
    pub(crate) fn is_kept(&self) -> bool {
        match self.wanted {
            None => true,
            Some(wanted) => {
                self.seen >= ENOUGH && self.average_s >= wanted.as_secs_f64() * TOLERANCE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(interval_ms: u64, frames: u32) -> bool {
        let mut rate = FrameRate::new(Some(Duration::from_millis(100)));
        for n in 0..frames {
            rate.see(SystemTime::UNIX_EPOCH + Duration::from_millis(interval_ms) * n);
        }
        rate.is_kept()
    }

    #[test]
    fn a_camera_is_believed_once_it_has_kept_its_rate() {
        assert!(kept(100, 9) && kept(99, 50) && kept(200, 9));
        assert!(!kept(100, 8), "too few to say");
        assert!(!kept(50, 50) && !kept(0, 50));
        assert!(FrameRate::new(None).is_kept());
    }

    #[test]
    fn changes_its_mind_with_the_camera_and_survives_a_clock_set_back() {
        let mut rate = FrameRate::new(Some(Duration::from_millis(100)));
        let mut at = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        for (step_ms, kept) in [(100, true), (10, false), (100, true)] {
            for _ in 0..60 {
                at += Duration::from_millis(step_ms);
                rate.see(at);
            }
            assert_eq!(rate.is_kept(), kept, "{step_ms}");
        }
        rate.see(SystemTime::UNIX_EPOCH);
        assert!(rate.is_kept());
    }
}
