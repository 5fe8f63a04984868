//! One inotify(7) instance for any number of slots that one process writes, and which slot each of
//! its watches belongs to.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

use crate::Rendition;
use crate::watched::{DIRECTORY_MASK, FRAME_MASK, Watched};

/// So many events fit into the 4096 bytes that nix reads at once, however long their names are
/// (inotify(7)): fewer were all there were.
const EVENTS_AT_ONCE: usize = 4096 / (16 + 256);

/// Why a slot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There are too many inotify instances.
    #[error(
        "cannot make an inotify instance: {0} (see fs.inotify.max_user_instances in inotify(7))"
    )]
    Instance(io::Error),
    /// Its directory cannot be used.
    #[error(
        "slot {path:?}: cannot {what}: {reason} (the producer must own the slot; see docs/slot.md)"
    )]
    Slot {
        /// The slot.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// Another camera of this process has it.
    #[error("slot {path:?}: another camera writes it (each needs a slot of its own)")]
    Taken {
        /// The slot.
        path: PathBuf,
    },
}

/// The instance. Several threads may have a publisher on it each.
#[derive(Debug)]
pub(crate) struct Instance {
    inotify: Inotify,
    table: Mutex<Table>,
}

/// Which of the slots of an instance a publisher has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotId(u64);

/// The slots that are open, and which of them each watch belongs to. A slot has several watches: a
/// frame that was replaced is watched until its last reader has closed it.
#[derive(Debug, Default)]
struct Table {
    next_id: u64,
    slots: HashMap<SlotId, Watched>,
    owners: HashMap<WatchDescriptor, SlotId>,
}

impl Instance {
    /// Makes one that watches nothing yet.
    ///
    /// # Errors
    /// [`OpenError::Instance`]
    pub(crate) fn new() -> Result<Self, OpenError> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .map_err(|errno| OpenError::Instance(errno.into()))?;
        Ok(Self {
            inotify,
            table: Mutex::default(),
        })
    }

    /// Takes in what happened to all slots since the last call, without waiting. Gives the slots to
    /// which anybody else has done something, each once.
    ///
    /// # Errors
    /// What read(2) said.
    pub(crate) fn take_in(&self, now: Instant) -> io::Result<Vec<SlotId>> {
        let mut changed = Vec::new();
        // Before the events are read: a frame that another thread publishes meanwhile has its owner
        // then.
        let mut table = self.table();
        loop {
            match self.inotify.read_events() {
                Ok(events) => {
                    events
                        .iter()
                        .flat_map(|event| table.take_in(event, now, &mut changed))
                        .for_each(|watch| self.forget(watch));
                    if events.len() < EVENTS_AT_ONCE {
                        return Ok(changed);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(changed),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Makes room for one more slot.
    pub(crate) fn add(&self) -> SlotId {
        let mut table = self.table();
        let id = SlotId(table.next_id);
        table.next_id += 1;
        table.slots.insert(id, Watched::default());
        id
    }

    /// Watches this slot no longer. Nothing is done to its files.
    pub(crate) fn remove(&self, id: SlotId) {
        let mut table = self.table();
        table.slots.remove(&id);
        let watches: Vec<_> = table.of(id).collect();
        for watch in watches {
            table.owners.remove(&watch);
            self.forget(watch);
        }
    }

    /// Gives what is known of a slot. It is there as long as its publisher is.
    pub(crate) fn with<T>(&self, id: SlotId, look: impl FnOnce(&mut Watched) -> T) -> T {
        look(self.table().slots.entry(id).or_default())
    }

    /// Takes hold of a slot's directory, if that is not so already.
    ///
    /// # Errors
    /// [`OpenError::Slot`], [`OpenError::Taken`]
    pub(crate) fn claim(&self, id: SlotId, path: &Path) -> Result<(), OpenError> {
        if self.with(id, |slot| slot.is_claimed()) {
            return Ok(());
        }
        let refused = |what, reason| OpenError::Slot {
            path: path.to_owned(),
            what,
            reason,
        };
        fs::create_dir_all(path).map_err(|reason| refused("make the directory", reason))?;
        let what = if path.is_symlink() {
            "use a symbolic link as its directory"
        } else {
            "watch the directory"
        };
        let mut table = self.table();
        let watch = self
            .inotify
            .add_watch(path, DIRECTORY_MASK)
            .map_err(|errno| refused(what, errno.into()))?;
        match table.owners.get(&watch) {
            Some(owner) if *owner != id => Err(OpenError::Taken {
                path: path.to_owned(),
            }),
            _ => {
                table.owners.insert(watch, id);
                table.slots.entry(id).or_default().claimed(watch);
                Ok(())
            }
        }
    }

    /// A slot's directory was found missing, or another.
    pub(crate) fn let_go(&self, id: SlotId) {
        let mut table = self.table();
        let watch = table.slots.entry(id).or_default().let_go();
        if let Some(watch) = watch {
            table.owners.remove(&watch);
            self.forget(watch);
        }
    }

    /// Watches the file at `temporary`, and has `rename` put it into its place: the frame's, or
    /// that of a rendition. Events that come in between have their owner, whichever thread reads
    /// them.
    ///
    /// # Errors
    /// What the system said; the slot's old file is still watched then.
    pub(crate) fn publish(
        &self,
        id: SlotId,
        rendition: Option<Rendition>,
        temporary: &Path,
        rename: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut table = self.table();
        let watch = self.inotify.add_watch(temporary, FRAME_MASK)?;
        rename()?;
        table.owners.insert(watch, id);
        let slot = table.slots.entry(id).or_default();
        match rendition {
            None => slot.published(watch),
            Some(rendition) => slot.published_rendition(rendition, watch),
        }
        Ok(())
    }

    /// Watches a rendition no longer.
    pub(crate) fn withdraw(&self, id: SlotId, rendition: Rendition) {
        let mut table = self.table();
        let watch = table.slots.entry(id).or_default().withdraw(rendition);
        if let Some(watch) = watch {
            table.owners.remove(&watch);
            self.forget(watch);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A thread that panicked left nothing half done that the next event would not mend.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a watch. It fails only where the kernel has already dropped it with its file.
    fn forget(&self, watch: WatchDescriptor) {
        let _ = self.inotify.rm_watch(watch);
    }
}

impl AsFd for Instance {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

impl Table {
    /// Gives an event to the slot that it is of, which is among those `changed` then, if the event
    /// is news. Gives the watches that are to end.
    fn take_in(
        &mut self,
        event: &InotifyEvent,
        now: Instant,
        changed: &mut Vec<SlotId>,
    ) -> Vec<WatchDescriptor> {
        let ended: Vec<_> = if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            *changed = self.slots.keys().copied().collect();
            let slots = self.slots.values_mut();
            slots.filter_map(Watched::overflowed).collect()
        } else {
            let id = self.owners.get(&event.wd).copied();
            let slot = id.and_then(|id| Some((id, self.slots.get_mut(&id)?)));
            let ended = slot.and_then(|(id, slot)| {
                let ended = slot.take_in(event.wd, event.mask, event.name.as_deref(), now);
                if slot.is_active() && !changed.contains(&id) {
                    changed.push(id);
                }
                ended
            });
            if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                self.owners.remove(&event.wd);
            }
            ended.into_iter().collect()
        };
        for watch in &ended {
            self.owners.remove(watch);
        }
        ended
    }

    fn of(&self, id: SlotId) -> impl Iterator<Item = WatchDescriptor> {
        let owners = self.owners.iter();
        owners.filter_map(move |(watch, owner)| (*owner == id).then_some(*watch))
    }
}
