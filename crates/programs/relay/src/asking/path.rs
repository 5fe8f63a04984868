//! What is known of the way to the other side and back: estimates from the replies, each unknown
//! until the first one has come.
//!
//! The *round trip* is the smallest delay between a request and the head of its answer, without the
//! time that it was held: what others took longer was a queue, or the other side's processor. The
//! *response* is the same with the time that it was held: as soon as that something can come. Both
//! hold for ten to twenty seconds, then for those that came since. A request that was asked ahead
//! may find the link busy each time, and its delay be taken for the round trip, which would be
//! asked ahead by then, and so on. So each ten seconds one is asked when nothing is under way.

use std::time::{Duration, Instant};

use super::pending::{Pending, Progress, Whole};
use crate::wire::{Head, NoFrame};

/// For how long a smallest delay holds: for one to two of these.
const WINDOW: Duration = Duration::from_secs(10);

/// How many measures a usual value is of: two of them may be wrong, and the third one after a
/// change is believed.
const MEASURES: usize = 5;

/// The next is asked for this part of a transfer earlier than it should be: what is late idles the
/// link, and what is early waits for as long.
const AHEAD_PART: u32 = 16;

/// Answers that are late by no more than this have not waited behind anything.
const JITTER: Duration = Duration::from_millis(20);

/// A request is asked again when there was no answer for so many of the usual responses, and of the
/// times between two frames, and for so long.
const OVERDUE_RESPONSES: u32 = 4;
const OVERDUE_INTERVALS: u32 = 2;
const OVERDUE: Duration = Duration::from_millis(100);

/// A camera of 30 frames a second has its next picture within this.
const PICTURE: Duration = Duration::from_millis(33);

/// A request that is usually held for longer is of a camera that is slower than its link: two
/// requests are held for two pictures.
const PROMPT_HELD: Duration = Duration::from_millis(132);

/// What is known of the way.
#[derive(Debug, Default)]
pub(super) struct Path {
    round_trip: Smallest,
    response: Smallest,
    /// As it was of late, with what lay in the way.
    responses: Recent<Duration>,
    /// How long requests were held of late that were answered with a frame.
    helds: Recent<Duration>,
    paces: Recent<Pace>,
    /// The bytes that came after the last frame's head.
    last_bytes: u32,
    /// The largest part of that frame.
    part_bytes: u32,
    /// When a head came last whose request was alone.
    measured: Option<Instant>,
    /// The last answer had no frame.
    is_without_pictures: bool,
    /// When the last frame was whole, and how long after the one before.
    last_frame: Option<Instant>,
    interval: Duration,
}

impl Path {
    /// When to ask for the frame behind all that are pending, in the order in which they were
    /// asked; `None` where something is to come of them first.
    pub(super) fn ask_ahead_at(&self, now: Instant, pending: &[Pending]) -> Option<Instant> {
        let (response, usual) = (self.response.get()?, self.paces.usual()?);
        let last = pending.last()?;
        let is_measured = self.measured.is_some_and(|at| now < at + WINDOW);
        if !is_measured && !pending.iter().any(Pending::was_alone) {
            return None;
        }
        let transfer = usual.time(self.last_bytes);
        // Others' frames are in the way, and keep the link busy meanwhile.
        if self.usual_queue() > transfer.max(JITTER) {
            return None;
        }
        // Where a transfer is longer than a response, its head tells when to ask; else the next one
        // is asked for before it can have come.
        if !last.has_head() && transfer >= response {
            return None;
        }
        let mut free = None;
        for one in pending {
            free = Some(match one.progress() {
                Some(progress) => self.whole_at(now, &progress, usual),
                None => free.max(Some(one.asked() + response))? + transfer,
            });
        }
        let at = free?.checked_sub(response + transfer / AHEAD_PART);
        at.map(|at| at.max(last.asked()))
    }

    /// When a frame under way should be whole, at its own pace where that is worse than the usual
    /// one. A part that is overdue says something, too: the pace is no better than if it came now.
    fn whole_at(&self, now: Instant, progress: &Progress, usual: Pace) -> Instant {
        let elapsed = progress.took + now.saturating_duration_since(progress.at);
        let at_best_bytes = progress.came_bytes + self.part_bytes.min(progress.left_bytes);
        let at_best = Pace::new(elapsed, at_best_bytes).unwrap_or(usual);
        progress.at + usual.max(at_best).time(progress.left_bytes)
    }

    /// When to ask again behind requests of which the last has had no answer: it may have got lost,
    /// and where the camera has nothing new one more is held there, and does no harm. As long as
    /// anything comes the answer may be behind that.
    pub(super) fn ask_again_at(&self, pending: &[Pending]) -> Option<Instant> {
        let last = pending.last().filter(|last| !last.has_head())?;
        let response = self.responses.usual()?;
        let overdue = (response * OVERDUE_RESPONSES).max(self.interval * OVERDUE_INTERVALS);
        let parts = pending.iter().filter_map(Pending::progress);
        let came = parts
            .map(|progress| progress.at)
            .chain(self.last_frame)
            .max();
        Some(last.asked().max(came?) + overdue.max(OVERDUE))
    }

    /// The usual time between two frames.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// The usual time until an answer begins, with what lies in the way.
    pub(super) fn usual_response(&self) -> Duration {
        self.responses.usual().unwrap_or_default()
    }

    /// For how long a request is usually held: as long as it takes the camera to have its next
    /// picture, and no longer than that can be.
    pub(super) fn usual_held(&self) -> Duration {
        self.helds.usual().unwrap_or_default().min(PICTURE)
    }

    /// Says whether a request is answered with a picture as soon as the link has room for it.
    pub(super) fn has_pictures(&self) -> bool {
        !self.is_without_pictures && self.helds.usual().unwrap_or_default() <= PROMPT_HELD
    }

    /// The smallest round trip.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get()
    }

    /// The bytes that came after the last frame's head.
    pub(super) fn last_bytes(&self) -> u32 {
        self.last_bytes
    }

    /// How long a byte usually takes.
    pub(super) fn usual_pace(&self) -> Option<Pace> {
        self.paces.usual()
    }

    /// For how long answers usually waited behind something.
    fn usual_queue(&self) -> Duration {
        let round_trip = self.round_trip.get().unwrap_or_default();
        self.usual_response().saturating_sub(round_trip)
    }

    /// The head of a frame came.
    pub(super) fn head_came(&mut self, now: Instant, pending: &Pending, head: &Head) {
        self.helds.note(head.held());
        self.is_without_pictures = false;
        self.answer_came(now, pending, head.held());
    }

    /// An answer without a frame came: it has a round trip, and no response that a frame has.
    pub(super) fn no_frame_came(&mut self, now: Instant, pending: &Pending, answer: &NoFrame) {
        self.is_without_pictures = true;
        let took = now.saturating_duration_since(pending.asked());
        let held = Duration::from_micros(answer.held_us.into());
        self.round_trip.note(now, took.saturating_sub(held));
    }

    fn answer_came(&mut self, now: Instant, pending: &Pending, held: Duration) {
        let took = now.saturating_duration_since(pending.asked());
        self.round_trip.note(now, took.saturating_sub(held));
        self.response.note(now, took);
        self.responses.note(took.saturating_sub(held));
        if pending.was_alone() {
            self.measured = Some(now);
        }
    }

    /// Gives the moment of capture of a frame whose head came `now`; `None` where this clock has
    /// none so long ago.
    ///
    /// The head was sent when the request had come there, which took half of a round trip, and had
    /// been held. What it took longer from there to here was a queue. So the answer may have been
    /// behind any number of bytes. A queue on the way there makes the frame seem older than it is,
    /// and a way there that takes longer than the way back newer.
    pub(super) fn captured(&self, now: Instant, pending: &Pending, head: &Head) -> Option<Instant> {
        let took = now.saturating_duration_since(pending.asked());
        // It was not held for longer than all took, whatever is said.
        let held = head.held().min(took);
        let there = self.round_trip.get().unwrap_or_default() / 2;
        let sent = pending.asked() + (there + held).min(took);
        sent.checked_sub(head.age())
    }

    /// A frame has come whole, and was taken.
    pub(super) fn frame_came(&mut self, now: Instant, frame: &Whole) {
        if let Some(pace) = Pace::new(frame.took, frame.came_bytes) {
            self.paces.note(pace);
        } else {
            // All of it came in one message.
            self.paces.note(Pace(0.0));
        }
        self.last_bytes = frame.came_bytes;
        self.part_bytes = frame.part_bytes;
        if let Some(last) = self.last_frame.replace(now) {
            self.interval = now.saturating_duration_since(last);
        }
    }
}

/// How long a byte takes, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Pace(f64);

impl Pace {
    /// That of bytes that came in this time; `None` where there were none.
    fn new(took: Duration, bytes: u32) -> Option<Self> {
        (bytes > 0).then(|| Self(took.as_nanos() as f64 / f64::from(bytes)))
    }

    fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    pub(super) fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// How long so many bytes take.
    pub(super) fn time(self, bytes: u32) -> Duration {
        // Saturates.
        Duration::from_nanos((self.0 * f64::from(bytes)) as u64)
    }
}

/// The smallest delay of the last one to two windows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Smallest {
    began: Option<Instant>,
    before: Option<Duration>,
    current: Option<Duration>,
}

impl Smallest {
    pub(super) fn note(&mut self, now: Instant, delay: Duration) {
        if self.began.is_none_or(|began| now >= began + WINDOW) {
            self.before = self.current.take();
            self.began = Some(now);
        }
        self.current = Some(self.current.map_or(delay, |smallest| smallest.min(delay)));
    }

    pub(super) fn get(&self) -> Option<Duration> {
        [self.before, self.current].into_iter().flatten().min()
    }
}

/// The last measures, of which the middle one counts: one that is out of all proportion changes
/// nothing.
#[derive(Clone, Copy, Debug)]
struct Recent<T> {
    last: [Option<T>; MEASURES],
    index: usize,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self {
            last: [const { None }; MEASURES],
            index: 0,
        }
    }
}

impl<T: Copy + PartialOrd> Recent<T> {
    fn note(&mut self, measure: T) {
        self.last[self.index] = Some(measure);
        self.index = (self.index + 1) % MEASURES;
    }

    /// The middle one, of two the larger.
    fn usual(&self) -> Option<T> {
        let mut sorted: Vec<T> = self.last.iter().copied().flatten().collect();
        sorted.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
        sorted.get(sorted.len() / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_smallest_delay_holds_for_a_while() {
        let start = Instant::now();
        let mut smallest = Smallest::default();
        assert_eq!(smallest.get(), None);
        smallest.note(start, 50 * MS);
        smallest.note(start + MS, 900 * MS);
        assert_eq!(
            smallest.get(),
            Some(50 * MS),
            "one that is out of all proportion"
        );
        smallest.note(start + WINDOW, 80 * MS);
        assert_eq!(smallest.get(), Some(50 * MS));
        smallest.note(start + 2 * WINDOW, 81 * MS);
        assert_eq!(smallest.get(), Some(80 * MS), "the way has become longer");
    }

    #[test]
    fn the_usual_measure_is_unmoved_by_one() {
        let mut recent = Recent::default();
        assert_eq!(recent.usual(), None);
        recent.note(10 * MS);
        assert_eq!(recent.usual(), Some(10 * MS));
        for (measure, usual) in [(12, 12), (11, 11), (9_000, 12), (12, 12), (0, 12), (13, 12)] {
            recent.note(measure * MS);
            assert_eq!(recent.usual(), Some(usual * MS), "{measure}");
        }
    }

    #[test]
    fn a_change_is_believed_the_third_time() {
        let mut recent = Recent::default();
        (0..MEASURES).for_each(|_| recent.note(10 * MS));
        for usual in [10, 10, 50, 50, 50] {
            recent.note(50 * MS);
            assert_eq!(recent.usual(), Some(usual * MS));
        }
    }
}
