//! Which frame a client can use, and how long it waits for one.

use std::time::{Duration, SystemTime};

/// Which frame a client can use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Need {
    /// The newest there is, and not the one with this number (or one before it) again.
    NewerThan(u64),
    /// One captured at this moment or later.
    CapturedSince(SystemTime),
}

impl Need {
    /// The same need by the clock as it is `now`, after a wait: it may have been set back meanwhile.
    pub(crate) fn by_the_clock(self, now: SystemTime, waited: Duration) -> Self {
        match self {
            Self::CapturedSince(moment) if moment > now => {
                Self::CapturedSince(now.checked_sub(waited).unwrap_or(now))
            }
            same => same,
        }
    }
}

/// What lay in the slot when a client looked first. A frame dated later than now is from before the clock was set back,
/// however long ago that was, or its producer's clock is wrong: only when it came can tell its age.
#[derive(Clone, Copy)]
pub(crate) struct FirstLook {
    /// Its number, or that of the frame before the next.
    pub(crate) number: u64,
    pub(crate) postdated: bool,
}

/// How long a client waits for a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// At most this long.
    pub(crate) timeout: Duration,
    /// Never a frame older than this.
    pub(crate) max_age: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_moment_when_the_clock_is_set_back() {
        let (asked, waited) = (SystemTime::now(), Duration::from_secs(1));
        let since = |now| match Need::CapturedSince(asked).by_the_clock(now, waited) {
            Need::CapturedSince(moment) => moment,
            Need::NewerThan(_) => unreachable!("another need"),
        };
        assert_eq!(since(asked + waited), asked);
        assert_eq!(since(asked), asked);
        let hours = Duration::from_secs(3 * 3600);
        assert_eq!(since(asked + waited - hours), asked - hours);
        assert_eq!(since(asked + waited + hours), asked);
    }
}
