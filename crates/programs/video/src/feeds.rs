//! Cameras as H.264: for each that somebody watches one encode, shared by all who do; or two, where
//! some are far slower than others.
//!
//! Between a camera's slot and a viewer there is at most one picture: what is encoded is what the
//! camera sees then, and it goes out before the next is made (`policy`). Who is slow is decided in
//! `split`. `encode` has the task of each encode, `worker` its thread, `seat` what it gives to a
//! viewer.

mod encode;
mod figures;
mod picture;
mod policy;
mod seat;
mod split;
mod worker;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant, SystemTime};

use eyelid_consumer::Cameras;
use eyelid_picture::Scale;
use eyelid_slot::CameraName;
use tokio::sync::{Notify, watch};

use crate::coded::Coded;
use crate::feeds::encode::{Encode, Shared};
pub(crate) use crate::feeds::figures::{About, Reception};
pub(crate) use crate::feeds::policy::EncodeLimits;
use crate::feeds::policy::ViewerId;
use crate::feeds::seat::Seat;
use crate::feeds::split::Split;
pub(crate) use crate::feeds::worker::MakeEncoder;

/// How often it is looked who is slow: estimates change with every report.
const SPLIT_EVERY: Duration = Duration::from_millis(250);

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

/// One camera that somebody watches.
struct Feed {
    camera: CameraName,
    context: Rc<Context>,
    limits: Cell<EncodeLimits>,
    whole: Encode,
    half: RefCell<Option<Encode>>,
    split: RefCell<Split>,
    splits_next: Cell<Option<Instant>>,
    viewers: RefCell<BTreeMap<ViewerId, Rc<Watched>>>,
}

/// What is known of a viewer.
struct Watched {
    pace: Pace,
    seat: Rc<Seat>,
    encode: RefCell<Rc<Shared>>,
    report: Cell<Report>,
    wants_gop: Cell<bool>,
    since: SystemTime,
    about: RefCell<Option<About>>,
    reception: Cell<Reception>,
}

/// How pictures and a viewer's connection go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The next picture is not encoded while this viewer's pacer holds packets older than 20 ms
    /// (WebRTC), nor while it has not taken the last one.
    Holds,
    /// It misses pictures, and goes on at a keyframe (MSE, tap). It holds the next one up for
    /// 100 ms at most, and only where it reports that it still sends the last (MSE).
    Misses,
}

/// What a viewer's pacer and congestion control say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Since when the oldest packet waits that has not been sent.
    pub(crate) waiting_since: Option<Instant>,
    /// What the path carries, in bits a second, if that is estimated.
    pub(crate) estimate_bps: Option<u64>,
}

/// One who watches a camera. While any is alive, there is demand for it.
pub(crate) struct Viewer {
    id: ViewerId,
    watched: Rc<Watched>,
    feed: Rc<Feed>,
    feeds: Rc<Feeds>,
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

    /// Has these cameras, and pictures of [`Feeds::offer`] alone.
    #[cfg(test)]
    pub(crate) fn stand_in(exists: impl Fn(&CameraName) -> bool + 'static) -> Self {
        let limits = EncodeLimits {
            most_bps: 2_500_000,
            gop: None,
        };
        let make: MakeEncoder = std::sync::Arc::new(|_| unreachable!("nothing is encoded"));
        Self::of(None, move |name| exists(name).then_some(limits), make)
    }

    /// How many watch a camera.
    #[cfg(test)]
    pub(crate) fn viewers(&self, camera: &CameraName) -> usize {
        let feed = self.feeds.borrow().get(camera).and_then(Weak::upgrade);
        feed.map_or(0, |feed| feed.viewers.borrow().len())
    }

    /// A picture of a camera, as if it had been encoded. Gives whether a keyframe is wanted next.
    #[cfg(test)]
    pub(crate) fn offer(&self, camera: &CameraName, coded: Coded) -> bool {
        let feed = self.feeds.borrow().get(camera).and_then(Weak::upgrade);
        feed.is_some_and(|feed| {
            let now = Instant::now();
            feed.whole.shared.offer(&Rc::new(coded), now);
            let later = now + Duration::from_secs(1);
            feed.whole
                .shared
                .change(|policy| policy.order(later).is_key)
        })
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
        let watched = Rc::new(Watched {
            pace,
            seat: Rc::default(),
            encode: RefCell::new(feed.whole.shared.clone()),
            report: Cell::default(),
            wants_gop: Cell::default(),
            since: SystemTime::now(),
            about: RefCell::default(),
            reception: Cell::default(),
        });
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

impl Feed {
    fn start(context: &Rc<Context>, name: &CameraName, limits: EncodeLimits) -> Option<Self> {
        let whole = Self::encode(context, name, Scale::Whole, limits)?;
        Some(Self {
            camera: name.clone(),
            context: context.clone(),
            limits: Cell::new(limits),
            whole,
            half: RefCell::default(),
            split: RefCell::default(),
            splits_next: Cell::default(),
            viewers: RefCell::default(),
        })
    }

    fn encode(
        context: &Rc<Context>,
        name: &CameraName,
        scale: Scale,
        limits: EncodeLimits,
    ) -> Option<Encode> {
        let view = match &context.cameras {
            Some(cameras) => Some(cameras.view(cameras.camera(name)?, None)),
            None => None,
        };
        Some(Encode::start(context, name, view, scale, limits))
    }

    fn set_limits(&self, limits: EncodeLimits) {
        self.limits.set(limits);
        let half = self.half.borrow();
        for encode in half.iter().chain([&self.whole]) {
            encode.shared.change(|policy| policy.set_limits(limits));
        }
    }

    /// Looks who is slow, if it is time to.
    fn split(&self, now: Instant) {
        if self.splits_next.get().is_some_and(|next| now < next) {
            return;
        }
        self.splits_next.set(Some(now + SPLIT_EVERY));
        let viewers = self.viewers.borrow();
        let held = viewers.iter().filter(|(_, it)| it.pace == Pace::Holds);
        let estimates: Vec<_> = held
            .filter_map(|(id, it)| Some((*id, it.report.get().estimate_bps?)))
            .collect();
        let most_bps = self.limits.get().most_bps;
        let changes = self.split.borrow_mut().estimated(&estimates, most_bps, now);
        for (id, is_slow) in changes {
            if let Some(watched) = viewers.get(&id) {
                self.move_to(id, watched, is_slow);
            }
        }
        drop(viewers);
        self.drop_half_if_empty();
    }

    fn move_to(&self, id: ViewerId, watched: &Rc<Watched>, is_slow: bool) {
        let encode = if is_slow {
            let mut half = self.half.borrow_mut();
            if half.is_none() {
                let (context, limits) = (&self.context, self.limits.get());
                *half = Self::encode(context, &self.camera, Scale::Half, limits);
            }
            match &*half {
                Some(half) => half.shared.clone(),
                None => return,
            }
        } else {
            self.whole.shared.clone()
        };
        let size = if is_slow { "half" } else { "the whole" };
        let camera = self.camera.as_str();
        log::info!("camera {camera:?}: a viewer gets {size} of its size from now on");
        watched.encode.replace(encode.clone()).leave(id);
        watched.seat.clear();
        encode.enter(id, watched.pace, &watched.seat);
        encode.change(|policy| {
            policy.comes(id);
            policy.report(id, watched.report.get());
            if watched.wants_gop.get() {
                policy.want_gop(id);
            }
        });
    }

    fn leave(&self, id: ViewerId) {
        let watched = self.viewers.borrow_mut().remove(&id);
        if let Some(watched) = watched {
            watched.encode.borrow().leave(id);
        }
        self.split.borrow_mut().leave(id);
        self.drop_half_if_empty();
    }

    fn drop_half_if_empty(&self) {
        let mut half = self.half.borrow_mut();
        if half.as_ref().is_some_and(|half| half.shared.is_empty()) {
            half.take();
        }
    }
}

impl Viewer {
    /// Waits for the next picture that this viewer can decode: the newest. After a gap that is a
    /// keyframe, which is asked for. Nothing is lost by giving up on it.
    pub(crate) async fn next(&self) -> Rc<Coded> {
        loop {
            let encode = self.watched.encode.borrow().clone();
            encode.change_if(|policy| policy.comes(self.id));
            if let Some(coded) = self.watched.seat.take() {
                return coded;
            }
            self.watched.seat.changed().await;
        }
    }

    /// Asks for a keyframe, because something was lost (PLI, FIR) or the reader wants one. The feed
    /// makes one in 300 ms at most.
    pub(crate) fn ask_key(&self) {
        self.encode().change(|policy| policy.ask_key());
    }

    /// Has keyframes come from time to time, where the configuration says so (`gop`): a reader
    /// needs them.
    pub(crate) fn want_gop(&self) {
        self.watched.wants_gop.set(true);
        self.encode().change(|policy| policy.want_gop(self.id));
    }

    /// Says how it goes with this viewer's connection. To be called whenever that changes: until
    /// then it holds.
    pub(crate) fn report(&self, report: Report) {
        self.watched.report.set(report);
        self.encode()
            .change_if(|policy| policy.report(self.id, report));
        if report.estimate_bps.is_some() {
            self.feed.split(Instant::now());
        }
    }

    /// Says who it is, for `/status`.
    pub(crate) fn set_about(&self, about: About) {
        self.watched.about.replace(Some(about));
    }

    /// Says how pictures arrive, for `/status`.
    pub(crate) fn set_reception(&self, reception: Reception) {
        self.watched.reception.set(reception);
    }

    /// Why no picture comes, if that is known; it may pass.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.encode().obstacle()
    }

    /// Waits until [`Viewer::obstacle`] may be another. Nothing is lost by giving up on it.
    pub(crate) async fn obstacle_changed(&self) {
        self.watched.seat.obstacle_changed().await;
    }

    fn encode(&self) -> Rc<Shared> {
        self.watched.encode.borrow().clone()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.feeds.count_ended(&self.feed.camera, &self.watched);
        self.feed.leave(self.id);
        self.feeds.viewers.send_modify(|viewers| *viewers -= 1);
    }
}

#[cfg(test)]
mod tests;
