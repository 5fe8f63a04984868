//! Whether a frame that comes is news, or lay in buffers while the link was down.
//!
//! A camera's own socket and hand hold two or three frames. When a link that was down comes back
//! they arrive first, one close behind the other, and each is as old as the silence was long. What
//! comes at the camera's pace again is new. Nothing here reads a clock.

use std::time::{Duration, Instant};

/// The shortest silence that counts as one: Wi-Fi repeats what was lost within it.
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);

/// How many usual intervals are a silence.
const SILENT_INTERVALS: u32 = 4;

/// For how long frames may be thrown away after a silence: as long as a slow link takes for what
/// fits into a camera's buffers and ours. A camera that has become quicker is shown after it.
const STALE_FOR: Duration = Duration::from_secs(1);

/// The arrivals of one connection.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    last: Option<Instant>,
    usual_interval: Option<Duration>,
    /// After a silence: until when frames may be thrown away.
    stale_until: Option<Instant>,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As new as the link lets it be.
    Current,
    /// From before a silence.
    Stale,
}

impl Arrivals {
    /// A whole frame has come.
    pub(crate) fn arrived(&mut self, now: Instant) -> Verdict {
        let gap = self.last.replace(now).map(|last| now.duration_since(last));
        let (Some(gap), Some(usual)) = (gap, self.usual_interval) else {
            self.usual_interval = gap;
            return Verdict::Current;
        };
        if let Some(until) = self.stale_until {
            if gap < usual / 2 && now < until {
                return Verdict::Stale;
            }
            self.stale_until = None;
            // One that has become slower is not silent each time.
            self.usual_interval = Some(usual.max(gap));
            return Verdict::Current;
        }
        if gap > SHORTEST_SILENCE.max(usual * SILENT_INTERVALS) {
            self.stale_until = Some(now + STALE_FOR);
            return Verdict::Stale;
        }
        // A mean that forgets within some ten frames.
        self.usual_interval = Some((usual * 7 + gap) / 8);
        Verdict::Current
    }

    /// The camera was asked to be silent: what comes next is no leftover.
    pub(crate) fn expect_silence(&mut self) {
        self.last = None;
        self.stale_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the verdict on frames after these gaps in milliseconds.
    fn verdicts(arrivals: &mut Arrivals, now: &mut Instant, gaps_ms: &[u64]) -> Vec<Verdict> {
        let step = |gap: &u64| {
            *now += Duration::from_millis(*gap);
            arrivals.arrived(*now)
        };
        gaps_ms.iter().map(step).collect()
    }

    #[test]
    fn what_lay_in_buffers_is_thrown_away_and_what_comes_at_the_cameras_pace_is_not() {
        use Verdict::{Current, Stale};
        let (mut arrivals, mut now) = (Arrivals::default(), Instant::now());
        let mut at = |gaps: &[u64]| verdicts(&mut arrivals, &mut now, gaps);
        assert_eq!(at(&[0, 50, 50, 50, 50, 50]), [Current; 6]);
        assert_eq!(
            at(&[5000, 3, 2, 48, 50]),
            [Stale, Stale, Stale, Current, Current]
        );
        // A link that stutters shorter than that loses nothing.
        assert_eq!(at(&[900, 50, 5, 5]), [Current; 4]);
    }

    #[test]
    fn a_camera_that_sends_faster_after_a_silence_is_shown_all_the_same() {
        use Verdict::{Current, Stale};
        let (mut arrivals, mut now) = (Arrivals::default(), Instant::now());
        let mut at = |gaps: &[u64]| verdicts(&mut arrivals, &mut now, gaps);
        at(&[0, 400, 400, 400]);
        assert_eq!(at(&[2000]), [Stale]);
        assert!(at(&[100; 9]).iter().all(|verdict| *verdict == Stale));
        assert!(at(&[100; 9]).iter().all(|verdict| *verdict == Current));
    }

    #[test]
    fn a_camera_that_sends_slower_loses_one_frame_and_no_more() {
        use Verdict::{Current, Stale};
        let (mut arrivals, mut now) = (Arrivals::default(), Instant::now());
        let mut at = |gaps: &[u64]| verdicts(&mut arrivals, &mut now, gaps);
        at(&[0, 50, 50, 50]);
        assert_eq!(at(&[1500; 5]), [Stale, Current, Current, Current, Current]);
    }

    #[test]
    fn as_many_as_lay_in_our_own_socket_are_thrown_away() {
        let (mut arrivals, mut now) = (Arrivals::default(), Instant::now());
        let mut at = |gaps: &[u64]| verdicts(&mut arrivals, &mut now, gaps);
        at(&[0, 50, 50, 50]);
        at(&[5000]);
        assert!(
            at(&[1; 60])
                .iter()
                .all(|verdict| *verdict == Verdict::Stale)
        );
        assert_eq!(at(&[45]), [Verdict::Current]);
    }

    #[test]
    fn a_slow_camera_has_no_silence_at_its_own_pace() {
        let (mut arrivals, mut now) = (Arrivals::default(), Instant::now());
        let gaps = [0, 10_000, 10_000, 30_000, 10_000];
        assert_eq!(
            verdicts(&mut arrivals, &mut now, &gaps),
            [Verdict::Current; 5]
        );
    }

    #[test]
    fn a_silence_that_was_asked_for_is_none() {
        let (mut arrivals, mut now) = (Arrivals::default(), Instant::now());
        verdicts(&mut arrivals, &mut now, &[0, 50, 50]);
        arrivals.expect_silence();
        assert_eq!(
            verdicts(&mut arrivals, &mut now, &[60_000, 5, 50]),
            [Verdict::Current; 3]
        );
    }
}
