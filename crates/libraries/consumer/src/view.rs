//! One client's look at a camera.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep_until;

use crate::clock::Now;
use crate::watches::Watches;
use crate::{
    Camera, Deadline, FrameNumber, Freshness, NoFrame, RateCap, SharedFrame, Subscriber, Wake,
};

/// A client's look at a camera. While any is alive, the slot is watched.
pub struct View {
    watches: Rc<Watches>,
    camera: Rc<Camera>,
    cap: Cell<Option<RateCap>>,
}

impl View {
    pub(crate) fn new(watches: Rc<Watches>, camera: Rc<Camera>, cap: Option<RateCap>) -> Self {
        if camera.enter() {
            watches.watch(&camera);
        }
        Self {
            watches,
            camera,
            cap: Cell::new(cap),
        }
    }

    /// The camera.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Waits until the client's own rate allows the next frame. Whoever waits for something else
    /// too before a frame is chosen, such as for room in a socket, waits for this first.
    pub async fn until_due(&self) {
        if let Some(due) = self.cap.get().and_then(|cap| cap.due()) {
            sleep_until(due.into()).await;
        }
    }

    /// Waits for the next frame of a stream: due by the client's own rate, and newer than the one
    /// that it has `seen`.
    ///
    /// # Errors
    /// See [`NoFrame`].
    pub async fn next(
        &self,
        seen: FrameNumber,
        deadline: Deadline,
    ) -> Result<Rc<SharedFrame>, NoFrame> {
        self.until_due().await;
        let frame = self.frame(Freshness::NewerThan(seen), deadline).await?;
        self.cap.set(self.cap.get().map(|mut cap| {
            cap.chosen(Now::read().monotonic);
            cap
        }));
        Ok(frame)
    }

    /// Waits for a frame, whatever the client's own rate is. Waiting for one is the wish for it.
    ///
    /// # Errors
    /// See [`NoFrame`].
    pub async fn frame(
        &self,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Rc<SharedFrame>, NoFrame> {
        self.camera
            .frame(freshness, deadline, |camera| self.watches.watch(camera))
            .await
    }

    /// Waits for the next frames together with others, if this client has `seen` the newest one and
    /// nothing is in the way; those that come are offered to `subscriber` meanwhile, unless they
    /// are older than `max_age`. Gives what the client is to do now. One with a rate of its own is
    /// not offered frames, and is to [`Wake::Recheck`] at once.
    pub async fn follow(
        &self,
        subscriber: Rc<dyn Subscriber>,
        seen: FrameNumber,
        max_age: Duration,
    ) -> Wake {
        if self.cap.get().is_some() {
            return Wake::Recheck;
        }
        self.camera.follow(subscriber, seen, max_age).await
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.camera.leave() {
            self.watches.unwatch(&self.camera);
        }
    }
}
