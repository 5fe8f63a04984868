//! Full pictures of the test picture, as of a camera that has to change its configuration for them:
//! so that this can be tried without one.

use std::time::{Duration, Instant, SystemTime};

use eyelid_config::Size;
use eyelid_producer::{EncodedFrame, FullTotals};

use super::painter::Painter;
use crate::Settings;
use crate::fit::MOST_TEST_PIXELS;
use crate::source::still::{AutoExposure, StillAction, StillPlan, StillWay};

/// How long the pretended change of configuration takes, from the last frame of one size to the
/// first of the other: about what libcamera's cameras take to start.
const CHANGE: Duration = Duration::from_millis(200);

/// How long the camera may give nothing. It never does.
const PATIENCE: Duration = Duration::from_secs(5);

/// The full pictures of a test picture.
pub(super) struct FullTest {
    size: Size,
    plan: StillPlan,
    /// When the next frame of the full size comes.
    next: Option<Instant>,
    interval: Duration,
    captured: SystemTime,
    /// There is one while a picture is taken: its memory is that of a whole picture.
    painter: Option<Painter>,
}

impl FullTest {
    /// Gives twice the width and height of the stream's frames, if the test picture may be so
    /// large.
    pub(super) fn of(size: Size, interval: Duration) -> Option<Self> {
        let full = Size {
            width: size.width * 2,
            height: size.height * 2,
        };
        let pixels = u64::from(full.width) * u64::from(full.height);
        (pixels <= MOST_TEST_PIXELS).then(|| Self {
            size: full,
            plan: StillPlan::new(PATIENCE),
            next: None,
            interval,
            captured: SystemTime::UNIX_EPOCH,
            painter: None,
        })
    }

    /// Begins with a full picture, if it may. Says whether it did: the stream stands still then.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let may = self.plan.may_begin(now);
        if may {
            self.plan.begun(now, StillWay::Change);
            self.next = Some(now + CHANGE);
        }
        may
    }

    /// Takes in what has come by now, at `clock`, which is `now` on the wall. Gives when the stream
    /// goes on, if that is clear now.
    pub(super) fn advance(&mut self, now: Instant, clock: SystemTime) -> Option<Instant> {
        while let Some(due) = self.next.filter(|due| *due <= now) {
            let since = now.duration_since(due);
            self.captured = clock.checked_sub(since).unwrap_or(clock);
            self.plan.frame(due, AutoExposure::Unknown);
            self.next = (!self.has_picture()).then(|| due + self.interval);
        }
        match self.plan.next(now)? {
            StillAction::Return | StillAction::GiveUp => {
                self.next = None;
                self.painter = None;
                self.plan.returning();
                Some(now + CHANGE)
            }
        }
    }

    /// Encodes the full picture at hand.
    pub(super) fn encode(
        &mut self,
        fps: f64,
        number: u64,
        settings: &Settings,
    ) -> Option<EncodedFrame<'_>> {
        if !self.has_picture() {
            return None;
        }
        self.plan.encoded();
        let new = || Painter::new(self.size, fps, settings);
        let painter = self.painter.get_or_insert_with(new);
        match painter.frame(number, self.captured) {
            Ok(frame) => Some(frame),
            Err(error) => {
                self.plan.fail(error);
                None
            }
        }
    }

    /// The stream has given a frame.
    pub(super) fn stream_goes_on(&mut self, now: Instant) {
        if self.plan.is_returning() {
            self.stop(now);
        }
    }

    /// The camera is stopped.
    pub(super) fn stop(&mut self, now: Instant) {
        self.next = None;
        self.painter = None;
        self.plan.returned(now);
    }

    /// See [`StillPlan::waiting`].
    pub(super) fn waiting(&self) -> String {
        self.plan.waiting()
    }

    /// The size of a full picture before it is turned, if there are any.
    pub(super) fn size(&self) -> Option<Size> {
        self.plan.is_possible().then_some(self.size)
    }

    /// See [`StillPlan::totals`].
    pub(super) fn totals(&self) -> FullTotals {
        self.plan.totals()
    }

    /// The number of the full picture at hand.
    pub(super) fn sequence(&self) -> Option<u64> {
        self.plan.sequence()
    }

    /// When there is something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.plan.deadline().into_iter().chain(self.next).min()
    }

    fn has_picture(&self) -> bool {
        self.plan.sequence().is_some()
    }
}
