//! inotify(7) on the folder.

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent};

use super::candidate::is_picture;
use crate::source::SourceError;

/// A folder being watched.
#[derive(Debug)]
pub(super) struct Watch(Inotify);

/// What happened in the folder.
#[derive(Debug)]
pub(super) enum Event {
    /// This picture has appeared, or was written to.
    Written(OsString),
    /// This picture was closed by its writer or moved here.
    Finished(OsString),
    /// More happened than the kernel can tell.
    Overflow,
}

impl Watch {
    pub(super) fn new(folder: &Path) -> Result<Self, SourceError> {
        let refused = |what: &'static str| {
            move |errno: Errno| SourceError::Folder {
                path: folder.to_owned(),
                what,
                reason: errno.into(),
            }
        };
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)
            .map_err(refused("make an inotify instance"))?;
        let mask = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        inotify
            .add_watch(folder, mask)
            .map_err(refused("watch it"))?;
        Ok(Self(inotify))
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Gives what has happened to pictures since the last call, one event for each run of the same
    /// kind.
    pub(super) fn read(&self, folder: &Path) -> Result<Vec<Event>, SourceError> {
        let mut events = Vec::new();
        match self.0.read_events() {
            Ok(raw) => {
                for event in raw {
                    events.extend(classify(event, folder)?);
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => {
                return Err(SourceError::Folder {
                    path: folder.to_owned(),
                    what: "read its events",
                    reason: errno.into(),
                });
            }
        }
        Ok(events)
    }
}

fn classify(event: InotifyEvent, folder: &Path) -> Result<Option<Event>, SourceError> {
    let lost = AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_UNMOUNT
        | AddWatchFlags::IN_IGNORED;
    if event.mask.intersects(lost) {
        return Err(SourceError::FolderGone(folder.to_owned()));
    }
    if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
        return Ok(Some(Event::Overflow));
    }
    let done = AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_TO;
    Ok(event
        .name
        .filter(|name| is_picture(name) && !event.mask.contains(AddWatchFlags::IN_ISDIR))
        .map(|name| {
            if event.mask.intersects(done) {
                Event::Finished(name)
            } else {
                Event::Written(name)
            }
        }))
}
