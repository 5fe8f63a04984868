//! Which slots are watched: those that somebody looks at, all by one inotify instance.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use eyelid_slot::{CameraName, Change, Changes};

use crate::Camera;
use crate::tracker::Watching;

/// The slots that are watched.
pub(crate) struct Watches {
    /// `None` where the kernel gives no inotify instance: then slots are polled while somebody
    /// looks.
    changes: Option<RefCell<Changes<CameraName>>>,
    complained: Cell<bool>,
}

impl Watches {
    /// Watches none yet.
    pub(crate) fn new() -> Self {
        let changes = Changes::new()
            .inspect_err(|error| log::warn!("slots are polled while somebody looks: {error}"))
            .ok()
            .map(RefCell::new);
        Self {
            changes,
            complained: Cell::new(false),
        }
    }

    /// Watches a camera's slot by inotify, if that can be; else it is polled.
    pub(crate) fn watch(&self, camera: &Camera) {
        let watching = match &self.changes {
            None => Watching::Polling,
            Some(changes) => {
                let name = camera.name().clone();
                match changes.borrow_mut().add(name, camera.directory()) {
                    Ok(()) => {
                        self.complained.set(false);
                        Watching::Inotify
                    }
                    Err(error) => {
                        if !self.complained.replace(true) {
                            log::warn!("{error}; looking for it while somebody waits");
                        }
                        Watching::Polling
                    }
                }
            }
        };
        if watching != camera.watching() {
            camera.anything_changed(watching);
        }
    }

    /// Watches a camera's slot no longer.
    pub(crate) fn unwatch(&self, camera: &Camera) {
        if let Some(changes) = &self.changes {
            changes.borrow_mut().remove(camera.name());
        }
    }

    /// What is readable when there are changes; `None` where slots are polled.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(crate) fn descriptor(&self) -> io::Result<Option<OwnedFd>> {
        let changes = self.changes.as_ref();
        changes
            .map(|changes| changes.borrow().as_fd().try_clone_to_owned())
            .transpose()
    }

    /// Gives the changes since they were read last, without waiting.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(crate) fn read(&self) -> io::Result<Vec<Change<CameraName>>> {
        match &self.changes {
            Some(changes) => changes.borrow_mut().read(),
            None => Ok(Vec::new()),
        }
    }
}
