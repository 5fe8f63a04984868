//! The frames of one file of a slot as the clients of this process see them: the newest one, read
//! once and shared.
//!
//! What is to be done decide [`Tracker`] and [`Wait`]; here the clocks are read, the files opened
//! and the tasks woken.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{FrameId, OpenFrame, ReadError, Reader, Rendition, State, is_placeholder};
use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::clock::{Now, age};
use crate::patience::Patience;
use crate::subscribers::Subscribers;
use crate::tracker::{RECHECK, Tracker, Watching, Wish};
use crate::wait::{Step, Wait};
use crate::{Deadline, Envelope, Freshness, Position, SharedFrame, Subscriber, Wake};

/// The frames of one file of a slot: of the frame, or of a rendition.
pub(crate) struct Feed {
    reader: Reader,
    rendition: Option<Rendition>,
    envelope: Rc<dyn Envelope>,
    changed: Notify,
    subscribers: Subscribers,
    viewers: Cell<usize>,
    supply: Cell<Supply>,
    inner: RefCell<Inner>,
}

/// Whether a producer makes what is wished for, as far as those who look have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Supply {
    /// Nobody has got a frame yet.
    #[default]
    Unknown,
    /// Frames come.
    Comes,
    /// None came while others of the same camera did.
    Absent,
}

/// What is known of the file, and what is kept of it while somebody looks.
#[derive(Default)]
struct Inner {
    tracker: Tracker,
    newest: Option<Rc<SharedFrame>>,
    /// Which file of the slot the newest frame is.
    newest_id: Option<FrameId>,
    /// The file of the newest frame, while closing it would ask for the next one too early.
    held: Option<OpenFrame>,
    /// The buffer of a frame that nobody needs any more: the next one is read into it. With a new
    /// buffer for each, a frame of 30 KB took 400 instructions more for one client (of 18,100) and
    /// 1,100 more for ten (of 23,300), by `bench/instructions`; in time nothing was to be seen.
    spare: Vec<u8>,
}

impl Feed {
    /// The frame of the slot in this directory, or this rendition of it. What is read of it is read
    /// into the `envelope`.
    pub(crate) fn new(
        directory: &Path,
        rendition: Option<Rendition>,
        envelope: Rc<dyn Envelope>,
    ) -> Self {
        Self {
            reader: Reader::of(directory, rendition),
            rendition,
            envelope,
            changed: Notify::new(),
            subscribers: Subscribers::default(),
            viewers: Cell::new(0),
            supply: Cell::default(),
            inner: RefCell::default(),
        }
    }

    /// One more client looks. What is known of a slot that nobody looked at is this: its changes
    /// are learnt of in this way, and its producer says this of itself.
    pub(crate) fn enter(&self, watching: Watching, state: Option<&State>) {
        if self.viewers.replace(self.viewers.get() + 1) == 0 {
            let tracker = &mut self.inner.borrow_mut().tracker;
            tracker.anything_changed(watching);
            tracker.state_changed(state);
        }
    }

    /// One client looks no more. After the last one nothing is kept: the next to come wants a newer
    /// frame anyway.
    pub(crate) fn leave(&self) {
        self.viewers.set(self.viewers.get() - 1);
        if self.viewers.get() > 0 {
            return;
        }
        self.supply.take();
        let mut inner = self.inner.borrow_mut();
        let mut tracker = std::mem::take(&mut inner.tracker);
        tracker.forget();
        *inner = Inner {
            tracker,
            ..Inner::default()
        };
    }

    /// Says whether a client looks at it through this process.
    pub(crate) fn is_looked_at(&self) -> bool {
        self.viewers.get() > 0
    }

    /// Whether its producer makes it.
    pub(crate) fn supply(&self) -> Supply {
        self.supply.get()
    }

    /// Those who look have found out, or do not know any more, whether its producer makes it.
    pub(crate) fn set_supply(&self, supply: Supply) {
        self.supply.set(supply);
    }

    /// Takes in that a new file lies there although none was made before. Gives whether it shows
    /// that its producer makes it now; a placeholder only shows that it may be wished for.
    pub(crate) fn is_back(&self) -> bool {
        let is_made = (self.reader.captured()).is_some_and(|captured| !is_placeholder(captured));
        if is_made {
            self.supply.set(Supply::Unknown);
        } else {
            self.make_wish();
        }
        is_made
    }

    /// Age of the frame that lies there, if it is one, whoever asked for it. Wakes no camera.
    pub(crate) fn age(&self) -> Option<Duration> {
        let captured = self.reader.captured()?;
        (!is_placeholder(captured)).then(|| age(captured, SystemTime::now()))
    }

    /// How long a client with this time-out waits for a rendition of this camera alone, as things
    /// are.
    pub(crate) fn patience(&self, rendition: Rendition, timeout: Duration) -> Patience {
        match self.supply() {
            Supply::Comes => {
                let tracker = &self.inner.borrow().tracker;
                let interval = tracker.longest_interval();
                Patience::with_next(rendition, timeout, interval)
            }
            Supply::Unknown | Supply::Absent => Patience::with_first(rendition, timeout),
        }
    }

    /// Since when a wish has gone unanswered.
    pub(crate) fn unanswered_since(&self) -> Option<Instant> {
        self.inner.borrow().tracker.unanswered_since()
    }

    /// Frames a second that came of late.
    pub(crate) fn rate(&self) -> f64 {
        self.inner.borrow().tracker.rate(Now::read().monotonic)
    }

    /// A new frame lies there: it goes to all subscribers, and the next one is asked for.
    pub(crate) fn frame_arrived(&self) {
        self.inner
            .borrow_mut()
            .tracker
            .frame_arrived(Now::read().monotonic);
        if !self.subscribers.is_empty() {
            match self.newest() {
                Ok(frame) => self.subscribers.offer(&frame, Now::read()),
                Err(_) => self.subscribers.recheck(),
            }
        }
        if !self.subscribers.is_empty() {
            self.wish();
        }
        self.changed.notify_waiters();
    }

    /// The producer says this of itself, as a client found that looked.
    pub(crate) fn state_found(&self, state: Option<&State>) {
        self.inner.borrow_mut().tracker.state_changed(state);
    }

    /// The producer says this of itself now: whoever waits looks at it.
    pub(crate) fn state_changed(&self, state: Option<&State>) {
        self.state_found(state);
        if self.inner.borrow().tracker.has_failed() {
            self.subscribers.recheck();
        }
        self.changed.notify_waiters();
    }

    /// Anything may have happened in the slot: its directory is gone or back, or the kernel lost
    /// count. From now on its changes are learnt of in this way.
    pub(crate) fn anything_changed(&self, watching: Watching) {
        self.inner.borrow_mut().tracker.anything_changed(watching);
        self.subscribers.recheck();
        self.changed.notify_waiters();
    }

    /// Lets all that wait together look for themselves.
    pub(crate) fn recheck(&self) {
        self.subscribers.recheck();
    }

    /// Waits for the next frames together with others; see [`View::follow`](crate::View::follow).
    pub(crate) async fn follow(
        &self,
        subscriber: Rc<dyn Subscriber>,
        seen: Position,
        max_age: Duration,
    ) -> Wake {
        let seen = seen.number_of(self.rendition);
        let has_only_to_wait = {
            let tracker = &self.inner.borrow().tracker;
            tracker.watching() == Watching::Inotify && tracker.is_up_to_date(seen)
        };
        if !has_only_to_wait {
            return Wake::Recheck;
        }
        self.wish();
        self.subscribers
            .wait(subscriber, seen, max_age, RECHECK)
            .await
    }

    /// Waits for a frame. `look_around` is called when none has come for a while: the slot had
    /// better be watched anew, and what its producer says be read.
    ///
    /// # Errors
    /// Why what lies there is no frame, if that is so: none came that is fresh enough.
    pub(crate) async fn frame(
        &self,
        freshness: Freshness,
        deadline: Deadline,
        look_around: impl Fn(),
    ) -> Result<Rc<SharedFrame>, Option<ReadError>> {
        let mut wait = Wait::new(self.rendition, freshness, deadline, Now::read().monotonic);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let newest = self.newest();
            let step = {
                let tracker = &mut self.inner.borrow_mut().tracker;
                let known = newest.as_ref().ok().and(tracker.newest());
                wait.step(tracker, known, Now::read())
            };
            match (step, newest) {
                (Step::Use, Ok(frame)) => {
                    self.supply.set(Supply::Comes);
                    return Ok(frame);
                }
                (Step::Use | Step::GiveUp, newest) => {
                    if self.supply.get() == Supply::Comes {
                        self.supply.take();
                    }
                    return Err(newest.err());
                }
                (Step::Wait(wish, until), _) => {
                    if wish == Wish::Now {
                        self.make_wish();
                    }
                    if timeout_at(until.into(), changed).await.is_err() {
                        look_around();
                        self.look_for_another();
                    }
                }
            }
        }
    }

    /// The newest frame, read only if it has not been yet.
    fn newest(&self) -> Result<Rc<SharedFrame>, ReadError> {
        let inner = &mut *self.inner.borrow_mut();
        if let (Some(newest), false) = (&inner.newest, inner.tracker.needs_look()) {
            return Ok(newest.clone());
        }
        let file = self.reader.open()?;
        inner.tracker.looked();
        if let Some(newest) = inner.newest.as_ref()
            && inner.newest_id == Some(file.id)
        {
            inner.tracker.found_same();
            return Ok(newest.clone());
        }
        if is_placeholder(file.captured) {
            // It is no frame, and has been wished for by now: it was opened, and is closed here.
            inner.tracker.found_same();
            let newest = inner.newest.clone();
            return newest.ok_or_else(|| ReadError::Missing(self.reader.path().to_owned()));
        }
        let number = inner.tracker.number_of_another();
        let spare = &mut inner.spare;
        let frame = SharedFrame::read(&file, self.rendition, &*self.envelope, spare, number)?;
        inner.newest_id = Some(file.id);
        inner.held = Some(file);
        if let Some(newest) = inner.newest.as_ref()
            && newest.is_same_picture(&frame)
        {
            inner.tracker.read_same();
            return Ok(newest.clone());
        }
        inner.tracker.read(frame.captured);
        let frame = Rc::new(frame);
        if let Some(old) = inner.newest.replace(frame.clone()) {
            inner.spare = SharedFrame::into_buffer(old);
        }
        Ok(frame)
    }

    fn wish(&self) {
        let wish = (self.inner.borrow_mut().tracker).wish(Now::read().monotonic);
        if wish == Wish::Now {
            self.make_wish();
        }
    }

    /// Closes the newest frame's file, which is the wish; where it was closed before, it is opened
    /// and closed.
    fn make_wish(&self) {
        let held = self.inner.borrow_mut().held.take();
        if held.is_none() {
            // Without a frame there is nothing to open, and the producer knows that it is wanted.
            let _ = self.reader.wish();
        }
    }

    /// Finds out by looking what inotify may not have told, without waking a camera.
    fn look_for_another(&self) {
        let lies_there = self.reader.newest();
        let mut inner = self.inner.borrow_mut();
        if lies_there.is_some() && lies_there != inner.newest_id {
            inner.tracker.another_found(Now::read().monotonic);
        }
    }
}
