//! How a reader learns that there is something new: one inotify(7) instance for any number of
//! slots.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::{FRAME_FILE, STATE_FILE};

/// Watches slots for renames. `K` names a slot.
#[derive(Debug)]
pub struct Changes<K> {
    inotify: Inotify,
    slots: HashMap<WatchDescriptor, K>,
}

/// What happened to a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<K> {
    /// A new frame lies in it.
    Frame(K),
    /// Its state was replaced.
    State(K),
    /// Its directory is gone, and the watch with it.
    Lost(K),
    /// The kernel's queue overflowed: anything may have happened to any slot.
    Anything,
}

/// Why a slot cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// There are too many inotify instances or watches.
    #[error("inotify: {0} (see fs.inotify.max_user_instances and max_user_watches in inotify(7))")]
    Instance(io::Error),
    /// The slot does not exist, or may not be read.
    #[error("slot {path:?}: cannot watch it: {reason}")]
    Slot {
        /// The slot.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl<K: Clone + PartialEq> Changes<K> {
    /// Makes an inotify instance that watches nothing yet.
    ///
    /// # Errors
    /// [`ChangesError::Instance`]
    pub fn new() -> Result<Self, ChangesError> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .map_err(|errno| ChangesError::Instance(errno.into()))?;
        Ok(Self {
            inotify,
            slots: HashMap::new(),
        })
    }

    /// Watches the slot in `directory` and calls it `key` from now on.
    ///
    /// # Errors
    /// [`ChangesError::Slot`]
    pub fn add(&mut self, key: K, directory: &Path) -> Result<(), ChangesError> {
        let mask = AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR
            | AddWatchFlags::IN_DONT_FOLLOW;
        let watch =
            self.inotify
                .add_watch(directory, mask)
                .map_err(|errno| ChangesError::Slot {
                    path: directory.to_owned(),
                    reason: errno.into(),
                })?;
        self.slots.insert(watch, key);
        Ok(())
    }

    /// Watches the slot called `key` no longer.
    pub fn remove(&mut self, key: &K) {
        let watches: Vec<_> = self
            .slots
            .iter()
            .filter(|(_, slot)| *slot == key)
            .map(|(watch, _)| *watch)
            .collect();
        for watch in watches {
            self.slots.remove(&watch);
            // Fails only where the kernel has already dropped the watch with its directory.
            let _ = self.inotify.rm_watch(watch);
        }
    }

    /// Gives what has happened since the last call, without waiting. The descriptor of this value
    /// is readable when there is something. Several frames in a row are one change.
    ///
    /// # Errors
    /// What read(2) said.
    pub fn read(&mut self) -> io::Result<Vec<Change<K>>> {
        let mut changes = Vec::new();
        loop {
            match self.inotify.read_events() {
                Ok(events) => {
                    for event in events {
                        if let Some(change) =
                            self.change(event.wd, event.mask, event.name.as_deref())
                            && !changes.contains(&change)
                        {
                            changes.push(change);
                        }
                    }
                }
                Err(Errno::EAGAIN) => return Ok(changes),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn change(
        &mut self,
        watch: WatchDescriptor,
        mask: AddWatchFlags,
        name: Option<&std::ffi::OsStr>,
    ) -> Option<Change<K>> {
        if mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return Some(Change::Anything);
        }
        let key = self.slots.get(&watch)?.clone();
        if mask.contains(AddWatchFlags::IN_MOVED_TO) {
            let name = name?;
            return if name == FRAME_FILE {
                Some(Change::Frame(key))
            } else if name == STATE_FILE {
                Some(Change::State(key))
            } else {
                None
            };
        }
        self.slots.remove(&watch);
        // A directory that was only renamed keeps its watch; it is no longer the slot.
        let _ = self.inotify.rm_watch(watch);
        Some(Change::Lost(key))
    }
}

impl<K> AsFd for Changes<K> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
