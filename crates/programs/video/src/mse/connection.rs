//! A viewer's WebSocket: what comes by it, and what goes without anybody waiting for that.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use eyelid_http::{Socket, TakenOver};
use eyelid_websocket::{Ended, Handshake};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::listening::MOST_BYTES;

/// How much is read at once: viewers send little.
const READ_BYTES: usize = 1 << 10;

/// How long a viewer may take to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How much a reason may have: a control frame takes 125 bytes (RFC 6455, section 5.5), of which
/// the code has two.
const REASON_BYTES: usize = 123;

/// An open WebSocket.
pub(crate) struct Connection {
    stream: WebSocketStream<Wire>,
    socket: Rc<RefCell<Socket>>,
    /// Something waits for the socket to take it.
    is_sending: bool,
}

/// What has happened.
#[derive(Debug)]
pub(crate) enum Event {
    Text(Utf8Bytes),
    Binary,
    /// A sign of life: a ping, which is answered by itself, or its answer.
    Sign,
    /// The socket has taken all that was sent.
    Sent,
}

impl Connection {
    /// Answers a handshake on the connection that it came by.
    pub(crate) async fn open(handshake: Handshake, mut taken: TakenOver) -> io::Result<Self> {
        taken.socket.notice_loss();
        let early = handshake.respond(&mut taken).await?;
        // What is sent is one picture at a time, so nothing bounds that here.
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MOST_BYTES))
            .max_frame_size(Some(MOST_BYTES));
        let socket = Rc::new(RefCell::new(taken.socket));
        let wire = Wire(socket.clone());
        let server = Role::Server;
        let stream = WebSocketStream::from_partially_read(wire, early, server, Some(config)).await;
        Ok(Self {
            stream,
            socket,
            is_sending: false,
        })
    }

    /// The socket, for who asks how it drains. To be borrowed for no longer than that takes.
    pub(crate) fn socket(&self) -> Rc<RefCell<Socket>> {
        self.socket.clone()
    }

    /// Says whether the socket has not taken all that was sent.
    pub(crate) fn is_sending(&self) -> bool {
        self.is_sending
    }

    /// Sends a message, as soon as the socket takes it ([`event`](Self::event)).
    pub(crate) fn send(&mut self, message: Message) -> Result<(), Ended> {
        self.is_sending = true;
        Ok(self.stream.start_send_unpin(message)?)
    }

    /// Waits for what happens next. Nothing is lost by giving up on it.
    pub(crate) async fn event(&mut self) -> Result<Event, Ended> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Ended>> {
        if self.is_sending
            && let Poll::Ready(sent) = self.stream.poll_flush_unpin(cx)
        {
            self.is_sending = false;
            return Poll::Ready(sent.map(|()| Event::Sent).map_err(Ended::from));
        }
        self.stream.poll_next_unpin(cx).map(|message| {
            Ok(match message {
                Some(Ok(Message::Text(text))) => Event::Text(text),
                Some(Ok(Message::Binary(_))) => Event::Binary,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Event::Sign,
                Some(Ok(Message::Close(_))) | None => return Err(Ended::Closed),
                Some(Err(error)) => return Err(error.into()),
            })
        })
    }

    /// Asks for a sign of life.
    pub(crate) fn ping(&mut self) -> Result<(), Ended> {
        self.send(Message::Ping(Bytes::new()))
    }

    /// Closes with a code and its reason, and waits a moment for the other side to do so, too.
    pub(crate) async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            reason: reason[..reason.floor_char_boundary(REASON_BYTES)].into(),
        };
        if let Ok(Ok(())) = timeout(CLOSE_TIMEOUT, self.stream.close(Some(frame))).await {
            self.finish().await;
        }
    }

    /// Ends a connection of which the other side has closed its half, or is to: it gets the answer
    /// to its close.
    pub(crate) async fn finish(mut self) {
        let closing = async {
            // The answer is written as the next message is looked for, of which there is none.
            while let Some(Ok(_)) = self.stream.next().await {}
            self.stream.get_mut().shutdown().await
        };
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
    }
}

/// The socket as tungstenite has it.
struct Wire(Rc<RefCell<Socket>>);

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_read(cx, into)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_shutdown(cx)
    }
}
