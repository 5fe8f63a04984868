//! What each daemon needs from its host: a log, its sockets, the signals that end it, and a word
//! with its manager.
//!
//! With systemd this is the journal, socket activation and sd_notify(3); without it stderr, nothing
//! and silence. Nothing links libsystemd.

#[cfg(feature = "tokio")]
mod apart;
pub mod backoff;
mod gso;
pub mod holders;
mod idle_class;
pub mod listening;
mod log_limit;
pub mod logging;
pub mod manager;
#[cfg(feature = "tokio")]
pub mod pulse;
#[cfg(feature = "tokio")]
pub mod readiness;
mod shortage;
pub mod signals;
pub mod sockets;
#[cfg(feature = "tokio")]
pub mod timer;
pub mod udp;

#[cfg(feature = "tokio")]
pub use apart::apart;
pub use gso::Gso;
pub use idle_class::work_when_idle;
pub use log_limit::{LogLimit, Suppressed};
pub use shortage::is_shortage;
