//! The clients that have the newest frame and wait for the next: it goes to all of them in one
//! pass.
//!
//! To wake a task for each client and frame costs as much as sending a small frame. So clients that
//! keep up are not woken: when a frame comes it is offered to one after the other. A client's task
//! wakes only when it has something to do: the client did not take all of the frame, or was not
//! ready for one.

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
    /// Takes a frame, as far as that goes without waiting: `Continue` where it is ready for
    /// another, else why its task is to wake. It must not look at the camera meanwhile.
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
    /// Waits, and offers `subscriber` every frame that comes after the one that it has `seen`,
    /// until its task has something to do; that is so at the latest when no frame has come for
    /// `pause`.
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

    /// Offers a frame to all that wait and do not have it. Those that cannot take it, or not now,
    /// wait no more.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::future::{Future, poll_fn};
    use std::pin::{Pin, pin};
    use std::task::Poll;
    use std::time::SystemTime;

    use eyelid_slot::{FRAME_FILE, Reader};
    use tokio::time::advance;

    const MAX_AGE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_secs(1);

    /// Takes so many frames, and is not ready for more.
    #[derive(Default)]
    struct Takes {
        room: Cell<usize>,
        taken: RefCell<Vec<FrameNumber>>,
    }

    impl Subscriber for Takes {
        fn offer(&self, frame: &Rc<SharedFrame>, _: Instant) -> ControlFlow<Wake> {
            if self.room.get() == 0 {
                return ControlFlow::Break(Wake::Backlogged);
            }
            self.room.set(self.room.get() - 1);
            self.taken.borrow_mut().push(frame.number);
            ControlFlow::Continue(())
        }
    }

    fn takes(room: usize) -> Rc<Takes> {
        Rc::new(Takes {
            room: Cell::new(room),
            ..Takes::default()
        })
    }

    /// Frames that come one after the other, captured now.
    fn frames(count: usize) -> Vec<Rc<SharedFrame>> {
        let slot = tempfile::tempdir().unwrap();
        fs::write(slot.path().join(FRAME_FILE), b"\xFF\xD8\xFF\xD9").unwrap();
        let reader = Reader::new(slot.path());
        let numbers = std::iter::successors(Some(FrameNumber::default().next()), |number| {
            Some(number.next())
        });
        numbers
            .take(count)
            .map(|number| {
                let file = reader.open().unwrap();
                SharedFrame::read(&file, None, &(), &mut Vec::new(), number).unwrap()
            })
            .map(Rc::new)
            .collect()
    }

    fn numbers(frames: &[Rc<SharedFrame>]) -> Vec<FrameNumber> {
        frames.iter().map(|frame| frame.number).collect()
    }

    /// Polls once. Gives whether that was enough.
    async fn is_ready(mut future: Pin<&mut impl Future>) -> bool {
        poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_up_gets_every_frame_and_is_not_woken() {
        let (subscribers, frames) = (Subscribers::default(), frames(20));
        let both = [takes(20), takes(20)];
        let [one, other] = &both;
        let none = FrameNumber::default();
        let mut waiting = pin!(async {
            tokio::join!(
                subscribers.wait(one.clone(), none, MAX_AGE, PAUSE),
                subscribers.wait(other.clone(), none, MAX_AGE, PAUSE),
            )
        });
        for frame in &frames {
            assert!(!is_ready(waiting.as_mut()).await);
            // They wait far longer for all of the frames than for any of them.
            advance(PAUSE / 2).await;
            subscribers.offer(frame, Now::read());
        }
        assert!(!is_ready(waiting.as_mut()).await);
        for subscriber in &both {
            assert_eq!(*subscriber.taken.borrow(), numbers(&frames));
        }
        advance(PAUSE).await;
        let (one, other) = waiting.await;
        assert!(matches!((one, other), (Wake::Recheck, Wake::Recheck)));
        assert!(subscribers.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_ready_wakes_and_holds_up_nobody() {
        let (subscribers, frames) = (Subscribers::default(), frames(2));
        let (slow, quick) = (takes(1), takes(2));
        let none = FrameNumber::default();
        let mut slow_waits = pin!(subscribers.wait(slow.clone(), none, MAX_AGE, PAUSE));
        let mut quick_waits = pin!(subscribers.wait(quick.clone(), none, MAX_AGE, PAUSE));
        assert!(!is_ready(slow_waits.as_mut()).await && !is_ready(quick_waits.as_mut()).await);
        for frame in &frames {
            subscribers.offer(frame, Now::read());
        }
        assert!(matches!(slow_waits.await, Wake::Backlogged));
        assert!(!is_ready(quick_waits.as_mut()).await);
        assert_eq!(*quick.taken.borrow(), numbers(&frames));
        assert_eq!(*slow.taken.borrow(), numbers(&frames[..1]));
    }

    #[tokio::test(start_paused = true)]
    async fn no_frame_is_offered_that_was_seen() {
        let (subscribers, frames) = (Subscribers::default(), frames(2));
        let subscriber = takes(3);
        let seen = frames[0].number;
        let mut waiting = pin!(subscribers.wait(subscriber.clone(), seen, MAX_AGE, PAUSE));
        assert!(!is_ready(waiting.as_mut()).await);
        for frame in [&frames[0], &frames[1], &frames[1]] {
            subscribers.offer(frame, Now::read());
        }
        assert!(!is_ready(waiting.as_mut()).await);
        assert_eq!(*subscriber.taken.borrow(), numbers(&frames[1..]));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_frame_is_not_offered_and_wakes() {
        let (subscribers, frames) = (Subscribers::default(), frames(1));
        let subscriber = takes(1);
        let none = FrameNumber::default();
        let mut waiting = pin!(subscribers.wait(subscriber.clone(), none, MAX_AGE, PAUSE));
        assert!(!is_ready(waiting.as_mut()).await);
        let later = Now {
            wall: SystemTime::now() + MAX_AGE * 2,
            ..Now::read()
        };
        subscribers.offer(&frames[0], later);
        assert!(matches!(waiting.await, Wake::Recheck));
        assert!(subscriber.taken.borrow().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_is_offered_nothing() {
        let (subscribers, frames) = (Subscribers::default(), frames(1));
        let (leaves, stays) = (takes(1), takes(1));
        let none = FrameNumber::default();
        let mut staying = pin!(subscribers.wait(stays.clone(), none, MAX_AGE, PAUSE));
        assert!(!is_ready(staying.as_mut()).await);
        {
            let mut leaving = pin!(subscribers.wait(leaves.clone(), none, MAX_AGE, PAUSE));
            assert!(!is_ready(leaving.as_mut()).await);
        }
        subscribers.offer(&frames[0], Now::read());
        assert!(leaves.taken.borrow().is_empty());
        assert_eq!(*stays.taken.borrow(), numbers(&frames));
        subscribers.recheck();
        assert!(matches!(staying.await, Wake::Recheck));
    }
}
