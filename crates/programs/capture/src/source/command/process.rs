//! Starting a command, and how it exited.

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, pipe2};

/// A pipe of this size holds a frame of most cameras, so that its writer need not wait for us in
/// the middle of one. The most that the kernel gives without privileges
/// (/proc/sys/fs/pipe-max-size).
const PIPE_BYTES: i32 = 1 << 20;

/// What our service manager said to us alone (sd_notify(3), sd_listen_fds(3)).
const NOT_FOR_CHILDREN: [&str; 6] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
];

/// A shell that leads a process group of its own, and our ends of its output. It is not reaped
/// here: see [`super::ending::Ending`].
#[derive(Debug)]
pub(super) struct Process {
    leader: Pid,
    pub(super) stdout: Option<File>,
    pub(super) stderr: Option<File>,
}

impl Process {
    /// Runs `sh -c` with an environment that `added` has more than ours.
    pub(super) fn spawn(shell: &str, added: &[(&'static str, String)]) -> io::Result<Self> {
        let nothing = File::open("/dev/null")?;
        let (stdout, stdout_writer) = pipe()?;
        let (stderr, stderr_writer) = pipe()?;
        // Without the privilege, or with too many pipes open, the usual 64 KiB remain.
        let _ = fcntl(&stdout, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));

        let mut files = PosixSpawnFileActions::init()?;
        files.add_dup2(nothing.as_raw_fd(), 0)?;
        files.add_dup2(stdout_writer.as_raw_fd(), 1)?;
        files.add_dup2(stderr_writer.as_raw_fd(), 2)?;

        // Ours blocks the signals that end it and ignores SIGPIPE; the command must do neither.
        // posix_spawn(3) because std's Command hands on the signal mask and cannot be told
        // otherwise without unsafe code.
        let mut defaults = SigSet::empty();
        defaults.add(Signal::SIGPIPE);
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
        )?;
        attributes.set_pgroup(Pid::from_raw(0))?;
        attributes.set_sigmask(&SigSet::empty())?;
        attributes.set_sigdefault(&defaults)?;

        let arguments = [c"sh".to_owned(), c"-c".to_owned(), CString::new(shell)?];
        let leader = posix_spawn(
            c"/bin/sh",
            &files,
            &attributes,
            &arguments,
            &environment(added)?,
        )?;
        Ok(Self {
            leader,
            stdout: Some(File::from(stdout)),
            stderr: Some(File::from(stderr)),
        })
    }

    /// The process group, which has the number of its leader.
    pub(super) fn group(&self) -> Pid {
        self.leader
    }
}

/// A pipe of which only our end, the first, does not block.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((reader, writer))
}

fn environment(added: &[(&'static str, String)]) -> io::Result<Vec<CString>> {
    let replaced = |name: &OsString| added.iter().any(|(new, _)| name == new);
    let ours = std::env::vars_os()
        .filter(|(name, _)| !replaced(name) && !NOT_FOR_CHILDREN.iter().any(|not| name == not));
    let added = added
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    ours.chain(added)
        .map(|(mut pair, value)| {
            pair.push("=");
            pair.push(value);
            Ok(CString::new(pair.into_vec())?)
        })
        .collect()
}

/// Says how a process has exited, if it has, and leaves it to be reaped.
pub(super) fn exit(leader: Pid) -> Option<String> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    match waitid(Id::Pid(leader), flags) {
        Ok(WaitStatus::Exited(_, status)) => Some(format!("exited with status {status}")),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!("was ended by {signal}")),
        Ok(_) => None,
        Err(Errno::EINTR) => None,
        Err(errno) => Some(format!("was lost: {errno}")),
    }
}
