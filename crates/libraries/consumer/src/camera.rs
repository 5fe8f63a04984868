//! One camera as the clients of this process see it: the newest frame, read once and shared.
//!
//! What is to be done decide [`Tracker`] and [`Wait`]; here the clocks are read, the files opened
//! and the tasks woken.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use eyelid_slot::{CameraName, OpenFrame, ReadError, Reader, State};
use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::clock::{Now, age};
use crate::subscribers::Subscribers;
use crate::tracker::{RECHECK, Tracker, Watching, Wish};
use crate::wait::{Step, Wait};
use crate::{Deadline, Envelope, FrameNumber, Freshness, NoFrame, SharedFrame, Subscriber, Wake};

/// A camera.
pub struct Camera {
    name: CameraName,
    directory: PathBuf,
    reader: Reader,
    envelope: Rc<dyn Envelope>,
    changed: Notify,
    subscribers: Subscribers,
    viewers: Cell<usize>,
    inner: RefCell<Inner>,
}

/// What is known of the slot, and what is kept of it while somebody looks.
#[derive(Default)]
struct Inner {
    tracker: Tracker,
    state: Option<State>,
    newest: Option<Rc<SharedFrame>>,
    /// The file of the newest frame, while closing it would ask for the next one too early.
    held: Option<OpenFrame>,
    /// The buffer of a frame that nobody needs any more: the next one is read into it. With a new
    /// buffer for each, a frame of 30 KB took 400 instructions more for one client (of 18,100) and
    /// 1,100 more for ten (of 23,300), by `bench/instructions`; in time nothing was to be seen.
    spare: Vec<u8>,
}

impl Camera {
    pub(crate) fn new(name: CameraName, directory: PathBuf, envelope: Rc<dyn Envelope>) -> Self {
        Self {
            reader: Reader::new(&directory),
            name,
            directory,
            envelope,
            changed: Notify::new(),
            subscribers: Subscribers::default(),
            viewers: Cell::new(0),
            inner: RefCell::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &CameraName {
        &self.name
    }

    /// Its slot.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many clients look at it through this process.
    pub fn viewers(&self) -> usize {
        self.viewers.get()
    }

    /// What the producer says of itself, read anew: nobody need be looking.
    pub fn state(&self) -> Option<State> {
        self.reader.state()
    }

    /// Width and height of its frames in pixels, as far as the producer says.
    pub fn size(&self) -> Option<(u32, u32)> {
        let state = self.state()?;
        Some((state.width?, state.height?))
    }

    /// Age of the frame in the slot, whoever asked for it. Wakes no camera.
    pub fn age(&self) -> Option<Duration> {
        let captured = self.reader.captured()?;
        Some(age(captured, SystemTime::now()))
    }

    /// Frames a second that came into the slot of late; known only while somebody looks.
    pub fn rate(&self) -> Option<f64> {
        let now = Now::read().monotonic;
        (self.viewers() > 0).then(|| self.inner.borrow().tracker.rate(now))
    }

    /// How this process learns of changes in its slot.
    pub(crate) fn watching(&self) -> Watching {
        self.inner.borrow().tracker.watching()
    }

    /// One more client looks. Gives whether it is the first.
    pub(crate) fn enter(&self) -> bool {
        self.viewers.set(self.viewers.get() + 1);
        self.viewers.get() == 1
    }

    /// One client looks no more. After the last one nothing is kept: the next to come wants a newer
    /// frame anyway. Gives whether it was the last.
    pub(crate) fn leave(&self) -> bool {
        self.viewers.set(self.viewers.get() - 1);
        if self.viewers.get() > 0 {
            return false;
        }
        let mut inner = self.inner.borrow_mut();
        let mut tracker = std::mem::take(&mut inner.tracker);
        tracker.forget();
        *inner = Inner {
            tracker,
            ..Inner::default()
        };
        true
    }

    /// A new frame lies in the slot: it goes to all subscribers, and the next one is asked for.
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

    /// The producer says something new of itself.
    pub(crate) fn state_changed(&self) {
        self.read_state();
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
        self.state_changed();
    }

    /// Waits for the next frames together with others; see [`View::follow`](crate::View::follow).
    pub(crate) async fn follow(
        &self,
        subscriber: Rc<dyn Subscriber>,
        seen: FrameNumber,
        max_age: Duration,
    ) -> Wake {
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

    /// Waits for a frame. `rewatch` is called when the slot had better be watched anew.
    ///
    /// # Errors
    /// See [`NoFrame`].
    pub(crate) async fn frame(
        &self,
        freshness: Freshness,
        deadline: Deadline,
        rewatch: impl Fn(&Self),
    ) -> Result<Rc<SharedFrame>, NoFrame> {
        let mut wait = Wait::new(freshness, deadline, Now::read().monotonic);
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
                (Step::Use, Ok(frame)) => return Ok(frame),
                (Step::Use | Step::GiveUp, newest) => {
                    return Err(self.no_frame(newest.err(), deadline.timeout));
                }
                (Step::Wait(wish, until), _) => {
                    if wish == Wish::Now {
                        self.make_wish();
                    }
                    if timeout_at(until.into(), changed).await.is_err() {
                        rewatch(self);
                        self.look_for_changes();
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
        if let Some(newest) = inner.newest.as_ref().filter(|newest| newest.id == file.id) {
            inner.tracker.found_same();
            return Ok(newest.clone());
        }
        let number = inner.tracker.number_of_another();
        let frame = SharedFrame::read(&file, &*self.envelope, &mut inner.spare, number)?;
        inner.tracker.read(frame.captured);
        let frame = Rc::new(frame);
        if let Some(old) = inner.newest.replace(frame.clone()) {
            inner.spare = SharedFrame::into_buffer(old);
        }
        inner.held = Some(file);
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
    fn look_for_changes(&self) {
        let lies_there = self.reader.newest();
        let mut inner = self.inner.borrow_mut();
        let read = inner.newest.as_ref().map(|frame| frame.id);
        if lies_there.is_some() && lies_there != read {
            inner.tracker.another_found(Now::read().monotonic);
        }
        let watching = inner.tracker.watching();
        drop(inner);
        if watching == Watching::Polling {
            self.read_state();
        }
    }

    fn read_state(&self) {
        let state = self.reader.state();
        let mut inner = self.inner.borrow_mut();
        inner.tracker.state_changed(state.as_ref());
        inner.state = state;
    }

    fn no_frame(&self, problem: Option<ReadError>, timeout: Duration) -> NoFrame {
        let state = &self.inner.borrow().state;
        NoFrame::new(state.as_ref(), problem, timeout, || self.reader.is_full())
    }
}
