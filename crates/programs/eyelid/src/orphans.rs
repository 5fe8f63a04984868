//! Processes whose parents are gone. PID 1 of a container gets them all, and they stay as zombies
//! until it has asked how they ended (wait(2)). Where this program is not PID 1 it takes over those
//! that its children leave behind (PR_SET_CHILD_SUBREAPER(2const)): what a camera's command starts
//! then shows up below the program that it is due to.

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::{Pid, getpid};

/// Has the orphans of all descendants become children of this process.
pub(crate) fn adopt() {
    if getpid() != Pid::from_raw(1)
        && let Err(errno) = prctl::set_child_subreaper(true)
    {
        log::debug!("orphans go to another process: {errno}");
    }
}

/// Asks the orphans that have ended how they did, which is all they wait for. A program's end is
/// left to who waits for it; orphans behind it in the kernel's list are reached when that is done,
/// so call this again then.
pub(crate) fn reap(is_program: impl Fn(Pid) -> bool) {
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    loop {
        match waitid(Id::All, ended | WaitPidFlag::WNOWAIT) {
            Ok(status) => match status.pid() {
                Some(orphan) if !is_program(orphan) => {
                    let status = waitpid(orphan, Some(WaitPidFlag::WNOHANG));
                    log::debug!("an orphan has ended: {status:?}");
                }
                _ => return,
            },
            Err(Errno::EINTR) => {}
            // No child at all.
            Err(_) => return,
        }
    }
}
