//! Errors of a system that is short of something for now.

use std::io;

use nix::errno::Errno;

/// Says whether an error comes of a shortage of descriptors, processes or memory: what other
/// programs give back sooner or later, so that a later try may succeed (accept(2), fork(2),
/// open(2)).
pub fn is_shortage(error: &io::Error) -> bool {
    // EAGAIN is fork's limit of processes. From a socket that does not block it means something
    // else, but a runtime that waits for readiness does not hand it on.
    [
        Errno::EAGAIN,
        Errno::EMFILE,
        Errno::ENFILE,
        Errno::ENOBUFS,
        Errno::ENOMEM,
    ]
    .iter()
    .any(|errno| error.raw_os_error() == Some(*errno as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_no_shortage() {
        assert!(is_shortage(&Errno::EMFILE.into()));
        assert!(!is_shortage(&Errno::ENOENT.into()));
        assert!(!is_shortage(&io::Error::other("EMFILE")));
    }
}
