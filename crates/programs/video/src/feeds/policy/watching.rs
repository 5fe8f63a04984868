//! One viewer of an encode, and for how long it holds the next picture up.

use std::time::{Duration, Instant};

use crate::feeds::{Pace, Report};

/// Packets of the last picture that are younger than this hold nobody: pacers send a picture over
/// some time (str0m over 20 ms and more), and the next one takes time to encode.
pub(super) const PACED: Duration = Duration::from_millis(20);

/// How long a viewer may hold the others, whose pictures stand still meanwhile.
pub(super) const MOST_HELD_WITH_OTHERS: Duration = Duration::from_millis(700);

/// How long it may hold alone: nobody waits for it, and to go on costs it a keyframe. A link that
/// stands still for so long has lost what it had.
pub(super) const MOST_HELD_ALONE: Duration = Duration::from_secs(4);

/// How long one may that misses pictures, and says that it has not sent the last one yet: a short
/// wait costs less than the keyframe that it would need.
pub(super) const MOST_HELD_BY_MISSING: Duration = Duration::from_millis(100);

/// One who watches.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) pace: Pace,
    /// It has asked for pictures.
    pub(super) is_active: bool,
    /// It wants keyframes from time to time.
    pub(super) wants_gop: bool,
    /// It cannot decode anything else than a keyframe.
    pub(super) needs_key: bool,
    /// When it may have one for having been too slow.
    pub(super) key_allowed: Option<Instant>,
    /// Since when it has a picture and has not come for it.
    pub(super) untaken_since: Option<Instant>,
    pub(super) report: Report,
    /// It has held others for too long, until its packets are gone.
    pub(super) is_stuck: bool,
}

impl Watching {
    /// One that has got nothing yet, and has not asked for pictures.
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            is_active: false,
            wants_gop: false,
            needs_key: true,
            key_allowed: None,
            untaken_since: None,
            report: Report::default(),
            is_stuck: false,
        }
    }

    /// Until when this viewer holds the next picture up, with so many that are served. It is stuck
    /// from then on.
    pub(super) fn holds_until(&mut self, now: Instant, served: usize) -> Option<Instant> {
        if !self.is_active {
            return None;
        }
        if self.pace == Pace::Misses {
            let until = self.report.waiting_since? + MOST_HELD_BY_MISSING;
            return (until > now && !self.needs_key).then_some(until);
        }
        let queued = self.report.waiting_since.map(|since| since + PACED);
        let since = match (queued, self.untaken_since) {
            (Some(one), Some(other)) => one.min(other),
            (one, other) => match one.or(other) {
                Some(since) => since,
                None => {
                    self.is_stuck = false;
                    return None;
                }
            },
        };
        if since > now || self.is_stuck {
            return None;
        }
        let most = match served {
            0 | 1 => MOST_HELD_ALONE,
            _ => MOST_HELD_WITH_OTHERS,
        };
        if now - since < most {
            return Some(since + most);
        }
        self.is_stuck = true;
        None
    }

    /// It counts: one that is stuck does not.
    pub(super) fn can_be_served(&self) -> bool {
        self.is_active && !self.is_stuck
    }

    /// A picture that is made now is of use to it.
    pub(super) fn can_take(&self) -> bool {
        let is_busy = self.pace == Pace::Misses && self.report.waiting_since.is_some();
        self.can_be_served() && self.untaken_since.is_none() && !is_busy
    }
}
