//! When the next frame may be chosen for a client that takes frames from a TCP or Unix socket.
//!
//! Whoever hands a frame to the kernel as soon as the socket takes one shows the past to a client
//! behind a slow link. The newest-frame rule (`docs/newest-frame.md`) chooses it later: when no
//! more lies unacknowledged in the socket than its path holds. The rule is [`Pacer`], which has
//! neither socket nor clock; [`TcpInfo`] and [`unacknowledged_bytes`] are what it needs to know of
//! a socket. What a frame is, and how it is wrapped, is the caller's.
//!
//! Where frames come as renditions of several sizes, [`Adaptation`] says with which the next one
//! goes: the largest that the client's link carries often enough.
//!
//! Several clients may share a bottleneck. [`Turns`] finds out which do, and lets them take turns.
//!
//! ```no_run
//! # fn newest_frame() -> Vec<u8> { Vec::new() }
//! # fn serve(mut socket: std::net::TcpStream) -> std::io::Result<()> {
//! use std::io::Write;
//! use std::time::Instant;
//!
//! use eyelid_pacing::{Pacer, tcp_info, unacknowledged_bytes};
//!
//! let mut pacer = Pacer::new(Instant::now());
//! loop {
//!     let (now, unacknowledged) = (Instant::now(), unacknowledged_bytes(&socket)?);
//!     if let Some(pause) = pacer.delay(now, unacknowledged, || tcp_info(&socket)) {
//!         std::thread::sleep(pause);
//!         continue;
//!     }
//!     let (frame, began) = (newest_frame(), Instant::now());
//!     socket.write_all(&frame)?;
//!     pacer.on_write(began, frame.len() as u64);
//! }
//! # }
//! ```

mod adaptation;
mod link_estimate;
mod pacer;
mod proxy_buffer;
#[cfg(test)]
mod simulation;
mod tcp_info;
mod turns;
mod units;

pub use adaptation::{Adaptation, Ladder, Reason, Rung, WantedRate};
pub use pacer::{Pacer, Sending};
pub use tcp_info::{TcpInfo, acknowledged_bytes, tcp_info, unacknowledged_bytes};
pub use turns::{MemberId, Pace, Punctuality, Turns, Waited};
pub use units::BytesPerSecond;
