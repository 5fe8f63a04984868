//! How long a client waits for a rendition before it makes do with the frame.

use std::time::Duration;

use eyelid_slot::Rendition;

/// A rendition that has come until now is waited for alone for so many of its intervals: who is
/// late by one of them may have missed one.
const INTERVALS_ALONE: u32 = 2;

/// A client's patience with a rendition. It waits for that alone at first: the frame is not to be
/// made for nothing, and a camera that wakes takes its time for either. Then it asks for the frame,
/// too, and when this has come it waits a little more, for a producer may make one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// It waits for the rendition alone.
    pub(crate) alone: Duration,
    /// It waits once the frame has come.
    pub(crate) beside: Duration,
}

impl Patience {
    /// That with the first frame of a rendition, of a client which gives up after this time-out:
    /// there is always time left for the frame.
    pub(crate) fn with_first(rendition: Rendition, timeout: Duration) -> Self {
        let (alone, beside) = match rendition {
            // A camera may have to be set up anew for it, and back; moonraker-timelapse waits 2 s.
            Rendition::Full => (Duration::from_millis(1200), Duration::from_millis(500)),
            _ => (Duration::from_millis(750), Duration::from_millis(250)),
        };
        Self {
            alone: alone.min(timeout / 3),
            beside: beside.min(timeout / 6),
        }
    }

    /// That with the next of a rendition that came at this interval until now.
    pub(crate) fn with_next(rendition: Rendition, timeout: Duration, interval: Duration) -> Self {
        let first = Self::with_first(rendition, timeout);
        // The camera has three quarters of its time for others than who wants full pictures.
        let usual = match rendition {
            Rendition::Full => timeout / 2,
            _ => INTERVALS_ALONE * interval,
        };
        Self {
            alone: first.alone.max(usual.min(timeout / 2)),
            ..first
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_timeout_is_left_for_the_frame() {
        for rendition in Rendition::ALL {
            for timeout in [0, 10, 1800, 4000, 60_000].map(Duration::from_millis) {
                let patience = Patience::with_first(rendition, timeout);
                assert!(
                    patience.alone + patience.beside <= timeout / 2,
                    "{timeout:?}"
                );
                assert!(patience.alone + patience.beside < Duration::from_secs(2));
            }
        }
    }

    #[test]
    fn of_a_slow_source_the_next_is_waited_for_longer_and_there_is_time_left_for_the_frame() {
        let (timeout, ms) = (Duration::from_secs(4), Duration::from_millis(1));
        let alone = |rendition, interval_ms| {
            let patience = Patience::with_next(rendition, timeout, ms * interval_ms);
            assert!(patience.alone + patience.beside <= timeout * 2 / 3);
            patience.alone
        };
        for (interval_ms, expected_ms) in [(33, 750), (500, 1000), (1000, 2000), (60_000, 2000)] {
            assert_eq!(alone(Rendition::Half, interval_ms), ms * expected_ms);
        }
        assert_eq!(alone(Rendition::Full, 33), ms * 2000);
    }
}
