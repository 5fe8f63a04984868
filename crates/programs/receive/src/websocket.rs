//! WebSockets (RFC 6455): the handshake, and messages with the moments at which they began to come.
//! The protocol itself is tungstenite's, but for messages that need none of it (`Parting`).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_http::TakenOver;
use eyelid_http::response::head_bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::parted_socket::{PartedSocket, Passed};
use crate::parting::Next;

/// How much tungstenite reads at once: texts, and the fragments of a message.
const READ_BYTES: usize = 4 << 10;

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

/// A handshake that can be answered.
#[derive(Clone, Debug)]
pub struct Handshake {
    accept: String,
    protocol: Option<HeaderValue>,
}

/// Why a request is no handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHandshake {
    /// It does not ask for a WebSocket.
    NotAsked,
    /// Of another version than 13, the one that there is.
    Version,
    /// Without a key.
    Key,
}

impl Handshake {
    /// Reads a request. Of the protocols that it offers, `preferred` is chosen if it is one, else
    /// the first: some clients want one of theirs (npm's `ws`).
    ///
    /// # Errors
    /// [`NoHandshake`]
    pub fn read(request: &Parts, preferred: &str) -> Result<Self, NoHandshake> {
        let headers = &request.headers;
        let asks = request.method == Method::GET
            && has_token(headers, &UPGRADE, "websocket")
            && has_token(headers, &CONNECTION, "upgrade");
        if !asks {
            return Err(NoHandshake::NotAsked);
        }
        if headers
            .get(SEC_WEBSOCKET_VERSION)
            .map(HeaderValue::as_bytes)
            != Some(b"13")
        {
            return Err(NoHandshake::Version);
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or(NoHandshake::Key)?;
        let offered = || tokens(headers, &SEC_WEBSOCKET_PROTOCOL);
        let chosen = offered().find(|it| *it == preferred).or(offered().next());
        Ok(Self {
            accept: derive_accept_key(key.as_bytes()),
            protocol: chosen.and_then(|protocol| HeaderValue::from_str(protocol).ok()),
        })
    }

    /// The protocol that was chosen, if any was offered.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_ref()?.to_str().ok()
    }

    /// Answers it.
    ///
    /// # Errors
    /// What the socket said.
    pub async fn accept(self, mut taken: TakenOver, bounds: Bounds) -> io::Result<WebSocket> {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let accept = HeaderValue::from_str(&self.accept).map_err(io::Error::other)?;
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
        headers.extend(self.protocol.map(|it| (SEC_WEBSOCKET_PROTOCOL, it)));
        // What was read of more than is recorded cannot be had again.
        if taken.read.is_none() {
            return Err(io::Error::other("it sent too much before the answer"));
        }
        let early = taken.read_behind_head().to_vec();
        let head = head_bytes(StatusCode::SWITCHING_PROTOCOLS, &headers);
        taken.socket.write_all(&head).await?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(bounds.write_bytes)
            .max_message_size(Some(bounds.message_bytes))
            .max_frame_size(Some(bounds.message_bytes));
        let incoming = PartedSocket::new(taken.socket, &early);
        let incoming = Rc::new(RefCell::new(incoming));
        let passed = Passed(incoming.clone());
        let stream = WebSocketStream::from_raw_socket(passed, Role::Server, Some(config)).await;
        Ok(WebSocket {
            stream,
            incoming,
            message_bytes: bounds.message_bytes,
            has_more: false,
        })
    }
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

/// Why nothing more comes.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The other side closed.
    #[error("it has closed the connection")]
    Closed,
    /// It broke the protocol; it is told so, with this code.
    #[error("{reason}")]
    Refused {
        /// What it is told.
        code: u16,
        /// Why.
        reason: String,
    },
    /// The connection broke.
    #[error("the connection is lost: {0}")]
    Lost(String),
}

impl WebSocket {
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
            Some(Err(error)) => Err(ended(error)),
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
            Ok(sent) => sent.map_err(ended),
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

fn ended(error: Error) -> Ended {
    let code = match &error {
        Error::ConnectionClosed | Error::AlreadyClosed => return Ended::Closed,
        Error::Capacity(_) => 1009,
        Error::Utf8(_) => 1007,
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            return Ended::Lost("it ended without a word".to_owned());
        }
        Error::Protocol(_) | Error::AttackAttempt => 1002,
        other => return Ended::Lost(other.to_string()),
    };
    Ended::Refused {
        code,
        reason: error.to_string(),
    }
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter();
    let text = values.filter_map(|value| value.to_str().ok());
    text.flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

fn has_token(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    tokens(headers, name).any(|token| token.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn read(headers: &[(&str, &str)]) -> Result<Handshake, NoHandshake> {
        let mut request = Request::builder().method("GET");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Handshake::read(&request.body(()).unwrap().into_parts().0, "eyelid.v1")
    }

    #[test]
    fn a_handshake_is_answered_as_the_rfc_has_it() {
        let asked = [
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "WebSocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        // RFC 6455, section 1.3.
        assert_eq!(read(&asked).unwrap().accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for (without, error) in [
            (0, NoHandshake::NotAsked),
            (1, NoHandshake::NotAsked),
            (2, NoHandshake::Version),
            (3, NoHandshake::Key),
        ] {
            let mut less = asked.to_vec();
            less.remove(without);
            assert_eq!(read(&less).unwrap_err(), error);
        }
        for (offered, chosen) in [
            ("arduino", "arduino"),
            ("chat, eyelid.v1", "eyelid.v1"),
            (" a ,b", "a"),
        ] {
            let with = [&asked[..], &[("Sec-WebSocket-Protocol", offered)]].concat();
            assert_eq!(read(&with).unwrap().protocol(), Some(chosen));
        }
    }
}
