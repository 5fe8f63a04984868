//! The signals that end a program, for a loop that sleeps in poll(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGINT and SIGTERM as a descriptor that is readable once one of them has come (signalfd(2)).
#[derive(Debug)]
pub struct Termination(SignalFd);

impl Termination {
    /// Blocks both signals in this thread and in those it starts later, and takes them over.
    ///
    /// # Errors
    /// What the system said.
    pub fn new() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.thread_block()?;
        Ok(Self(SignalFd::with_flags(
            &signals,
            SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
        )?))
    }

    /// Says, without waiting, whether one of the signals has come since the last call.
    pub fn requested(&self) -> bool {
        matches!(self.0.read_signal(), Ok(Some(_)))
    }
}

impl AsFd for Termination {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
