//! When a camera takes a picture in its full resolution, and how long its stream may stand still
//! for it: the decisions, apart from clocks and cameras.
//!
//! Most cameras give one size at a time. For a full picture they are stopped, configured to the
//! largest size and started ([`StillPlan::begun`]); one frame is taken once the exposure has
//! settled ([`StillPlan::frame`]) and encoded; then they are configured back
//! ([`StillPlan::returning`]). Meanwhile nobody gets a frame of the stream, so it is bounded how
//! long that may take, and how often it may be done. A camera that gives both sizes side by side
//! goes through the same steps without being stopped.

use std::fmt::Display;
use std::time::{Duration, Instant};

use eyelid_daemon::backoff::Backoff;
use eyelid_producer::{FullTotals, NO_NEW_PICTURE};

/// How many times longer than the last full picture took the stream is left alone after it: who
/// asks for full pictures all the time gets a quarter of the camera's time at most. The next one is
/// then there within the 4 s that a snapshot waits, where one takes up to a second.
const STREAM_SHARE: u32 = 3;

/// The least time between two changes of configuration. Sensors and lenses that are started take a
/// moment to settle, and a stream that stops twice a second is none.
const MIN_PAUSE: Duration = Duration::from_secs(2);

/// A camera that looks for its exposure is given this long after its first frame. Some never say
/// that they have found it, under flickering light.
const SETTLE_LIMIT: Duration = Duration::from_secs(2);

/// How long a camera that says nothing of its exposure is given to find it, as those that the
/// kernel drives by itself. A guess: what it takes is not known to us of any camera.
const BLIND_SETTLE: Duration = Duration::from_millis(400);

/// It needs some frames to find it, however slow they are at the large size.
const BLIND_FRAMES: u32 = 4;

/// A picture that nobody fetches is dropped after this: its file may have been taken out of the
/// slot meanwhile, and the stream waits.
const FETCH_LIMIT: Duration = Duration::from_millis(500);

/// How long a camera that failed at the full size is not asked again: for each try its stream may
/// stand still for as long as the camera may give nothing. What failed once (memory, a busy bus)
/// may be over by then; a camera that never can costs six tries an hour at most.
const FIRST_RETRY: Duration = Duration::from_secs(30);
const LAST_RETRY: Duration = Duration::from_secs(600);

/// What a camera says of its automatic exposure.
#[cfg_attr(
    not(feature = "libcamera"),
    allow(dead_code, reason = "only libcamera's cameras know this")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AutoExposure {
    /// It has found it, or there is nothing to find.
    Settled,
    /// It looks for it: frames may be too dark or too bright.
    Searching,
    /// It says nothing of it.
    Unknown,
}

/// Whether the stream goes on while a full picture is taken.
#[cfg_attr(
    not(feature = "libcamera"),
    allow(dead_code, reason = "only libcamera's cameras know this")
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StillWay {
    /// The camera gives both sizes at once.
    Beside,
    /// It changes its configuration, and the stream stands still.
    Change,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StillAction {
    /// It is over: configure the camera as it was, and report [`StillPlan::returning`], or beside
    /// the stream [`StillPlan::returned`].
    Return,
    /// The camera gives nothing at the full size: report [`StillPlan::fail`], then as
    /// [`StillAction::Return`].
    GiveUp,
}

/// The full pictures of one camera.
#[derive(Clone, Debug)]
pub(crate) struct StillPlan {
    /// How long the camera may give nothing after its configuration was changed.
    patience: Duration,
    step: Step,
    /// None is begun before this.
    not_before: Option<Instant>,
    /// Somebody wishes for one, and it is too early.
    held_back: bool,
    /// The camera has failed at the full size, and is tried again.
    failed: Option<Failed>,
    backoff: Backoff,
    totals: FullTotals,
}

/// When a camera is asked again that failed at the full size.
#[derive(Clone, Copy, Debug)]
enum Failed {
    /// So long after it is known what time it is.
    After(Duration),
    /// Then.
    Until(Instant),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The camera does what it is configured for.
    Stream,
    /// It was told to take a full picture, and has not given a good one yet.
    Settling {
        began: Instant,
        way: StillWay,
        first: Option<Instant>,
        frames: u32,
    },
    /// The newest frame of the full size is the picture, and is to be encoded.
    Taken { work: Work, until: Instant },
    /// It was encoded, or nobody wants it any more.
    Over(Work),
    /// The camera was configured back, and has given no frame yet.
    Returning(Work),
}

/// What keeps the camera, or the one thread that drives it, from the stream.
#[derive(Clone, Copy, Debug)]
struct Work {
    since: Instant,
    way: StillWay,
}

impl StillPlan {
    /// Begins with a camera that may give nothing for so long after its configuration was changed.
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            patience,
            step: Step::Stream,
            not_before: None,
            held_back: false,
            failed: None,
            backoff: Backoff::new(FIRST_RETRY, LAST_RETRY),
            totals: FullTotals::default(),
        }
    }

    /// Says whether the camera works at the full size, as far as is known. One that failed may work
    /// again some time after, which is taken in by [`StillPlan::next`].
    pub(crate) fn is_possible(&self) -> bool {
        self.failed.is_none()
    }

    /// Somebody wishes for a full picture. Says whether to begin with it now; report
    /// [`StillPlan::begun`] or [`StillPlan::fail`] then. To be asked when no frame of the stream is
    /// about to be encoded, for a camera that is configured anew loses the one at hand.
    pub(crate) fn may_begin(&mut self, now: Instant) -> bool {
        let is_free = self.is_possible() && matches!(self.step, Step::Stream);
        self.held_back = is_free && self.not_before.is_some_and(|at| now < at);
        is_free && !self.held_back
    }

    /// The camera was told to take one.
    pub(crate) fn begun(&mut self, now: Instant, way: StillWay) {
        self.step = Step::Settling {
            began: now,
            way,
            first: None,
            frames: 0,
        };
    }

    /// The camera has given a frame of the full size, which is at hand.
    pub(crate) fn frame(&mut self, now: Instant, exposure: AutoExposure) {
        let Step::Settling {
            began,
            way,
            first,
            frames,
        } = &mut self.step
        else {
            return;
        };
        let settled_for = now.duration_since(*first.get_or_insert(now));
        *frames += 1;
        let is_good = match (*way, exposure) {
            // The exposure is the stream's.
            (StillWay::Beside, _) | (_, AutoExposure::Settled) => true,
            (_, AutoExposure::Searching) => settled_for >= SETTLE_LIMIT,
            (_, AutoExposure::Unknown) => settled_for >= BLIND_SETTLE && *frames >= BLIND_FRAMES,
        };
        if is_good {
            let (began, way) = (*began, *way);
            self.take(now, began, way);
        }
    }

    /// The number of the full picture that is at hand, to be encoded. Each is another.
    pub(crate) fn sequence(&self) -> Option<u64> {
        matches!(self.step, Step::Taken { .. }).then_some(self.totals.taken)
    }

    /// What they came to so far.
    pub(crate) fn totals(&self) -> FullTotals {
        self.totals
    }

    /// The full picture was encoded, or cannot be.
    pub(crate) fn encoded(&mut self) {
        if let Step::Taken { work, .. } = self.step {
            self.step = Step::Over(work);
        }
    }

    /// Gives what is to be done although no frame has come.
    pub(crate) fn next(&mut self, now: Instant) -> Option<StillAction> {
        self.failed = match self.failed {
            Some(Failed::After(pause)) => Some(Failed::Until(now + pause)),
            Some(Failed::Until(then)) if then <= now => None,
            as_before => as_before,
        };
        match self.step {
            Step::Settling {
                began, way, first, ..
            } if self.due(began, first) <= now => {
                if first.is_none() {
                    return Some(StillAction::GiveUp);
                }
                // Better too dark than none.
                self.take(now, began, way);
                None
            }
            Step::Taken { work, until } if until <= now => {
                self.step = Step::Over(work);
                Some(StillAction::Return)
            }
            Step::Over(_) => Some(StillAction::Return),
            Step::Stream | Step::Settling { .. } | Step::Taken { .. } | Step::Returning(_) => None,
        }
    }

    /// When there may be something to do although no frame comes.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.step {
            Step::Stream => self.not_before.filter(|_| self.held_back),
            Step::Settling { began, first, .. } => Some(self.due(began, first)),
            Step::Taken { until, .. } => Some(until),
            Step::Over(work) => Some(work.since),
            Step::Returning(_) => None,
        }
    }

    /// The camera was told to go on with its stream.
    pub(crate) fn returning(&mut self) {
        if let Some(work) = self.work() {
            self.step = Step::Returning(work);
        }
    }

    /// The camera has given a frame of its stream again, or was stopped. Gives how long it was kept
    /// from its stream, if it was; the log has that, too.
    pub(crate) fn returned(&mut self, now: Instant) -> Option<Duration> {
        let work = self.work()?;
        if self.is_possible() {
            self.backoff.succeeded();
        }
        let took = now.duration_since(work.since);
        let least = match work.way {
            StillWay::Beside => Duration::ZERO,
            StillWay::Change => MIN_PAUSE,
        };
        self.not_before = Some(now + least.max(took * STREAM_SHARE));
        self.step = Step::Stream;
        self.totals.kept += took;
        let (ms, taken) = (took.as_millis(), self.totals.taken);
        log::debug!("camera: {ms} ms were a full picture's; {taken} so far");
        Some(took)
    }

    /// The camera does not work at the full size: the log says so, once, and it is asked again
    /// after a pause, if somebody wishes for a full picture then.
    pub(crate) fn fail(&mut self, reason: impl Display) {
        let is_first = self.backoff.failures() == 0;
        // There is one camera in a process: nothing else would be tried at the same time.
        let pause = self.backoff.failed(0.5);
        let level = if is_first {
            log::Level::Warn
        } else {
            log::Level::Debug
        };
        let seconds = pause.as_secs();
        log::log!(
            level,
            "no full pictures: {reason}; frames go on as before, next try in {seconds}s"
        );
        self.failed = Some(Failed::After(pause));
        self.held_back = false;
    }

    /// Says whether the camera was told to take a full picture and has given no good one yet.
    #[cfg(feature = "libcamera")]
    pub(crate) fn is_awaited(&self) -> bool {
        matches!(self.step, Step::Settling { .. })
    }

    /// Says whether the camera was told to go on with its stream, and has not done so yet.
    pub(crate) fn is_returning(&self) -> bool {
        matches!(self.step, Step::Returning(_))
    }

    /// Says whether the camera is configured to the full size, and the stream stands still.
    pub(crate) fn is_away(&self) -> bool {
        let is_here = matches!(self.step, Step::Stream | Step::Returning(_));
        !is_here && self.work().is_some_and(|work| work.way == StillWay::Change)
    }

    /// Why there is no new frame, for those who wait for one.
    pub(crate) fn waiting(&self) -> String {
        let text = if self.is_away() {
            "the camera takes a picture in its full resolution"
        } else {
            NO_NEW_PICTURE
        };
        text.to_owned()
    }

    fn take(&mut self, now: Instant, began: Instant, way: StillWay) {
        self.totals.taken += 1;
        // Beside the stream, a picture that is waited for costs it nothing.
        let since = match way {
            StillWay::Beside => now,
            StillWay::Change => began,
        };
        self.step = Step::Taken {
            work: Work { since, way },
            until: now + FETCH_LIMIT,
        };
    }

    fn work(&self) -> Option<Work> {
        match self.step {
            Step::Stream => None,
            Step::Settling { began, way, .. } => Some(Work { since: began, way }),
            Step::Taken { work, .. } | Step::Over(work) | Step::Returning(work) => Some(work),
        }
    }

    fn due(&self, began: Instant, first: Option<Instant>) -> Instant {
        let patience = began + self.patience;
        first.map_or(patience, |first| patience.min(first + SETTLE_LIMIT))
    }
}

#[cfg(test)]
mod tests;
