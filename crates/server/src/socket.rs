//! A client's connected socket, TCP or Unix, and how frames leave through it.

use std::fmt;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};

use crate::drain::Drain;
use crate::kernel;

/// A client that takes nothing for this long is gone: three times the pause after which go2rtc and browsers behind a
/// roaming phone come back, and far less than the 15 minutes TCP itself tries for (tcp(7), tcp_retries2).
const STALL: Duration = Duration::from_secs(30);

/// How long a client that was answered may take to close.
const PARTING: Duration = Duration::from_secs(1);

/// A connected stream socket.
#[derive(Debug)]
pub(crate) enum Socket {
    /// TCP
    Tcp(TcpStream),
    /// Unix
    Unix(UnixStream),
}

impl Socket {
    /// Prepares the socket: no waiting for more to send (Nagle), and no keeping of dead clients.
    pub(crate) fn prepare(&self) {
        if let Self::Tcp(stream) = self {
            let user_timeout_ms = STALL.as_millis() as u32;
            let prepared = stream.set_nodelay(true).and_then(|()| {
                setsockopt(stream, sockopt::TcpUserTimeout, &user_timeout_ms).map_err(Into::into)
            });
            if let Err(error) = prepared {
                log::debug!("socket options not set: {error}");
            }
        }
    }

    /// The client's address, for people: a Unix socket's clients have none.
    pub(crate) fn peer(&self) -> String {
        match self {
            Self::Tcp(stream) => stream
                .peer_addr()
                .map_or_else(|_| "unknown".into(), |a| a.to_string()),
            Self::Unix(_) => "unix".into(),
        }
    }

    /// Sends all of `parts`, in as few writes as the socket takes.
    ///
    /// # Errors
    /// What the socket said; `TimedOut` when it took nothing for [`STALL`].
    pub(crate) async fn send(&self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut rest = parts;
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.try_write_vectored(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => IoSlice::advance_slices(&mut rest, sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    timeout(STALL, self.ready(Interest::WRITABLE)).await??;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits until so little lies unacknowledged that the next frame may be chosen ([`Drain`]).
    ///
    /// # Errors
    /// What the socket said.
    pub(crate) async fn drained(&self, drain: &mut Drain) -> io::Result<()> {
        loop {
            let unacknowledged = kernel::unacknowledged(self)?;
            // Asked for only when it matters: a client that keeps up has acknowledged everything by now.
            let path = if unacknowledged > 0 {
                kernel::path(self)
            } else {
                None
            };
            match drain.wait(unacknowledged, path) {
                Some(pause) => sleep(pause).await,
                None => return Ok(()),
            }
        }
    }

    /// Ends a connection so that the client can still read the answer: closing it with something unread, such as the rest
    /// of a header that was too long, would make TCP throw the answer away (RFC 9112, section 9.6).
    pub(crate) async fn part(mut self) {
        // A client that is gone already needs no farewell.
        if self.shutdown().await.is_ok() {
            let _ = timeout(PARTING, self.gone()).await;
        }
    }

    /// Waits until the client closes its side; what it sends meanwhile is ignored.
    pub(crate) async fn gone(&self) {
        let mut ignored = [0; 512];
        loop {
            if self.ready(Interest::READABLE).await.is_err() {
                return;
            }
            match self.try_read(&mut ignored) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            Self::Unix(stream) => stream.ready(interest).await,
        }
    }

    fn try_write_vectored(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(parts),
            Self::Unix(stream) => stream.try_write_vectored(parts),
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Unix(stream) => stream.try_read(buffer),
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.peer())
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
