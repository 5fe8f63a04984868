//! Which alerts have to go. Decides, and removes nothing.

use std::time::{Duration, SystemTime};

use crate::alert::AlertId;
use crate::alerts::Clock;
use crate::moment::{Moment, Monotonic};

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
        let is_too_old = clock == Clock::Steady && age(oldest.id.at(), now) >= bounds.age;
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

    /// Does not believe the wall's clock for a while, whatever the other one says.
    pub(crate) fn doubt(&mut self, now: Moment) {
        self.doubted_since = Some(now);
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

/// How long nobody looks at most whether alerts are too old: other watchers write some, too, and
/// what a clock says that was just set is believed then.
const LOOK_AGAIN: Duration = DOUBT;

/// When it is to be looked next whether alerts are too old.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expiry {
    /// From when on, whatever else is known; at once, if nothing is said.
    at: Option<Monotonic>,
    /// When the oldest alert is too old.
    oldest: Option<SystemTime>,
}

impl Expiry {
    /// All alerts were looked at just now; the oldest that is left is too old at `oldest`.
    pub(crate) fn looked(now: Moment, oldest: Option<SystemTime>, clock: Clock) -> Self {
        // One that is too old already cannot be removed, or is not to be yet.
        let is_to_come = |oldest: &SystemTime| clock == Clock::Steady && *oldest > now.wall;
        Self {
            at: Some(now.monotonic.plus(LOOK_AGAIN)),
            oldest: oldest.filter(is_to_come),
        }
    }

    /// There is one more, which is too old at that moment.
    pub(crate) fn added(&mut self, expires: SystemTime) {
        self.oldest = Some(self.oldest.map_or(expires, |oldest| oldest.min(expires)));
    }

    /// How long that is from now; the wall's clock may be set meanwhile.
    pub(crate) fn until(&self, now: Moment) -> Duration {
        let Some(at) = self.at else {
            return Duration::ZERO;
        };
        let oldest = self.oldest.map(|oldest| age(now.wall, oldest));
        oldest
            .into_iter()
            .fold(at.since(now.monotonic), Duration::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    #[test]
    fn it_is_looked_again_when_the_oldest_is_too_old_and_not_before() {
        let now = Moment {
            monotonic: Monotonic::from_millis(5000),
            wall: UNIX_EPOCH + Duration::from_secs(1_790_000_000),
        };
        let minute = Duration::from_secs(60);
        assert_eq!(Expiry::default().until(now), Duration::ZERO);
        let mut expiry = Expiry::looked(now, Some(now.wall + 5 * minute), Clock::Steady);
        assert_eq!(expiry.until(now.plus(minute)), 4 * minute);
        assert_eq!(expiry.until(now.plus(6 * minute)), Duration::ZERO);
        expiry.added(now.wall + 6 * minute);
        assert_eq!(expiry.until(now), 5 * minute);
        // What cannot be removed, and what a clock says that was just set, is left for a while.
        for (oldest, clock) in [(0, Clock::Steady), (5, Clock::JustSet)] {
            let oldest = Some(now.wall + oldest * minute);
            assert_eq!(Expiry::looked(now, oldest, clock).until(now), LOOK_AGAIN);
        }
    }
}
