//! A camera's own clock, where it tells: the moment of capture, told in milliseconds since whenever
//! it likes.
//!
//! What lies between the capture and the arrival is the same plus what the link adds, which is
//! never less than nothing. So the smallest difference of a minute stands for the two clocks', and
//! the rest is delay. Nothing here reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a smallest difference holds: two of these. Quartzes differ by some 3 ms a minute.
const WINDOW: Duration = Duration::from_secs(30);

/// A difference that jumps by more is another clock: the camera has started anew.
const JUMP_US: u64 = 10_000_000;

/// A smallest difference within these, in microseconds, is that of two clocks that are set: NTP
/// keeps them within some milliseconds of one another, and the rest is what a frame takes from its
/// capture over the fastest way that a link had for it.
const ONE_TIME_US: std::ops::RangeInclusive<i64> = -20_000..=500_000;

/// What is known of a camera's clock.
#[derive(Debug, Default)]
pub struct CameraClock {
    window_began: Option<Instant>,
    /// The smallest differences of the window before and of this one, in microseconds.
    before_us: Option<i64>,
    current_us: Option<i64>,
    last_told_us: i64,
}

impl CameraClock {
    /// Gives the moment of capture, on this machine's clock, of a frame that the camera says it
    /// captured at `told_ms`. The frame has `arrived`, and that is `now`.
    pub fn captured(&mut self, told_ms: f64, arrived: SystemTime, now: Instant) -> SystemTime {
        let Some(arrived_us) = since_epoch_us(arrived) else {
            return arrived;
        };
        // Saturates; a clock that tells nonsense gives the moment of arrival below.
        let told_us = (told_ms * 1000.0) as i64;
        let difference = arrived_us.saturating_sub(told_us);
        let known = self.smallest_us();
        let is_another_clock = told_us < self.last_told_us
            || known.is_some_and(|known| difference.abs_diff(known) > JUMP_US);
        if is_another_clock {
            *self = Self::default();
        }
        self.last_told_us = told_us;
        match self.window_began {
            Some(began) if now.duration_since(began) < WINDOW => {
                let smallest = self.current_us.map_or(difference, |us| us.min(difference));
                self.current_us = Some(smallest);
            }
            Some(_) => {
                self.before_us = self.current_us;
                self.current_us = Some(difference);
                self.window_began = Some(now);
            }
            None => {
                self.current_us = Some(difference);
                self.window_began = Some(now);
            }
        }
        let smallest = self.smallest_us().unwrap_or(difference);
        let delay_us = difference.saturating_sub(smallest).max(0).unsigned_abs();
        let captured = arrived.checked_sub(Duration::from_micros(delay_us));
        captured.unwrap_or(arrived)
    }

    /// As [`CameraClock::captured`], where the camera tells the time of day: where both clocks are
    /// set it is right, also about the time that every frame takes.
    pub fn captured_at_time_of_day(
        &mut self,
        told_ms: f64,
        arrived: SystemTime,
        now: Instant,
    ) -> SystemTime {
        let estimated = self.captured(told_ms, arrived, now);
        let is_one_time = self
            .smallest_us()
            .is_some_and(|us| ONE_TIME_US.contains(&us));
        let told = u64::try_from(self.last_told_us).ok();
        match told.and_then(|us| UNIX_EPOCH.checked_add(Duration::from_micros(us))) {
            Some(told) if is_one_time => told.min(arrived),
            _ => estimated,
        }
    }

    fn smallest_us(&self) -> Option<i64> {
        [self.before_us, self.current_us]
            .into_iter()
            .flatten()
            .min()
    }
}

fn since_epoch_us(moment: SystemTime) -> Option<i64> {
    let since = moment.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives how long before its arrival, in milliseconds, a frame is said to have been captured.
    struct Told {
        clock: CameraClock,
        start: Instant,
    }

    impl Told {
        fn age_ms(&mut self, told_ms: f64, arrives_ms: u64) -> u64 {
            let after = Duration::from_millis(arrives_ms);
            let arrived = UNIX_EPOCH + Duration::from_secs(1_800_000_000) + after;
            let captured = self.clock.captured(told_ms, arrived, self.start + after);
            arrived.duration_since(captured).unwrap().as_millis() as u64
        }
    }

    fn told() -> Told {
        Told {
            clock: CameraClock::default(),
            start: Instant::now(),
        }
    }

    #[test]
    fn what_the_link_adds_is_age() {
        let mut told = told();
        assert_eq!(told.age_ms(1000.0, 5000), 0, "nothing to compare with");
        assert_eq!(told.age_ms(1050.0, 5250), 200);
        assert_eq!(told.age_ms(1100.0, 5090), 0, "a shorter way is the measure");
        assert_eq!(told.age_ms(1150.0, 5150), 10);
    }

    #[test]
    fn a_camera_that_has_started_anew_has_another_clock() {
        let mut told = told();
        told.age_ms(500_000.0, 1000);
        assert_eq!(told.age_ms(20.0, 2000), 0, "it counts from the start");
        assert_eq!(told.age_ms(120.0, 2150), 50);
        assert_eq!(told.age_ms(999_120.0, 3150), 0, "it was set");
    }

    #[test]
    fn old_measures_are_forgotten() {
        let mut told = told();
        told.age_ms(0.0, 0);
        // The quartz is slow: 40 ms after a minute.
        for second in 1..=120_u64 {
            let late = second * 2 / 3;
            let age = told.age_ms((second * 1000) as f64, second * 1000 + late);
            assert!(age <= 41, "{age} ms after {second} s");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_right_about_all_of_the_way() {
        let mut clock = CameraClock::default();
        let start = Instant::now();
        let moment = |ms: u64| UNIX_EPOCH + Duration::from_millis(1_800_000_000_000 + ms);
        let mut captured = |told_ms: i64, arrives_ms: u64| {
            let now = start + Duration::from_millis(arrives_ms);
            let told_ms = (1_800_000_000_000 + told_ms) as f64;
            clock.captured_at_time_of_day(told_ms, moment(arrives_ms), now)
        };
        assert_eq!(captured(0, 90), moment(0));
        assert_eq!(captured(100, 500), moment(100));
        // Its clock is 5 ms ahead: nothing is of the future.
        assert_eq!(captured(1005, 1000), moment(1000));
        // An hour behind: by the smallest difference.
        let hour = 3_600_000;
        assert_eq!(captured(2000 - hour, 2090), moment(2090));
        assert_eq!(captured(2100 - hour, 2200), moment(2190));
        // And an hour ahead.
        assert_eq!(captured(2300 + hour, 2400), moment(2400));
        assert_eq!(captured(2400 + hour, 2550), moment(2500));
    }

    #[test]
    fn nonsense_is_the_moment_of_arrival() {
        let mut told = told();
        for nonsense in [f64::NAN, f64::INFINITY, -1e300, 1e300] {
            assert_eq!(told.age_ms(nonsense, 1000), 0, "{nonsense}");
        }
    }
}
