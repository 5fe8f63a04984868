//! NATS as the engine, by `async-nats`.
//!
//! A connection that is lost is made anew here, not by the client: what it had yet to send dies
//! with it, the file of credentials is read again, and what went wrong is known in full. All
//! answers come to one inbox, by whose last two words the server's "nobody answers" is told apart.
//!
//! Waits for: the server, and who takes the events. Owns the connection. Ends with the program.

mod connection;
mod credentials;
mod liveness;
mod outgoing;
mod server_url;

use std::cell::RefCell;
use std::rc::Rc;

use async_nats::Client;
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::unconstrained;

pub(crate) use self::connection::Connection;
pub(crate) use self::credentials::{Credentials, CredentialsError};
use self::outgoing::Outgoing;
pub(crate) use self::server_url::{ServerUrl, UrlError};
use super::{EVENTS, Engine, Events, Link, ReplyTo, SendError};
use crate::settings::BrokerSettings;
use crate::wire::{Asker, HostName, RequestId, Subject};

/// The user part of an inbox where nothing says who this is.
const NOBODY: &str = "eyelid";

/// A server of NATS.
#[derive(Clone, Debug)]
pub(crate) struct Nats {
    shared: Rc<Shared>,
}

/// What the connection and those who send have in common.
#[derive(Debug)]
struct Shared {
    /// Where answers are waited for: `_INBOX.USER.RANDOM`.
    inbox: String,
    open: RefCell<Option<Open>>,
}

/// A connection that is open.
#[derive(Clone, Debug)]
struct Open {
    client: Client,
    max_message_bytes: usize,
    outgoing: Outgoing,
}

impl Nats {
    /// Prepares for the servers that `settings` say. Answers are waited for, and what this `host`
    /// is asked, if it shares. The connection is to be run.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub(crate) fn new(
        settings: &BrokerSettings,
        host: Option<HostName>,
    ) -> anyhow::Result<(Self, Events, Connection)> {
        let servers = ServerUrl::all(&settings.connect)?;
        let creds = settings.creds.as_deref().map(Credentials::read);
        let creds = creds.transpose()?;
        let user = creds.as_ref().map(Credentials::public_key);
        let user = user.or_else(|| servers.first()?.login().map(|(user, _)| user));
        let user = user.filter(|user| is_word(user)).unwrap_or(NOBODY);
        let shared = Rc::new(Shared {
            inbox: format!("_INBOX.{user}.{:016x}", fastrand::u64(..)),
            open: RefCell::default(),
        });
        let (sender, events) = mpsc::channel(EVENTS);
        let connection = Connection::new(settings, servers, host, shared.clone(), sender);
        Ok((Self { shared }, events, connection))
    }

    /// Sends if that can be done at once.
    fn send(
        &self,
        subject: String,
        reply: Option<String>,
        message: Vec<u8>,
    ) -> Result<(), SendError> {
        let open = self.shared.open.borrow();
        let open = open.as_ref().ok_or(SendError::Disconnected)?;
        if message.len() > open.max_message_bytes {
            return Err(SendError::TooLarge {
                bytes: message.len(),
                max_bytes: open.max_message_bytes,
            });
        }
        let message = open.outgoing.add(message).ok_or(SendError::Congested)?;
        let client = &open.client;
        let sent = async {
            match reply {
                Some(reply) => client.publish_with_reply(subject, reply, message).await,
                None => client.publish(subject, message).await,
            }
        };
        // One that would have to wait is not sent: for room, not for others' turns, as tokio would
        // have it after 128 messages of a frame.
        match unconstrained(sent).now_or_never() {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) => Err(SendError::Disconnected),
            None => Err(SendError::Congested),
        }
    }
}

impl Engine for Nats {
    fn ask(&self, subject: &Subject, id: RequestId, message: Vec<u8>) -> Result<(), SendError> {
        let inbox = self.shared.inbox_of(id);
        self.send(subject.to_string(), Some(inbox), message)
    }

    fn answer(&self, to: &ReplyTo, message: Vec<u8>) -> Result<(), SendError> {
        self.send(to.0.clone(), None, message)
    }

    fn state(&self) -> Link {
        let open = self.shared.open.borrow();
        open.as_ref()
            .map_or(Link::Disconnected, |open| Link::Connected {
                max_message_bytes: open.max_message_bytes,
            })
    }
}

impl Shared {
    /// Where the answer to a request is waited for. It says which request it is, for the server's
    /// own "nobody answers" has nothing else.
    fn inbox_of(&self, id: RequestId) -> String {
        let (asker, tag, number) = (id.asker.0, id.subject.number(), id.number);
        format!("{}.{asker:x}.{tag:x}.{number:x}", self.inbox)
    }

    /// The request that an answer to this inbox is for.
    fn request_of(&self, inbox: &str) -> Option<RequestId> {
        let words = inbox.strip_prefix(&self.inbox)?.strip_prefix('.')?;
        let mut words = words.split('.').map(|word| u64::from_str_radix(word, 16));
        let mut next = || words.next()?.ok();
        let (asker, tag, number) = (next()?, next()?, next()?);
        Some(RequestId {
            asker: Asker(asker),
            subject: crate::wire::SubjectTag::from_number(tag),
            number,
        })
    }
}

/// Says whether a text can be a word of a subject.
fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}
