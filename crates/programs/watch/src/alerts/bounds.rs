//! Which alerts have to go. Decides, and removes nothing.

use std::time::{Duration, SystemTime};

use crate::alert::AlertId;
use crate::alerts::Clock;
use crate::moment::Moment;

/// What the directory of alerts may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// How old an alert may be.
    pub(crate) age: Duration,
    /// How many there may be.
    pub(crate) count: usize,
    /// How many bytes all their files may have.
    pub(crate) bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(30 * 24 * 3600),
            count: 1000,
            bytes: 200_000_000,
        }
    }
}

/// What lies there of one alert.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) id: AlertId,
    /// Of all its files.
    pub(super) bytes: u64,
    /// Its JSON is there; else it is none.
    pub(super) is_alert: bool,
    /// When the newest of its files was written.
    pub(super) changed: SystemTime,
}

/// How old something of this moment is; not at all, where that is to come.
pub(super) fn age(moment: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(moment).unwrap_or_default()
}

/// Gives those that have to go, where one more of so many bytes is to come (none, for no bytes).
/// `kept` has the oldest first. What is no alert counts as bytes only.
pub(super) fn surplus(
    kept: &[Kept],
    more_bytes: u64,
    bounds: &Bounds,
    now: SystemTime,
    clock: Clock,
) -> Vec<AlertId> {
    let mut count = kept.iter().filter(|kept| kept.is_alert).count() + usize::from(more_bytes > 0);
    let mut bytes = kept.iter().map(|kept| kept.bytes).sum::<u64>() + more_bytes;
    let mut surplus = Vec::new();
    for oldest in kept.iter().filter(|kept| kept.is_alert) {
        let is_too_old = clock == Clock::Steady && age(oldest.id.at(), now) > bounds.age;
        // In the order of their names nothing follows that is older.
        if !is_too_old && count <= bounds.count && bytes <= bounds.bytes {
            break;
        }
        count -= 1;
        bytes -= oldest.bytes;
        surplus.push(oldest.id.clone());
    }
    surplus
}

/// By how much the wall's clock may differ from the other one before it counts as set: more than
/// NTP's slewing of half a millisecond a second does in an hour.
const SET: Duration = Duration::from_secs(10);

/// How long after that it is not believed as to ages.
const DOUBT: Duration = Duration::from_secs(3600);

/// Finds out whether the wall's clock was set. One that jumps ahead by a month, and is set right a
/// minute later, is not to cost all alerts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockCheck {
    last: Moment,
    doubted_since: Option<Moment>,
}

impl ClockCheck {
    /// Begins to look; the clock is believed so far.
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            last: now,
            doubted_since: None,
        }
    }

    /// Looks at the clocks again.
    pub(crate) fn look(&mut self, now: Moment) -> Clock {
        let real = now.monotonic.since(self.last.monotonic);
        let expected = self.last.wall + real;
        let off = age(expected, now.wall).max(age(now.wall, expected));
        if off > SET {
            self.doubted_since = Some(now);
        }
        self.last = now;
        let is_doubted = |since: Moment| now.monotonic.since(since.monotonic) < DOUBT;
        if self.doubted_since.is_some_and(is_doubted) {
            Clock::JustSet
        } else {
            self.doubted_since = None;
            Clock::Steady
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Monotonic;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_clock_that_was_set_is_doubted_for_an_hour() {
        let begin = Moment {
            monotonic: Monotonic::from_millis(5000),
            wall: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        };
        let mut check = ClockCheck::new(begin);
        let minute = Duration::from_secs(60);
        assert_eq!(check.look(begin.plus(minute)), Clock::Steady);
        let month = Duration::from_secs(31 * 24 * 3600);
        let ahead = Moment {
            wall: begin.wall + month,
            ..begin.plus(2 * minute)
        };
        assert_eq!(check.look(ahead), Clock::JustSet);
        let back = begin.plus(3 * minute);
        assert_eq!(check.look(back), Clock::JustSet);
        assert_eq!(check.look(back.plus(59 * minute)), Clock::JustSet);
        assert_eq!(check.look(back.plus(60 * minute)), Clock::Steady);
    }
}
