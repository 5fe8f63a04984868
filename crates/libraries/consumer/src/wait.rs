//! One client's wait for a frame: the decisions, apart from clocks and files.

use std::time::{Duration, Instant};

use eyelid_slot::Rendition;

use crate::clock::{Now, age};
use crate::tracker::{ANSWER, Known, POLL, RECHECK, Tracker, Watching, Wish};
use crate::{Deadline, FrameNumber, Freshness};

/// How long clients of a camera known to have failed wait for a frame: it may be just recovering. A
/// stream then shows why there is none; a snapshot waits as long as moonraker-timelapse does, for
/// some clients stop at the first error.
const STREAM_FAILED_PATIENCE: Duration = Duration::from_millis(300);
const SNAPSHOT_FAILED_PATIENCE: Duration = Duration::from_secs(2);

/// A stream of a source slower than the time-out waits for this many of its intervals.
const PATIENT_INTERVALS: u32 = 3;

/// A client that waits for a frame.
#[derive(Debug)]
pub(crate) struct Wait {
    rendition: Option<Rendition>,
    freshness: Freshness,
    deadline: Deadline,
    start: Instant,
    baseline: Option<Baseline>,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Use the frame.
    Use,
    /// Say why there is none.
    GiveUp,
    /// Make the wish for a newer frame if that is to be made now, and look again when something
    /// comes, at the latest at this moment.
    Wait(Wish, Instant),
}

/// What lay in the slot when a client looked first. A frame dated later than now is from before the
/// clock was set back, however long ago that was, or its producer's clock is wrong: only when it
/// came can tell its age.
#[derive(Clone, Copy, Debug)]
struct Baseline {
    /// Its number, or that of the frame before the next.
    number: FrameNumber,
    /// Its moment of capture is yet to come.
    is_postdated: bool,
}

impl Wait {
    /// Begins to wait for a frame of this rendition.
    pub(crate) fn new(
        rendition: Option<Rendition>,
        freshness: Freshness,
        deadline: Deadline,
        start: Instant,
    ) -> Self {
        Self {
            rendition,
            freshness,
            deadline,
            start,
            baseline: None,
        }
    }

    /// Gives what to do now, the slot holding this `frame`, or none that can be used.
    pub(crate) fn step(&mut self, tracker: &mut Tracker, frame: Option<Known>, now: Now) -> Step {
        let baseline = *self.baseline.get_or_insert_with(|| Baseline {
            number: frame.map_or(tracker.last_seen(), |frame| frame.number),
            is_postdated: frame.is_some_and(|frame| frame.captured > now.wall),
        });
        if frame.is_some_and(|frame| self.can_use(tracker, frame, baseline, now)) {
            return Step::Use;
        }
        let end = self.start + self.patience(tracker);
        if now.monotonic >= end {
            return Step::GiveUp;
        }
        let wish = tracker.wish(now.monotonic);
        let pause = match tracker.watching() {
            Watching::Inotify => RECHECK,
            Watching::Polling => POLL,
        };
        let until = end.min(now.monotonic + pause);
        // From this moment on what the slot holds is the newest.
        let answer = match wish {
            Wish::Now => now.monotonic + ANSWER,
            Wish::Made(made) => made + ANSWER,
        };
        let is_to_come = answer > now.monotonic;
        Step::Wait(wish, if is_to_come { until.min(answer) } else { until })
    }

    fn can_use(&self, tracker: &Tracker, frame: Known, baseline: Baseline, now: Now) -> bool {
        let lay_there_postdated = baseline.is_postdated && frame.number == baseline.number;
        let waited = now.monotonic - self.start;
        match self.freshness.by_the_clock(now.wall, waited) {
            // The first frame that came may have been captured already when it was asked for; the
            // second was not.
            Freshness::CapturedSince(moment) => {
                let is_second_to_come = frame.number >= baseline.number.next().next();
                frame.captured >= moment
                    && !lay_there_postdated
                    && (frame.captured <= now.wall || is_second_to_come)
            }
            Freshness::NewerThan(position) => {
                let max_age = self.deadline.max_age;
                let arrived_lately =
                    || (frame.arrived).is_some_and(|arrived| now.monotonic - arrived <= max_age);
                position.is_before(frame, self.rendition, now.wall)
                    && age(frame.captured, now.wall) <= max_age
                    && (!lay_there_postdated || arrived_lately())
                    && tracker.is_newest(frame, now.monotonic)
            }
        }
    }

    /// How long this client waits, as things are.
    fn patience(&self, tracker: &Tracker) -> Duration {
        let timeout = self.deadline.timeout;
        match (self.freshness, tracker.has_failed()) {
            (Freshness::NewerThan(_), true) => timeout.min(STREAM_FAILED_PATIENCE),
            (Freshness::CapturedSince(_), true) => timeout.min(SNAPSHOT_FAILED_PATIENCE),
            (Freshness::NewerThan(_), false) => timeout.max(tracker.interval() * PATIENT_INTERVALS),
            (Freshness::CapturedSince(_), false) => timeout,
        }
    }
}

#[cfg(test)]
mod tests;
