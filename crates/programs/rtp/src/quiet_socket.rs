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

/// How often: for 1 to 2 s, in which 64 KB, the most at once, leave by 500 kbit/s. A frame that
/// waits for longer is old, and an interface that takes nothing would be asked without end.
const TRIES: usize = 1000;

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

    /// Sends, and while there is no room tries again, for 1 to 2 s.
    ///
    /// # Errors
    /// Those of `send`, that there is still no room among them.
    pub(crate) async fn send<T>(
        &self,
        send: impl Fn(&UdpSocket) -> io::Result<T>,
    ) -> io::Result<T> {
        for _ in 1..TRIES {
            match send(&self.socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(ROOM).await,
                sent => return sent,
            }
        }
        send(&self.socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push_socket::SendFailure;
    use nix::errno::Errno;
    use std::cell::Cell;
    use std::net::Ipv4Addr;
    use tokio::time::timeout;

    #[tokio::test]
    async fn a_socket_without_room_is_tried_again_and_given_up() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let socket = QuietSocket::new(socket).unwrap();
        let tries = Cell::new(0);
        let send_when_tried = |wanted| {
            let tries = &tries;
            move |_: &_| {
                tries.set(tries.get() + 1);
                let has_room = tries.get() == wanted;
                has_room.then_some(wanted).ok_or(Errno::EAGAIN.into())
            }
        };
        assert_eq!(socket.send(send_when_tried(10)).await.unwrap(), 10);
        let given_up = socket.send(send_when_tried(usize::MAX));
        let given_up = timeout(Duration::from_secs(60), given_up).await.unwrap();
        let error = given_up.unwrap_err();
        // A frame is lost by that, and not the destination.
        assert_eq!(SendFailure::of(&error), SendFailure::Passing);
        assert_eq!(tries.get(), 10 + TRIES);
    }
}
