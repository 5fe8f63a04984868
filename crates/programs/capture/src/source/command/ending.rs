//! The end of a process group, without ever waiting for it.
//!
//! SIGTERM first, SIGKILL to what is left after 2 s. The leader is reaped as soon as it has exited,
//! the rest of the group by init; the group is over when nobody can be sent a signal through it.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Enough for a program to stop a camera (picamera2 needs up to 400 ms), and no more than a reader
/// waits for its frame.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look. It doubles each time...
const FIRST_LOOK: Duration = Duration::from_millis(5);

/// ...up to this.
const LAST_LOOK: Duration = Duration::from_millis(200);

/// A zombie whose parent does not reap it keeps its group for ever. After this long nothing runs in
/// it any more.
const AFTER_KILL: Duration = Duration::from_millis(500);

/// A process group that was told to end.
#[derive(Debug)]
pub(super) struct Ending {
    group: Pid,
    reaped: bool,
    kill_at: Instant,
    killed: bool,
    look_at: Instant,
    pause: Duration,
    over: bool,
}

impl Ending {
    pub(super) fn begin(group: Pid, now: Instant) -> Self {
        send(group, Signal::SIGTERM);
        // What is stopped (SIGSTOP, or a terminal) could not hear it.
        send(group, Signal::SIGCONT);
        Self {
            group,
            reaped: false,
            kill_at: now + PATIENCE,
            killed: false,
            look_at: now + FIRST_LOOK,
            pause: FIRST_LOOK,
            over: false,
        }
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Instant {
        if self.killed {
            self.look_at
        } else {
            self.look_at.min(self.kill_at)
        }
    }

    /// Takes the next step. Says whether all of the group is gone.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        if now < self.deadline() {
            return false;
        }
        if !self.killed && now >= self.kill_at {
            self.killed = true;
            kill(self.group);
        }
        self.reap();
        let only_zombies = self.killed && now >= self.kill_at + AFTER_KILL;
        if self.reaped && (only_zombies || !self.exists()) {
            self.over = true;
            return true;
        }
        self.pause = (self.pause * 2).min(LAST_LOOK);
        self.look_at = now + self.pause;
        false
    }

    fn reap(&mut self) {
        if !self.reaped {
            let status = waitpid(self.group, Some(WaitPidFlag::WNOHANG));
            self.reaped = !matches!(status, Ok(WaitStatus::StillAlive) | Err(Errno::EINTR));
        }
    }

    /// While the leader is not reaped its number cannot be another's; afterwards the group keeps
    /// the number for as long as it has a member.
    fn exists(&self) -> bool {
        killpg(self.group, None) != Err(Errno::ESRCH)
    }
}

/// Nothing may outlive the program.
impl Drop for Ending {
    fn drop(&mut self) {
        if !self.over {
            kill(self.group);
        }
    }
}

/// Ends a group at once.
pub(super) fn kill(group: Pid) {
    send(group, Signal::SIGKILL);
}

fn send(group: Pid, signal: Signal) {
    // Fails only where there is nobody left.
    let _ = killpg(group, signal);
}
