//! What is to be sent, and for whom an answer is: between the cameras and the broker. One thread
//! runs all of it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use eyelid_slot::Rendition;

use crate::wire::{Request, Subject, SubjectTag};

/// A camera of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FarId(pub(super) u64);

/// What is asked of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Its frames, or those of a rendition.
    Frames(Option<Rendition>),
    /// Its state.
    State,
}

/// A request that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) subject: Subject,
    pub(super) request: Request,
}

/// Requests that are to be sent, and where answers go.
#[derive(Debug, Default)]
pub(super) struct Post {
    letters: RefCell<Vec<Letter>>,
    routes: RefCell<HashMap<SubjectTag, (FarId, Topic)>>,
    /// Cameras that cannot be reached any more, since then, or can be again: what their slots do
    /// not say yet.
    lost: RefCell<Vec<(FarId, Option<SystemTime>)>>,
    /// Since when there is no connection to the broker.
    cut_since: Cell<Option<Instant>>,
    /// The sources are ending: nothing is waited for.
    is_ending: Cell<bool>,
}

impl Post {
    /// Sends a request, soon.
    pub(super) fn send(&self, letter: Letter) {
        self.letters.borrow_mut().push(letter);
    }

    /// Gives what is to be sent.
    pub(super) fn take_letters(&self) -> Vec<Letter> {
        self.letters.take()
    }

    /// Has answers with this tag go to a camera.
    pub(super) fn route(&self, tag: SubjectTag, far: FarId, topic: Topic) {
        self.routes.borrow_mut().insert(tag, (far, topic));
    }

    /// For whom an answer is.
    pub(super) fn routed(&self, tag: SubjectTag) -> Option<(FarId, Topic)> {
        self.routes.borrow().get(&tag).copied()
    }

    /// A camera has gone.
    pub(super) fn forget(&self, far: FarId) {
        self.routes
            .borrow_mut()
            .retain(|_, (other, _)| *other != far);
    }

    /// A camera cannot be reached, since then, or can be again.
    pub(super) fn note_lost(&self, far: FarId, since: Option<SystemTime>) {
        self.lost.borrow_mut().push((far, since));
    }

    /// Gives those of which that is news.
    pub(super) fn take_lost(&self) -> Vec<(FarId, Option<SystemTime>)> {
        self.lost.take()
    }

    /// Since when there is no connection to the broker.
    pub(super) fn cut_since(&self) -> Option<Instant> {
        self.cut_since.get()
    }

    /// There is a connection to the broker (`None`), or has been none since then.
    pub(super) fn set_cut(&self, since: Option<Instant>) {
        self.cut_since.set(since);
    }

    /// The sources are ending, or have ended.
    pub(super) fn set_ending(&self, is_ending: bool) {
        self.is_ending.set(is_ending);
    }

    /// Says whether the sources are ending.
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }
}
