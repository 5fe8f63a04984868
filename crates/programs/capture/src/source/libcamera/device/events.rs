//! What libcamera's own thread tells ours: two flags and an eventfd, which is all that its
//! callbacks touch.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// What libcamera's callbacks touch.
pub(in super::super) struct CallbackEvents {
    fd: EventFd,
    pub(super) added: AtomicBool,
    pub(super) disconnected: AtomicBool,
}

impl CallbackEvents {
    pub(super) fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            fd: EventFd::from_value_and_flags(0, flags)?,
            added: AtomicBool::new(false),
            disconnected: AtomicBool::new(false),
        })
    }

    pub(super) fn signal(&self) {
        // It fails only at 2^64 signals that nobody has taken in.
        let _ = self.fd.write(1);
    }

    /// Takes the signals in.
    pub(in super::super) fn take_in(&self) {
        // It fails where there is none.
        let _ = self.fd.read();
    }

    /// Says whether a camera has been plugged in since this was asked last.
    pub(in super::super) fn take_added(&self) -> bool {
        self.added.swap(false, Ordering::Relaxed)
    }
}

impl AsFd for CallbackEvents {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
