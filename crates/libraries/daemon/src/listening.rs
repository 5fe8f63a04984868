//! Making the sockets that a program listens on, where no service manager passes any.

use std::fs::{self, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};

/// Listens on HOST:PORT. The socket is non-blocking.
///
/// # Errors
/// What the system said.
pub fn bind_tcp(address: &str) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let_many_wait(&listener)?;
    Ok(listener)
}

/// Listens on a Unix socket, in the place of one on which nobody listens any more. The socket is
/// non-blocking.
///
/// # Errors
/// What the system said. A file that is no socket, and a socket on which somebody listens, are
/// errors, and stay.
pub fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    remove_stale(path)?;
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    let_many_wait(&listener)?;
    Ok(listener)
}

/// Listens on a Unix socket for messages (SOCK_SEQPACKET), to which only this user can connect;
/// else as [`bind_unix`].
///
/// # Errors
/// As there.
pub fn bind_seqpacket(path: &Path) -> io::Result<OwnedFd> {
    remove_stale(path)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let listener = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    bind(listener.as_raw_fd(), &UnixAddr::new(path)?)?;
    // Nobody can connect before it listens.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let_many_wait(&listener)?;
    Ok(listener)
}

/// Removes a socket on which nobody listens any more. connect(2) refuses a file that is no socket
/// with the same error, so it must be a socket, too.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a file that is no socket is there; it stays as it is",
        ));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Ok(()),
    }
}

/// Listens again, for as many as the kernel allows to wait: std lets 128, and drops those who come
/// then.
fn let_many_wait(socket: &impl AsFd) -> io::Result<()> {
    Ok(listen(socket, Backlog::MAXALLOWABLE)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_place_of_a_socket_that_nobody_has() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        drop(UnixListener::bind(&path).unwrap());
        let listener = bind_unix(&path).unwrap();
        UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn a_socket_that_somebody_has_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let error = bind_unix(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        UnixStream::connect(&path).unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn a_socket_for_messages_is_this_users_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("video");
        drop(bind_seqpacket(&path).unwrap());
        let _listener = bind_seqpacket(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = bind_seqpacket(&path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn every_other_file_stays() {
        let directory = tempfile::tempdir().unwrap();
        let notes = directory.path().join("notes.txt");
        fs::write(&notes, "dear diary").unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&notes, &link).unwrap();
        for path in [&notes, &link, &directory.path().to_owned()] {
            let error = bind_unix(path).unwrap_err();
            assert!(error.to_string().contains("no socket"), "{error}");
        }
        assert_eq!(fs::read_to_string(&link).unwrap(), "dear diary");
    }
}
