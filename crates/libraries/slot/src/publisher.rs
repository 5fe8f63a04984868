//! The writing side of a slot.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use nix::sys::stat::Mode;

use crate::demand::Demand;
use crate::directory::Directory;
use crate::{FRAME_FILE, STATE_FILE, State};

/// Puts frames into a slot and learns from inotify(7) when the next one is wanted.
///
/// The readers of a frame are watched on the frame's inode, not in the directory: a wish can then never be taken for
/// one that the next frame has already answered. The directory is watched for its own loss and the frame's.
#[derive(Debug)]
pub struct Publisher {
    directory: PathBuf,
    inotify: Inotify,
    slot: Option<WatchDescriptor>,
    frame: Option<WatchDescriptor>,
    state: Option<State>,
    demand: Demand,
}

/// Why a slot cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "slot {path:?}: cannot {what}: {reason} (the producer must own the slot; see docs/slot.md)"
)]
pub struct OpenError {
    path: PathBuf,
    what: &'static str,
    reason: io::Error,
}

/// Why a frame or a state was not published. What lies in the slot is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The slot's directory is gone and could not be made again.
    #[error(transparent)]
    Slot(#[from] OpenError),
    /// The system refused, for example because the tmpfs is full.
    #[error("slot file {path:?}: {reason}")]
    Io {
        /// The file that was to be replaced.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl Publisher {
    /// Makes the slot's directory where it is missing, and takes the slot over. A frame that an earlier producer left
    /// counts as wished for: who opened it before this moment has not been seen.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: &Path) -> Result<Self, OpenError> {
        let inotify =
            Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).map_err(|e| {
                refused(
                    directory,
                    "make an inotify instance (see fs.inotify.max_user_instances in inotify(7))",
                    e.into(),
                )
            })?;
        let mut publisher = Self {
            directory: directory.to_owned(),
            inotify,
            slot: None,
            frame: None,
            state: None,
            demand: Demand::default(),
        };
        publisher.demand.assume();
        publisher.claim()?;
        Ok(publisher)
    }

    /// Replaces the frame in the slot. `captured` becomes its mtime.
    ///
    /// # Errors
    /// See [`PublishError`]; the old frame then still lies there.
    pub fn publish(&mut self, jpeg: &[u8], captured: SystemTime) -> Result<(), PublishError> {
        let frame = self.replace(FRAME_FILE, jpeg, |inotify, file, temporary| {
            file.set_modified(captured)?;
            let mask = AddWatchFlags::IN_OPEN
                | AddWatchFlags::IN_CLOSE_NOWRITE
                | AddWatchFlags::IN_DONT_FOLLOW;
            Ok(inotify.add_watch(temporary, mask)?)
        })?;
        self.frame = Some(frame);
        self.demand.published();
        Ok(())
    }

    /// Replaces `state.json`, if `state` says anything new.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn set_state(&mut self, state: &State) -> Result<(), PublishError> {
        if self.state.as_ref() == Some(state) {
            return Ok(());
        }
        self.replace(STATE_FILE, &state.to_json(), |_, _, _| Ok(()))?;
        self.state = Some(state.clone());
        Ok(())
    }

    /// Takes in what happened to the slot since the last call, without waiting, and says whether the next frame is
    /// wanted. The publisher's descriptor is readable when something has happened.
    pub fn wished(&mut self, now: Instant) -> bool {
        loop {
            match self.inotify.read_events() {
                Ok(events) => events.iter().for_each(|event| self.take_in(event, now)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => {
                    log::warn!("slot {:?}: cannot read inotify: {errno}", self.directory);
                    break;
                }
            }
        }
        if self.slot.is_none() || self.frame.is_none() {
            self.demand.assume();
        }
        self.demand.wished(now)
    }

    /// Says whether anybody has opened the frame since it was published, as far as [`Publisher::wished`] has seen.
    pub fn noticed(&self) -> bool {
        self.demand.noticed()
    }

    /// When to call [`Publisher::wished`] again although nothing has happened.
    pub fn deadline(&self) -> Option<Instant> {
        self.demand.deadline()
    }

    fn take_in(&mut self, event: &InotifyEvent, now: Instant) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            self.demand.assume();
        } else if self.frame == Some(event.wd) {
            if event.mask.contains(AddWatchFlags::IN_OPEN) {
                self.demand.opened(now);
            }
            if event.mask.contains(AddWatchFlags::IN_CLOSE_NOWRITE) {
                self.demand.closed();
            }
            if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                self.frame = None;
            }
        } else if self.slot == Some(event.wd) {
            let lost = AddWatchFlags::IN_DELETE_SELF
                | AddWatchFlags::IN_MOVE_SELF
                | AddWatchFlags::IN_UNMOUNT
                | AddWatchFlags::IN_IGNORED;
            if event.mask.intersects(lost) {
                self.let_go();
            } else if event.name.as_deref().is_some_and(|name| name == FRAME_FILE) {
                self.frame = None;
            } else if event.name.as_deref().is_some_and(|name| name == STATE_FILE) {
                self.state = None;
                self.demand.assume();
            }
        }
    }

    /// Takes hold of the directory, if that is not so already.
    fn claim(&mut self) -> Result<(), OpenError> {
        if self.slot.is_some() {
            return Ok(());
        }
        let path = &self.directory;
        fs::create_dir_all(path).map_err(|e| refused(path, "make the directory", e))?;
        let mask = AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR
            | AddWatchFlags::IN_DONT_FOLLOW;
        let what = if path.is_symlink() {
            "use a symbolic link as its directory"
        } else {
            "watch the directory"
        };
        let watch = self
            .inotify
            .add_watch(path, mask)
            .map_err(|e| refused(path, what, e.into()))?;
        self.slot = Some(watch);
        Ok(())
    }

    fn let_go(&mut self) {
        log::warn!(
            "slot {:?}: its directory is gone; making it again",
            self.directory
        );
        if let Some(watch) = self.slot.take() {
            // The watch is usually gone with the directory; a directory that was only moved still has it.
            let _ = self.inotify.rm_watch(watch);
        }
        self.frame = None;
        self.state = None;
    }

    /// Replaces one of the slot's files. A directory that is found missing, or replaced, is made again, once: inotify does
    /// not tell of its loss while any file in it is still open somewhere.
    fn replace<T>(
        &mut self,
        name: &str,
        contents: &[u8],
        finish: impl Fn(&Inotify, &File, &Path) -> io::Result<T>,
    ) -> Result<T, PublishError> {
        self.claim()?;
        let mut result = self.rename_into_place(name, contents, &finish);
        if result.as_ref().is_err_and(|e| {
            matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            )
        }) {
            self.let_go();
            self.claim()?;
            result = self.rename_into_place(name, contents, &finish);
        }
        result.map_err(|reason| PublishError::Io {
            path: self.directory.join(name),
            reason,
        })
    }

    /// Writes a hidden file, lets `finish` complete it, and renames it over `name`.
    fn rename_into_place<T>(
        &self,
        name: &str,
        contents: &[u8],
        finish: &impl Fn(&Inotify, &File, &Path) -> io::Result<T>,
    ) -> io::Result<T> {
        let directory = Directory::open(&self.directory)?;
        let temporary = format!(".{name}.tmp");
        let renamed = create_anew(&directory, &temporary).and_then(|mut file| {
            file.write_all(contents)?;
            let finished = finish(&self.inotify, &file, &self.directory.join(&temporary))?;
            directory.rename(&temporary, name)?;
            Ok(finished)
        });
        if renamed.is_err() {
            // Whatever is left of it is of no use; there may be nothing.
            let _ = directory.remove(&temporary);
        }
        renamed
    }
}

impl AsFd for Publisher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn refused(path: &Path, what: &'static str, reason: io::Error) -> OpenError {
    OpenError {
        path: path.to_owned(),
        what,
        reason,
    }
}

/// Creates a file that nobody else has open: what a producer before us left under this name is removed, not reused.
fn create_anew(directory: &Directory, name: &str) -> io::Result<File> {
    let mode = Mode::from_bits_truncate(0o644);
    match directory.create(name, mode) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            directory.remove(name)?;
            directory.create(name, mode)
        }
        result => result,
    }
}
