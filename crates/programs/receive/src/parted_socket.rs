//! What comes by a WebSocket, parted by frames (RFC 6455, section 5.2). A message in one frame, as
//! nearly all cameras send it, is taken as it lies there; all else is tungstenite's, which gets it
//! frame by frame. It would clear its memory before each read, and copy the beginning of each
//! frame.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Instant, SystemTime};

use bytes::{Buf, Bytes, BytesMut};
use eyelid_http::Socket;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::frame_header::{FrameHeader, unmask};
use crate::message_starts::MessageStarts;

/// How much is read at once at least, and at most where no frame is known to be larger: a frame of
/// 640x480 has some 30 KB.
const LEAST_READ_BYTES: usize = 4 << 10;
const MOST_READ_BYTES: usize = 64 << 10;

/// What has come, and who gets it.
pub(crate) struct PartedSocket {
    socket: Socket,
    buffer: BytesMut,
    /// How many bytes of the buffer, and of what comes, are tungstenite's.
    passed: u64,
    /// tungstenite has the beginning of a message, and waits for its other fragments.
    is_fragmented: bool,
    has_ended: bool,
    /// An answer of tungstenite's waits for the socket to take it.
    is_write_blocked: bool,
    /// How much to make room for.
    expected_bytes: usize,
    last_read: Instant,
    starts: MessageStarts,
}

/// What lies at the beginning of the buffer.
#[derive(Debug)]
pub(crate) enum Next {
    /// A whole message of bytes.
    Message(Bytes),
    /// Something for tungstenite.
    Passed,
    /// Not enough yet.
    More,
}

impl PartedSocket {
    /// Begins with what was read already.
    pub(crate) fn new(socket: Socket, early: &[u8]) -> Self {
        let mut incoming = Self {
            socket,
            buffer: BytesMut::from(early),
            passed: 0,
            is_fragmented: false,
            has_ended: false,
            is_write_blocked: false,
            expected_bytes: LEAST_READ_BYTES,
            last_read: Instant::now(),
            starts: MessageStarts::default(),
        };
        incoming.starts.read(early, SystemTime::now());
        incoming
    }

    /// Gives what is next, unless tungstenite has not got what is its own. Messages of more than
    /// `most_bytes` are left to it, which refuses them.
    pub(crate) fn next(&mut self, most_bytes: usize) -> Next {
        if self.passed > 0 {
            return match self.buffer.is_empty() && !self.has_ended {
                true => Next::More,
                false => Next::Passed,
            };
        }
        self.pass_others(most_bytes as u64);
        if self.passed > 0 {
            return Next::Passed;
        }
        let Some(header) = FrameHeader::parse(&self.buffer) else {
            return self.more();
        };
        // It is no more than `most_bytes`.
        let payload_bytes = header.payload_bytes as usize;
        let bytes = header.bytes + payload_bytes;
        if self.buffer.len() < bytes {
            self.expected_bytes = bytes;
            return self.more();
        }
        let mut message = self.buffer.split_to(bytes);
        message.advance(header.bytes);
        unmask(&mut message, header.mask);
        // The next one may be a little larger, and a read that fills its room has to be repeated.
        self.expected_bytes = (bytes + bytes / 8).clamp(LEAST_READ_BYTES, MOST_READ_BYTES);
        Next::Message(message.freeze())
    }

    /// Passes to tungstenite what is its own, up to the next message in one frame.
    fn pass_others(&mut self, most_bytes: u64) {
        let rest = |passed: u64| {
            let passed = usize::try_from(passed).ok();
            passed.and_then(|passed| self.buffer.get(passed..))
        };
        while let Some(header) = rest(self.passed).and_then(FrameHeader::parse) {
            let is_message = header.is_plain_message() && !self.is_fragmented;
            if is_message && header.payload_bytes <= most_bytes {
                return;
            }
            self.is_fragmented = header.is_fragmented_after(self.is_fragmented);
            self.passed = self.passed.saturating_add(header.frame_bytes());
        }
    }

    /// Where nothing more comes, tungstenite is to say what that means; half a message is nobody's.
    fn more(&mut self) -> Next {
        if !self.has_ended {
            return Next::More;
        }
        self.buffer.clear();
        self.pass_all();
        Next::Passed
    }

    /// Reads what has come.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let before = self.buffer.len();
        let missing = self.expected_bytes.saturating_sub(before).max(1);
        self.buffer.reserve(missing);
        let read = ready!(pin!(self.socket.read_buf(&mut self.buffer)).poll(cx))?;
        self.has_ended = read == 0;
        if read >= missing && self.expected_bytes < MOST_READ_BYTES {
            self.expected_bytes *= 2;
        }
        if read > 0 {
            self.last_read = Instant::now();
            // Of a connection that ends nobody asks for messages, and a flood of them would be
            // kept.
            if self.passed < u64::MAX {
                let bytes = &self.buffer[before..];
                self.starts.read(bytes, SystemTime::now());
            }
        }
        Poll::Ready(Ok(()))
    }

    /// From now on all is tungstenite's: the connection ends.
    pub(crate) fn pass_all(&mut self) {
        self.passed = u64::MAX;
    }

    /// When the message began that is whole now.
    pub(crate) fn next_start(&mut self) -> Option<SystemTime> {
        self.starts.next()
    }

    /// When something was read last, if only a part of a message.
    pub(crate) fn last_read(&self) -> Instant {
        self.last_read
    }

    /// Says whether tungstenite has got what was its own.
    pub(crate) fn has_passed_all(&self) -> bool {
        self.passed == 0 || self.buffer.is_empty()
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
        let mut incoming = self.0.borrow_mut();
        if incoming.passed == u64::MAX && incoming.buffer.is_empty() && !incoming.has_ended {
            ready!(incoming.poll_read(cx))?;
        }
        let most = usize::try_from(incoming.passed).unwrap_or(usize::MAX);
        let bytes = most.min(incoming.buffer.len()).min(into.remaining());
        if bytes == 0 && !incoming.has_ended {
            return Poll::Pending;
        }
        into.put_slice(&incoming.buffer.split_to(bytes));
        if incoming.passed < u64::MAX {
            incoming.passed -= bytes as u64;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Passed {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut incoming = self.0.borrow_mut();
        let written = Pin::new(&mut incoming.socket).poll_write(cx, bytes);
        incoming.is_write_blocked = written.is_pending();
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().poll_shutdown(cx)
    }
}
