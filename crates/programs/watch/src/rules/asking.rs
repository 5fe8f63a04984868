//! When a rule is asked about: after movement, by the clock, and again where there was no answer.

use std::time::Duration;

use super::terms::retry_after;
use crate::alert::Judge;
use crate::moment::Monotonic;

/// What was asked for one rule, and what is still to be.
#[derive(Clone, Debug, Default)]
pub(super) struct Asking {
    /// When somebody was asked last.
    asked: Option<Monotonic>,
    /// That question has come to nothing yet.
    is_open: bool,
    /// Something moves in the picture that was looked at last.
    is_moving: bool,
    /// Something has moved since: what it came to is to be seen when it moves no more. Who brings a
    /// parcel is asked about before it lies there.
    has_moved: bool,
    /// From when on it is asked again, whatever moves, for the last question had no answer: what it
    /// was about may not move again.
    owed: Option<Monotonic>,
    /// Questions in a row that had none.
    misses: u32,
}

impl Asking {
    /// Something moves where the rule looks, or nothing does.
    pub(super) fn looked(&mut self, is_moving: bool) {
        self.is_moving = is_moving;
        self.has_moved |= is_moving;
    }

    /// The rule does not look now: what moves is none of its business.
    pub(super) fn looks_away(&mut self) {
        (self.is_moving, self.has_moved) = (false, false);
    }

    /// Somebody is asked now, about the picture that was looked at last.
    pub(super) fn asked(&mut self, judge: Judge, now: Monotonic) {
        // Who walks out is still to be seen in the last picture in which something moves: the
        // detector is asked once more, when nothing does. A model's answer costs too much.
        let is_asked_when_still = judge == Judge::Sees;
        *self = Self {
            asked: Some(now),
            is_open: true,
            is_moving: self.is_moving,
            has_moved: self.is_moving && is_asked_when_still,
            misses: self.misses,
            ..Self::default()
        };
    }

    /// There is an answer.
    pub(super) fn answered(&mut self) {
        (self.is_open, self.owed, self.misses) = (false, None, 0);
    }

    /// There is none, and the next question may have no better luck.
    pub(super) fn missed(&mut self, now: Monotonic) {
        self.put_off(retry_after(self.misses), now);
        self.misses = self.misses.saturating_add(1);
    }

    /// Nobody was asked after all, for it was not time to: it is in so long.
    pub(super) fn put_off(&mut self, wait: Duration, now: Monotonic) {
        self.is_open = false;
        self.owed = Some(now.plus(wait));
    }

    /// Who was asked is not waited for any more.
    pub(super) fn dropped(&mut self, now: Monotonic) {
        if self.is_open {
            self.put_off(Duration::ZERO, now);
        }
    }

    /// Says whether a question is without an answer that is not asked again by itself: after a
    /// restart it is to be. The detector is asked so often that nothing is written down for that.
    pub(super) fn is_unanswered(&self, judge: Judge) -> bool {
        judge == Judge::Says && (self.is_open || self.owed.is_some())
    }

    /// Says whether somebody is to be asked, of whom these are the pauses where something moves and
    /// where nothing does.
    pub(super) fn is_due(&self, (moving, still): (Duration, Duration), now: Monotonic) -> bool {
        let is_moving = self.is_moving || self.has_moved;
        let pause = if is_moving { moving } else { still };
        let is_time = self.asked.is_none_or(|asked| now.since(asked) >= pause);
        let is_wanted = is_moving || still < Duration::MAX;
        (is_time && is_wanted) || self.owed.is_some_and(|owed| owed <= now)
    }
}
