//! How far a connection is: what its socket, its service and who polls it tell each other. hyper
//! is between them, and gives none of them a way to ask the other.

use std::cell::{Cell, RefCell};

use crate::recording::Recording;
use crate::take_over::TakeOver;

/// How far a connection is.
#[derive(Default)]
pub(crate) struct Progress {
    /// A request is being answered.
    pub(crate) answering: Cell<bool>,
    /// There is something to write that the client does not take yet.
    pub(crate) blocked: Cell<bool>,
    /// What was read of the request that is being answered, and behind it.
    pub(crate) recording: RefCell<Recording>,
    /// A handler wants the connection.
    pub(crate) wanted: RefCell<Option<TakeOver>>,
}

impl Progress {
    /// The handler has answered a request.
    pub(crate) fn answered(&self) {
        self.answering.set(false);
        self.recording.borrow_mut().request_ended();
    }

    /// Says whether the connection only waits for the client's next request.
    pub(crate) fn is_idle(&self) -> bool {
        !self.answering.get() && !self.blocked.get()
    }
}
