//! Waiting for what seldom happens beside what often does.
//!
//! A task that is woken polls all that it waits for, and so does a `LocalSet` with what it was
//! given, whatever woke it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// Waits for what is polled only when it was woken itself.
pub async fn apart<T>(seldom: impl Future<Output = T>) -> T {
    let bell = Arc::new(Bell::default());
    // To begin with, it is polled.
    bell.is_rung.store(true, Ordering::Release);
    let waker = Waker::from(bell.clone());
    let mut seldom = pin!(seldom);
    poll_fn(|context| {
        // Before it is looked at: who rings it then wakes the task.
        bell.is_heard_by(context.waker());
        if !bell.is_rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        seldom.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

/// Says that what seldom happens was woken.
#[derive(Default)]
struct Bell {
    is_rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl Bell {
    /// Wakes this task when it is rung.
    fn is_heard_by(&self, task: &Waker) {
        let mut known = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_rung.store(true, Ordering::Release);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = &*task {
            task.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::sync::Notify;
    use tokio::task::yield_now;

    #[tokio::test]
    async fn is_polled_when_it_was_woken_and_not_with_what_it_waits_beside() {
        let (polls, woken) = (Cell::new(0), Notify::new());
        let seldom = async {
            let mut notified = std::pin::pin!(woken.notified());
            poll_fn(|context| {
                polls.set(polls.get() + 1);
                notified.as_mut().poll(context)
            })
            .await;
            polls.get()
        };
        let often = async {
            for _ in 0..10 {
                yield_now().await;
            }
            let before = polls.get();
            woken.notify_one();
            poll_fn(|_| Poll::<()>::Pending).await;
            before
        };
        let seen = tokio::select! {
            seen = apart(seldom) => seen,
            _ = often => 0,
        };
        assert_eq!(seen, 2);
    }
}
