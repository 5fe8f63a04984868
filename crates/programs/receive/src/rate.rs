//! How many frames a second come, as people are told. Nothing here reads a clock.

use std::time::{Duration, Instant};

/// Over how long frames are counted at least: a few that come at once say nothing.
const WINDOW: Duration = Duration::from_secs(1);

/// The rate of one camera's frames.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    last: Option<Instant>,
    /// When the first was counted, and how many have come since.
    window: Option<(Instant, u32)>,
    interval: Option<Duration>,
}

impl Rate {
    /// A frame has come.
    pub(crate) fn arrived(&mut self, now: Instant) {
        if self
            .last
            .replace(now)
            .is_some_and(|last| self.is_pause(last, now))
        {
            // The rate before tells nothing.
            *self = Self {
                last: Some(now),
                ..Self::default()
            };
        }
        let (began, frames) = self.window.get_or_insert((now, 0));
        let time = now.duration_since(*began);
        if time >= WINDOW {
            self.interval = Some(time / (*frames).max(1));
            (*began, *frames) = (now, 0);
        }
        *frames += 1;
    }

    /// Gives frames per second, to a tenth; none where too few have come for long.
    pub(crate) fn per_second(&self, now: Instant) -> Option<f64> {
        let (last, interval) = (self.last?, self.interval?);
        let per_second = 1.0 / interval.as_secs_f64();
        (!self.is_pause(last, now)).then(|| (per_second * 10.0).round() / 10.0)
    }

    fn is_pause(&self, last: Instant, now: Instant) -> bool {
        let is_longer = |interval| now.duration_since(last) > interval * 5 + WINDOW;
        self.interval.is_some_and(is_longer)
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

    #[test]
    fn a_burst_has_none() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        (0..8).for_each(|n| rate.arrived(at(n)));
        assert_eq!(rate.per_second(at(8)), None);
        // One of eight each minute: it is not 1000 a second.
        for minute in 1..5 {
            (0..8).for_each(|n| rate.arrived(at(minute * 60_000 + n)));
            let now = at(minute * 60_000 + 8);
            assert!(rate.per_second(now).is_none_or(|fps| fps < 1.0), "{minute}");
        }
    }
}
