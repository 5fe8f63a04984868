//! Which size is wanted of a camera whose frame, or the rendition asked for, cannot be sent: the
//! largest that can be, and after a while again what was asked for.
//!
//! A producer says of what kind its frames are only while somebody looks at them, so that what was
//! asked for may be sent again is found out by asking for it. That costs a picture or two, and so
//! it is done less and less often.

use std::time::{Duration, Instant};

use eyelid_config::RtpSize;

/// How long a stand-in goes before what was asked for is tried again, for the first time and at
/// most.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What one stream asks for, and gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StandIn {
    asked: RtpSize,
    instead: Option<Instead>,
    /// How long the next stand-in goes.
    pause: Duration,
}

/// What comes since something could not be sent: what was asked for itself, if that was a frame in
/// its place.
#[derive(Clone, Copy, Debug)]
struct Instead {
    size: RtpSize,
    /// When what was asked for is tried again.
    until: Instant,
}

impl StandIn {
    /// Asks for this size, for which nothing stands in yet.
    pub(crate) fn new(asked: RtpSize) -> Self {
        Self {
            asked,
            instead: None,
            pause: FIRST_PAUSE,
        }
    }

    /// What was asked for.
    pub(crate) fn asked(&self) -> RtpSize {
        self.asked
    }

    /// What is to come next.
    pub(crate) fn wanted(&self) -> RtpSize {
        self.instead.map_or(self.asked, |instead| instead.size)
    }

    /// Says whether the frame is of no use in the place of what is to come next. What could not be
    /// sent was the frame, or a rendition, which is too large, and so is the frame.
    pub(crate) fn is_frame_useless(&self) -> bool {
        self.instead.is_some()
    }

    /// Says whether what came is in place of what was asked for.
    pub(crate) fn stands_in(&self, came: RtpSize) -> bool {
        came != self.asked && self.is_awaited(came)
    }

    fn is_awaited(&self, came: RtpSize) -> bool {
        self.instead.is_some_and(|instead| instead.size == came)
    }

    /// What came can be sent.
    pub(crate) fn on_sendable(&mut self, came: RtpSize) {
        if !self.is_awaited(came) {
            *self = Self::new(self.asked);
        }
    }

    /// What came cannot be sent. Gives what may be of what was asked for and all that is smaller,
    /// which comes from now on: the largest for which `can_go` is true.
    pub(crate) fn on_unsendable(
        &mut self,
        came: RtpSize,
        now: Instant,
        can_go: impl Fn(RtpSize) -> bool,
    ) -> Option<RtpSize> {
        let all = encoded_anew(self.asked);
        let at = all.iter().position(|size| *size == came);
        let smaller = &all[at.map_or(0, |at| at + 1)..];
        let found = smaller.iter().copied().find(|size| can_go(*size));
        // Who wants a rendition hears when one is on offer.
        let size = found.unwrap_or(all[0]);
        let until = self.instead.map_or(now + self.pause, |known| known.until);
        self.instead = Some(Instead { size, until });
        found
    }

    /// Tries again what was asked for, if it is time to.
    pub(crate) fn retry(&mut self, now: Instant) {
        if self
            .instead
            .take_if(|instead| now >= instead.until)
            .is_some()
        {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// What may go where this was asked for and the frame cannot, the largest first. Not `low` where
/// the frame was asked for: it has as many pixels, and what is too large stays so.
fn encoded_anew(asked: RtpSize) -> &'static [RtpSize] {
    match asked {
        RtpSize::Current | RtpSize::Half => &[RtpSize::Half, RtpSize::Quarter],
        RtpSize::Low => &[RtpSize::Low, RtpSize::Half, RtpSize::Quarter],
        RtpSize::Quarter => &[RtpSize::Quarter],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RtpSize::{Current, Half, Low, Quarter};

    /// What comes where these can be sent and are on offer, `came` cannot, and `asked` was asked
    /// for.
    fn instead_of(asked: RtpSize, came: RtpSize, fit: &[RtpSize]) -> (Option<RtpSize>, RtpSize) {
        let mut stand_in = StandIn::new(asked);
        let can_go = |size| fit.contains(&size);
        let found = stand_in.on_unsendable(came, Instant::now(), can_go);
        (found, stand_in.wanted())
    }

    #[test]
    fn the_largest_at_or_below_what_was_asked_for_stands_in() {
        // A camera of 4608 px, of which only a quarter fits.
        for asked in [Current, Low, Half, Quarter] {
            let found = (Some(Quarter), Quarter);
            assert_eq!(instead_of(asked, Current, &[Quarter]), found, "{asked:?}");
        }
        assert_eq!(instead_of(Low, Low, &[Quarter]).1, Quarter);
        assert_eq!(instead_of(Half, Half, &[Quarter]).1, Quarter);
        // One of 4:4:4.
        assert_eq!(instead_of(Current, Current, &[Half, Quarter]).1, Half);
        assert_eq!(instead_of(Low, Low, &[Low, Half, Quarter]).1, Half);
        assert_eq!(instead_of(Half, Half, &[Half, Quarter]).1, Quarter);
        // The frame came because what was asked for was late.
        let late = instead_of(Half, Current, &[Half, Quarter]);
        assert_eq!(late, (Some(Half), Half));
        // Nothing fits: what was asked for may yet, and so may a rendition of the frame.
        assert_eq!(instead_of(Quarter, Quarter, &[Quarter]), (None, Quarter));
        assert_eq!(instead_of(Low, Current, &[]), (None, Low));
        assert_eq!(instead_of(Current, Current, &[]), (None, Half));
    }

    #[test]
    fn what_was_asked_for_is_tried_again_and_less_often_where_that_fails() {
        let (mut stand_in, start) = (StandIn::new(Current), Instant::now());
        let mut now = start;
        for seconds in [10, 20, 40, 60, 60] {
            let found = stand_in.on_unsendable(Current, now, |_| true);
            assert_eq!(found, Some(Half));
            stand_in.on_sendable(Half);
            let pause = Duration::from_secs(seconds);
            stand_in.retry(now + pause - Duration::from_millis(1));
            assert_eq!(stand_in.wanted(), Half);
            now += pause;
            stand_in.retry(now);
            assert_eq!(stand_in.wanted(), Current);
        }
        // It can be sent again: that it once could not is forgotten.
        stand_in.on_sendable(Current);
        stand_in.on_unsendable(Current, now, |_| true);
        stand_in.retry(now + FIRST_PAUSE);
        assert_eq!(stand_in.wanted(), Current);
    }

    #[test]
    fn the_frame_is_useless_from_when_something_could_not_be_sent_until_it_is_tried_again() {
        // The last two are of a frame that came because what was asked for was late.
        for (asked, came) in [
            (Current, Current),
            (Low, Low),
            (Low, Current),
            (Half, Current),
        ] {
            let (mut stand_in, start) = (StandIn::new(asked), Instant::now());
            assert!(!stand_in.is_frame_useless());
            stand_in.on_unsendable(came, start, |size| size != Low);
            stand_in.on_sendable(stand_in.wanted());
            assert!(stand_in.is_frame_useless(), "{asked:?}");
            stand_in.retry(start + FIRST_PAUSE);
            assert!(!stand_in.is_frame_useless());
        }
        // Where nothing else is on offer the frame comes all the same, and may have become another.
        let mut stand_in = StandIn::new(Half);
        stand_in.on_unsendable(Current, Instant::now(), |_| false);
        stand_in.on_sendable(Current);
        assert!(!stand_in.is_frame_useless());
    }

    #[test]
    fn a_frame_that_comes_late_in_its_place_puts_nothing_off() {
        let (mut stand_in, start) = (StandIn::new(Current), Instant::now());
        stand_in.on_unsendable(Current, start, |_| true);
        stand_in.on_unsendable(Current, start + FIRST_PAUSE / 2, |_| true);
        stand_in.retry(start + FIRST_PAUSE);
        assert_eq!(stand_in.wanted(), Current);
        // If it can be sent, it is what was asked for.
        stand_in.on_unsendable(Current, start, |_| true);
        stand_in.on_sendable(Current);
        assert_eq!(stand_in.wanted(), Current);
    }
}
