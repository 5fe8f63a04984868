//! How many frames a second come, as people are told. Nothing here reads a clock.

use std::time::{Duration, Instant};

/// The rate of one camera's frames.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    last: Option<Instant>,
    interval_s: Option<f64>,
}

impl Rate {
    /// A frame has come.
    pub(crate) fn arrived(&mut self, now: Instant) {
        let Some(last) = self.last.replace(now) else {
            return;
        };
        let gap = now.duration_since(last).as_secs_f64();
        self.interval_s = match self.interval_s {
            None => Some(gap),
            // A mean that forgets within some ten frames.
            Some(interval) if gap < 5.0 * interval + 1.0 => Some(interval + (gap - interval) / 8.0),
            // After a pause the rate before tells nothing.
            Some(_) => None,
        };
    }

    /// Gives frames per second, to a tenth; none where too few have come for long.
    pub(crate) fn per_second(&self, now: Instant) -> Option<f64> {
        let (last, interval) = (self.last?, self.interval_s?);
        let is_over = now.duration_since(last) > Duration::from_secs_f64(5.0 * interval + 1.0);
        (!is_over && interval > 0.0).then(|| (10.0 / interval).round() / 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_that_of_the_last_frames_and_ends_with_them() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(rate.per_second(at(0)), None);
        (0..=20).for_each(|n| rate.arrived(at(n * 50)));
        assert_eq!(rate.per_second(at(1010)), Some(20.0));
        assert_eq!(rate.per_second(at(2300)), None, "it has stopped");
        (0..40).for_each(|n| rate.arrived(at(10_000 + n * 100)));
        assert_eq!(rate.per_second(at(13_900)), Some(10.0));
    }
}
