//! Starting a program with listening sockets as systemd does (sd_listen_fds(3)): the only `unsafe` of this program.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::Stdio;

use eyelid_config::PASSWORD_VARIABLE;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::dup2_raw;
use tokio::process::{Child, Command};

/// The first passed descriptor (SD_LISTEN_FDS_START).
const FIRST: RawFd = 3;

/// Where the sockets are kept until they are passed: above every number that they are passed as.
const ASIDE: RawFd = 128;

/// Starts a program. It is told to end when this process is gone, and gets `sockets` in their order.
///
/// # Errors
/// What the system said.
pub(crate) fn start(
    program: &Path,
    arguments: &[OsString],
    sockets: &[BorrowedFd<'_>],
) -> io::Result<Child> {
    let aside = sockets
        .iter()
        .map(set_aside)
        .collect::<io::Result<Vec<_>>>()?;
    let parent = std::process::id();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    // Only the server lets people in: no camera's command is to know how.
    if sockets.is_empty() {
        command.env_remove(PASSWORD_VARIABLE);
    }
    let prepare = move || {
        prctl::set_pdeathsig(Signal::SIGTERM)?;
        if std::os::unix::process::parent_id() != parent {
            return Err(io::Error::other("eyelid has ended"));
        }
        pass(&aside)
    };
    #[expect(
        unsafe_code,
        reason = "LISTEN_PID and the descriptors can only be set in the child"
    )]
    // SAFETY: this process has one thread, so its child may allocate and set variables before exec(2).
    unsafe {
        command.pre_exec(prepare)
    };
    command.spawn()
}

fn set_aside(socket: &BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let descriptor =
        fcntl(socket, FcntlArg::F_DUPFD_CLOEXEC(ASIDE)).map_err(|errno| match errno {
            // The limit of open files is lower than the number (fcntl(2)).
            Errno::EINVAL => Errno::EMFILE,
            other => other,
        })?;
    #[expect(unsafe_code, reason = "nix gives a bare number")]
    // SAFETY: the descriptor was just made, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// In the child: gives the sockets their numbers, and says so in the environment.
fn pass(aside: &[OwnedFd]) -> io::Result<()> {
    let variables = [
        (c"LISTEN_FDS", aside.len().to_string()),
        (c"LISTEN_PID", std::process::id().to_string()),
        (c"LISTEN_FDNAMES", vec!["http"; aside.len()].join(":")),
    ];
    for (variable, value) in variables {
        let value = CString::new(value)?;
        #[expect(unsafe_code, reason = "std cannot set a variable in the child")]
        // SAFETY: both are strings that end with NUL, and nobody else reads the environment (see `start`). std's own
        // function would wait for a lock that std holds while it starts a program.
        let result = unsafe {
            if aside.is_empty() {
                libc::unsetenv(variable.as_ptr())
            } else {
                libc::setenv(variable.as_ptr(), value.as_ptr(), 1)
            }
        };
        nix::errno::Errno::result(result)?;
    }
    for (number, socket) in (FIRST..).zip(aside) {
        #[expect(unsafe_code, reason = "the number is the protocol's")]
        // SAFETY: the program that exec(2) is about to start expects the socket at this number. What had the number
        // before is a socket of ours or the runtime's, opened long before std opened what it needs for this start.
        let passed = unsafe { dup2_raw(socket, number) }?;
        // It is the new program's from now on.
        let _ = passed.into_raw_fd();
    }
    Ok(())
}
