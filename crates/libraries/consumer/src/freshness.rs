//! Which frame a client can use, and how long it waits for one.

use std::time::{Duration, SystemTime};

use crate::Position;

/// Which frame a client can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The newest there is, newer than the one that the client has: what a stream shows next.
    NewerThan(Position),
    /// One captured at this moment or later: what a snapshot asked for then shows.
    CapturedSince(SystemTime),
}

impl Freshness {
    /// The same by the clock as it is `now`, after this has been `waited` for: the clock may have
    /// been set back meanwhile.
    pub(crate) fn by_the_clock(self, now: SystemTime, waited: Duration) -> Self {
        match self {
            Self::CapturedSince(moment) if moment > now => {
                Self::CapturedSince(now.checked_sub(waited).unwrap_or(now))
            }
            same => same,
        }
    }
}

/// How long a client waits, and how old a frame it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// It waits for this long. Longer for a stream of a camera that has fewer frames; less while
    /// the camera has failed.
    pub timeout: Duration,
    /// It shows no frame of a stream that is older than this.
    pub max_age: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_moment_when_the_clock_is_set_back() {
        let (asked, waited) = (SystemTime::now(), Duration::from_secs(1));
        let since = |now| match Freshness::CapturedSince(asked).by_the_clock(now, waited) {
            Freshness::CapturedSince(moment) => moment,
            Freshness::NewerThan(_) => unreachable!("another freshness"),
        };
        assert_eq!(since(asked + waited), asked);
        assert_eq!(since(asked), asked);
        let hours = Duration::from_secs(3 * 3600);
        assert_eq!(since(asked + waited - hours), asked - hours);
        assert_eq!(since(asked + waited + hours), asked);
    }
}
