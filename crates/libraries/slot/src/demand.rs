//! Whether somebody wants the next frame: the decision, apart from inotify.

use std::time::{Duration, Instant};

use rustix::fs::inotify::ReadFlags;

/// How long an open frame may be held before holding counts as a wish. A reader shown one frame a
/// second holds each for that second; a reader that never closes still gets its next frame.
pub(crate) const HOLD: Duration = Duration::from_secs(2);

/// What is known of the readers of the frame that lies in the slot.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    wished: bool,
    /// Nobody was seen, but somebody may have been missed.
    assumed: bool,
    opened: Option<Instant>,
}

impl Demand {
    /// A wish that needs no reader: nothing lies in the slot, or something may have been missed.
    pub(crate) fn assume(&mut self) {
        self.assumed = true;
    }

    /// Takes in what inotify(7) tells of the file.
    pub(crate) fn take_in(&mut self, mask: ReadFlags, now: Instant) {
        if mask.contains(ReadFlags::OPEN) {
            self.opened(now);
        }
        if mask.contains(ReadFlags::CLOSE_NOWRITE) {
            self.closed();
        }
    }

    /// Somebody opened the frame.
    pub(crate) fn opened(&mut self, now: Instant) {
        self.opened.get_or_insert(now);
    }

    /// Somebody closed it.
    pub(crate) fn closed(&mut self) {
        self.wished = true;
    }

    /// A new frame lies in the slot: the readers of the old one have had their wish.
    pub(crate) fn published(&mut self) {
        *self = Self::default();
    }

    /// Says whether the next frame is wanted.
    pub(crate) fn wished(&self, now: Instant) -> bool {
        self.is_settled() || self.deadline().is_some_and(|at| at <= now)
    }

    /// Says whether anybody has looked at the frame since it was published.
    pub(crate) fn noticed(&self) -> bool {
        self.assumed || self.is_seen()
    }

    /// The same, but only of who was seen.
    pub(crate) fn is_seen(&self) -> bool {
        self.wished || self.opened.is_some()
    }

    fn is_settled(&self) -> bool {
        self.wished || self.assumed
    }

    /// Says whether readers were assumed since the frame was published.
    pub(crate) fn is_assumed(&self) -> bool {
        self.assumed
    }

    /// When a held frame becomes a wish.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.is_settled() {
            None
        } else {
            self.opened.map(|at| at + HOLD)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_is_the_wish_and_holding_delays_it() {
        let start = Instant::now();
        let mut demand = Demand::default();
        assert!(!demand.wished(start) && !demand.noticed());
        demand.opened(start);
        assert!(!demand.wished(start) && demand.noticed());
        demand.opened(start + HOLD / 2);
        assert!(!demand.wished(start + HOLD - Duration::from_millis(1)));
        assert!(
            demand.wished(start + HOLD),
            "a reader that never closes still gets its next frame"
        );
        demand.published();
        assert!(!demand.wished(start + HOLD) && demand.deadline().is_none());
        demand.opened(start);
        demand.closed();
        assert!(demand.wished(start));
    }
}
