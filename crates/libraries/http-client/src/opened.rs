//! An answer whose body is read as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::HeaderMap;
use hyper::{Response, StatusCode};

use crate::error::Error;
use crate::retry_after::retry_after;

/// An answer of which the head is there. Dropped before its body's end, its connection is closed.
#[derive(Debug)]
pub struct Opened {
    /// The status.
    pub status: StatusCode,
    /// The fields of its head.
    pub headers: HeaderMap,
    origin: String,
    body: Incoming,
}

impl Opened {
    pub(crate) fn new(response: Response<Incoming>, origin: String) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            origin,
            body,
        }
    }

    /// The pause that it asks for, at most a day.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers, SystemTime::now())
    }

    /// The next piece of its body, of 64 KiB at most; `None` at the end. Nothing is lost where this
    /// is not waited for to its end.
    ///
    /// # Errors
    /// The connection ended before the body did, or what came is no HTTP.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| self.interrupted(&error))?;
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    /// The next piece of its body if it has arrived already; `None` if not, or at the end.
    ///
    /// # Errors
    /// As [`Opened::piece`].
    pub async fn piece_at_hand(&mut self) -> Result<Option<Bytes>, Error> {
        // Once for the connection's task to hear that more is wanted, and once for it to read.
        for _ in 0..3 {
            let mut context = Context::from_waker(Waker::noop());
            match Pin::new(&mut self.body).poll_frame(&mut context) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Err(self.interrupted(&error)),
                Poll::Ready(None) => return Ok(None),
                Poll::Pending => tokio::task::yield_now().await,
            }
        }
        Ok(None)
    }

    /// The first bytes of its body, as many as there are within a time. What comes after them is
    /// not read.
    pub async fn beginning(&mut self, most_bytes: usize, time: Duration) -> Bytes {
        let mut bytes = BytesMut::new();
        let read = async {
            while bytes.len() < most_bytes
                && let Ok(Some(piece)) = self.piece().await
            {
                bytes.extend_from_slice(&piece);
            }
        };
        // What has come by then is all that is wanted.
        let _ = tokio::time::timeout(time, read).await;
        bytes.truncate(most_bytes);
        bytes.freeze()
    }

    fn interrupted(&self, error: &hyper::Error) -> Error {
        Error::Interrupted(self.origin.clone(), error.to_string())
    }
}
