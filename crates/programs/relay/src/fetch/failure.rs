//! Why a far camera gives no frames.

use std::time::{Duration, SystemTime};

use eyelid_producer::SourceFailure;
use humantime::format_rfc3339_seconds;

use crate::wire::{FarCamera, HostName, Subject};

/// How soon one that fails is asked again, while somebody looks: it costs a request. With the time
/// that it has for its answer, and half a second for a host that starts to have its name, it is
/// live within 3 s.
const RETRY: Duration = Duration::from_millis(500);

/// Why a far camera gives no frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FarFailure {
    /// The broker, or this host's way there, is gone.
    #[error("no connection to the broker since {}", format_rfc3339_seconds(*since))]
    Cut {
        /// Since when.
        since: SystemTime,
    },
    /// Its host does not answer.
    #[error("host {host} has been unreachable since {}", format_rfc3339_seconds(*since))]
    Unreachable {
        /// The host.
        host: HostName,
        /// Since when.
        since: SystemTime,
    },
    /// Its host says that it does not share it.
    #[error("host {} does not share {:?}", .0.host, .0.camera.as_str())]
    NotShared(FarCamera),
    /// The broker does not let this host ask for it.
    #[error("the hub does not let this host ask for {0}: see docs/relay.md#who-may-what")]
    Refused(Subject),
    /// It has failed there.
    #[error("{0}")]
    Camera(String),
    /// Its frames are larger than this side takes.
    #[error("its frames have {bytes} bytes, and max-frame is {max_bytes}")]
    TooLarge {
        /// How large one was.
        bytes: u32,
        /// How large it may be.
        max_bytes: u32,
    },
}

impl SourceFailure for FarFailure {
    /// The log tells of hosts, not of each of their cameras.
    fn is_absence(&self) -> bool {
        matches!(self, Self::Cut { .. } | Self::Unreachable { .. })
    }

    fn retry_within(&self) -> Option<Duration> {
        Some(RETRY)
    }
}
