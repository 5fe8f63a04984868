//! What the thread that reads leaves for the one that drives the camera: the newest frame, and why
//! there is no more. No queue: a frame that nobody has taken is overwritten.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Between two threads.
#[derive(Debug)]
pub(super) struct Handover {
    bell: EventFd,
    left: Mutex<Left>,
}

/// What is there to be taken.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// The newest frame that nobody has taken, if its moment is there.
    pub(super) jpeg: Vec<u8>,
    pub(super) captured: Option<SystemTime>,
    /// Single pictures are asked for, as often as they are wanted.
    pub(super) keeps_rate: bool,
    /// What is waited for.
    pub(super) waiting: String,
    /// Why nothing comes any more.
    pub(super) ended: Option<Ended>,
}

/// Why nothing comes any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) why: String,
    /// The pause that the other side asks for.
    pub(super) retry_after: Option<Duration>,
}

impl From<String> for Ended {
    fn from(why: String) -> Self {
        Self {
            why,
            retry_after: None,
        }
    }
}

impl Handover {
    pub(super) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            bell: EventFd::from_value_and_flags(0, flags)?,
            left: Mutex::default(),
        })
    }

    /// What is left, for as long as this is held.
    pub(super) fn left(&self) -> MutexGuard<'_, Left> {
        // Nothing in it is half done whoever panics.
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a frame; gives the memory of another in its place.
    pub(super) fn leave(&self, jpeg: &mut Vec<u8>, captured: SystemTime) {
        let mut left = self.left();
        std::mem::swap(&mut left.jpeg, jpeg);
        left.captured = Some(captured);
        drop(left);
        self.ring();
    }

    /// Says what is waited for.
    pub(super) fn wait_for(&self, what: impl Into<String>) {
        self.left().waiting = what.into();
    }

    /// Says why nothing comes any more.
    pub(super) fn end(&self, ended: Ended) {
        self.left().ended.get_or_insert(ended);
        self.ring();
    }

    /// Takes the bell's signals in.
    pub(super) fn take_in(&self) {
        // It fails where there is none.
        let _ = self.bell.read();
    }

    fn ring(&self) {
        // It fails only at 2^64 signals that nobody has taken in.
        let _ = self.bell.write(1);
    }
}

impl AsFd for Handover {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
