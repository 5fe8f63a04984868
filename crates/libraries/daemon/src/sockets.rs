//! The sockets that a service manager passes (sd_listen_fds(3)).

use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};

use listenfd::ListenFd;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::socket::{getsockopt, sockopt};

/// A socket that was passed.
#[derive(Debug)]
pub enum Passed {
    /// A listening socket (`Accept=no`).
    TcpListener(TcpListener),
    /// A socket for UDP (`ListenDatagram=`).
    UdpSocket(UdpSocket),
    /// A listening Unix socket (`Accept=no`).
    UnixListener(UnixListener),
    /// A listening Unix socket for messages (`ListenSequentialPacket=`), for which std has no type.
    SeqpacketListener(OwnedFd),
    /// A connected socket (`Accept=yes`).
    TcpStream(TcpStream),
    /// A connected Unix socket (`Accept=yes`).
    UnixStream(UnixStream),
}

/// A passed descriptor that cannot be served.
#[derive(Debug, thiserror::Error)]
#[error(
    "descriptor {number} passed by the service manager is no TCP, UDP or Unix stream socket: {reason}"
)]
pub struct PassedError {
    /// The descriptor, counted from 3 (SD_LISTEN_FDS_START).
    number: usize,
    reason: io::Error,
}

/// What systemd says of how the sockets are called that it passes (sd_listen_fds_with_names(3)).
const NAMES: &str = "LISTEN_FDNAMES";

/// Gives how the sockets are called that were passed, in their order, as far as that is said: to be
/// asked before they are taken.
pub fn names() -> Vec<String> {
    let names = std::env::var(NAMES).unwrap_or_default();
    names.split(':').map(str::to_owned).collect()
}

/// Takes all sockets that were passed, in their order. They are non-blocking and not inherited by
/// children.
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
    let kinds = [
        (libc::AF_INET, libc::SOCK_STREAM),
        (libc::AF_INET, libc::SOCK_DGRAM),
        (libc::AF_UNIX, libc::SOCK_SEQPACKET),
        (libc::AF_UNIX, libc::SOCK_STREAM),
    ];
    let mut taken = Err(io::ErrorKind::InvalidInput.into());
    for (family, kind) in kinds {
        let what = "TCP, UDP or Unix stream socket";
        taken = passed
            .take_custom::<OwnedFd>(index, family, kind, what)
            .map(|socket| (family, kind, socket));
        if taken.is_ok() {
            break;
        }
    }
    let (family, kind, socket) = taken?;
    let socket = socket.ok_or_else(|| io::Error::other("it was taken already"))?;
    let listening = getsockopt(&socket, sockopt::AcceptConn)?;
    let passed = match (family, kind, listening) {
        (libc::AF_INET, libc::SOCK_DGRAM, _) => Passed::UdpSocket(socket.into()),
        (libc::AF_INET, _, true) => Passed::TcpListener(socket.into()),
        (libc::AF_INET, _, false) => Passed::TcpStream(socket.into()),
        (_, libc::SOCK_SEQPACKET, true) => Passed::SeqpacketListener(socket),
        (_, libc::SOCK_SEQPACKET, false) => {
            return Err(io::Error::other(
                "it is for messages, and nobody listens on it",
            ));
        }
        (_, _, true) => Passed::UnixListener(socket.into()),
        (_, _, false) => Passed::UnixStream(socket.into()),
    };
    match &passed {
        Passed::UdpSocket(socket) => socket.set_nonblocking(true)?,
        Passed::TcpListener(listener) => listener.set_nonblocking(true)?,
        Passed::UnixListener(listener) => listener.set_nonblocking(true)?,
        Passed::SeqpacketListener(listener) => do_not_block(listener)?,
        Passed::TcpStream(stream) => stream.set_nonblocking(true)?,
        Passed::UnixStream(stream) => stream.set_nonblocking(true)?,
    }
    Ok(passed)
}

fn do_not_block(socket: &OwnedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}
