//! What each daemon needs from its host: a log, its sockets, the signals that end it, and a word with its manager.
//!
//! With systemd this is the journal, socket activation and sd_notify(3); without it stderr, nothing and silence. Nothing
//! links libsystemd.

pub mod backoff;
pub mod listening;
pub mod logging;
pub mod manager;
pub mod readiness;
mod shortage;
pub mod signals;
pub mod sockets;

pub use shortage::is_shortage;
