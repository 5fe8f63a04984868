//! How long to wait before something that failed is tried again.

use std::time::Duration;

/// By how much a pause is shortened or lengthened at most, so that cameras or programs that failed
/// together (one cable, one power supply) are not tried again together.
const SPREAD: f64 = 0.25;

/// The pauses between tries: doubled with each failure up to a bound, short again after a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Gives one that has seen no failure: its pauses are about `first` at the beginning, and about
    /// `longest` at most.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// Takes note of a failure, and gives the pause before the next try in whole milliseconds.
    /// `jitter` is any number from 0 to 1, for example that of [`jitter`], and 0.5 leaves the pause
    /// as it is.
    pub fn failed(&mut self, jitter: f64) -> Duration {
        // 2^16 times the shortest pause is longer than any bound.
        let doubled = self.first.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let spread = 1.0 - SPREAD + 2.0 * SPREAD * jitter.clamp(0.0, 1.0);
        let pause_ms = doubled.min(self.longest).as_secs_f64() * spread * 1000.0;
        Duration::from_millis(pause_ms.round() as u64)
    }

    /// Takes note of a success: the next failure is a first one.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// How often it has failed since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// A random number from 0 to 1.
pub fn jitter() -> f64 {
    fastrand::f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(10);

    #[test]
    fn pauses_grow_to_a_bound_and_are_short_again_after_a_success() {
        let mut backoff = Backoff::new(FIRST, LONGEST);
        let pauses: Vec<_> = (0..9).map(|_| backoff.failed(0.5).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000]);
        assert_eq!(backoff.failures(), 9);
        backoff.succeeded();
        assert_eq!((backoff.failures(), backoff.failed(0.5)), (0, FIRST));
    }

    #[test]
    fn jitter_spreads_a_pause_by_a_quarter() {
        let pause = |jitter| Backoff::new(FIRST, LONGEST).failed(jitter).as_millis();
        assert_eq!([pause(0.0), pause(1.0), pause(7.0)], [75, 125, 125]);
        assert!((0.0..1.0).contains(&jitter()));
    }

    #[test]
    fn any_number_of_failures_has_a_pause() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        backoff.failures = u32::MAX;
        assert!(backoff.failed(1.0) > Duration::from_secs(1));
        assert_eq!(backoff.failures(), u32::MAX);
    }
}
