//! One camera as the clients of this process see it: who looks, what its producer says of itself,
//! and its frames.

use std::cell::{Cell, OnceCell, RefCell};
use std::iter;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use eyelid_slot::{CameraName, Reader, Rendition, State};
use tokio::sync::Notify;

use crate::feed::{Feed, Supply};
use crate::tracker::{Watching, plausible_fps};
use crate::wanted::size_of;
use crate::{Deadline, Envelope, Freshness, NoFrame, SharedFrame, Wanted};

/// A camera.
pub struct Camera {
    name: CameraName,
    directory: PathBuf,
    reader: Reader,
    envelope: Rc<dyn Envelope>,
    viewers: Cell<usize>,
    /// How this process learns of changes in the slot.
    watching: Cell<Watching>,
    /// What the producer says of itself, while somebody looks.
    state: RefCell<Option<State>>,
    frames: Feed,
    /// Those of renditions, by their numbers; each from when somebody looked first.
    renditions: [OnceCell<Feed>; Rendition::ALL.len()],
    /// How many clients choose from what is on offer.
    choosers: Cell<usize>,
    /// What one of them gets may be another rendition than before.
    choice_changed: Notify,
}

impl Camera {
    pub(crate) fn new(name: CameraName, directory: PathBuf, envelope: Rc<dyn Envelope>) -> Self {
        Self {
            name,
            reader: Reader::new(&directory),
            viewers: Cell::new(0),
            watching: Cell::default(),
            state: RefCell::default(),
            frames: Feed::new(&directory, None, envelope.clone()),
            renditions: Default::default(),
            choosers: Cell::new(0),
            choice_changed: Notify::new(),
            directory,
            envelope,
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

    /// Width and height in pixels of what a client gets that wants this, as far as the producer
    /// says.
    pub fn size(&self, wanted: Wanted) -> Option<(u32, u32)> {
        let state = self.state()?;
        size_of(&state, wanted.rendition(Some(&state)))
    }

    /// The same, and how many frames a second its source gives at most, of one reading.
    pub fn size_and_fps(&self, wanted: Wanted) -> (Option<(u32, u32)>, Option<f64>) {
        let state = self.state();
        let size = |state: &State| size_of(state, wanted.rendition(Some(state)));
        (state.as_ref().and_then(size), plausible_fps(state.as_ref()))
    }

    /// Says whether its producer offers a rendition, as far as is known while somebody looks.
    pub fn offers(&self, rendition: Rendition) -> bool {
        self.offered(Wanted::Rendition(rendition)).is_some()
    }

    /// Frames a second that its source gives at most, as far as its producer says and is known
    /// while somebody looks.
    pub fn source_fps(&self) -> Option<f64> {
        plausible_fps(self.state.borrow().as_ref())
    }

    /// Age of the newest frame in the slot, whoever asked for it, or of the newest rendition that a
    /// client of this process looks at. Wakes no camera.
    pub fn age(&self) -> Option<Duration> {
        self.feeds().filter_map(Feed::age).min()
    }

    /// Exposures a second that came into the slot of late; known only while somebody looks.
    pub fn rate(&self) -> Option<f64> {
        (self.viewers() > 0).then(|| self.feeds().map(Feed::rate).fold(0.0, f64::max))
    }

    /// How this process learns of changes in its slot.
    pub(crate) fn watching(&self) -> Watching {
        self.watching.get()
    }

    /// One more client looks. Gives whether it is the first.
    pub(crate) fn enter(&self) -> bool {
        self.viewers.replace(self.viewers() + 1) == 0
    }

    /// One client looks no more. Gives whether it was the last: then nothing is known.
    pub(crate) fn leave(&self) -> bool {
        self.viewers.set(self.viewers() - 1);
        if self.viewers() > 0 {
            return false;
        }
        self.watching.take();
        self.state.take();
        true
    }

    /// One more client looks at its frame, or at a rendition.
    pub(crate) fn begin_look(&self, rendition: Option<Rendition>) {
        let state = self.state.borrow();
        self.feed(rendition).enter(self.watching(), state.as_ref());
    }

    /// One client looks there no more. What nobody looks at is not kept.
    pub(crate) fn end_look(&self, rendition: Option<Rendition>) {
        self.feed(rendition).leave();
    }

    /// One more client chooses from what is on offer.
    pub(crate) fn begin_choosing(&self) {
        if self.state.borrow().is_none() {
            // Where the slot is not watched nobody has read it yet.
            self.read_state();
        }
        self.choosers.set(self.choosers.get() + 1);
    }

    /// One client takes the frame, whatever is on offer.
    pub(crate) fn end_choosing(&self) {
        self.choosers.set(self.choosers.get() - 1);
    }

    /// Its frames, or those of a rendition.
    pub(crate) fn feed(&self, rendition: Option<Rendition>) -> &Feed {
        let Some(rendition) = rendition else {
            return &self.frames;
        };
        self.renditions[rendition as usize]
            .get_or_init(|| Feed::new(&self.directory, Some(rendition), self.envelope.clone()))
    }

    /// The rendition that a client gets which wants this; `None` is the frame.
    pub(crate) fn offered(&self, wanted: Wanted) -> Option<Rendition> {
        wanted.rendition(self.state.borrow().as_ref())
    }

    /// Completes when [`Camera::offered`] may give another rendition, or one that did not come has
    /// come.
    pub(crate) fn choice_changed(&self) -> &Notify {
        &self.choice_changed
    }

    /// A new frame lies in the slot.
    pub(crate) fn frame_arrived(&self) {
        self.frames.frame_arrived();
    }

    /// A new file of a rendition lies in the slot.
    pub(crate) fn rendition_arrived(&self, rendition: Rendition) {
        let Some(feed) = self.renditions[rendition as usize].get() else {
            return;
        };
        if !feed.is_looked_at() {
            return;
        }
        feed.frame_arrived();
        if feed.supply() == Supply::Absent && feed.is_back() {
            self.let_choose();
        }
    }

    /// The producer says something new of itself.
    pub(crate) fn state_changed(&self) {
        self.take_in_state(Feed::state_changed);
    }

    /// Anything may have happened in the slot: its directory is gone or back, or the kernel lost
    /// count. From now on its changes are learnt of in this way.
    pub(crate) fn anything_changed(&self, watching: Watching) {
        self.watching.set(watching);
        self.feeds()
            .for_each(|feed| feed.anything_changed(watching));
        self.state_changed();
    }

    /// Waits for a frame, or for one of a rendition. `rewatch` is called when the slot had better
    /// be watched anew.
    ///
    /// # Errors
    /// See [`NoFrame`].
    pub(crate) async fn frame(
        &self,
        rendition: Option<Rendition>,
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
        let feed = self.feed(rendition);
        let frame = feed.frame(freshness, deadline, look_around).await;
        frame.map_err(|problem| {
            let state = self.state.borrow();
            NoFrame::new(state.as_ref(), problem, deadline.timeout, || {
                self.reader.is_full()
            })
        })
    }

    /// Reads what the producer says of itself, where nothing tells of changes.
    fn read_state(&self) {
        self.take_in_state(Feed::state_found);
    }

    /// Reads what the producer says of itself, and lets each feed take it in this way.
    fn take_in_state(&self, take_in: impl Fn(&Feed, Option<&State>)) {
        let before = self.state.replace(self.reader.state());
        let state = self.state.borrow();
        self.feeds().for_each(|feed| take_in(feed, state.as_ref()));
        self.take_in_offers(before.as_ref(), state.as_ref());
    }

    /// Lets those choose anew who choose, if the producer offers other renditions than before, or
    /// others in size.
    fn take_in_offers(&self, before: Option<&State>, now: Option<&State>) {
        if self.choosers.get() == 0 || offers(before) == offers(now) {
            return;
        }
        for rendition in Rendition::ALL {
            let is_offered = |state: Option<&State>| {
                state.is_some_and(|state| state.rendition(rendition).is_some())
            };
            let feed = self.renditions[rendition as usize].get();
            if let Some(feed) = feed.filter(|_| is_offered(now) && !is_offered(before)) {
                feed.set_supply(Supply::Unknown);
            }
        }
        self.let_choose();
    }

    fn let_choose(&self) {
        self.feeds().for_each(Feed::recheck);
        self.choice_changed.notify_waiters();
    }

    /// Its frames, and the renditions that clients look at.
    fn feeds(&self) -> impl Iterator<Item = &Feed> {
        let renditions = self.renditions.iter().filter_map(OnceCell::get);
        let looked_at = renditions.filter(|feed| feed.is_looked_at());
        iter::once(&self.frames).chain(looked_at)
    }
}

/// What a choice depends on of what a producer says.
fn offers(state: Option<&State>) -> Option<impl PartialEq> {
    state.map(|state| (state.width, state.height, &state.renditions))
}
