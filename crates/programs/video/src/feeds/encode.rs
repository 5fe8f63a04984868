//! One encode of a camera, and what its task (`feeding`) and those who watch have in common. When,
//! and how, [`Policy`] decides; here everybody is told.

mod feeding;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use eyelid_consumer::View;
use eyelid_picture::Scale;
use eyelid_slot::CameraName;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::coded::Coded;
use crate::feeds::policy::{EncodeLimits, Offer, Policy, ViewerId};
use crate::feeds::seat::Seat;
use crate::feeds::{Context, Pace};
use feeding::Feeding;

/// An encode, and the task that feeds it. It ends when this is dropped: then the camera is looked
/// at no more, and its encoder is given up.
pub(crate) struct Encode {
    pub(crate) shared: Rc<Shared>,
    _task: JoinSet<()>,
}

/// What the task and the viewers have in common.
pub(crate) struct Shared {
    camera: CameraName,
    pub(crate) scale: Scale,
    policy: RefCell<Policy>,
    /// Something that the policy goes by.
    changed: Notify,
    seats: RefCell<BTreeMap<ViewerId, Weak<Seat>>>,
    obstacle: RefCell<Option<String>>,
    pub(crate) counts: Cell<EncodeCounts>,
    encoder: RefCell<Option<Rc<str>>>,
}

/// What has come of an encode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct EncodeCounts {
    /// Pictures.
    pub(crate) pictures: u64,
    /// Keyframes among them.
    pub(crate) keys: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// Pictures that could not be encoded.
    pub(crate) failures: u64,
    /// Width and height in pixels of the last one.
    pub(crate) size: (u32, u32),
    /// Bits a second that the last one was to have.
    pub(crate) bits_per_second: u32,
    /// How long encoding takes, on average of late.
    pub(crate) encode_time: Duration,
}

impl Encode {
    /// Starts one of this size, of what is seen by `view`; without that, of nothing.
    pub(crate) fn start(
        context: &Rc<Context>,
        camera: &CameraName,
        view: Option<View>,
        scale: Scale,
        limits: EncodeLimits,
    ) -> Self {
        let shared = Rc::new(Shared::new(camera.clone(), scale, limits));
        let mut task = JoinSet::new();
        if let Some(view) = view {
            let (shared, context) = (shared.clone(), context.clone());
            task.spawn_local(async move {
                let _alarm = context.alarm();
                let make = context.make.clone();
                Feeding::new(shared, view, make).run().await;
            });
        }
        Self {
            shared,
            _task: task,
        }
    }
}

impl Shared {
    pub(crate) fn new(camera: CameraName, scale: Scale, limits: EncodeLimits) -> Self {
        Self {
            camera,
            scale,
            policy: RefCell::new(Policy::new(limits)),
            changed: Notify::new(),
            seats: RefCell::default(),
            obstacle: RefCell::default(),
            counts: Cell::default(),
            encoder: RefCell::default(),
        }
    }

    /// Lets a viewer watch.
    pub(crate) fn enter(&self, id: ViewerId, pace: Pace, seat: &Rc<Seat>) {
        self.policy.borrow_mut().enter(id, pace);
        self.seats.borrow_mut().insert(id, Rc::downgrade(seat));
        self.changed.notify_one();
    }

    /// A viewer leaves.
    pub(crate) fn leave(&self, id: ViewerId) {
        self.seats.borrow_mut().remove(&id);
        self.change(|policy| policy.leave(id));
    }

    /// Says whether nobody watches.
    pub(crate) fn is_empty(&self) -> bool {
        self.policy.borrow().is_empty()
    }

    /// How many watch.
    pub(crate) fn viewers(&self) -> usize {
        self.seats.borrow().len()
    }

    /// Changes what the policy goes by.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Policy) -> T) -> T {
        let changed = change(&mut self.policy.borrow_mut());
        self.changed.notify_one();
        changed
    }

    /// Changes what the policy goes by if that is new to it.
    pub(crate) fn change_if(&self, change: impl FnOnce(&mut Policy) -> bool) {
        if change(&mut self.policy.borrow_mut()) {
            self.changed.notify_one();
        }
    }

    /// Why no picture comes.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.obstacle.borrow().clone()
    }

    /// Which encoder it was that encoded the last keyframe, if one was.
    pub(crate) fn encoder(&self) -> Option<Rc<str>> {
        self.encoder.borrow().clone()
    }

    /// Gives everybody a picture who can decode it.
    pub(crate) fn offer(&self, coded: &Rc<Coded>, now: Instant) {
        let mut policy = self.policy.borrow_mut();
        policy.encoded(coded.is_key, now);
        for (id, seat) in self.seats.borrow().iter() {
            if let Some(seat) = seat.upgrade() {
                match policy.offer(*id, coded.is_key, now) {
                    Offer::Takes => seat.put(coded.clone()),
                    Offer::Misses => seat.miss(),
                    Offer::Waits => {}
                }
            }
        }
    }

    fn set_obstacle(&self, what: Option<String>) {
        if *self.obstacle.borrow() == what {
            return;
        }
        match &what {
            Some(what) => log::info!("camera {:?}: no picture to encode: {what}", self.name()),
            None => log::info!("camera {:?}: pictures come again", self.name()),
        }
        self.obstacle.replace(what);
        for seat in self.seats.borrow().values().filter_map(Weak::upgrade) {
            seat.tell_obstacle();
        }
    }

    fn name(&self) -> &str {
        self.camera.as_str()
    }
}
