//! The sockets at which the server hands connections over to other programs
//! (docs/architecture.md#handing-over). They are held here, so that a program need not run before
//! the first connection is handed to it.

use std::fs::{self, DirBuilder, Permissions};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::Poll;

use anyhow::Context;
use eyelid_daemon::listening::bind_seqpacket;
use nix::sys::socket::accept;

use crate::installed::Installed;
use crate::plan::Plan;
use crate::programs::Start;
use crate::sockets::ListeningSocket;

/// The directory of the sockets, in that of the slots: no camera's name begins so.
const DIRECTORY: &str = ".doors";

/// The sockets. They are removed at the end, with their directory.
pub(crate) struct Doors {
    directory: Option<PathBuf>,
    doors: Vec<Door>,
}

struct Door {
    name: &'static str,
    path: PathBuf,
    socket: ListeningSocket,
}

/// Where the sockets are, or will be: nowhere if there is no program for them, or if the user says
/// that others have them.
pub(crate) fn directory(plan: &Plan, installed: &Installed, slots: &Path) -> Option<PathBuf> {
    let is_needed = plan.doors.is_none() && names(installed).next().is_some();
    is_needed.then(|| slots.join(DIRECTORY))
}

fn names(installed: &Installed) -> impl Iterator<Item = &'static str> {
    installed
        .programs()
        .filter_map(|program| match program.start {
            Start::Door(name) => Some(name),
            _ => None,
        })
}

impl Doors {
    /// Binds a socket for each program that is there and is started by one.
    ///
    /// # Errors
    /// Names what cannot be made.
    pub(crate) fn bind(directory: Option<PathBuf>, installed: &Installed) -> anyhow::Result<Self> {
        let mut doors = Self {
            directory,
            doors: Vec::new(),
        };
        let Some(directory) = &doors.directory else {
            return Ok(doors);
        };
        make_private(directory).with_context(|| {
            format!("cannot make the directory {directory:?}; give another with --slots DIR")
        })?;
        for name in names(installed) {
            let path = directory.join(name);
            let socket = bind_seqpacket(&path).and_then(ListeningSocket::new);
            let socket = socket.with_context(|| {
                format!("cannot listen at {path:?}; give another directory with --slots DIR")
            })?;
            doors.doors.push(Door { name, path, socket });
        }
        Ok(doors)
    }

    /// The socket of a program.
    pub(crate) fn socket(&self, name: &str) -> Option<BorrowedFd<'_>> {
        self.find(name).map(|door| door.socket.as_fd())
    }

    /// Waits until a connection is handed over to one of these programs, and leaves it to that.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) async fn wait_for_connection(
        &self,
        names: &[&'static str],
    ) -> io::Result<&'static str> {
        poll_fn(|cx| {
            let mut wanted = self.doors.iter().filter(|door| names.contains(&door.name));
            let ready = wanted.find_map(|door| match door.socket.poll_connection(cx) {
                Poll::Ready(ready) => Some(ready.map(|()| door.name)),
                Poll::Pending => None,
            });
            ready.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Closes all connections that are handed over to a program which takes none.
    pub(crate) fn turn_away(&self, name: &str) {
        let Some(socket) = self.socket(name) else {
            return;
        };
        // What was passed on it is closed with it.
        while let Ok(link) = accept(socket.as_raw_fd()) {
            let _ = nix::unistd::close(link);
        }
    }

    fn find(&self, name: &str) -> Option<&Door> {
        self.doors.iter().find(|door| door.name == name)
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        for door in &self.doors {
            let _ = fs::remove_file(&door.path);
        }
        if let Some(directory) = &self.directory {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// Makes a directory for this user alone. If one is there, an `eyelid` that was killed has left it:
/// it is used, and made this user's alone, too.
fn make_private(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::set_permissions(directory, Permissions::from_mode(0o700))
        }
        made => made,
    }
}
