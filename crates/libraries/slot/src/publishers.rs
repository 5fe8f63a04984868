//! Many slots that one process writes: a user has 128 inotify instances, and a producer may have as
//! many cameras.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::instance::{Instance, OpenError};
use crate::publisher::Publisher;
use crate::table::SlotId;
use crate::watch::Hearing;

/// The writing sides of a process's slots. Clones are the same.
///
/// Each [`Publisher`] writes its slot by itself; [`Publishers::take_in`] hears for all of them what
/// readers did.
#[derive(Clone, Debug)]
pub struct Publishers(Arc<Instance>);

impl Publishers {
    /// Makes an inotify instance that watches nothing yet.
    ///
    /// # Errors
    /// [`OpenError::Instance`]
    pub fn new() -> Result<Self, OpenError> {
        Ok(Self(Arc::new(Instance::new()?)))
    }

    /// Makes the slot's directory where it is missing, and takes the slot over. A frame that an
    /// earlier producer left counts as wished for: who opened it before this moment has not been
    /// seen.
    ///
    /// # Errors
    /// [`OpenError::Slot`], [`OpenError::Taken`]
    pub fn open(&self, directory: &Path) -> Result<Publisher, OpenError> {
        Publisher::new(self.0.clone(), directory)
    }

    /// Takes in what happened to all slots since the last call, without waiting. The descriptor of
    /// this value is readable when something has happened. Gives the slots to which anybody else
    /// has done something, each once.
    ///
    /// # Errors
    /// What read(2) said.
    pub fn take_in(&self, now: Instant) -> io::Result<Vec<SlotId>> {
        self.0.take_in(now)
    }

    /// The same of what is heard in one of the two ways. What is heard when asked takes one read,
    /// which is in vain where nobody has done anything.
    ///
    /// # Errors
    /// What read(2) said.
    pub fn take_in_only(&self, hearing: Hearing, now: Instant) -> io::Result<Vec<SlotId>> {
        self.0.take_in_only(hearing, now)
    }
}

impl AsFd for Publishers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
