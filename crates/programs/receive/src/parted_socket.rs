//! A WebSocket's socket, of which tungstenite gets only what is passed to it (`Parting`).

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Instant, SystemTime};

use eyelid_http::Socket;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::arrivals::Flow;
use crate::buffers::Buffers;
use crate::parting::Parting;

/// A socket, and what has come.
pub(crate) struct PartedSocket {
    socket: Socket,
    pub(crate) parting: Parting,
    /// An answer of tungstenite's waits for the socket to take it.
    is_write_blocked: bool,
    /// When something was read, if only a part of a message.
    pub(crate) flow: Flow,
}

impl PartedSocket {
    /// Begins with what was read already.
    pub(crate) fn new(socket: Socket, early: &[u8], buffers: Buffers) -> Self {
        Self {
            socket,
            parting: Parting::new(buffers, early, SystemTime::now()),
            is_write_blocked: false,
            flow: Flow::new(Instant::now()),
        }
    }

    /// Reads what has come.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Cameras wait most of the time, and each with room for a frame would take as much again.
        ready!(self.socket.poll_read_ready(cx))?;
        let room = self.parting.room();
        let read = ready!(pin!(self.socket.read_buf(room)).poll(cx))?;
        self.parting.read(read, SystemTime::now());
        if read > 0 {
            self.flow.came(Instant::now());
        }
        Poll::Ready(Ok(()))
    }

    /// Says whether an answer of tungstenite's waits to be written.
    pub(crate) fn is_write_blocked(&self) -> bool {
        self.is_write_blocked
    }

    /// Ends our half of the connection.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// The socket as tungstenite has it: it is given what was passed to it, and nothing else.
pub(crate) struct Passed(pub(crate) Rc<RefCell<PartedSocket>>);

impl AsyncRead for Passed {
    /// Whoever polls this has the socket read before, and is woken by that.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut parted = self.0.borrow_mut();
        if parted.parting.lacks_all() {
            ready!(parted.poll_read(cx))?;
        }
        let bytes = parted.parting.take_passed(into.remaining());
        if bytes.is_empty() && !parted.parting.has_ended() {
            return Poll::Pending;
        }
        into.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Passed {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut parted = self.0.borrow_mut();
        let written = Pin::new(&mut parted.socket).poll_write(cx, bytes);
        parted.is_write_blocked = written.is_pending();
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_shutdown(cx)
    }
}
