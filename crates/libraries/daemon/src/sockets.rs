//! The sockets that a service manager passes (sd_listen_fds(3)).

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use listenfd::ListenFd;
use nix::libc;
use nix::sys::socket::{getsockopt, sockopt};

/// A socket that was passed.
#[derive(Debug)]
pub enum Passed {
    /// A listening socket (`Accept=no`).
    TcpListener(TcpListener),
    /// A listening Unix socket (`Accept=no`).
    UnixListener(UnixListener),
    /// A connected socket (`Accept=yes`).
    TcpStream(TcpStream),
    /// A connected Unix socket (`Accept=yes`).
    UnixStream(UnixStream),
}

/// A passed descriptor that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "descriptor {number} passed by the service manager is no TCP or Unix stream socket: {reason}"
)]
pub struct PassedError {
    /// The descriptor, counted from 3 (SD_LISTEN_FDS_START).
    number: usize,
    reason: io::Error,
}

/// Takes all sockets that were passed, in their order. They are non-blocking and not inherited by children.
///
/// # Errors
/// [`PassedError`] names the descriptor that is something else.
pub fn take() -> Result<Vec<Passed>, PassedError> {
    let mut passed = ListenFd::from_env();
    (0..passed.len())
        .map(|index| {
            take_one(&mut passed, index).map_err(|reason| PassedError {
                number: index + 3,
                reason,
            })
        })
        .collect()
}

fn take_one(passed: &mut ListenFd, index: usize) -> io::Result<Passed> {
    let tcp = passed.take_custom::<OwnedFd>(index, libc::AF_INET, libc::SOCK_STREAM, "TCP socket");
    let (socket, is_tcp) = match tcp {
        Ok(socket) => (socket, true),
        Err(_) => (
            passed.take_custom(
                index,
                libc::AF_UNIX,
                libc::SOCK_STREAM,
                "TCP or Unix stream socket",
            )?,
            false,
        ),
    };
    let socket: OwnedFd = socket.ok_or_else(|| io::Error::other("it was taken already"))?;
    let listening = getsockopt(&socket, sockopt::AcceptConn)?;
    let passed = match (is_tcp, listening) {
        (true, true) => Passed::TcpListener(socket.into()),
        (false, true) => Passed::UnixListener(socket.into()),
        (true, false) => Passed::TcpStream(socket.into()),
        (false, false) => Passed::UnixStream(socket.into()),
    };
    match &passed {
        Passed::TcpListener(listener) => listener.set_nonblocking(true)?,
        Passed::UnixListener(listener) => listener.set_nonblocking(true)?,
        Passed::TcpStream(stream) => stream.set_nonblocking(true)?,
        Passed::UnixStream(stream) => stream.set_nonblocking(true)?,
    }
    Ok(passed)
}
