//! The clients that have the newest frame and wait for the next: it goes to all of them in one pass.
//!
//! To wake a task for each client and frame costs as much as sending a small frame. So clients that keep up are not woken:
//! when a frame comes it is offered to one after the other. A client's task wakes only when it has something to do: the
//! client did not take all of the frame, or was not ready for one.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::clock::Now;
use crate::{FrameNumber, SharedFrame};

/// A client that takes frames as they come.
pub trait Subscriber {
    /// Takes a frame, as far as that goes without waiting: `Continue` where it is ready for another, else why its task is to
    /// wake. It must not look at the camera meanwhile.
    fn offer(&self, frame: &Rc<SharedFrame>, now: Instant) -> ControlFlow<Wake>;
}

/// Why a subscriber waits no more.
#[derive(Debug)]
pub enum Wake {
    /// There may be a newer frame, or a reason why there is none.
    Recheck,
    /// A newer frame was not sent, for too much of older ones has not been taken yet.
    Backlogged,
    /// Only so many bytes of what is to be sent of this frame were taken; the rest must follow.
    Partial(Rc<SharedFrame>, usize),
    /// The way to the client failed.
    Failed(io::Error),
}

/// The subscribers of one camera that wait.
#[derive(Default)]
pub(crate) struct Subscribers {
    next: Cell<u64>,
    waiting: RefCell<BTreeMap<u64, Rc<Waiting>>>,
}

struct Waiting {
    subscriber: Rc<dyn Subscriber>,
    /// The newest frame that it has.
    seen: Cell<FrameNumber>,
    max_age: Duration,
    /// Since when it has waited for the next.
    since: Cell<Instant>,
    wake: RefCell<Option<Wake>>,
    woken: Notify,
}

impl Subscribers {
    /// Waits, and offers `subscriber` every frame that comes after the one that it has `seen`, until its task has something
    /// to do; that is so at the latest when no frame has come for `pause`.
    pub(crate) async fn wait(
        &self,
        subscriber: Rc<dyn Subscriber>,
        seen: FrameNumber,
        max_age: Duration,
        pause: Duration,
    ) -> Wake {
        let place = Place::take(self, subscriber, seen, max_age);
        let waiting = &place.waiting;
        loop {
            let end = waiting.since.get() + pause;
            let woken = timeout_at(end.into(), waiting.woken.notified()).await;
            if let Some(wake) = waiting.wake.take() {
                return wake;
            }
            if woken.is_err() && waiting.since.get() + pause <= Now::read().monotonic {
                return Wake::Recheck;
            }
        }
    }

    /// Says whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Offers a frame to all that wait and do not have it. Those that cannot take it, or not now, wait no more.
    pub(crate) fn offer(&self, frame: &Rc<SharedFrame>, now: Now) {
        // One clock for all: what a pass takes is small beside what depends on it.
        let age = frame.age(now.wall);
        self.waiting.borrow_mut().retain(|_, waiting| {
            // It may have been read, and taken, before its coming was heard of.
            if frame.number <= waiting.seen.get() {
                return true;
            }
            if age > waiting.max_age {
                return waiting.wake(Wake::Recheck);
            }
            match waiting.subscriber.offer(frame, now.monotonic) {
                ControlFlow::Continue(()) => {
                    waiting.seen.set(frame.number);
                    waiting.since.set(now.monotonic);
                    true
                }
                ControlFlow::Break(wake) => waiting.wake(wake),
            }
        });
    }

    /// Lets all look for themselves.
    pub(crate) fn recheck(&self) {
        let waiting = self.waiting.take();
        waiting.values().for_each(|waiting| {
            waiting.wake(Wake::Recheck);
        });
    }
}

impl Waiting {
    /// Ends the waiting; gives `false`, for it is kept no longer.
    fn wake(&self, why: Wake) -> bool {
        self.wake.replace(Some(why));
        self.woken.notify_one();
        false
    }
}

/// A place among those that wait, given up when dropped.
struct Place<'a> {
    subscribers: &'a Subscribers,
    key: u64,
    waiting: Rc<Waiting>,
}

impl<'a> Place<'a> {
    fn take(
        subscribers: &'a Subscribers,
        subscriber: Rc<dyn Subscriber>,
        seen: FrameNumber,
        max_age: Duration,
    ) -> Self {
        let key = subscribers.next.replace(subscribers.next.get() + 1);
        let waiting = Rc::new(Waiting {
            subscriber,
            seen: Cell::new(seen),
            max_age,
            since: Cell::new(Now::read().monotonic),
            wake: RefCell::default(),
            woken: Notify::new(),
        });
        subscribers
            .waiting
            .borrow_mut()
            .insert(key, waiting.clone());
        Self {
            subscribers,
            key,
            waiting,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.subscribers.waiting.borrow_mut().remove(&self.key);
    }
}
