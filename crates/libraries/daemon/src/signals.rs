//! The signals that a program obeys, for a loop that sleeps in poll(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::libc::c_int;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// SIGINT, SIGTERM: end.
    End,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// SIGINT, SIGTERM and SIGHUP as a descriptor that is readable once one of them has come
/// (signalfd(2)).
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks the signals in this thread and in those it starts later, and takes them over.
    ///
    /// # Errors
    /// What the system said.
    pub fn new() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGINT);
        signals.add(Signal::SIGTERM);
        signals.add(Signal::SIGHUP);
        signals.thread_block()?;
        Ok(Self(SignalFd::with_flags(
            &signals,
            SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC,
        )?))
    }

    /// Takes, without waiting, what was asked for since the last call.
    pub fn order(&self) -> Option<Order> {
        const HANG_UP: c_int = Signal::SIGHUP as c_int;
        let signal = self.0.read_signal().ok()??;
        match c_int::try_from(signal.ssi_signo) {
            Ok(HANG_UP) => Some(Order::Reload),
            _ => Some(Order::End),
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
