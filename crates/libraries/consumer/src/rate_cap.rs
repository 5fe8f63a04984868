//! A client's own limit to the rate of its frames: the decision, apart from clocks.

use std::time::{Duration, Instant};

/// At most one frame in each interval. It says when the next one may be chosen, so that a frame
/// that goes late is not an old one.
#[derive(Clone, Copy, Debug)]
pub struct RateCap {
    interval: Duration,
    /// The moment from which the interval counts that the next frame waits for.
    counted_from: Option<Instant>,
}

impl RateCap {
    /// Lets one frame through in each `interval`, and the first one at once.
    pub fn new(interval: Duration) -> Self {
        Self {
            interval,
            counted_from: None,
        }
    }

    /// When the next frame may be chosen; `None` where none has been yet.
    pub fn due(&self) -> Option<Instant> {
        Some(self.counted_from? + self.interval)
    }

    /// A frame was chosen. The next one counts from the moment at which this one was due, so that
    /// waiting for frames does not lower the rate, unless that was an interval ago: then what was
    /// missed is not made up for.
    pub fn chosen(&mut self, now: Instant) {
        let due = self.due().filter(|due| *due + self.interval > now);
        self.counted_from = Some(due.unwrap_or(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(100);
    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_frame_is_due_at_once_and_the_next_an_interval_later() {
        let start = Instant::now();
        let mut cap = RateCap::new(INTERVAL);
        assert_eq!(cap.due(), None);
        cap.chosen(start);
        assert_eq!(cap.due(), Some(start + INTERVAL));
    }

    #[test]
    fn waiting_for_each_frame_does_not_lower_the_rate() {
        let start = Instant::now();
        let mut cap = RateCap::new(INTERVAL);
        cap.chosen(start);
        for frame in 1..100 {
            let due = cap.due().unwrap();
            assert_eq!(due, start + INTERVAL * frame);
            cap.chosen(due + INTERVAL - MOMENT);
        }
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let start = Instant::now();
        let mut cap = RateCap::new(INTERVAL);
        cap.chosen(start);
        let late = start + INTERVAL * 2;
        cap.chosen(late);
        assert_eq!(cap.due(), Some(late + INTERVAL));
    }
}
