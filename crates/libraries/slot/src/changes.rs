//! How a reader learns that there is something new: one inotify(7) instance for any number of
//! slots.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, Event, ReadFlags, WatchFlags};

use crate::events;
use crate::watch::watch_refused;
use crate::{FRAME_FILE, Rendition, STATE_FILE};

/// Watches slots for renames. `K` names a slot.
#[derive(Debug)]
pub struct Changes<K> {
    inotify: OwnedFd,
    /// By the numbers of their watches.
    slots: BTreeMap<i32, K>,
}

/// What happened to a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<K> {
    /// A new frame lies in it.
    Frame(K),
    /// A new file of a rendition lies in this slot.
    Rendition(K, Rendition),
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
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .map_err(|errno| ChangesError::Instance(errno.into()))?;
        Ok(Self {
            inotify,
            slots: BTreeMap::new(),
        })
    }

    /// Watches the slot in `directory` and calls it `key` from now on.
    ///
    /// # Errors
    /// [`ChangesError::Slot`]
    pub fn add(&mut self, key: K, directory: &Path) -> Result<(), ChangesError> {
        let mask = WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR
            | WatchFlags::DONT_FOLLOW;
        let watch = inotify::add_watch(&self.inotify, directory, mask).map_err(|errno| {
            ChangesError::Slot {
                path: directory.to_owned(),
                reason: watch_refused(errno),
            }
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
            let _ = inotify::remove_watch(&self.inotify, watch);
        }
    }

    /// Gives what has happened since the last call, without waiting. The descriptor of this value
    /// is readable when there is something. Several frames in a row are one change.
    ///
    /// # Errors
    /// What read(2) said.
    pub fn read(&mut self) -> io::Result<Vec<Change<K>>> {
        let mut changes = Vec::new();
        events::take_all(&self.inotify, |event| {
            let change = change(&self.inotify, &mut self.slots, event);
            changes.extend(change.filter(|change| !changes.contains(change)));
        })?;
        Ok(changes)
    }
}

/// What an event says of the slots that are watched.
fn change<K: Clone>(
    inotify: &OwnedFd,
    slots: &mut BTreeMap<i32, K>,
    event: &Event<'_>,
) -> Option<Change<K>> {
    let what = event.events();
    if what.contains(ReadFlags::QUEUE_OVERFLOW) {
        return Some(Change::Anything);
    }
    let key = slots.get(&event.wd())?.clone();
    if what.contains(ReadFlags::MOVED_TO) {
        let name = event.file_name()?.to_bytes();
        return if name == FRAME_FILE.as_bytes() {
            Some(Change::Frame(key))
        } else if name == STATE_FILE.as_bytes() {
            Some(Change::State(key))
        } else {
            Rendition::of_file(name).map(|rendition| Change::Rendition(key, rendition))
        };
    }
    slots.remove(&event.wd());
    // A directory that was only renamed keeps its watch; it is no longer the slot.
    let _ = inotify::remove_watch(inotify, event.wd());
    Some(Change::Lost(key))
}

impl<K> AsFd for Changes<K> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
