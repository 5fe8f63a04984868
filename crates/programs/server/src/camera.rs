//! One camera as the clients of this process see it: the newest frame, read once and shared.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use eyelid_slot::{CameraName, OpenFrame, Phase, ReadError, Reader, State};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::fanout::{Fanout, Turn};
use crate::need::{FirstLook, Need, Patience};
use crate::no_frame::no_frame;
use crate::outlet::Outlet;
use crate::rate::Rate;
use crate::shown::{Shown, age};

/// How often a waiting client looks again although nothing was heard: a wish may have been lost with a producer that
/// died, and inotify says nothing of a directory that was replaced while a file of it is open.
const RECHECK: Duration = Duration::from_secs(1);

/// The same where the slot cannot be watched, for example because it does not exist yet.
const POLL: Duration = Duration::from_millis(20);

/// A producer that has a newer frame than the one in the slot answers a wish within this, even if it has only just been
/// started for it.
const ANSWER: Duration = Duration::from_millis(250);

/// How long clients of a camera known to have failed wait for a frame: it may be just recovering. A stream then shows
/// why there is none; a snapshot waits as long as moonraker-timelapse does, for some clients stop at the first error.
const STREAM_FAILED_PATIENCE: Duration = Duration::from_millis(300);
const SNAPSHOT_FAILED_PATIENCE: Duration = Duration::from_secs(2);

/// A stream of a source slower than the time-out waits for this many of its intervals.
const PATIENT_INTERVALS: u32 = 3;

/// The interval between frames where the producer does not say it.
const USUAL_INTERVAL: Duration = Duration::from_millis(33);

/// A camera.
pub(crate) struct Camera {
    /// Its name.
    pub(crate) name: CameraName,
    /// Its slot.
    pub(crate) directory: PathBuf,
    reader: Reader,
    changed: Notify,
    fanout: Fanout,
    inner: RefCell<Inner>,
    viewers: Cell<usize>,
    watched: Cell<bool>,
}

/// What is known of the slot. Frames are numbered by the renames seen, so that a difference of two numbers tells how
/// many frames were skipped between them.
#[derive(Default)]
struct Inner {
    shown: Option<Rc<Shown>>,
    /// The file of the newest frame, while closing it would ask for the next one too early.
    held: Option<OpenFrame>,
    /// The buffer of a frame that nobody needs any more.
    spare: Vec<u8>,
    renames: u64,
    /// When the newest frame came into the slot, if it was seen to come.
    renamed: Option<Instant>,
    unread: bool,
    wished: Option<Instant>,
    state: Option<State>,
    rate: Rate,
}

impl Camera {
    pub(crate) fn new(name: CameraName, directory: PathBuf) -> Self {
        Self {
            reader: Reader::new(&directory),
            name,
            directory,
            changed: Notify::new(),
            fanout: Fanout::default(),
            inner: RefCell::default(),
            viewers: Cell::new(0),
            watched: Cell::new(false),
        }
    }

    /// A new frame lies in the slot.
    pub(crate) fn renamed(&self) {
        let now = Instant::now();
        let mut inner = self.inner.borrow_mut();
        inner.renames += 1;
        inner.renamed = Some(now);
        inner.unread = true;
        inner.rate.count(now);
        drop(inner);
        if !self.fanout.is_empty() {
            self.fan_out();
        }
        self.changed.notify_waiters();
    }

    /// Sends the newest frame to all streams that wait for it, and asks for the next.
    fn fan_out(&self) {
        match self.newest() {
            Ok(shown) => self.fanout.send(&shown),
            Err(_) => self.fanout.release(),
        }
        if !self.fanout.is_empty() {
            self.wish(Instant::now());
        }
    }

    /// Waits for the next frame together with others, if this stream has the newest one and nothing is in the way; the
    /// frames that come go to `outlet` meanwhile. Gives what the stream is to do now.
    pub(crate) async fn follow(&self, outlet: &Rc<Outlet>, max_age: Duration) -> Turn {
        if !self.is_watched() || !self.has_only(outlet.last()) {
            return Turn::Look;
        }
        self.wish(Instant::now());
        self.fanout.wait(outlet, max_age, RECHECK).await
    }

    /// Says whether the frame with this number is the newest, and the camera well.
    fn has_only(&self, number: u64) -> bool {
        let inner = self.inner.borrow();
        let newest = inner.shown.as_ref().map(|shown| shown.number);
        !inner.unread && !inner.has_failed() && newest == Some(number)
    }

    /// The producer says something new of itself.
    pub(crate) fn state_changed(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.state = self.reader.state();
        if inner.has_failed() {
            self.fanout.release();
        }
        self.changed.notify_waiters();
    }

    /// The slot's directory is gone; or back, or the kernel lost count: look again.
    pub(crate) fn look_again(&self, watched: bool) {
        self.watched.set(watched);
        self.inner.borrow_mut().unread = true;
        self.fanout.release();
        self.state_changed();
    }

    /// Says whether inotify tells of this slot.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.get()
    }

    /// How many clients look at this camera through this process.
    pub(crate) fn viewers(&self) -> usize {
        self.viewers.get()
    }

    /// One more client looks. Gives whether it is the first.
    pub(crate) fn enter(&self) -> bool {
        self.viewers.set(self.viewers.get() + 1);
        self.viewers.get() == 1
    }

    /// One client looks no more. After the last one nothing is kept: the next to come wants a newer frame anyway.
    /// Gives whether it was the last.
    pub(crate) fn leave(&self) -> bool {
        self.viewers.set(self.viewers.get() - 1);
        if self.viewers.get() > 0 {
            return false;
        }
        self.watched.set(false);
        let mut inner = self.inner.borrow_mut();
        *inner = Inner {
            renames: inner.renames,
            ..Inner::default()
        };
        true
    }

    /// What the producer says of itself, read anew: nobody need be looking.
    pub(crate) fn state(&self) -> Option<State> {
        self.reader.state()
    }

    /// Width and height of the camera's frames in pixels, as far as the producer says.
    pub(crate) fn size(&self) -> Option<(u32, u32)> {
        let state = self.state()?;
        Some((state.width?, state.height?))
    }

    /// Age of the frame in the slot, whoever asked for it. Wakes no camera.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.reader.captured().map(age)
    }

    /// Frames a second that came into the slot of late; known only while somebody looks.
    pub(crate) fn rate(&self) -> Option<f64> {
        (self.viewers() > 0).then(|| self.inner.borrow().rate.per_second(Instant::now()))
    }

    /// Waits for the frame that `need` asks for. `rewatch` is called when the slot had better be watched anew.
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(crate) async fn frame(
        &self,
        need: Need,
        patience: Patience,
        rewatch: impl Fn(&Self),
    ) -> Result<Rc<Shown>, String> {
        let start = Instant::now();
        let mut first_look = None;
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let newest = self.newest();
            let first = *first_look.get_or_insert_with(|| self.first_look(newest.as_deref().ok()));
            let need = need.by_the_clock(SystemTime::now(), start.elapsed());
            let problem = match newest {
                Ok(shown) if self.serves(&shown, first, need, patience.max_age) => {
                    return Ok(shown);
                }
                Ok(_) => None,
                Err(problem) => Some(problem),
            };
            let now = Instant::now();
            let end = start + self.patience(need, patience.timeout);
            if now >= end {
                return Err(self.reason(problem, patience.timeout));
            }
            let wished = self.wish(now);
            let pause = if self.is_watched() { RECHECK } else { POLL };
            let answer = Some(wished + ANSWER).filter(|at| *at > now).unwrap_or(end);
            if timeout_at(end.min(answer).min(now + pause), changed)
                .await
                .is_err()
            {
                rewatch(self);
                self.check();
            }
        }
    }

    /// The newest frame, read only if it has not been yet.
    fn newest(&self) -> Result<Rc<Shown>, ReadError> {
        let mut inner = self.inner.borrow_mut();
        if let (Some(shown), false) = (&inner.shown, inner.unread) {
            return Ok(shown.clone());
        }
        let file = self.reader.open()?;
        inner.unread = false;
        if let Some(shown) = inner.shown.as_ref().filter(|shown| shown.id == file.id) {
            let shown = shown.clone();
            // It was found before its rename was heard of, which is none of another frame.
            inner.renames = shown.number;
            return Ok(shown);
        }
        inner.renames = inner
            .renames
            .max(inner.shown.as_ref().map_or(0, |shown| shown.number) + 1);
        let (number, published) = (inner.renames, inner.renamed);
        let shown = Rc::new(Shown::read(&file, &mut inner.spare, number, published)?);
        inner.renamed = None;
        if let Some(old) = inner.shown.replace(shown.clone()) {
            inner.spare = Shown::into_buffer(old);
        }
        inner.held = Some(file);
        inner.wished = None;
        Ok(shown)
    }

    fn first_look(&self, newest: Option<&Shown>) -> FirstLook {
        FirstLook {
            number: newest.map_or(self.inner.borrow().renames, |shown| shown.number),
            postdated: newest.is_some_and(|shown| shown.captured > SystemTime::now()),
        }
    }

    fn serves(&self, shown: &Shown, first: FirstLook, need: Need, max_age: Duration) -> bool {
        let captured = shown.captured;
        let lay_there_postdated = first.postdated && shown.number == first.number;
        match need {
            // The first frame that came may be of an exposure at hand when it was asked for; the second is not.
            Need::CapturedSince(moment) => {
                captured >= moment
                    && !lay_there_postdated
                    && (captured <= SystemTime::now() || shown.number >= first.number + 2)
            }
            Need::NewerThan(number) => {
                let came_lately =
                    || (shown.published).is_some_and(|published| published.elapsed() <= max_age);
                shown.number > number
                    && age(captured) <= max_age
                    && (!lay_there_postdated || came_lately())
                    && self.is_newest(shown)
            }
        }
    }

    /// Whether the producer can have nothing newer than this: either the frame came so lately that there has been no
    /// other, or the producer was asked since and had time to answer.
    fn is_newest(&self, shown: &Shown) -> bool {
        let inner = self.inner.borrow();
        let lately = |at: Instant| at.elapsed() <= inner.interval();
        shown.published.is_some_and(lately) || inner.wished.is_some_and(|at| at.elapsed() >= ANSWER)
    }

    /// Asks the producer for a frame newer than the one in the slot, once, and again when that was long ago. Gives when.
    fn wish(&self, now: Instant) -> Instant {
        let mut inner = self.inner.borrow_mut();
        if let Some(at) = inner.wished.filter(|at| now - *at < RECHECK) {
            return at;
        }
        inner.wished = Some(now);
        // Closing the frame is the wish; one that was closed before is opened for it.
        if inner.held.take().is_none() {
            let _ = self.reader.wish();
        }
        now
    }

    /// Finds out by looking what inotify may not have told. Where it tells nothing, a frame has come when it is found:
    /// looks are so frequent that it could not be shown before the next one came, if it had to prove that it is the newest.
    fn check(&self) {
        let mut inner = self.inner.borrow_mut();
        let newest = self.reader.newest();
        let shown = inner.shown.as_ref().map(|shown| shown.id);
        let is_new = newest.is_some() && newest != shown;
        inner.unread |= is_new;
        if !self.is_watched() {
            inner.state = self.reader.state();
            if is_new && shown.is_some() {
                inner.renamed = Some(Instant::now());
            }
        }
    }

    /// How long a client that needs this waits, as things are.
    fn patience(&self, need: Need, timeout: Duration) -> Duration {
        let inner = self.inner.borrow();
        match (need, inner.has_failed()) {
            (Need::NewerThan(_), true) => timeout.min(STREAM_FAILED_PATIENCE),
            (Need::CapturedSince(_), true) => timeout.min(SNAPSHOT_FAILED_PATIENCE),
            (Need::NewerThan(_), false) => timeout.max(inner.interval() * PATIENT_INTERVALS),
            (Need::CapturedSince(_), false) => timeout,
        }
    }

    /// Why no frame came.
    fn reason(&self, problem: Option<ReadError>, waited: Duration) -> String {
        let is_full = || self.reader.is_full();
        no_frame(self.inner.borrow().state.as_ref(), problem, waited, is_full)
    }
}

impl Inner {
    /// Says whether the producer says that it has failed.
    fn has_failed(&self) -> bool {
        self.state
            .as_ref()
            .is_some_and(|state| state.state == Phase::Failed)
    }

    /// The time between two frames, as the producer says.
    fn interval(&self) -> Duration {
        let fps = self
            .state
            .as_ref()
            .and_then(|state| state.fps)
            .filter(|fps| *fps >= 0.01);
        fps.map_or(USUAL_INTERVAL, |fps| Duration::from_secs_f64(1.0 / fps))
    }
}
