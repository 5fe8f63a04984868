//! Waiting in tokio's loop for a descriptor that tokio does not know: the only `unsafe` of this
//! library.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Lets the runtime wait until a descriptor is readable. Must be called within a runtime whose I/O
/// is enabled.
///
/// # Errors
/// What epoll_ctl(2) said.
///
/// # Panics
/// Outside such a runtime.
pub fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    register(descriptor, Interest::READABLE)
}

/// Lets the runtime wait until a descriptor is readable, and until it is writable, as [`readable`]
/// does.
///
/// # Errors
/// What epoll_ctl(2) said.
///
/// # Panics
/// Outside such a runtime.
pub fn readable_and_writable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    register(descriptor, Interest::READABLE | Interest::WRITABLE)
}

#[expect(
    unsafe_code,
    reason = "tokio cannot know that the descriptor stays the same"
)]
fn register(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open, gives the same descriptor each time, and is closed by nobody
    // else.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, interest) }?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    #[tokio::test]
    async fn tells_of_what_tokio_did_not_open() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let near = readable(near.into()).unwrap();
        let waits = tokio::select! {
            biased;
            _ = near.readable() => false,
            () = std::future::ready(()) => true,
        };
        assert!(waits);
        far.write_all(b"x").unwrap();
        drop(near.readable().await.unwrap());
    }
}
