//! WebSockets (RFC 6455): messages with the moments at which they began to come. The protocol
//! itself is tungstenite's, but for messages that need none of it (`Parting`).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_http::TakenOver;
use eyelid_websocket::{Ended, Handshake};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

pub use crate::buffers::Buffers;
use crate::parted_socket::{PartedSocket, Passed};
use crate::parting::Next;

/// How much tungstenite takes at once of what is its own: short texts, as a rule. It keeps as much.
const READ_BYTES: usize = 1 << 10;

/// How long a camera may take for a text, and for its answer to a close.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a WebSocket may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many bytes a message may have.
    pub message_bytes: usize,
    /// How many may wait to be written.
    pub write_bytes: usize,
}

/// An open WebSocket.
pub struct WebSocket {
    stream: WebSocketStream<Passed>,
    incoming: Rc<RefCell<PartedSocket>>,
    message_bytes: usize,
    /// tungstenite may have messages that it has read with the last one, and an answer to write.
    has_more: bool,
}

/// What has come.
#[derive(Debug)]
pub enum Received {
    /// A binary message, and the moment at which its first byte was read.
    Binary(Bytes, SystemTime),
    /// A text.
    Text(String),
    /// A sign of life: a ping, which is answered by itself, or its answer.
    Sign,
}

impl WebSocket {
    /// Answers a handshake on the connection that it came by. What comes is put into `buffers`.
    ///
    /// # Errors
    /// What the socket said.
    pub async fn open(
        handshake: Handshake,
        mut taken: TakenOver,
        bounds: Bounds,
        buffers: Buffers,
    ) -> io::Result<Self> {
        let early = handshake.respond(&mut taken).await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(bounds.write_bytes)
            .max_message_size(Some(bounds.message_bytes))
            .max_frame_size(Some(bounds.message_bytes));
        let incoming = PartedSocket::new(taken.socket, &early, buffers);
        let incoming = Rc::new(RefCell::new(incoming));
        let passed = Passed(incoming.clone());
        let stream = WebSocketStream::from_raw_socket(passed, Role::Server, Some(config)).await;
        Ok(Self {
            stream,
            incoming,
            message_bytes: bounds.message_bytes,
            has_more: false,
        })
    }

    /// Waits for what comes next. It is safe to drop.
    ///
    /// # Errors
    /// Why nothing more comes.
    pub async fn next(&mut self) -> Result<Received, Ended> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Gives what has come already, if it is whole.
    ///
    /// # Errors
    /// Why nothing more comes.
    pub fn try_next(&mut self) -> Result<Option<Received>, Ended> {
        self.next().now_or_never().transpose()
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Ended>> {
        loop {
            if std::mem::take(&mut self.has_more)
                && let Poll::Ready(next) = self.poll_stream(cx)
            {
                return Poll::Ready(next);
            }
            let next = self.incoming.borrow_mut().parting.next(self.message_bytes);
            match next {
                Next::Message(bytes, began) => {
                    return Poll::Ready(Ok(Received::Binary(bytes, began)));
                }
                Next::TooLong(bytes) => {
                    let reason = format!(
                        "a message of {bytes} bytes or more, and it may have {}",
                        self.message_bytes
                    );
                    return Poll::Ready(Err(Ended::Refused { code: 1009, reason }));
                }
                Next::Passed => match self.poll_stream(cx) {
                    Poll::Pending if self.incoming.borrow().parting.has_passed_all() => {}
                    next => return next,
                },
                Next::More => {
                    let read = ready!(self.incoming.borrow_mut().poll_read(cx));
                    if let Err(error) = read {
                        return Poll::Ready(Err(Ended::Lost(error.to_string())));
                    }
                }
            }
        }
    }

    /// Asks tungstenite.
    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Ended>> {
        let next = self.stream.poll_next_unpin(cx);
        self.has_more = next.is_ready() || self.incoming.borrow().is_write_blocked();
        next.map(|next| self.received(next))
    }

    fn received(&mut self, next: Option<Result<Message, Error>>) -> Result<Received, Ended> {
        match next {
            Some(Ok(Message::Binary(bytes))) => Ok(Received::Binary(bytes, self.began())),
            Some(Ok(Message::Text(text))) => {
                self.began();
                Ok(Received::Text(text.as_str().to_owned()))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Received::Sign),
            Some(Ok(Message::Close(_))) | None => Err(Ended::Closed),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// When the message began that tungstenite gives now.
    fn began(&self) -> SystemTime {
        let began = self.incoming.borrow_mut().parting.next_passed_start();
        began.unwrap_or_else(SystemTime::now)
    }

    /// When something was read last, if only a part of a message.
    pub fn last_read(&self) -> Instant {
        self.incoming.borrow().flow.last()
    }

    /// Says whether a message has begun to come that is not whole.
    pub fn is_within_message(&self) -> bool {
        self.incoming.borrow().parting.is_within_message()
    }

    /// When something was read again after the last silence.
    pub fn resumed(&self) -> Instant {
        self.incoming.borrow().flow.resumed()
    }

    /// Sends a text.
    ///
    /// # Errors
    /// Why it cannot be sent; the connection is of no use then.
    pub async fn send_text(&mut self, text: &str) -> Result<(), Ended> {
        self.send(Message::text(text)).await
    }

    /// Sends a message back as it came, for tests.
    ///
    /// # Errors
    /// As [`WebSocket::send_text`].
    pub async fn send_binary(&mut self, bytes: Bytes) -> Result<(), Ended> {
        self.send(Message::Binary(bytes)).await
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// As [`WebSocket::send_text`].
    pub async fn ping(&mut self) -> Result<(), Ended> {
        self.send(Message::Ping(Bytes::new())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(WRITE_TIMEOUT, self.stream.send(message)).await {
            Ok(sent) => sent.map_err(Ended::from),
            Err(_) => Err(Ended::Lost("it takes nothing".to_owned())),
        }
    }

    /// Closes with a code (RFC 6455, section 7.4) and its reason, and waits a moment for the other
    /// side to do so, too: else the reason may be lost with what it has sent and was not read.
    pub async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: CloseCode::from(code),
            // As much as a control frame takes (section 5.5) beside the code.
            reason: reason.chars().take(100).collect::<String>().into(),
        };
        if let Ok(Ok(())) = timeout(CLOSE_TIMEOUT, self.stream.close(Some(frame))).await {
            self.finish().await;
        }
    }

    /// Ends a connection of which the other side has closed its half, or is to: it gets the answer
    /// to its close.
    pub async fn finish(mut self) {
        self.incoming.borrow_mut().parting.pass_all();
        let closing = async {
            // The answer is written as the next message is looked for, of which there is none.
            while let Some(Ok(_)) = self.stream.next().await {}
            self.stream.get_mut().shutdown().await
        };
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
    }
}
