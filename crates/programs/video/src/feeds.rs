//! Cameras as H.264: for each that somebody watches one encode, shared by all who do.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Instant;

use eyelid_slot::CameraName;
use tokio::sync::Notify;

use crate::coded::Coded;

/// All cameras as H.264.
pub(crate) struct Feeds {
    feeds: RefCell<BTreeMap<CameraName, Weak<Feed>>>,
    /// Those that there are.
    exists: Box<dyn Fn(&CameraName) -> bool>,
}

/// One camera that somebody watches.
struct Feed {
    viewers: RefCell<Vec<Weak<Seat>>>,
    key_asked: Cell<bool>,
}

/// What a viewer and its feed have in common.
struct Seat {
    pace: Pace,
    next: RefCell<Option<Rc<Coded>>>,
    needs_key: Cell<bool>,
    report: Cell<Report>,
    obstacle: RefCell<Option<String>>,
    changed: Notify,
}

/// How pictures and a viewer's connection go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The next picture is not encoded while this viewer's pacer holds packets older than 20 ms
    /// (WebRTC), nor while it has not taken the last one.
    Holds,
    /// It holds nobody up: it misses pictures, and goes on at a keyframe (MSE, tap).
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
    feed: Rc<Feed>,
    seat: Rc<Seat>,
}

impl Feeds {
    /// Has no viewers yet.
    pub(crate) fn new(exists: impl Fn(&CameraName) -> bool + 'static) -> Self {
        Self {
            feeds: RefCell::default(),
            exists: Box::new(exists),
        }
    }

    /// Watches a camera; `None` where there is none of this name. That is demand until the viewer
    /// is dropped. Pictures are made from the first [`Viewer::next`] on: until then the camera is
    /// kept awake.
    pub(crate) fn watch(self: &Rc<Self>, camera: &CameraName, pace: Pace) -> Option<Viewer> {
        if !(self.exists)(camera) {
            return None;
        }
        let mut feeds = self.feeds.borrow_mut();
        feeds.retain(|_, feed| feed.strong_count() > 0);
        let feed = feeds
            .get(camera)
            .and_then(Weak::upgrade)
            .unwrap_or_else(|| {
                let feed = Rc::new(Feed {
                    viewers: RefCell::default(),
                    key_asked: Cell::new(true),
                });
                feeds.insert(camera.clone(), Rc::downgrade(&feed));
                feed
            });
        let seat = Rc::new(Seat {
            pace,
            next: RefCell::default(),
            needs_key: Cell::new(true),
            report: Cell::default(),
            obstacle: RefCell::default(),
            changed: Notify::new(),
        });
        feed.viewers.borrow_mut().push(Rc::downgrade(&seat));
        Some(Viewer { feed, seat })
    }

    /// How many watch a camera.
    #[cfg(test)]
    pub(crate) fn viewers(&self, camera: &CameraName) -> usize {
        let feed = self.feeds.borrow().get(camera).and_then(Weak::upgrade);
        feed.map_or(0, |feed| {
            let mut viewers = feed.viewers.borrow_mut();
            viewers.retain(|seat| seat.strong_count() > 0);
            viewers.len()
        })
    }

    /// A picture of a camera, as if it had been encoded. Gives whether anybody has asked for a
    /// keyframe since the last one.
    #[cfg(test)]
    pub(crate) fn offer(&self, camera: &CameraName, coded: Coded) -> bool {
        let feed = self.feeds.borrow().get(camera).and_then(Weak::upgrade);
        feed.is_some_and(|feed| {
            feed.offer(&Rc::new(coded));
            feed.key_asked.get()
        })
    }
}

impl Feed {
    #[cfg(test)]
    fn offer(&self, coded: &Rc<Coded>) {
        if coded.is_key {
            self.key_asked.set(false);
        }
        for seat in self.viewers.borrow().iter().filter_map(Weak::upgrade) {
            seat.offer(coded, &self.key_asked);
        }
    }
}

impl Seat {
    #[cfg(test)]
    fn offer(&self, coded: &Rc<Coded>, key_asked: &Cell<bool>) {
        let missed = self.next.borrow_mut().take().is_some();
        if !coded.is_key && (missed || self.needs_key.get()) {
            self.needs_key.set(true);
            key_asked.set(true);
            return;
        }
        self.needs_key.set(false);
        self.next.replace(Some(coded.clone()));
        self.changed.notify_one();
    }
}

impl Viewer {
    /// Waits for the next picture that this viewer can decode: the newest. After a gap that is a
    /// keyframe, which is asked for. Nothing is lost by giving up on it.
    pub(crate) async fn next(&self) -> Rc<Coded> {
        loop {
            let changed = self.seat.changed.notified();
            if let Some(coded) = self.seat.next.borrow_mut().take() {
                return coded;
            }
            changed.await;
        }
    }

    /// Asks for a keyframe, because something was lost (PLI, FIR) or the reader wants one. The feed
    /// makes one in 300 ms at most.
    pub(crate) fn ask_key(&self) {
        self.feed.key_asked.set(true);
    }

    /// Says how it goes with this viewer's connection. To be called whenever that changes: until
    /// then it holds.
    pub(crate) fn report(&self, report: Report) {
        self.seat.report.set(report);
    }

    /// Why no picture comes, if that is known; it may pass.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.seat.obstacle.borrow().clone()
    }
}
