//! How often something happens, for people: over the last second or so.

use std::time::{Duration, Instant};

/// Counts over windows of this length; shorter ones jump, longer ones lag.
const WINDOW: Duration = Duration::from_secs(1);

/// A rate as it is measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeasuredRate {
    window: Option<(Instant, u32)>,
    last: Option<f64>,
}

impl MeasuredRate {
    /// It happened once more.
    pub fn count(&mut self, now: Instant) {
        self.window = match self.window {
            Some((start, count)) if now - start < WINDOW => Some((start, count + 1)),
            Some((start, count)) => {
                self.last = Some(f64::from(count) / (now - start).as_secs_f64());
                Some((now, 1))
            }
            None => Some((now, 1)),
        };
    }

    /// How often a second it has happened of late.
    pub fn per_second(&self, now: Instant) -> f64 {
        let Some((start, count)) = self.window else {
            return 0.0;
        };
        let elapsed = now - start;
        match self.last {
            Some(last) if elapsed < WINDOW => last,
            _ if elapsed.is_zero() => 0.0,
            _ => f64::from(count) / elapsed.as_secs_f64().max(WINDOW.as_secs_f64() / 4.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_what_happens_and_falls_when_it_stops() {
        let start = Instant::now();
        let mut rate = MeasuredRate::default();
        assert_eq!(rate.per_second(start), 0.0);
        let at = |n: u32| start + Duration::from_millis(40) * n;
        (0..100).for_each(|n| rate.count(at(n)));
        assert!(
            (rate.per_second(at(99)) - 25.0).abs() < 0.5,
            "{}",
            rate.per_second(at(99))
        );
        assert!(rate.per_second(at(99) + Duration::from_secs(10)) < 3.0);
    }
}
