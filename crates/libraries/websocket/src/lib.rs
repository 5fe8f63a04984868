//! Opening WebSockets (RFC 6455) on connections that HTTP has left, and why they end.
//!
//! A request is read as a [`Handshake`], which is answered once the connection was taken over
//! (`eyelid_http`). What goes over the socket then is the program's, by tungstenite: each reads and
//! writes in its own way.

use std::io;

use eyelid_http::TakenOver;
use eyelid_http::response::head_bytes;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

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

    /// Answers it. Gives what the other side has sent behind the request: the beginning of what it
    /// says by WebSocket.
    ///
    /// # Errors
    /// What the socket said.
    pub async fn respond(self, taken: &mut TakenOver) -> io::Result<Vec<u8>> {
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
        Ok(early)
    }
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

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::ConnectionClosed | Error::AlreadyClosed => return Self::Closed,
            Error::Capacity(_) => 1009,
            Error::Utf8(_) => 1007,
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                return Self::Lost("it ended without a word".to_owned());
            }
            Error::Protocol(_) | Error::AttackAttempt => 1002,
            other => return Self::Lost(other.to_string()),
        };
        Self::Refused {
            code,
            reason: error.to_string(),
        }
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
