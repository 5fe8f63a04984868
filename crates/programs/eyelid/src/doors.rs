//! The sockets of all programs but the server: those at which that hands connections over to them
//! (docs/architecture.md#handing-over), and their own ports. They are held here, so that a program
//! need not run before the first connection comes.

use std::fs::{self, DirBuilder, Permissions};
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{self, Poll};

use anyhow::Context;
use eyelid_daemon::listening::bind_seqpacket;

use crate::installed::Installed;
use crate::plan::Plan;
use crate::programs::{Port, Start};
use crate::sockets::{Bound, ListeningSocket, Sockets};

/// The directory of the sockets for handing over, in that of the slots: no camera's name begins so.
const DIRECTORY: &str = ".doors";

/// The sockets. Those that have a path are removed at the end, with their directory.
pub(crate) struct Doors {
    directory: Option<PathBuf>,
    doors: Vec<Door>,
    status: Vec<StatusDirectory>,
}

/// Where a program binds a socket of its own at which the server asks what it does.
struct StatusDirectory {
    socket: PathBuf,
}

/// The sockets of one program.
struct Door {
    name: &'static str,
    /// Where the server hands connections over, if that is here.
    hand_over: Option<HandOver>,
    /// Its own port, and what that is called; empty unless the configuration wants it.
    port: (&'static str, Sockets),
}

struct HandOver {
    path: PathBuf,
    socket: ListeningSocket,
}

/// Where the sockets for handing over are, or will be: nowhere if there is no program for them, or
/// if the user says that others have them.
pub(crate) fn directory(plan: &Plan, installed: &Installed, slots: &Path) -> Option<PathBuf> {
    let has_programs = programs(installed).next().is_some() || tells(installed).next().is_some();
    let is_needed = plan.doors.is_none() && has_programs;
    is_needed.then(|| slots.join(DIRECTORY))
}

/// The programs that are started by such sockets, by the names of their doors.
fn programs(installed: &Installed) -> impl Iterator<Item = (&'static str, Option<&'static Port>)> {
    installed
        .programs()
        .filter_map(|program| match program.start {
            Start::Door(name) => Some((name, program.port.as_ref())),
            _ => None,
        })
}

/// Where the programs that are there tell the server what they do, in the directory of doors.
fn tells(installed: &Installed) -> impl Iterator<Item = fn(&Path) -> PathBuf> {
    installed.programs().filter_map(|program| program.status)
}

impl Doors {
    /// Binds the sockets of each program that is there and is started by them.
    ///
    /// # Errors
    /// Names what cannot be made.
    pub(crate) fn bind(
        directory: Option<PathBuf>,
        plan: &Plan,
        installed: &Installed,
    ) -> anyhow::Result<Self> {
        if let Some(directory) = &directory {
            make_private(directory).with_context(|| {
                format!("cannot make the directory {directory:?}; give another with --slots DIR")
            })?;
        }
        // What has been made goes with it, also where something cannot be had.
        let mut doors = Self {
            directory,
            doors: Vec::new(),
            status: Vec::new(),
        };
        if let Some(directory) = &doors.directory {
            for socket in tells(installed) {
                let made = StatusDirectory::make(socket(directory))?;
                doors.status.push(made);
            }
        }
        for (name, port) in programs(installed) {
            let directory = doors.directory.as_deref();
            let hand_over = directory.map(|directory| HandOver::bind(directory.join(name)));
            let mut door = Door {
                name,
                hand_over: hand_over.transpose()?,
                port: ("", Sockets::default()),
            };
            if let Some(port) = port
                && let Some(listen) = (port.listen)(plan)
            {
                door.port = (port.name, Sockets::bind(listen)?);
            }
            doors.doors.push(door);
        }
        Ok(doors)
    }

    /// The sockets of a program, its own first, each with what it is called.
    pub(crate) fn sockets(&self, name: &'static str) -> Vec<(&'static str, BorrowedFd<'_>)> {
        let Some(door) = self.find(name) else {
            return Vec::new();
        };
        let (port, own) = &door.port;
        let own = own.descriptors().into_iter().map(|socket| (*port, socket));
        let hand_over = door.hand_over.iter();
        own.chain(hand_over.map(|it| (name, it.socket.as_fd())))
            .collect()
    }

    /// Where a program listens by itself.
    pub(crate) fn bound(&self, name: &str) -> impl Iterator<Item = &Bound> + Clone {
        let door = self.find(name).into_iter();
        door.flat_map(|door| door.port.1.bound())
    }

    /// Says whether a program has a port of its own.
    pub(crate) fn has_port(&self, name: &str) -> bool {
        self.find(name).is_some_and(|door| !door.port.1.is_empty())
    }

    /// Says whether somebody has connected to the port of one of them and was not let in yet.
    pub(crate) fn somebody_waits(&self) -> bool {
        self.doors.iter().any(|door| door.port.1.somebody_waits())
    }

    /// Waits until a connection comes for one of these programs, and leaves it to that.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) async fn wait_for_connection(
        &self,
        names: &[&'static str],
    ) -> io::Result<&'static str> {
        poll_fn(|cx| {
            let mut wanted = self.doors.iter().filter(|door| names.contains(&door.name));
            let ready = wanted.find_map(|door| match door.poll_connection(cx) {
                Poll::Ready(ready) => Some(ready.map(|()| door.name)),
                Poll::Pending => None,
            });
            ready.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// Closes all connections that wait for a program which takes none.
    pub(crate) fn turn_away(&self, name: &str) {
        if let Some(door) = self.find(name) {
            door.port.1.turn_away();
            let hand_over = door.hand_over.iter();
            hand_over.for_each(|hand_over| hand_over.socket.turn_away());
        }
    }

    fn find(&self, name: &str) -> Option<&Door> {
        self.doors.iter().find(|door| door.name == name)
    }
}

impl Door {
    fn poll_connection(&self, cx: &mut task::Context<'_>) -> Poll<io::Result<()>> {
        if let Some(hand_over) = &self.hand_over
            && let Poll::Ready(ready) = hand_over.socket.poll_connection(cx)
        {
            return Poll::Ready(ready);
        }
        self.port.1.poll_connection(cx)
    }
}

impl HandOver {
    fn bind(path: PathBuf) -> anyhow::Result<Self> {
        let socket = bind_seqpacket(&path).and_then(ListeningSocket::new);
        let socket = socket.with_context(|| {
            format!("cannot listen at {path:?}; give another directory with --slots DIR")
        })?;
        Ok(Self { path, socket })
    }
}

impl StatusDirectory {
    fn make(socket: PathBuf) -> anyhow::Result<Self> {
        if let Some(directory) = socket.parent() {
            make_private(directory)
                .with_context(|| format!("cannot make the directory {directory:?}"))?;
        }
        Ok(Self { socket })
    }
}

impl Drop for StatusDirectory {
    fn drop(&mut self) {
        // Of a program that was killed.
        let _ = fs::remove_file(&self.socket);
        if let Some(directory) = self.socket.parent() {
            let _ = fs::remove_dir(directory);
        }
    }
}

impl Drop for HandOver {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.doors.clear();
        self.status.clear();
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
