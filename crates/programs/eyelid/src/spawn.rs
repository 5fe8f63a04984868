//! Starting a program with listening sockets as systemd does (sd_listen_fds(3)): the only `unsafe`
//! of this program.

use std::ffi::OsString;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;
use std::process::Stdio;

use command_fds::{CommandFdExt, FdMapping};
use eyelid_config::PASSWORD_VARIABLE;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use tokio::process::{Child, Command};

/// The first passed descriptor (SD_LISTEN_FDS_START).
const FIRST: RawFd = 3;

/// The variables of the protocol. LISTEN_PID, which only the child could set, is left out: programs
/// of ours take what is passed without it (crate listenfd).
const VARIABLES: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// What a program gets beside its arguments.
pub(crate) struct Inherited<'a> {
    /// Listening sockets, in their order, each with what it is called.
    pub(crate) sockets: Vec<(&'static str, BorrowedFd<'a>)>,
    /// Whether the program lets people in, and so knows the password: no camera's command is to
    /// know it.
    pub(crate) password: Password,
}

/// Whether a program is given the password that is in the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Password {
    /// It is.
    Given,
    /// It is not.
    Withheld,
}

/// Starts a program. It is told to end when this process is gone.
///
/// # Errors
/// What the system said.
pub(crate) fn start(
    program: &Path,
    arguments: &[OsString],
    inherited: &Inherited<'_>,
) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if inherited.password == Password::Withheld {
        command.env_remove(PASSWORD_VARIABLE);
    }
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    let count = inherited.sockets.len();
    if count > 0 {
        command.env("LISTEN_FDS", count.to_string());
        let names: Vec<_> = inherited.sockets.iter().map(|(name, _)| *name).collect();
        command.env("LISTEN_FDNAMES", names.join(":"));
    }
    let parent = std::process::id();
    let end_with_parent = move || {
        prctl::set_pdeathsig(Signal::SIGTERM)?;
        if std::os::unix::process::parent_id() != parent {
            // It ended before it could be asked for the signal.
            return Err(io::ErrorKind::NotConnected.into());
        }
        Ok(())
    };
    #[expect(
        unsafe_code,
        reason = "a process can only ask for itself to be told of its parent's end"
    )]
    // SAFETY: between fork(2) and exec(2) this makes two system calls, and neither allocates nor
    // takes a lock.
    unsafe {
        command.pre_exec(end_with_parent)
    };
    // The numbers from FIRST on are in use long before std opens what it needs for this start: none
    // of that is replaced.
    let mapping = |(child_fd, (_, socket)): (RawFd, &(&str, BorrowedFd<'_>))| {
        let parent_fd = socket.try_clone_to_owned()?;
        Ok(FdMapping {
            parent_fd,
            child_fd,
        })
    };
    let mappings = (FIRST..).zip(&inherited.sockets).map(mapping);
    command
        .fd_mappings(mappings.collect::<io::Result<_>>()?)
        .map_err(io::Error::other)?;
    command.spawn()
}
