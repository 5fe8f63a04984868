//! RTSP 1.0 (RFC 2326) as values: what comes is read, decided about and answered here, without a
//! socket and without a clock. `docs/rtp.md` says what is answered.

pub(crate) mod auth;
pub(crate) mod message;
pub(crate) mod reader;
pub(crate) mod session;
pub(crate) mod target;
pub(crate) mod transport;
