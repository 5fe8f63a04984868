//! Cameras of one host take turns: their frames come by the same link, and where that is full, each
//! one that is asked for early grows old behind the others'.
//!
//! A camera is asked when what is under way of the others should have come before its answer can
//! begin to. Where the link is not full that is always so. Who has waited longest is next.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::path::{Pace, Smallest};
use crate::wire::SubjectTag;

/// For how long a camera that waits keeps its place: it asks again by then, or nobody looks.
const PLACE: Duration = Duration::from_millis(250);

/// How soon who waits behind others asks again.
const SOON: Duration = Duration::from_millis(2);

/// The turns of the cameras of one host, and of their renditions.
#[derive(Debug, Default)]
pub struct Turns {
    cameras: HashMap<SubjectTag, Known>,
    /// The smallest of all of them: one that was always asked behind others knows no smaller one
    /// than that took.
    round_trip: Smallest,
}

/// What is under way of one camera.
#[derive(Clone, Debug, Default)]
pub(super) struct Load {
    /// When something came last of each frame that has begun to come, and the bytes that are to.
    pub(super) coming: Vec<(Instant, u32)>,
    /// When the frames should begin to come that were asked for, and their bytes.
    pub(super) expected: Vec<(Instant, u32)>,
    pub(super) pace: Option<Pace>,
}

/// What is known of one camera.
#[derive(Clone, Debug, Default)]
struct Known {
    load: Load,
    /// Since when it has waited for its turn, and when it asked last whether that has come.
    waits: Option<(Instant, Instant)>,
}

impl Turns {
    /// Takes note of what is under way of a camera; with nothing it is forgotten.
    pub(super) fn note(&mut self, subject: SubjectTag, load: Load) {
        self.cameras.entry(subject).or_default().load = load;
        self.forget_idle(subject);
    }

    /// A camera is not asked now, whoever's turn it is.
    pub(super) fn leave(&mut self, subject: SubjectTag) {
        if let Some(known) = self.cameras.get_mut(&subject) {
            known.waits = None;
        }
        self.forget_idle(subject);
    }

    fn forget_idle(&mut self, subject: SubjectTag) {
        let known = self.cameras.get(&subject);
        let is_idle = |known: &Known| {
            let load = &known.load;
            known.waits.is_none() && load.coming.is_empty() && load.expected.is_empty()
        };
        if known.is_some_and(is_idle) {
            self.cameras.remove(&subject);
        }
    }

    /// Takes note of the smallest round trip that a camera knows. Gives that of all.
    pub(super) fn round_trip(&mut self, now: Instant, own: Option<Duration>) -> Duration {
        if let Some(own) = own {
            self.round_trip.note(now, own);
        }
        self.round_trip.get().unwrap_or_default()
    }

    /// Says whether it is the turn of a camera whose answer begins to come after `response`.
    ///
    /// # Errors
    /// When to ask again.
    pub(super) fn take(
        &mut self,
        now: Instant,
        subject: SubjectTag,
        response: Duration,
    ) -> Result<(), Instant> {
        let since = self.cameras.get(&subject).and_then(|known| known.waits);
        let since = since.map_or(now, |(since, _)| since);
        let is_before = |(other, asked): (Instant, Instant)| other < since && now < asked + PLACE;
        let mut others = self.cameras.iter().filter(|(other, _)| **other != subject);
        let is_behind = others.any(|(_, known)| known.waits.is_some_and(is_before));
        let due = self.free_at(now, subject).checked_sub(response);
        let wait = due.unwrap_or(now).saturating_duration_since(now);
        if wait.is_zero() && !is_behind {
            self.leave(subject);
            return Ok(());
        }
        self.cameras.entry(subject).or_default().waits = Some((since, now));
        Err(now + wait.max(SOON))
    }

    /// When all should have come that is under way of the others.
    fn free_at(&self, now: Instant, subject: SubjectTag) -> Instant {
        // While several come at once each seems slower than the link is.
        let paces = self.cameras.values().filter_map(|known| known.load.pace);
        let Some(pace) = paces.reduce(Pace::min) else {
            return now;
        };
        let others = self.cameras.iter().filter(|(other, _)| **other != subject);
        let mut coming = Vec::new();
        for (_, known) in others {
            coming.extend_from_slice(&known.load.coming);
            // What is late waits behind something, and is still to come.
            let expected = known.load.expected.iter();
            coming.extend(expected.map(|(begins, bytes)| (now.max(*begins), *bytes)));
        }
        coming.sort_unstable();
        let free = coming.into_iter().fold(None, |free, (begins, bytes)| {
            Some(free.max(Some(begins))? + pace.time(bytes))
        });
        free.unwrap_or(now)
    }
}
