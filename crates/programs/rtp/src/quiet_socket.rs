//! A UDP socket that wakes this program where there is something to read, and nowhere else.
//!
//! A socket that is waited for to have room wakes it after each packet that has left, whether
//! somebody waits or not: one wake-up more for each step of a frame.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use eyelid_daemon::readiness;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::sleep;

/// How long is waited for room: a socket's 200 KB leave by 1 Gbit/s in about two of these.
const ROOM: Duration = Duration::from_millis(1);

/// The socket.
#[derive(Debug)]
pub(crate) struct QuietSocket {
    socket: UdpSocket,
    /// It once more, for the runtime.
    readable: AsyncFd<OwnedFd>,
}

impl QuietSocket {
    /// Takes a socket that does not block.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        let descriptor = socket.as_fd().try_clone_to_owned()?;
        Ok(Self {
            readable: readiness::readable(descriptor)?,
            socket,
        })
    }

    /// The socket itself.
    pub(crate) fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Receives from where the socket is connected.
    ///
    /// # Errors
    /// What the system said, also of what was sent before.
    pub(crate) async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let receive = |_: &_| self.socket.recv(buffer);
        self.readable.async_io(Interest::READABLE, receive).await
    }

    /// Receives, and says from where.
    ///
    /// # Errors
    /// As for [`QuietSocket::recv`].
    pub(crate) async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let receive = |_: &_| self.socket.recv_from(buffer);
        self.readable.async_io(Interest::READABLE, receive).await
    }

    /// Sends, and while there is no room tries again.
    ///
    /// # Errors
    /// Those of `send`.
    pub(crate) async fn send<T>(
        &self,
        send: impl Fn(&UdpSocket) -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match send(&self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(ROOM).await,
                sent => return sent,
            }
        }
    }
}
