//! Where a client is in the course of a camera's frames.

use std::time::SystemTime;

use eyelid_slot::Rendition;

use crate::FrameNumber;
use crate::tracker::Known;

/// The frame that a client has: the next one it gets is of a newer exposure, whichever rendition it
/// is of. The default is that of a client which has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position(Option<Last>);

/// The last frame of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Last {
    rendition: Option<Rendition>,
    number: FrameNumber,
    captured: SystemTime,
}

impl Position {
    /// That of a client which has the frame with this number of this rendition, captured then.
    pub(crate) fn at(
        rendition: Option<Rendition>,
        number: FrameNumber,
        captured: SystemTime,
    ) -> Self {
        Self(Some(Last {
            rendition,
            number,
            captured,
        }))
    }

    /// The number of the client's frame, if it is of this rendition; that of no frame otherwise.
    pub(crate) fn number_of(self, rendition: Option<Rendition>) -> FrameNumber {
        let last = self.0.filter(|last| last.rendition == rendition);
        last.map(|last| last.number).unwrap_or_default()
    }

    /// Says whether a frame of this rendition is of a newer exposure than the client's. Frames of
    /// one rendition are counted; of two, the moments of capture say it. Those say nothing where
    /// the clock was set back between them: then it is enough that somebody saw the frame come.
    pub(crate) fn is_before(
        self,
        frame: Known,
        rendition: Option<Rendition>,
        now: SystemTime,
    ) -> bool {
        let Some(last) = self.0 else {
            return true;
        };
        if last.rendition == rendition {
            return frame.number > last.number;
        }
        let was_set_back = last.captured > now && frame.captured <= now;
        frame.captured > last.captured || (was_set_back && frame.arrived.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const HALF: Option<Rendition> = Some(Rendition::Half);
    const INTERVAL: Duration = Duration::from_millis(33);

    fn known(number: u8, captured: SystemTime, arrived: Option<Instant>) -> Known {
        let number = (0..number).fold(FrameNumber::default(), |number, _| number.next());
        Known {
            number,
            captured,
            arrived,
        }
    }

    fn at(rendition: Option<Rendition>, frame: Known) -> Position {
        Position::at(rendition, frame.number, frame.captured)
    }

    #[test]
    fn frames_of_one_rendition_are_counted_whatever_their_dates() {
        let (now, came) = (SystemTime::now(), Some(Instant::now()));
        let position = at(HALF, known(5, now, came));
        assert_eq!(position.number_of(HALF), known(5, now, came).number);
        assert!(position.is_before(known(6, now - INTERVAL, came), HALF, now));
        assert!(!position.is_before(known(5, now + INTERVAL, came), HALF, now));
    }

    #[test]
    fn another_rendition_is_no_newer_frame_if_it_is_of_the_same_exposure_or_one_before() {
        let (now, came) = (SystemTime::now(), Some(Instant::now()));
        let position = at(None, known(5, now - INTERVAL, came));
        assert_eq!(position.number_of(HALF), FrameNumber::default());
        let later = came.map(|came| came + INTERVAL);
        for (captured, is_newer) in [
            (now - INTERVAL * 2, false),
            (now - INTERVAL, false),
            (now, true),
        ] {
            for (number, arrived) in [(1, None), (9, came), (1, later)] {
                let frame = known(number, captured, arrived);
                assert_eq!(position.is_before(frame, HALF, now), is_newer, "{frame:?}");
            }
        }
        assert!(Position::default().is_before(known(1, now, None), HALF, now));
    }

    #[test]
    fn after_the_clock_was_set_back_what_was_seen_to_come_is_newer() {
        let (now, came) = (SystemTime::now(), Instant::now());
        let hours = Duration::from_secs(3 * 3600);
        let position = at(None, known(5, now + hours, Some(came)));
        let frame = |arrived| known(1, now, arrived);
        assert!(position.is_before(frame(Some(came + INTERVAL)), HALF, now));
        assert!(!position.is_before(frame(None), HALF, now));
        // A producer whose clock is ahead dates both so.
        let same = known(1, now + hours, Some(came + INTERVAL));
        assert!(!position.is_before(same, HALF, now));
    }
}
