//! The streams that have the newest frame and wait for the next: it goes to all of them in one pass.
//!
//! To wake a task for each client and frame costs as much as sending a small frame. So clients that keep up are not woken:
//! when a frame comes, their sockets are written to one after the other. A client's task hears of it only when it has
//! something to do: its socket did not take all of the frame, or had not drained.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::outlet::{Offered, Outlet};
use crate::shown::Shown;

/// The streams of one camera that wait.
#[derive(Default)]
pub(crate) struct Fanout {
    next: Cell<u64>,
    waiting: RefCell<BTreeMap<u64, Rc<Waiting>>>,
}

/// One that waits.
struct Waiting {
    outlet: Rc<Outlet>,
    max_age: Duration,
    /// When it began to wait for the frame that is next.
    since: Cell<Instant>,
    turn: RefCell<Option<Turn>>,
    released: Notify,
}

/// Why a stream waits no more.
#[derive(Debug)]
pub(crate) enum Turn {
    /// There may be a newer frame, or a reason why there is none.
    Look,
    /// A newer frame was not sent, for older ones lie in the socket.
    Drain,
    /// The socket took only so many bytes of this frame's part.
    Finish(Rc<Shown>, usize),
    /// The socket failed.
    Failed(io::Error),
}

impl Fanout {
    /// Waits, and lets every frame that comes go to `outlet`, until it is the stream's turn to do something; that is so at
    /// the latest when no frame has come for `pause`.
    pub(crate) async fn wait(
        &self,
        outlet: &Rc<Outlet>,
        max_age: Duration,
        pause: Duration,
    ) -> Turn {
        let place = Place::take(self, outlet.clone(), max_age);
        let waiting = &place.waiting;
        loop {
            let end = waiting.since.get() + pause;
            let released = timeout_at(end, waiting.released.notified()).await;
            if let Some(turn) = waiting.turn.take() {
                return turn;
            }
            if released.is_err() && waiting.since.get() + pause <= Instant::now() {
                return Turn::Look;
            }
        }
    }

    /// Says whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Sends a frame to all that wait. Those that cannot take it, or not now, wait no more.
    pub(crate) fn send(&self, shown: &Rc<Shown>) {
        // One clock for all: what a pass takes is small beside what depends on it.
        let now = Instant::now();
        let age = shown.age();
        self.waiting.borrow_mut().retain(|_, waiting| {
            if age > waiting.max_age {
                return waiting.release(Turn::Look);
            }
            match waiting.outlet.offer(shown, now) {
                Offered::Taken => {
                    waiting.since.set(now);
                    true
                }
                Offered::NotDrained => waiting.release(Turn::Drain),
                Offered::Begun(bytes) => waiting.release(Turn::Finish(shown.clone(), bytes)),
                Offered::Failed(error) => waiting.release(Turn::Failed(error)),
            }
        });
    }

    /// Lets all streams look for themselves.
    pub(crate) fn release(&self) {
        let waiting = self.waiting.take();
        waiting.values().for_each(|waiting| {
            waiting.release(Turn::Look);
        });
    }
}

impl Waiting {
    /// Ends the waiting; gives `false`, for it is kept no longer.
    fn release(&self, turn: Turn) -> bool {
        self.turn.replace(Some(turn));
        self.released.notify_one();
        false
    }
}

/// A stream's place among those that wait, given up when dropped.
struct Place<'a> {
    fanout: &'a Fanout,
    key: u64,
    waiting: Rc<Waiting>,
}

impl<'a> Place<'a> {
    fn take(fanout: &'a Fanout, outlet: Rc<Outlet>, max_age: Duration) -> Self {
        let key = fanout.next.replace(fanout.next.get() + 1);
        let waiting = Rc::new(Waiting {
            outlet,
            max_age,
            since: Cell::new(Instant::now()),
            turn: RefCell::default(),
            released: Notify::new(),
        });
        fanout.waiting.borrow_mut().insert(key, waiting.clone());
        Self {
            fanout,
            key,
            waiting,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.fanout.waiting.borrow_mut().remove(&self.key);
    }
}
