//! What lies in the slot of a camera that does not run: the decision, apart from files.
//!
//! Where cameras are many, whoever lists them must wake none, and their last frames are not to fill
//! the tmpfs. A placeholder then takes the frame's place: before there is a frame, and a minute
//! after the camera has fallen asleep. Readers that may have been missed are not assumed: one that
//! still waits wishes again within a second. Any camera minds a placeholder that it finds in its
//! slot: whoever had the slot has seen that nobody opened it.

use std::time::{Duration, Instant};

/// How long the last frame of a camera that has stopped stays.
const FRAME_STAYS: Duration = Duration::from_secs(60);

/// How often a placeholder is tried again that the slot refused.
const RETRY: Duration = Duration::from_secs(5);

/// What lies in the slot of a camera that does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// Its last frame. Where nothing lies, a reader is assumed: a camera that has just been set up
    /// shows that it works.
    Frame,
    /// A placeholder, dated 1970, so that a wish is seen from the first one on.
    Placeholder,
}

/// What is known of it.
#[derive(Debug)]
pub(crate) struct Resting {
    rest: Rest,
    /// More than a placeholder may lie in the slot.
    has_frame: bool,
    /// When the camera stopped.
    stopped: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Resting {
    /// Begins with a slot in which nobody knows what lies.
    pub(crate) fn new(rest: Rest) -> Self {
        Self {
            rest,
            has_frame: true,
            stopped: None,
            retry_at: None,
        }
    }

    /// A placeholder lies there, of whoever had the slot before.
    pub(crate) fn found_placeholder(&mut self) {
        self.has_frame = false;
    }

    /// Says whether a placeholder is to be put into the slot. Its camera runs or not, and a wish is
    /// only assumed, or was seen.
    pub(crate) fn is_due(&mut self, now: Instant, runs: bool, is_wish_assumed: bool) -> bool {
        if self.retry_at.is_some_and(|at| now < at) {
            return false;
        }
        self.retry_at = None;
        let is_over = self.frame_ends().is_some_and(|at| at <= now);
        self.minds_only_who_is_seen(runs) && (is_wish_assumed || is_over)
    }

    /// Says whether readers that are only assumed are no demand, for a camera that runs or not.
    pub(crate) fn minds_only_who_is_seen(&self, runs: bool) -> bool {
        !runs && (self.rest == Rest::Placeholder || !self.has_frame)
    }

    /// The camera has been started.
    pub(crate) fn started(&mut self) {
        self.stopped = None;
        self.retry_at = None;
    }

    /// The camera has stopped.
    pub(crate) fn stopped(&mut self, now: Instant) {
        self.stopped = Some(now);
    }

    /// A frame, or a rendition, lies in the slot.
    pub(crate) fn published(&mut self) {
        self.has_frame = true;
    }

    /// A placeholder lies there.
    pub(crate) fn placed(&mut self) {
        self.has_frame = false;
        self.retry_at = None;
    }

    /// The slot did not take it.
    pub(crate) fn refused(&mut self, now: Instant) {
        self.retry_at = Some(now + RETRY);
    }

    /// When it may be due although nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.retry_at.or(self.frame_ends())
    }

    fn frame_ends(&self) -> Option<Instant> {
        let stopped = self.stopped.filter(|_| self.has_frame)?;
        (self.rest == Rest::Placeholder).then(|| stopped + FRAME_STAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_comes_before_the_first_frame_and_a_minute_after_the_last() {
        let start = Instant::now();
        let mut resting = Resting::new(Rest::Placeholder);
        assert!(resting.is_due(start, false, true));
        assert!(!resting.is_due(start, true, true), "a frame is to come");
        resting.placed();
        assert!(!resting.is_due(start, false, false));
        assert_eq!(resting.deadline(), None);
        resting.started();
        resting.published();
        assert_eq!(resting.deadline(), None);
        resting.stopped(start);
        assert_eq!(resting.deadline(), Some(start + FRAME_STAYS));
        assert!(!resting.is_due(start + FRAME_STAYS / 2, false, false));
        assert!(resting.is_due(start + FRAME_STAYS, false, false));
        resting.refused(start + FRAME_STAYS);
        assert!(!resting.is_due(start + FRAME_STAYS, false, true));
        assert!(resting.is_due(start + FRAME_STAYS + RETRY, false, true));
        resting.placed();
        assert_eq!(resting.deadline(), None);
    }

    #[test]
    fn a_camera_that_keeps_its_frame_has_none() {
        let start = Instant::now();
        let mut resting = Resting::new(Rest::Frame);
        resting.published();
        resting.stopped(start);
        assert!(!resting.is_due(start + 2 * FRAME_STAYS, false, true));
        assert_eq!(resting.deadline(), None);
    }

    #[test]
    fn one_that_finds_a_placeholder_has_one_until_its_first_frame() {
        let start = Instant::now();
        let mut resting = Resting::new(Rest::Frame);
        resting.found_placeholder();
        assert!(resting.is_due(start, false, true));
        resting.placed();
        assert!(resting.minds_only_who_is_seen(false));
        assert!(!resting.is_due(start, false, false));
        assert!(resting.is_due(start, false, true), "it was taken away");
        resting.started();
        resting.published();
        resting.stopped(start);
        assert!(!resting.minds_only_who_is_seen(false));
        assert_eq!(resting.deadline(), None);
    }
}
