//! Both clocks at one moment: intervals are measured by the one, moments of capture are given by
//! the other.

use std::time::{Duration, Instant, SystemTime};

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    /// The clock that nobody sets.
    pub(crate) monotonic: Instant,
    /// The clock by which frames are dated. It may be set back or ahead at any time.
    pub(crate) wall: SystemTime,
}

impl Now {
    /// Reads both clocks.
    pub(crate) fn read() -> Self {
        Self {
            // Tokio's, which tests may stop.
            monotonic: tokio::time::Instant::now().into_std(),
            wall: SystemTime::now(),
        }
    }
}

/// Now minus capture; nothing where the moment of capture is yet to come, for the clock was set
/// back since.
pub(crate) fn age(captured: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(captured).unwrap_or_default()
}
