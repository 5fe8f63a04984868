//! What carries messages from one side to the other: a broker, behind three methods.
//!
//! Nothing here waits for an answer: whatever comes, comes as an [`Event`], in one channel and in
//! the order in which it came. So any number of messages can answer one request, and one place sees
//! all that happens. Nothing is kept for later either: what cannot be sent now is an error, for a
//! request that is sent late asks for a frame that nobody waits for any more.

#[cfg(test)]
pub(crate) mod memory;
pub(crate) mod nats;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::wire::{RequestId, Subject};

/// How many events wait to be taken: the messages of one large frame, and those of others that come
/// at the same time. Who takes none makes the connection wait.
pub(crate) const EVENTS: usize = 256;

/// What has come, and what has happened.
pub type Events = mpsc::Receiver<Event>;

/// A broker of messages. Methods return at once.
pub trait Engine {
    /// Sends a request: to one host for frames, a state or what it shares, or to all of them. Its
    /// answer is any number of [`Event::Reply`], or [`Event::NobodyAnswers`].
    ///
    /// # Errors
    /// See [`SendError`].
    fn ask(&self, subject: &Subject, id: RequestId, message: Vec<u8>) -> Result<(), SendError>;

    /// Sends one message of an answer.
    ///
    /// # Errors
    /// See [`SendError`].
    fn answer(&self, to: &ReplyTo, message: Vec<u8>) -> Result<(), SendError>;

    /// Whether there is a connection.
    fn state(&self) -> Link;
}

/// Where an answer goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo(pub(crate) String);

/// The connection to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// There is one.
    Connected {
        /// How large a message may be, in bytes: NATS's `max_payload`.
        max_message_bytes: usize,
    },
    /// There is none; another one is being made.
    Disconnected,
}

/// Something that has come, or happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is a connection. What was sent before is lost.
    Connected {
        /// How large a message may be, in bytes.
        max_message_bytes: usize,
    },
    /// The connection is gone; what was sent and not answered is lost. The engine has said so in
    /// the log, and makes another one.
    Disconnected,
    /// One message of an answer. It says itself for which request it is.
    Reply(Bytes),
    /// Nobody hears this request.
    NobodyAnswers(RequestId),
    /// Somebody asks.
    Asked {
        /// The subject, as it came.
        subject: String,
        /// Where the answer is waited for.
        reply_to: ReplyTo,
        /// The request.
        message: Bytes,
    },
    /// The broker refuses what was sent to this subject. The engine has said so in the log.
    Refused(String),
}

/// Why a message is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no connection.
    #[error("not connected to the broker")]
    Disconnected,
    /// It is larger than the broker takes.
    #[error(
        "message of {bytes} bytes: the broker takes {max_bytes} at most (max_payload in its \
         configuration)"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest that the broker takes.
        max_bytes: usize,
    },
    /// The connection takes nothing more for now.
    #[error("the connection to the broker is congested")]
    Congested,
}
