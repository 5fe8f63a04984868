//! One camera as the clients of this process see it: who looks, what its producer says of itself,
//! and its frames.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use eyelid_slot::{CameraName, Reader, State};

use crate::feed::Feed;
use crate::tracker::Watching;
use crate::{Deadline, Envelope, FrameNumber, Freshness, NoFrame, SharedFrame, Subscriber, Wake};

/// A camera.
pub struct Camera {
    name: CameraName,
    directory: PathBuf,
    reader: Reader,
    viewers: Cell<usize>,
    /// How this process learns of changes in the slot.
    watching: Cell<Watching>,
    /// What the producer says of itself, while somebody looks.
    state: RefCell<Option<State>>,
    frames: Feed,
}

impl Camera {
    pub(crate) fn new(name: CameraName, directory: PathBuf, envelope: Rc<dyn Envelope>) -> Self {
        let reader = Reader::new(&directory);
        Self {
            name,
            directory,
            viewers: Cell::new(0),
            watching: Cell::default(),
            state: RefCell::default(),
            frames: Feed::new(reader.clone(), envelope),
            reader,
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
        self.frames.age()
    }

    /// Frames a second that came into the slot of late; known only while somebody looks.
    pub fn rate(&self) -> Option<f64> {
        (self.viewers() > 0).then(|| self.frames.rate())
    }

    /// How this process learns of changes in its slot.
    pub(crate) fn watching(&self) -> Watching {
        self.watching.get()
    }

    /// One more client looks. Gives whether it is the first.
    pub(crate) fn enter(&self) -> bool {
        self.frames
            .enter(self.watching(), self.state.borrow().as_ref());
        self.viewers.replace(self.viewers() + 1) == 0
    }

    /// One client looks no more. Gives whether it was the last: then nothing is kept.
    pub(crate) fn leave(&self) -> bool {
        self.frames.leave();
        self.viewers.set(self.viewers() - 1);
        if self.viewers() > 0 {
            return false;
        }
        self.watching.set(Watching::default());
        self.state.take();
        true
    }

    /// A new frame lies in the slot.
    pub(crate) fn frame_arrived(&self) {
        self.frames.frame_arrived();
    }

    /// The producer says something new of itself.
    pub(crate) fn state_changed(&self) {
        self.state.replace(self.reader.state());
        self.frames.state_changed(self.state.borrow().as_ref());
    }

    /// Reads what the producer says of itself, where nothing tells of changes.
    fn read_state(&self) {
        self.state.replace(self.reader.state());
        self.frames.state_found(self.state.borrow().as_ref());
    }

    /// Anything may have happened in the slot: its directory is gone or back, or the kernel lost
    /// count. From now on its changes are learnt of in this way.
    pub(crate) fn anything_changed(&self, watching: Watching) {
        self.watching.set(watching);
        self.frames.anything_changed(watching);
        self.state_changed();
    }

    /// Waits for the next frames together with others; see [`View::follow`](crate::View::follow).
    pub(crate) async fn follow(
        &self,
        subscriber: Rc<dyn Subscriber>,
        seen: FrameNumber,
        max_age: Duration,
    ) -> Wake {
        self.frames.follow(subscriber, seen, max_age).await
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
        let look_around = || {
            rewatch(self);
            if self.watching() == Watching::Polling {
                self.read_state();
            }
        };
        let frame = self.frames.frame(freshness, deadline, look_around).await;
        frame.map_err(|problem| {
            let state = self.state.borrow();
            NoFrame::new(state.as_ref(), problem, deadline.timeout, || {
                self.reader.is_full()
            })
        })
    }
}
