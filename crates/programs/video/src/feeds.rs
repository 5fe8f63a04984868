//! Cameras as H.264: for each that somebody watches one encode, shared by all who do; or two, where
//! some are far slower than others.
//!
//! Between a camera's slot and a viewer there is at most one picture: what is encoded is what the
//! camera sees then, and it goes out before the next is made (`policy`). Who is slow is decided in
//! `split`. `feed` is one camera, `viewer` one who watches it. `encode` is an encode with its task,
//! `worker` its thread, `seat` what it gives to a viewer.

mod encode;
mod feed;
mod figures;
mod picture;
mod policy;
mod seat;
mod split;
#[cfg(test)]
mod stand_in;
mod viewer;
mod worker;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use eyelid_consumer::Cameras;
use eyelid_slot::CameraName;
use tokio::sync::{Notify, watch};

use feed::Feed;
pub(crate) use figures::{About, Reception};
pub(crate) use policy::EncodeLimits;
use policy::ViewerId;
#[cfg(all(test, feature = "native"))]
pub(crate) use policy::{Offer, Policy, Step};
use viewer::Watched;
pub(crate) use viewer::{Pace, Report, Viewer};
pub(crate) use worker::MakeEncoder;

/// What holds for a camera, if there is to be H.264 of it.
type LimitsOf = Box<dyn Fn(&CameraName) -> Option<EncodeLimits>>;

/// All cameras as H.264.
pub(crate) struct Feeds {
    context: Rc<Context>,
    limits: RefCell<LimitsOf>,
    feeds: RefCell<BTreeMap<CameraName, Weak<Feed>>>,
    next_id: Cell<ViewerId>,
    viewers: watch::Sender<usize>,
    ended: RefCell<BTreeMap<CameraName, figures::Totals>>,
}

/// What all encodes are made with.
struct Context {
    cameras: Option<Rc<Cameras>>,
    make: MakeEncoder,
    /// The task of an encode has panicked.
    died: Notify,
}

impl Feeds {
    /// Watches these cameras, each within its `limits`; one without has no H.264.
    pub(crate) fn new(
        cameras: Rc<Cameras>,
        limits: impl Fn(&CameraName) -> Option<EncodeLimits> + 'static,
        make: MakeEncoder,
    ) -> Self {
        Self::of(Some(cameras), limits, make)
    }

    fn of(
        cameras: Option<Rc<Cameras>>,
        limits: impl Fn(&CameraName) -> Option<EncodeLimits> + 'static,
        make: MakeEncoder,
    ) -> Self {
        Self {
            context: Rc::new(Context {
                cameras,
                make,
                died: Notify::new(),
            }),
            limits: RefCell::new(Box::new(limits)),
            feeds: RefCell::default(),
            next_id: Cell::default(),
            viewers: watch::Sender::new(0),
            ended: RefCell::default(),
        }
    }

    /// Watches a camera; `None` where there is none of this name, or no H.264 of it. That is demand
    /// until the viewer is dropped. Pictures are made from the first [`Viewer::next`] on: until
    /// then the camera is kept awake.
    pub(crate) fn watch(self: &Rc<Self>, camera: &CameraName, pace: Pace) -> Option<Viewer> {
        let limits = self.limits.borrow()(camera)?;
        let known = self.feeds.borrow().get(camera).and_then(Weak::upgrade);
        let feed = match known {
            Some(feed) => feed,
            None => {
                let feed = Rc::new(Feed::start(&self.context, camera, limits)?);
                let mut feeds = self.feeds.borrow_mut();
                feeds.retain(|_, feed| feed.strong_count() > 0);
                feeds.insert(camera.clone(), Rc::downgrade(&feed));
                feed
            }
        };
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        let watched = Rc::new(Watched::new(pace, feed.whole.shared.clone()));
        feed.whole.shared.enter(id, pace, &watched.seat);
        feed.viewers.borrow_mut().insert(id, watched.clone());
        self.viewers.send_modify(|viewers| *viewers += 1);
        Some(Viewer {
            id,
            watched,
            feed,
            feeds: self.clone(),
        })
    }

    /// Other limits hold. Who watches a camera that has none any more goes on.
    pub(crate) fn reconfigure(
        &self,
        limits: impl Fn(&CameraName) -> Option<EncodeLimits> + 'static,
    ) {
        for feed in self.feeds.borrow().values().filter_map(Weak::upgrade) {
            if let Some(limits) = limits(&feed.camera) {
                feed.set_limits(limits);
            }
        }
        *self.limits.borrow_mut() = Box::new(limits);
    }

    /// What holds for a camera; `None` where there is no H.264 of it.
    pub(crate) fn limits_of(&self, camera: &CameraName) -> Option<EncodeLimits> {
        self.limits.borrow()(camera)
    }

    /// How many watch now.
    pub(crate) fn count(&self) -> usize {
        *self.viewers.borrow()
    }

    /// Waits until somebody watches, or until nobody does.
    pub(crate) async fn until(&self, is_watched: bool) {
        let mut viewers = self.viewers.subscribe();
        // The sender lives as long as this does.
        let _ = viewers
            .wait_for(|viewers| (*viewers > 0) == is_watched)
            .await;
    }

    /// Waits until something has gone wrong that nobody has thought of: a task has panicked.
    pub(crate) async fn died(&self) {
        self.context.died.notified().await;
    }
}

impl Context {
    /// What tells of a panic of the task that has it.
    fn alarm(self: &Rc<Self>) -> Alarm {
        Alarm(self.clone())
    }
}

struct Alarm(Rc<Context>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.died.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
