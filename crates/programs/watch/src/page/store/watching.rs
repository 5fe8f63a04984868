//! Hears of alerts that come and go, and of rules that change, by inotify(7).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use eyelid_daemon::readiness::readable;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use tokio::io::unix::AsyncFd;

use super::id_of_file;
use crate::alert::AlertId;

/// Files that are renamed into their place, or go from it.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_MOVED_TO
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_ONLYDIR);

/// What has happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// This alert has come.
    Alert(AlertId),
    /// This one is gone.
    Gone(AlertId),
    /// Rules, or what they are in, have changed.
    Rules,
    /// The kernel's queue has overflowed.
    Anything,
}

/// Directories that are watched.
pub(super) struct Watching {
    inotify: Inotify,
    readable: AsyncFd<OwnedFd>,
    alerts: WatchDescriptor,
}

impl Watching {
    /// Watches a directory of alerts, and those of rules as far as they are there.
    ///
    /// # Errors
    /// The first is not there, or cannot be watched.
    pub(super) fn new(alerts: &Path, rules: &[PathBuf]) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let alerts = inotify.add_watch(alerts, CHANGES | AddWatchFlags::IN_DELETE_SELF)?;
        for directory in rules {
            if let Err(error) = inotify.add_watch(directory, CHANGES) {
                log::debug!("{directory:?}: not watched: {error}");
            }
        }
        Ok(Self {
            readable: readable(inotify.as_fd().try_clone_to_owned()?)?,
            inotify,
            alerts,
        })
    }

    /// Waits until something has happened.
    ///
    /// # Errors
    /// The directory of alerts is gone, or what read(2) said.
    pub(super) async fn next(&self) -> io::Result<Vec<Came>> {
        let mut came = Vec::new();
        loop {
            let mut ready = self.readable.readable().await?;
            match self.inotify.read_events() {
                Ok(events) => {
                    for event in events {
                        came.extend(self.read(event)?);
                    }
                }
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            if !came.is_empty() {
                return Ok(came);
            }
        }
    }

    fn read(&self, event: InotifyEvent) -> io::Result<Option<Came>> {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return Ok(Some(Came::Anything));
        }
        if event.wd != self.alerts {
            return Ok(Some(Came::Rules));
        }
        if event
            .mask
            .intersects(AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_DELETE_SELF)
        {
            return Err(io::Error::other("the directory of alerts is gone"));
        }
        let name = event.name.as_deref().and_then(std::ffi::OsStr::to_str);
        let is_here = event.mask.contains(AddWatchFlags::IN_MOVED_TO);
        let came = if is_here { Came::Alert } else { Came::Gone };
        Ok(name.and_then(id_of_file).map(came))
    }
}
