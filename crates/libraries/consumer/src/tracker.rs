//! What is known of a slot, and what follows from it: the decisions of all clients together, apart
//! from clocks and files.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{Phase, State};

use crate::FrameNumber;
use crate::MeasuredRate;

/// How long a wish is good for: after it one is made again, for it may have been lost with a
/// producer that died. As often a waiting client looks for itself, for inotify says nothing of a
/// directory that was replaced while a file of it is open.
pub(crate) const RECHECK: Duration = Duration::from_secs(1);

/// How often a waiting client looks where the slot cannot be watched, for example because it does
/// not exist yet.
pub(crate) const POLL: Duration = Duration::from_millis(20);

/// A producer that has a newer frame than the one in the slot answers a wish within this, even if
/// it has only just been started for it.
pub(crate) const ANSWER: Duration = Duration::from_millis(250);

/// The interval between frames where the producer does not say it.
const USUAL_INTERVAL: Duration = Duration::from_millis(33);

/// Frames a second that a source may give, as far as its producer is believed: from one in 100 s to
/// as many as no camera gives.
const PLAUSIBLE_FPS: RangeInclusive<f64> = 0.01..=1000.0;

/// How this process learns of changes in a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Watching {
    /// inotify tells of them.
    Inotify,
    /// Clients look for them while they wait.
    #[default]
    Polling,
}

/// The wish for a frame newer than the one in the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It is to be made now.
    Now,
    /// It was made then, and still holds.
    Made(Instant),
}

/// A frame that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// Its number.
    pub(crate) number: FrameNumber,
    /// Its moment of capture, by the producer's clock.
    pub(crate) captured: SystemTime,
    /// When it was seen to come into the slot; `None` if it lay there before anybody looked.
    pub(crate) arrived: Option<Instant>,
}

/// What is known of a slot.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    watching: Watching,
    newest: Option<Known>,
    /// The number of the newest frame that was seen to come, read or not.
    last_seen: FrameNumber,
    /// When a frame that has not been read came.
    unread_arrived: Option<Instant>,
    /// The slot may hold another frame than the one that was read last.
    may_differ: bool,
    wished: Option<Instant>,
    /// When a wish was made first since a frame came.
    unanswered_since: Option<Instant>,
    has_failed: bool,
    interval: Option<Duration>,
    rate: MeasuredRate,
}

impl Tracker {
    /// How this process learns of changes in this slot.
    pub(crate) fn watching(&self) -> Watching {
        self.watching
    }

    /// The number of the newest frame that was seen to come, read or not.
    pub(crate) fn last_seen(&self) -> FrameNumber {
        self.last_seen
    }

    /// The frame that was read last.
    pub(crate) fn newest(&self) -> Option<Known> {
        self.newest
    }

    /// The producer says that its camera has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// The time between two frames, as the producer says.
    pub(crate) fn interval(&self) -> Duration {
        self.interval.unwrap_or(USUAL_INTERVAL)
    }

    /// The same, or what it was when the wish was made that is unanswered, if that is longer: where
    /// the producer does not say it, or readers want fewer.
    pub(crate) fn longest_interval(&self) -> Duration {
        let rate = self.unanswered_since.map(|since| self.rate(since));
        let rate = rate.filter(|rate| PLAUSIBLE_FPS.contains(rate));
        let of_late = rate.map(|rate| Duration::from_secs_f64(1.0 / rate));
        self.interval().max(of_late.unwrap_or_default())
    }

    /// Since when a wish has gone unanswered; `None` where none has.
    pub(crate) fn unanswered_since(&self) -> Option<Instant> {
        self.unanswered_since
    }

    /// Frames a second that came of late.
    pub(crate) fn rate(&self, now: Instant) -> f64 {
        self.rate.per_second(now)
    }

    /// A frame came into the slot.
    pub(crate) fn frame_arrived(&mut self, now: Instant) {
        self.last_seen = self.last_seen.next();
        self.unread_arrived = Some(now);
        self.may_differ = true;
        self.unanswered_since = None;
        self.rate.count(now);
    }

    /// The producer says this of itself.
    pub(crate) fn state_changed(&mut self, state: Option<&State>) {
        self.has_failed = state.is_some_and(|state| state.state == Phase::Failed);
        self.interval = plausible_fps(state).map(|fps| Duration::from_secs_f64(1.0 / fps));
    }

    /// Anything may have happened in the slot. From now on its changes are learnt of in this way.
    pub(crate) fn anything_changed(&mut self, watching: Watching) {
        self.watching = watching;
        self.may_differ = true;
    }

    /// A client that looked for itself found another frame than the one that was read last.
    ///
    /// Where the slot is polled, this counts as the moment at which the frame came: the look before
    /// was 20 ms ago. Without a moment the frame would have to prove that it is the newest
    /// ([`Tracker::is_newest`]), which takes so long that the next one comes first.
    pub(crate) fn another_found(&mut self, now: Instant) {
        self.may_differ = true;
        if self.watching == Watching::Polling && self.newest.is_some() {
            self.unread_arrived = Some(now);
        }
    }

    /// Says whether the slot must be opened to know the newest frame.
    pub(crate) fn needs_look(&self) -> bool {
        self.may_differ || self.newest.is_none()
    }

    /// The slot was opened. What lies in it is as known as it can be until something changes:
    /// [`Tracker::found_same`] or [`Tracker::read`] follows, or nothing where it is no whole frame.
    pub(crate) fn looked(&mut self) {
        self.may_differ = false;
    }

    /// The slot holds the frame that was read last. If it was read before its rename was heard of,
    /// the rename has been counted as another frame's: this puts the count right.
    pub(crate) fn found_same(&mut self) {
        if let Some(newest) = self.newest {
            self.last_seen = newest.number;
        }
    }

    /// A file was read that is the same frame once more. The wish was answered with it: a newer one
    /// has to be wished for anew.
    pub(crate) fn read_same(&mut self) {
        self.found_same();
        self.wished = None;
    }

    /// The number that the frame in the slot has, if it is another than the one that was read last.
    pub(crate) fn number_of_another(&self) -> FrameNumber {
        let read = self.newest.map(|newest| newest.number);
        self.last_seen.max(read.unwrap_or_default().next())
    }

    /// A frame was read, other than the one before.
    pub(crate) fn read(&mut self, captured: SystemTime) {
        self.last_seen = self.number_of_another();
        self.newest = Some(Known {
            number: self.last_seen,
            captured,
            arrived: self.unread_arrived.take(),
        });
        self.wished = None;
        self.unanswered_since = None;
    }

    /// Says whether a client that has the frame with this number can only wait for the next to
    /// come: it has the newest, and the camera is well.
    pub(crate) fn is_up_to_date(&self, number: FrameNumber) -> bool {
        let newest = self.newest.map(|newest| newest.number);
        !self.may_differ && !self.has_failed && newest == Some(number)
    }

    /// Wishes for a frame newer than the one in the slot: once, and again when that was long ago.
    pub(crate) fn wish(&mut self, now: Instant) -> Wish {
        if let Some(made) = self.wished.filter(|made| now - *made < RECHECK) {
            return Wish::Made(made);
        }
        self.wished = Some(now);
        self.unanswered_since.get_or_insert(now);
        Wish::Now
    }

    /// Says whether the producer can have no frame newer than this: either it came so lately that
    /// there has been no other, or the producer was asked since and had time to answer.
    pub(crate) fn is_newest(&self, frame: Known, now: Instant) -> bool {
        let arrived_lately =
            (frame.arrived).is_some_and(|arrived| now - arrived <= self.interval());
        arrived_lately || self.wished.is_some_and(|made| now - made >= ANSWER)
    }

    /// Nobody looks any more: nothing is known but how many frames there were, for numbers are not
    /// used twice.
    pub(crate) fn forget(&mut self) {
        *self = Self {
            last_seen: self.last_seen,
            ..Self::default()
        };
    }
}

/// Frames a second that a source gives at most, as far as its producer says and is believed.
pub(crate) fn plausible_fps(state: Option<&State>) -> Option<f64> {
    state?.fps.filter(|fps| PLAUSIBLE_FPS.contains(fps))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    /// A slot that is watched by inotify, with a frame that came now and was read.
    fn with_frame(now: Instant) -> Tracker {
        let mut tracker = Tracker::default();
        tracker.anything_changed(Watching::Inotify);
        tracker.frame_arrived(now);
        tracker.looked();
        tracker.read(SystemTime::now());
        tracker
    }

    fn number(tracker: &Tracker) -> FrameNumber {
        tracker.newest().unwrap().number
    }

    #[test]
    fn a_frame_is_read_once() {
        let now = Instant::now();
        let mut tracker = Tracker::default();
        assert!(tracker.needs_look());
        tracker = with_frame(now);
        assert!(!tracker.needs_look());
        tracker.frame_arrived(now);
        assert!(tracker.needs_look());
    }

    #[test]
    fn frames_that_were_not_read_are_counted() {
        let now = Instant::now();
        let mut tracker = with_frame(now);
        let first = number(&tracker);
        (0..3).for_each(|_| tracker.frame_arrived(now));
        tracker.looked();
        tracker.read(SystemTime::now());
        assert_eq!(number(&tracker).skipped_since(first), 2);
    }

    #[test]
    fn a_frame_read_before_it_was_heard_of_is_counted_once() {
        let now = Instant::now();
        let mut tracker = with_frame(now);
        let first = number(&tracker);
        tracker.another_found(now);
        tracker.looked();
        tracker.read(SystemTime::now());
        tracker.frame_arrived(now);
        tracker.looked();
        tracker.found_same();
        assert_eq!(number(&tracker).skipped_since(first), 0);
        tracker.frame_arrived(now);
        tracker.looked();
        tracker.read(SystemTime::now());
        assert_eq!(number(&tracker).skipped_since(first), 1);
    }

    #[test]
    fn only_a_client_with_the_newest_frame_of_a_camera_that_is_well_is_up_to_date() {
        let now = Instant::now();
        let mut tracker = with_frame(now);
        let newest = number(&tracker);
        assert!(tracker.is_up_to_date(newest));
        assert!(!tracker.is_up_to_date(FrameNumber::default()));
        let failed = State::failed("it is out".to_owned(), SystemTime::now());
        tracker.state_changed(Some(&failed));
        assert!(!tracker.is_up_to_date(newest));
        tracker.state_changed(None);
        assert!(tracker.is_up_to_date(newest));
        tracker.frame_arrived(now);
        assert!(!tracker.is_up_to_date(newest));
    }

    #[test]
    fn a_wish_is_made_once_and_again_when_that_was_long_ago() {
        let now = Instant::now();
        let mut tracker = with_frame(now);
        assert_eq!(tracker.wish(now), Wish::Now);
        let just_before = now + RECHECK - MOMENT;
        assert_eq!(tracker.wish(just_before), Wish::Made(now));
        assert_eq!(tracker.wish(now + RECHECK), Wish::Now);
        tracker.frame_arrived(now);
        assert_eq!(
            tracker.wish(now + RECHECK),
            Wish::Made(now + RECHECK),
            "not read yet"
        );
        tracker.looked();
        tracker.read(SystemTime::now());
        assert_eq!(tracker.wish(now + RECHECK), Wish::Now);
    }

    #[test]
    fn the_interval_is_the_producers_where_that_makes_sense() {
        let mut tracker = Tracker::default();
        for (fps, interval) in [
            (None, USUAL_INTERVAL),
            (Some(10.0), Duration::from_millis(100)),
            (Some(0.0), USUAL_INTERVAL),
            (Some(-1.0), USUAL_INTERVAL),
            (Some(1e-300), USUAL_INTERVAL),
            (Some(f64::NAN), USUAL_INTERVAL),
        ] {
            let state = State {
                fps,
                ..State::failed(String::new(), SystemTime::now())
            };
            tracker.state_changed(Some(&state));
            assert_eq!(tracker.interval(), interval, "{fps:?}");
        }
    }

    #[test]
    fn nothing_is_kept_when_nobody_looks_but_the_numbers() {
        let now = Instant::now();
        let mut tracker = with_frame(now);
        let last = number(&tracker);
        tracker.forget();
        assert!(tracker.needs_look() && tracker.newest().is_none());
        assert_eq!(tracker.watching(), Watching::Polling);
        assert_eq!(tracker.rate(now), 0.0);
        assert_eq!(tracker.last_seen(), last);
        tracker.frame_arrived(now);
        tracker.looked();
        tracker.read(SystemTime::now());
        assert!(number(&tracker) > last);
    }
}
