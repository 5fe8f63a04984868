//! One camera that somebody watches: the encode of the whole picture, and that of half the size
//! where some are far slower than others.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_picture::Scale;
use eyelid_slot::CameraName;

use super::Context;
use super::encode::Encode;
use super::policy::{EncodeLimits, ViewerId};
use super::split::Split;
use super::viewer::Watched;

/// How often it is looked who is slow: estimates change with every report.
const SPLIT_EVERY: Duration = Duration::from_millis(250);

/// One camera that somebody watches.
pub(super) struct Feed {
    pub(super) camera: CameraName,
    context: Rc<Context>,
    limits: Cell<EncodeLimits>,
    pub(super) whole: Encode,
    pub(super) half: RefCell<Option<Encode>>,
    split: RefCell<Split>,
    splits_next: Cell<Option<Instant>>,
    pub(super) viewers: RefCell<BTreeMap<ViewerId, Rc<Watched>>>,
}

impl Feed {
    /// Starts the encode of the whole picture; `None` where there is no such camera.
    pub(super) fn start(
        context: &Rc<Context>,
        name: &CameraName,
        limits: EncodeLimits,
    ) -> Option<Self> {
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

    /// Other limits hold.
    pub(super) fn set_limits(&self, limits: EncodeLimits) {
        self.limits.set(limits);
        let half = self.half.borrow();
        for encode in half.iter().chain([&self.whole]) {
            encode.shared.change(|policy| policy.set_limits(limits));
        }
    }

    /// Looks who is slow, if it is time to.
    pub(super) fn split(&self, now: Instant) {
        if self.splits_next.get().is_some_and(|next| now < next) {
            return;
        }
        self.splits_next.set(Some(now + SPLIT_EVERY));
        let viewers = self.viewers.borrow();
        let most_bps = self.limits.get().most_bps;
        let estimates: Vec<_> = viewers
            .iter()
            .filter_map(|(id, it)| Some((*id, it.carries(most_bps, now)?)))
            .collect();
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

    /// A viewer leaves.
    pub(super) fn leave(&self, id: ViewerId) {
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
