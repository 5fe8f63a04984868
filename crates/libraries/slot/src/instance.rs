//! One inotify(7) instance for any number of slots that one process writes.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use crate::events;
use crate::table::{SlotId, Table};
use crate::watch::{
    DIRECTORY_MASK, FRAME_MASK, Hearing, MOVED_MASK, PLACED_MASK, Watch, watch_refused,
};
use crate::watched::Watched;
use crate::{FRAME_FILE, Rendition};

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
    at_once: OwnedFd,
    /// A second one, whose descriptor nobody waits for. It is made when it is used first.
    when_asked: OnceLock<Option<OwnedFd>>,
    table: Mutex<Table>,
}

impl Instance {
    /// Makes one that watches nothing yet.
    ///
    /// # Errors
    /// [`OpenError::Instance`]
    pub(crate) fn new() -> Result<Self, OpenError> {
        Ok(Self {
            at_once: new_inotify().map_err(|errno| OpenError::Instance(errno.into()))?,
            when_asked: OnceLock::new(),
            table: Mutex::default(),
        })
    }

    /// Takes in what happened to all slots since the last call, without waiting. Gives the slots to
    /// which anybody else has done something that is heard at once, each once.
    ///
    /// # Errors
    /// What read(2) said.
    pub(crate) fn take_in(&self, now: Instant) -> io::Result<Vec<SlotId>> {
        let mut changed = self.take_in_only(Hearing::WhenAsked, now)?;
        for slot in self.take_in_only(Hearing::AtOnce, now)? {
            if !changed.contains(&slot) {
                changed.push(slot);
            }
        }
        Ok(changed)
    }

    /// The same of what is heard in one of the two ways.
    ///
    /// # Errors
    /// What read(2) said.
    pub(crate) fn take_in_only(&self, hearing: Hearing, now: Instant) -> io::Result<Vec<SlotId>> {
        // Before the events are read: a frame that another thread publishes meanwhile has its owner
        // then.
        let mut table = self.table();
        let mut changed = Vec::new();
        match hearing {
            Hearing::WhenAsked => self.take_in_when_asked(&mut table, now, &mut changed)?,
            Hearing::AtOnce => self.read(hearing, &mut table, now, &mut changed)?,
        }
        Ok(changed)
    }

    fn take_in_when_asked(
        &self,
        table: &mut Table,
        now: Instant,
        changed: &mut Vec<SlotId>,
    ) -> io::Result<()> {
        // What is heard late counts from the earliest moment at which it can have happened.
        let earliest = table.taken_in.replace(now).unwrap_or(now);
        self.read(Hearing::WhenAsked, table, earliest, changed)
    }

    fn read(
        &self,
        hearing: Hearing,
        table: &mut Table,
        happened: Instant,
        changed: &mut Vec<SlotId>,
    ) -> io::Result<()> {
        let Some(inotify) = self.inotify(hearing) else {
            return Ok(());
        };
        events::take_all(inotify, |event| {
            table
                .take_in(hearing, event, happened, changed)
                .into_iter()
                .for_each(|watch| self.forget(table, watch));
        })
    }

    fn inotify(&self, hearing: Hearing) -> Option<&OwnedFd> {
        match hearing {
            Hearing::AtOnce => Some(&self.at_once),
            Hearing::WhenAsked => self.when_asked.get()?.as_ref(),
        }
    }

    fn add_watch(&self, hearing: Hearing, path: &Path, mask: WatchFlags) -> io::Result<Watch> {
        let when_asked = || self.when_asked.get_or_init(|| new_inotify().ok()).as_ref();
        let (hearing, inotify) = match hearing {
            // A user has so many instances and no more. Who hears at once hears in time.
            Hearing::WhenAsked if let Some(inotify) = when_asked() => (hearing, inotify),
            _ => (Hearing::AtOnce, &self.at_once),
        };
        let number = inotify::add_watch(inotify, path, mask).map_err(watch_refused)?;
        Ok(Watch { hearing, number })
    }

    /// Makes room for one more slot.
    pub(crate) fn add(&self) -> SlotId {
        self.table().add()
    }

    /// Watches this slot no longer. Nothing is done to its files.
    pub(crate) fn remove(&self, id: SlotId) {
        let mut table = self.table();
        table.slots.remove(&id);
        let watches: Vec<_> = table.of(id).collect();
        for watch in watches {
            self.forget(&mut table, watch);
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
            .add_watch(Hearing::AtOnce, path, DIRECTORY_MASK)
            .map_err(|reason| refused(what, reason))?;
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
            self.forget(&mut table, watch);
        }
    }

    /// Watches the file at `temporary`, and has `rename` put it into its `place`: the frame's, or
    /// that of a rendition. Events that come in between have their owner, whichever thread reads
    /// them.
    ///
    /// That it is moved away from there is heard where readers are heard at once: a frame whose
    /// readers are heard when asked is soon replaced, or looked for by [`Instance::hear_at_once`].
    ///
    /// # Errors
    /// What the system said; the slot's old file is still watched then.
    pub(crate) fn publish(
        &self,
        id: SlotId,
        rendition: Option<Rendition>,
        hearing: Hearing,
        temporary: &Path,
        place: impl FnOnce() -> PathBuf,
        rename: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut table = self.table();
        let watch = self.add_watch(hearing, temporary, FRAME_MASK)?;
        rename()?;
        table.owners.insert(watch, id);
        let slot = table.slots.entry(id).or_default();
        match rendition {
            None => slot.published(watch),
            Some(rendition) => slot.published_rendition(rendition, watch),
        }
        if watch.hearing == Hearing::WhenAsked {
            return Ok(());
        }
        match self.add_watch(Hearing::AtOnce, &place(), PLACED_MASK) {
            Ok(there) if there == watch => {}
            // Somebody has put something else there already.
            Ok(other) => {
                slot.lost_file(watch);
                if !table.owners.contains_key(&other) {
                    self.forget(&mut table, other);
                }
            }
            Err(error) if is_absence(&error) => slot.lost_file(watch),
            // Nobody hears of it when it is moved away.
            Err(_) => {}
        }
        Ok(())
    }

    /// Has `rename` put the state into its `place`, and hears of it when it is moved away; where it
    /// cannot be watched, nobody does.
    ///
    /// # Errors
    /// What the system said; the slot's old state is still watched then.
    pub(crate) fn publish_state(
        &self,
        id: SlotId,
        place: &Path,
        rename: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut table = self.table();
        rename()?;
        let there = self.add_watch(Hearing::AtOnce, place, MOVED_MASK);
        let slot = table.slots.entry(id).or_default();
        let is_lost = there.as_ref().is_err_and(is_absence);
        let watch = there.ok();
        let before = slot.published_state(watch);
        if is_lost {
            slot.lost_state();
        }
        if let Some(before) = before {
            self.forget(&mut table, before);
        }
        table.owners.extend(watch.map(|watch| (watch, id)));
        Ok(())
    }

    /// Has it heard at once what readers do with the frame, if that was not so; says whether it
    /// was not. What they have done before is taken in. The slot's directory is at `path`.
    ///
    /// # Errors
    /// What read(2) said.
    pub(crate) fn hear_at_once(&self, id: SlotId, path: &Path, now: Instant) -> io::Result<bool> {
        let mut table = self.table();
        let slot = table.slots.entry(id).or_default();
        let Some(before) = slot.frame_heard_when_asked() else {
            return Ok(false);
        };
        // First, so that no moment lies between the one watch and the other. It fails where
        // somebody has just taken the frame away; readers are assumed then.
        let at_once = self
            .add_watch(Hearing::AtOnce, &path.join(FRAME_FILE), PLACED_MASK)
            .ok();
        // Other slots of which this tells are heard when asked, too, and will be.
        self.take_in_when_asked(&mut table, now, &mut Vec::new())?;
        table.owners.extend(at_once.map(|watch| (watch, id)));
        self.forget(&mut table, before);
        let slot = table.slots.entry(id).or_default();
        if slot.frame_heard_when_asked().is_some() {
            slot.watch_frame_by(at_once);
        }
        Ok(true)
    }

    /// Watches a rendition no longer.
    pub(crate) fn withdraw(&self, id: SlotId, rendition: Rendition) {
        let mut table = self.table();
        let watch = table.slots.entry(id).or_default().withdraw(rendition);
        if let Some(watch) = watch {
            self.forget(&mut table, watch);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // A thread that panicked left nothing half done that the next event would not mend.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a watch. It fails only where the kernel has already dropped it with its file.
    fn forget(&self, table: &mut Table, watch: Watch) {
        table.owners.remove(&watch);
        if let Some(inotify) = self.inotify(watch.hearing) {
            let _ = inotify::remove_watch(inotify, watch.number);
        }
    }
}

/// Says whether this says that a file is not there.
fn is_absence(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn new_inotify() -> Result<OwnedFd, Errno> {
    inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
}

impl AsFd for Instance {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.at_once.as_fd()
    }
}
