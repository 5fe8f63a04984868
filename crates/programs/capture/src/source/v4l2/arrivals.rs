//! Which device nodes come and go.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// udev gives a node its group and its links just after it has come: it is tried at once, and once
/// more after this.
const UDEV_PATIENCE: Duration = Duration::from_secs(1);

/// Watches a directory of device nodes.
pub(super) struct Arrivals {
    inotify: Option<Inotify>,
    come: bool,
    again_at: Option<Instant>,
    gone: Vec<OsString>,
}

impl Arrivals {
    pub(super) fn watch(directory: &Path) -> Self {
        let inotify =
            Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).and_then(|inotify| {
                let events = AddWatchFlags::IN_CREATE
                    | AddWatchFlags::IN_MOVED_TO
                    | AddWatchFlags::IN_ATTRIB
                    | AddWatchFlags::IN_DELETE
                    | AddWatchFlags::IN_MOVED_FROM;
                inotify.add_watch(directory, events)?;
                Ok(inotify)
            });
        Self {
            inotify: inotify
                .inspect_err(|errno| {
                    log::info!("v4l2: cameras that are plugged in are not noticed at once: {directory:?}: {errno}");
                })
                .ok(),
            come: false,
            again_at: None,
            gone: Vec::new(),
        }
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// When to look again although nothing has come.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again_at
    }

    /// Takes in what has come and gone.
    pub(super) fn see(&mut self, now: Instant) {
        if self.again_at.is_some_and(|at| at <= now) {
            self.again_at = None;
            self.come = true;
        }
        let Some(inotify) = &self.inotify else {
            return;
        };
        while let Ok(events) = inotify.read_events() {
            for event in events {
                let Some(name) = event.name.filter(is_video) else {
                    continue;
                };
                let left = AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM;
                if event.mask.intersects(left) {
                    self.gone.push(name);
                } else {
                    self.come = true;
                    self.again_at = Some(now + UDEV_PATIENCE);
                }
            }
        }
    }

    /// Says whether a node has come since this was asked last.
    pub(super) fn take_come(&mut self) -> bool {
        std::mem::take(&mut self.come)
    }

    /// Forgets what has gone until now. To be called before a camera is opened: the kernel tells of
    /// one that was unplugged first by an error, and of its node later.
    pub(super) fn forget_gone(&mut self, now: Instant) {
        self.see(now);
        self.gone.clear();
    }

    /// Says whether the node of this name has gone since this was asked last.
    pub(super) fn take_gone(&mut self, path: &Path) -> bool {
        let gone = std::mem::take(&mut self.gone);
        gone.iter().any(|name| path.file_name() == Some(name))
    }
}

fn is_video(name: &OsString) -> bool {
    name.as_encoded_bytes().starts_with(b"video")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn nodes_that_come_and_go_are_seen_once_and_once_more() {
        let directory = tempfile::tempdir().unwrap();
        let (node, other) = (
            directory.path().join("video0"),
            directory.path().join("tty9"),
        );
        let mut arrivals = Arrivals::watch(directory.path());
        let now = Instant::now();
        fs::write(&other, "").unwrap();
        arrivals.see(now);
        assert!(!arrivals.take_come(), "no camera");
        fs::write(&node, "").unwrap();
        arrivals.see(now);
        assert!(arrivals.take_come() && !arrivals.take_come());
        let again = arrivals.deadline().unwrap();
        arrivals.see(again);
        assert!(arrivals.take_come(), "udev is done now");
        assert_eq!(arrivals.deadline(), None);
        fs::remove_file(&node).unwrap();
        arrivals.see(again);
        assert!(!arrivals.take_come());
        assert!(arrivals.take_gone(&node) && !arrivals.take_gone(&node));
        fs::write(&node, "").unwrap();
        fs::remove_file(&node).unwrap();
        arrivals.forget_gone(again);
        assert!(!arrivals.take_gone(&node), "that was another");
        fs::remove_file(&other).unwrap();
        arrivals.see(again);
        assert!(!arrivals.take_gone(&other));
    }

    #[test]
    fn without_the_directory_nothing_comes() {
        let mut arrivals = Arrivals::watch(Path::new("/nowhere"));
        arrivals.see(Instant::now());
        assert!(arrivals.descriptor().is_none() && !arrivals.take_come());
    }
}
