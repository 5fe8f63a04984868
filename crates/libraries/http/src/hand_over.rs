//! Handing connections over to other programs. A path that is another program's is not proxied: the
//! program that accepted the connection passes it on, with the bytes read from it and what it
//! knows, and the other answers on the client's own socket (docs/architecture.md#handing-over).
//!
//! For each connection there is one on a Unix socket (SOCK_SEQPACKET) named after the receiving
//! program, in a directory of such sockets. It carries one message: a line of JSON ([`Known`]),
//! then the bytes read, and the client's descriptor (SCM_RIGHTS). It stays open for as long as the
//! receiving program has the client; its end tells that the client is gone.

mod giving;
mod message;
mod taking;

pub use giving::{ClosedError, ConnectError, Recipient, Recipients};
pub use message::{Known, MessageError};
pub(crate) use taking::{HandedOver, Link, poll_accept, receive};

/// What the receiving program says of a client that it refuses. What else it says is ignored.
const REFUSED: &[u8] = b"refused";

#[cfg(any(test, fuzzing))]
pub(crate) use message::fuzzing;
