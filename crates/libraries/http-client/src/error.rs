//! Why there is no answer.

use std::time::Duration;

use hyper::StatusCode;

use crate::trust::TrustError;

/// What was asked (its origin, as `https://host:port`), what went wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Refused before anything was sent.
    #[error(
        "{0}: a key would go there in the clear (use https, or a host of this machine: 127.0.0.1)"
    )]
    KeyInTheClear(String),
    /// Nobody could be reached: no such name, refused, no route. Nothing was sent.
    #[error("{0}: cannot be reached (is it running, is the address right?): {1}")]
    Unreachable(String, String),
    /// Its certificate is not one that is trusted here, or TLS failed otherwise. Nothing was sent.
    #[error(
        "{0}: no trusted connection (ca-file names certificates that are believed beside the \
         system's; one of an authority must be of this very name): {1}"
    )]
    NotTrusted(String, String),
    /// There is nothing to trust by.
    #[error("{0}: {1}")]
    NoTrust(String, #[source] TrustError),
    /// No whole answer within [`Limits::time_out`](crate::Limits).
    #[error("{0}: no answer within {seconds} s", seconds = .1.as_secs_f64())]
    TimedOut(String, Duration),
    /// The connection ended before the answer did, or the answer was no HTTP.
    #[error("{0}: the connection ended before an answer had come: {1}")]
    Interrupted(String, String),
    /// More than [`Limits::largest_answer`](crate::Limits).
    #[error("{origin}: answered {status} with more than {most_bytes} bytes, which are not read")]
    TooLarge {
        /// Who answered.
        origin: String,
        /// With what, before all these bytes.
        status: StatusCode,
        /// What would have been read.
        most_bytes: usize,
    },
    /// It points elsewhere, and nobody is followed.
    #[error(
        "{origin}: redirects to {to}, which is not followed (if that is right, write it in the \
         configuration)"
    )]
    Redirected {
        /// Who answered.
        origin: String,
        /// The origin that it names, or that it is another path there. No path: that may be secret.
        to: String,
        /// With what.
        status: StatusCode,
    },
    /// What was to be asked is no request: headers that cannot go together, or too many.
    #[error("{0}: cannot be asked so: {1}")]
    Malformed(String, String),
}

impl Error {
    /// Whether the request may have come to effect although nothing says so. What must not happen
    /// twice is tried again only where this is false, or with something by which the other side
    /// knows it again.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::TimedOut(..) | Self::Interrupted(..) | Self::TooLarge { .. } => true,
            Self::KeyInTheClear(_)
            | Self::Unreachable(..)
            | Self::NotTrusted(..)
            | Self::NoTrust(..)
            | Self::Redirected { .. }
            | Self::Malformed(..) => false,
        }
    }
}
