//! One client's look at a camera.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use eyelid_slot::Rendition;
use tokio::time::{sleep, sleep_until};

use crate::clock::Now;
use crate::feed::Supply;
use crate::watches::Watches;
use crate::{
    Camera, Deadline, Freshness, NoFrame, Position, RateCap, SharedFrame, Subscriber, Wake, Wanted,
};

/// A client's look at a camera. While any is alive, the slot is watched.
pub struct View {
    watches: Rc<Watches>,
    camera: Rc<Camera>,
    cap: Cell<Option<RateCap>>,
    wanted: Cell<Wanted>,
    in_place: Cell<InPlace>,
    looks: Cell<Looks>,
}

/// What comes where a rendition that is on offer is late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InPlace {
    #[default]
    Frame,
    Nothing,
}

/// The files of a slot that a client looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Looks {
    /// The frame.
    frame: bool,
    /// The rendition that it wants. It looks there, too, while it makes do with the frame: so it
    /// hears when the rendition comes.
    rendition: Option<Rendition>,
}

impl Looks {
    const NONE: Self = Self {
        frame: false,
        rendition: None,
    };

    const FRAME: Self = Self {
        frame: true,
        rendition: None,
    };

    /// Each of them: a rendition, or `None` for the frame.
    fn files(self) -> impl Iterator<Item = Option<Rendition>> {
        let frame = self.frame.then_some(None);
        frame.into_iter().chain(self.rendition.map(Some))
    }
}

impl View {
    pub(crate) fn new(watches: Rc<Watches>, camera: Rc<Camera>, cap: Option<RateCap>) -> Self {
        if camera.enter() {
            watches.watch(&camera);
        }
        let view = Self {
            watches,
            camera,
            cap: Cell::new(cap),
            wanted: Cell::default(),
            in_place: Cell::default(),
            looks: Cell::new(Looks::NONE),
        };
        view.look_at(Looks::FRAME);
        view
    }

    /// The camera.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// Wants this from the next frame on; the frame, until this is called. It may change from frame
    /// to frame: what is no longer looked at by any client is no longer wished for, and none is
    /// shown that is older than one shown before. Where what is wanted is not on offer, or does not
    /// come within a short time although the frame does, the frame comes instead:
    /// [`SharedFrame::rendition`] says which it is.
    pub fn want(&self, wanted: Wanted) {
        self.change(wanted, InPlace::Frame);
    }

    /// The same for whom the frame is of no use: while this rendition is on offer it is waited for,
    /// however long it takes to make, and no frame is made that nobody can show.
    pub fn want_only(&self, rendition: Rendition) {
        self.change(Wanted::Rendition(rendition), InPlace::Nothing);
    }

    fn change(&self, wanted: Wanted, in_place: InPlace) {
        self.in_place.set(in_place);
        let before = self.wanted.replace(wanted);
        match (before == Wanted::Frame, wanted == Wanted::Frame) {
            (true, false) => self.camera.begin_choosing(),
            (false, true) => self.camera.end_choosing(),
            _ => {}
        }
    }

    /// Width and height in pixels of what this client gets, as far as the producer says.
    pub fn size(&self) -> Option<(u32, u32)> {
        self.camera.size(self.wanted.get())
    }

    /// Waits until the client's own rate allows the next frame. Whoever waits for something else
    /// too before a frame is chosen, such as for room in a socket, waits for this first.
    pub async fn until_due(&self) {
        if let Some(due) = self.cap.get().and_then(|cap| cap.due()) {
            sleep_until(due.into()).await;
        }
    }

    /// Waits for the next frame of a stream: due by the client's own rate, and of a newer exposure
    /// than the one that it has `seen`.
    ///
    /// # Errors
    /// See [`NoFrame`].
    pub async fn next(
        &self,
        seen: Position,
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
        if self.wanted.get() == Wanted::Frame {
            self.settle();
            return self.frame_of(None, freshness, deadline).await;
        }
        // Apart, so that what waits for the frame alone needs no room for this.
        Box::pin(self.wanted_frame(freshness, deadline)).await
    }

    /// Waits for the next frames together with others, if this client has `seen` the newest one and
    /// nothing is in the way; those that come are offered to `subscriber` meanwhile, unless they
    /// are older than `max_age`. Gives what the client is to do now. One with a rate of its own is
    /// not offered frames, and is to [`Wake::Recheck`] at once.
    pub async fn follow(
        &self,
        subscriber: Rc<dyn Subscriber>,
        seen: Position,
        max_age: Duration,
    ) -> Wake {
        if self.cap.get().is_some() {
            return Wake::Recheck;
        }
        let file = self.settle();
        let feed = self.camera.feed(file);
        feed.follow(subscriber, seen, max_age).await
    }

    /// Waits for a frame of what is wanted, or of what is in its place; that may change meanwhile.
    async fn wanted_frame(
        &self,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Rc<SharedFrame>, NoFrame> {
        let start = Now::read().monotonic;
        loop {
            let mut changed = pin!(self.camera.choice_changed().notified());
            changed.as_mut().enable();
            let rest = Deadline {
                timeout: (deadline.timeout).saturating_sub(Now::read().monotonic - start),
                ..deadline
            };
            let found = async {
                match self.settle() {
                    Some(rendition) if self.in_place.get() == InPlace::Nothing => {
                        self.frame_of(Some(rendition), freshness, rest).await
                    }
                    Some(rendition) => self.rendition_or_frame(rendition, freshness, rest).await,
                    None => self.frame_of(None, freshness, rest).await,
                }
            };
            tokio::select! {
                biased;
                () = changed => {}
                found = found => return found.map_err(|reason| reason.after(deadline.timeout)),
            }
        }
    }

    /// Waits for a frame of a rendition, or for the frame where that does not come.
    async fn rendition_or_frame(
        &self,
        rendition: Rendition,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Rc<SharedFrame>, NoFrame> {
        let feed = self.camera.feed(Some(rendition));
        let patience = feed.patience(rendition, deadline.timeout);
        // A stream may have waited for it together with others until now.
        let start = feed
            .unanswered_since()
            .filter(|_| feed.supply() == Supply::Comes);
        let start = start.unwrap_or_else(|| Now::read().monotonic);
        let frame_comes = async {
            sleep_until((start + patience.alone).into()).await;
            self.look_at(Looks {
                frame: true,
                rendition: Some(rendition),
            });
            let frame = self.frame_of(None, freshness, deadline).await;
            sleep(patience.beside).await;
            frame.map(drop)
        };
        let rest = tokio::select! {
            biased;
            found = self.frame_of(Some(rendition), freshness, deadline) => {
                if found.is_ok() || !self.looks.get().frame {
                    return found;
                }
                // Both were waited for to the end; the frame may have come just now.
                Deadline { timeout: Duration::ZERO, ..deadline }
            }
            has_come = frame_comes => {
                has_come?;
                self.camera.feed(Some(rendition)).set_supply(Supply::Absent);
                self.settle();
                deadline
            }
        };
        self.frame_of(None, freshness, rest).await
    }

    async fn frame_of(
        &self,
        file: Option<Rendition>,
        freshness: Freshness,
        deadline: Deadline,
    ) -> Result<Rc<SharedFrame>, NoFrame> {
        let rewatch = |camera: &Camera| self.watches.watch(camera);
        self.camera.frame(file, freshness, deadline, rewatch).await
    }

    /// Looks at what is wanted and on offer, or at the frame in its place. Gives which it is.
    fn settle(&self) -> Option<Rendition> {
        let rendition = self.camera.offered(self.wanted.get());
        let file = rendition.filter(|rendition| {
            self.in_place.get() == InPlace::Nothing
                || self.camera.feed(Some(*rendition)).supply() != Supply::Absent
        });
        self.look_at(Looks {
            frame: file.is_none(),
            rendition,
        });
        file
    }

    /// Looks at these files and at no others.
    fn look_at(&self, looks: Looks) {
        let before = self.looks.replace(looks);
        let is_in = |looks: Looks, file| looks.files().any(|other| other == file);
        for file in looks.files().filter(|file| !is_in(before, *file)) {
            self.camera.begin_look(file);
        }
        for file in before.files().filter(|file| !is_in(looks, *file)) {
            self.camera.end_look(file);
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.want(Wanted::Frame);
        self.look_at(Looks::NONE);
        if self.camera.leave() {
            self.watches.unwatch(&self.camera);
        }
    }
}
