//! The door for HTTP: listening, who may come in and for how long, and what all responses have in
//! common.
//!
//! A program gives a [`Handler`]; this crate accepts connections for it, one task each, and speaks
//! HTTP/1.1 on them (by hyper) until the handler takes one over. What a request asks for is the
//! program's business; that it has a right to ask is this crate's ([`Door::check`]). It knows no
//! camera and no route. A program that speaks something else has the same listening and the same
//! room for connections ([`Protocol`]). One thread runs everything, so nothing here needs a lock.

mod accept;
mod admission;
mod auth;
mod connection;
mod door;
mod forwarded;
mod framing;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod hand_over;
mod host;
mod listener;
mod origin;
mod progress;
mod recording;
pub mod response;
mod socket;
mod stall_timeout;
mod take_over;

pub use accept::{
    Acceptor, End, Http, Protocol, end_signals, raise_descriptor_limit, reload_on_hang_up,
};
pub use admission::{Admission, Permit};
pub use auth::{AuthError, AuthFault, Password, basic_credentials};
pub use connection::{Arrival, CameBy, Handler, Outcome};
pub use door::{Checked, Counts, Door, LiveConfig, Methods, ServeOptions};
pub use forwarded::{ClientAddress, client_address};
pub use host::Advice;
pub use listener::{BindError, Listener, Sockets};
pub use origin::foreign as foreign_origin;
pub use socket::{Peer, STALL, Socket};
pub use take_over::{TakeOver, TakenOver};
