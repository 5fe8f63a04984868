//! How often the camera is looked at: seldom while nothing moves, and often while something does.

use std::time::{Duration, Instant};

use crate::eye::Seen;

/// Frames a second while something moves, where fewer are looked at otherwise: at 2 a second who
/// walks past a door is in two or three of them.
pub(crate) const QUICK_FPS: f64 = 5.0;

/// How long it is looked at often after something has moved: whoever stands for a moment moves on.
const QUICK_FOR: Duration = Duration::from_secs(3);

/// How long it is looked at often after something was seen that may turn out to move: two or three
/// looks say whether it does.
const SUSPECTED_FOR: Duration = Duration::from_millis(600);

/// How long after that nothing is suspected: leaves and rain would have it look often for ever.
const UNSUSPECTED_FOR: Duration = Duration::from_secs(5);

/// What a look has seen stir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stir {
    /// Nothing.
    None,
    /// Something that may turn out to move.
    Suspected,
    /// Something that moves.
    Moves,
}

/// When the next look is due.
#[derive(Debug)]
pub(crate) struct Pace {
    calm: Duration,
    quick: Duration,
    quick_until: Option<Instant>,
    /// When something was suspected last.
    suspected: Option<Instant>,
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
            suspected: None,
            counted_from: None,
        }
    }

    /// When the next look is due; at once, if there was none.
    pub(crate) fn due(&self, now: Instant) -> Instant {
        self.counted_from
            .map_or(now, |from| from + self.interval(now))
    }

    /// A look was taken, and something stirred, or nothing. The next one counts from when this one
    /// was due, so that waiting for pictures does not lower the rate; what was missed is not made
    /// up for.
    pub(crate) fn looked(&mut self, now: Instant, stir: Stir) {
        let interval = self.interval(now);
        let due = self.due(now);
        let is_in_time = due <= now && now < due + interval;
        self.counted_from = Some(if is_in_time { due } else { now });
        let quick_for = match stir {
            Stir::Moves => QUICK_FOR,
            Stir::Suspected if self.may_suspect(now) => {
                self.suspected = Some(now);
                SUSPECTED_FOR
            }
            Stir::Suspected | Stir::None => return,
        };
        self.quick_until = self.quick_until.max(Some(now + quick_for));
    }

    fn may_suspect(&self, now: Instant) -> bool {
        self.suspected.is_none_or(|at| now >= at + UNSUSPECTED_FOR)
    }

    fn interval(&self, now: Instant) -> Duration {
        let is_quick = self.quick_until.is_some_and(|until| now < until);
        if is_quick { self.quick } else { self.calm }
    }
}

impl Stir {
    /// What stirs in what was seen.
    pub(crate) fn of(seen: &Seen) -> Self {
        match (seen.moves(), seen.may_move) {
            (true, _) => Self::Moves,
            (false, true) => Self::Suspected,
            (false, false) => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many looks are taken in so many seconds, by what stirs in each of these.
    fn looks(fps: f64, seconds: u64, stir: impl Fn(u64) -> Stir) -> usize {
        let start = Instant::now();
        let (mut pace, mut now, mut looks) = (Pace::new(fps), start, 0);
        while now < start + Duration::from_secs(seconds) {
            pace.looked(now, stir((now - start).as_secs()));
            looks += 1;
            now = pace.due(now);
        }
        looks
    }

    #[test]
    fn two_frames_a_second_and_five_while_something_moves_and_shortly_after() {
        assert_eq!(looks(2.0, 10, |_| Stir::None), 20);
        assert_eq!(looks(2.0, 10, |_| Stir::Moves), 50);
        // Seconds 2 to 5.8 are quick.
        let one_second = looks(2.0, 10, |second| match second {
            2 => Stir::Moves,
            _ => Stir::None,
        });
        assert!((30..=33).contains(&one_second), "{one_second}");
    }

    #[test]
    fn what_may_move_is_looked_at_again_soon_but_not_for_ever() {
        let start = Instant::now();
        let mut pace = Pace::new(2.0);
        pace.looked(start, Stir::Suspected);
        assert_eq!(pace.due(start), start + Duration::from_millis(200));
        assert_eq!(looks(2.0, 60, |_| Stir::None), 120);
        // At most three looks more in five seconds.
        let suspicious = looks(2.0, 60, |_| Stir::Suspected);
        assert!((132..=156).contains(&suspicious), "{suspicious}");
    }

    #[test]
    fn who_wants_more_always_gets_it() {
        assert_eq!(looks(8.0, 10, |_| Stir::Moves), 80);
        assert_eq!(looks(0.5, 10, |_| Stir::None), 5);
    }
}
