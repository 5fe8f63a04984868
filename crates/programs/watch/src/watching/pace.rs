//! How often the camera is looked at: seldom while nothing moves, and often while something does.

use std::time::{Duration, Instant};

/// Frames a second while something moves, where fewer are looked at otherwise: at 2 a second who
/// walks past a door is in two or three of them.
pub(crate) const QUICK_FPS: f64 = 5.0;

/// How long it is looked at often after something has moved: whoever stands for a moment moves on.
const QUICK_FOR: Duration = Duration::from_secs(3);

/// When the next look is due.
#[derive(Debug)]
pub(crate) struct Pace {
    calm: Duration,
    quick: Duration,
    quick_until: Option<Instant>,
    /// The moment from which the interval to the next look counts.
    counted_from: Option<Instant>,
}

impl Pace {
    /// Looks so many times a second while nothing moves.
    pub(crate) fn new(fps: f64) -> Self {
        let interval = |fps: f64| Duration::from_secs_f64(1.0 / fps);
        Self {
            calm: interval(fps),
            quick: interval(fps.max(QUICK_FPS)),
            quick_until: None,
            counted_from: None,
        }
    }

    /// When the next look is due; at once, if there was none.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        self.counted_from
            .map_or(now, |from| from + self.interval(now))
    }

    /// A look was taken; something `moves`, or not. The next one counts from when this one was due,
    /// so that waiting for pictures does not lower the rate; what was missed is not made up for.
    pub(crate) fn looked(&mut self, now: Instant, moves: bool) {
        let interval = self.interval(now);
        let due = self.due(now);
        let is_in_time = due <= now && now < due + interval;
        self.counted_from = Some(if is_in_time { due } else { now });
        if moves {
            self.quick_until = Some(now + QUICK_FOR);
        }
    }

    fn interval(&self, now: Instant) -> Duration {
        let is_quick = self.quick_until.is_some_and(|until| now < until);
        if is_quick { self.quick } else { self.calm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks are taken in so many seconds, of which something moves in the `moving` ones.
    fn looks(fps: f64, seconds: u64, moving: impl Fn(u64) -> bool) -> usize {
        let start = Instant::now();
        let (mut pace, mut now, mut looks) = (Pace::new(fps), start, 0);
        while now < start + Duration::from_secs(seconds) {
            pace.looked(now, moving((now - start).as_secs()));
            looks += 1;
            now = pace.due(now);
        }
        looks
    }

    #[test]
    fn two_frames_a_second_and_five_while_something_moves_and_shortly_after() {
        assert_eq!(looks(2.0, 10, |_| false), 20);
        assert_eq!(looks(2.0, 10, |_| true), 50);
        // Seconds 2 to 5.8 are quick.
        let one_second = looks(2.0, 10, |second| second == 2);
        assert!((30..=33).contains(&one_second), "{one_second}");
    }

    #[test]
    fn who_wants_more_always_gets_it() {
        assert_eq!(looks(8.0, 10, |_| true), 80);
        assert_eq!(looks(0.5, 10, |_| false), 5);
    }
}
