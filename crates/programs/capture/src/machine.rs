//! What a camera does next: the decisions, apart from clocks, files and cameras.
//!
//! The caller gives the time, what readers want ([`Demand`]) and what the source has ([`Sight`]); the machine answers with
//! one [`Action`] at a time until there is nothing to do, and with the moment at which to ask again.

use std::time::{Duration, Instant};

use eyelid_slot::Phase;

/// How often a slot that refused a frame is tried again at most.
const SLOT_RETRY: Duration = Duration::from_secs(1);

/// How soon a failed camera is tried again the first time. It doubles with each failure...
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// ...up to this: a camera plugged in again is seen within half a minute.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// What readers want.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demand {
    /// The next frame is wanted.
    pub wished: bool,
    /// Somebody has opened the frame since it was published.
    pub noticed: bool,
    /// Something has happened to the slot just now: a reader came, even where the wish is an old one.
    pub active: bool,
    /// No frame lies in the slot: nobody can open it.
    pub empty: bool,
}

/// What the source has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    /// The number of the newest exposure at hand.
    pub exposure: Option<u64>,
    /// It has shown since it was started that it works.
    pub works: bool,
    /// It takes exposures no faster than asked for.
    pub keeps_pace: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the source; report [`Machine::failed`] if it cannot be.
    Start,
    /// Encode this exposure and publish it; report [`Machine::published`], [`Machine::unusable`],
    /// [`Machine::refused`] or [`Machine::failed`].
    Publish(u64),
    /// Stop the source.
    Stop,
}

/// The state of one camera.
#[derive(Debug)]
pub struct Machine {
    linger: Duration,
    interval: Duration,
    place: Place,
    wanted_at: Instant,
    published: Option<u64>,
    unusable: Option<u64>,
    not_before: Instant,
    slot_retry: Instant,
    opens_are_seen: bool,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Asleep,
    Awake { failures: u32 },
    Failed { failures: u32, retry_at: Instant },
}

impl Machine {
    /// Makes a sleeping camera that stays awake for `linger` after the last demand and publishes at most one frame in
    /// each `interval`.
    pub fn new(linger: Duration, interval: Duration, now: Instant) -> Self {
        Self {
            linger,
            interval,
            place: Place::Asleep,
            wanted_at: now,
            published: None,
            unusable: None,
            not_before: now,
            slot_retry: now,
            opens_are_seen: false,
        }
    }

    /// What the camera is doing, as `state.json` says it. A camera that failed stays so until it works again.
    pub fn phase(&self) -> Phase {
        match self.place {
            Place::Asleep => Phase::Asleep,
            Place::Awake { failures: 0 } => Phase::Awake,
            Place::Awake { .. } | Place::Failed { .. } => Phase::Failed,
        }
    }

    /// Gives what to do now, if anything. To be called again after each action.
    pub fn next(&mut self, now: Instant, demand: Demand, sight: Sight) -> Option<Action> {
        match self.place {
            Place::Asleep if demand.wished || demand.noticed => {
                self.wanted_at = now;
                self.place = Place::Awake { failures: 0 };
                Some(Action::Start)
            }
            Place::Asleep => None,
            Place::Failed { failures, retry_at } => {
                if demand.active || self.blind(demand) {
                    self.wanted_at = now;
                }
                if now < retry_at || self.expired(now) {
                    return None;
                }
                self.place = Place::Awake { failures };
                Some(Action::Start)
            }
            Place::Awake { failures } => self.awake(now, failures, demand, sight),
        }
    }

    /// When to ask again although nothing has happened. Holds for what [`Machine::next`] was told last.
    pub fn deadline(&self, demand: Demand, sight: Sight) -> Option<Instant> {
        let linger_ends = self.wanted_at.checked_add(self.linger);
        match self.place {
            Place::Asleep => None,
            Place::Failed { retry_at, .. } => (self.blind(demand)
                || linger_ends.is_none_or(|end| retry_at < end))
            .then_some(retry_at),
            Place::Awake { .. } if demand.wished => {
                self.fresh(demand, sight).map(|_| self.due(sight))
            }
            Place::Awake { .. } if demand.noticed => None,
            Place::Awake { .. } => linger_ends,
        }
    }

    /// The exposure was published.
    pub fn published(&mut self, now: Instant, exposure: u64) {
        self.published = Some(exposure);
        self.opens_are_seen = true;
        self.slot_retry = now;
        // Steps from the moment that was due, so that one late frame does not make all later ones late.
        let next = self.not_before + self.interval;
        self.not_before = if now < next {
            next
        } else {
            now + self.interval
        };
    }

    /// The exposure cannot be a frame; the next one may.
    pub fn unusable(&mut self, exposure: u64) {
        self.unusable = Some(exposure);
    }

    /// The slot did not take the frame.
    pub fn refused(&mut self, now: Instant) {
        self.slot_retry = now + SLOT_RETRY;
    }

    /// The source failed and was stopped. `jitter` is any number from 0 to 1. Gives the time until the next try.
    pub fn failed(&mut self, now: Instant, jitter: f64) -> Duration {
        let failures = match self.place {
            Place::Asleep => 0,
            Place::Awake { failures } | Place::Failed { failures, .. } => failures,
        };
        let doubled = FIRST_RETRY * 2u32.saturating_pow(failures.min(16));
        let delay = doubled
            .min(LAST_RETRY)
            .mul_f64(0.75 + 0.5 * jitter.clamp(0.0, 1.0));
        self.place = Place::Failed {
            failures: failures.saturating_add(1),
            retry_at: now + delay,
        };
        delay
    }

    /// A failed source may work again: the next try is due at once.
    pub fn is_back(&mut self, now: Instant) {
        if let Place::Failed { retry_at, .. } = &mut self.place {
            *retry_at = now.min(*retry_at);
        }
    }

    fn awake(
        &mut self,
        now: Instant,
        failures: u32,
        demand: Demand,
        sight: Sight,
    ) -> Option<Action> {
        if sight.works {
            self.place = Place::Awake { failures: 0 };
        }
        let wanted = demand.wished || demand.noticed;
        // While a camera fails, an old wish that cannot be answered must not keep it trying for ever.
        if demand.active || self.blind(demand) || (wanted && (failures == 0 || sight.works)) {
            self.wanted_at = now;
        }
        if demand.wished
            && now >= self.due(sight)
            && let Some(exposure) = self.fresh(demand, sight)
        {
            return Some(Action::Publish(exposure));
        }
        if !wanted && self.expired(now) {
            self.place = Place::Asleep;
            return Some(Action::Stop);
        }
        None
    }

    /// When the next frame may be published. Exposures that come at the rate asked for are not held back as well.
    fn due(&self, sight: Sight) -> Instant {
        if sight.keeps_pace {
            self.slot_retry
        } else {
            self.not_before.max(self.slot_retry)
        }
    }

    /// The exposure at hand, if it was not used already. One whose frame was taken out of the slot may be used again.
    fn fresh(&self, demand: Demand, sight: Sight) -> Option<u64> {
        sight.exposure.filter(|exposure| {
            Some(*exposure) > self.unusable && (demand.empty || Some(*exposure) > self.published)
        })
    }

    /// Readers cannot be seen: those of an earlier producer's frame, and those of no frame at all. One is assumed.
    fn blind(&self, demand: Demand) -> bool {
        demand.empty || !self.opens_are_seen
    }

    fn expired(&self, now: Instant) -> bool {
        now.duration_since(self.wanted_at) >= self.linger
    }
}

#[cfg(test)]
mod tests;
