//! Cameras of one host take turns: their frames come by the same link, and where that is full, each
//! one that is asked for early grows old behind the others'.
//!
//! A camera is asked when what is under way of the others should have come before its answer can
//! begin to. Where the link is not full that is always so. Who has waited longest is next.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::path::Pace;
use crate::wire::SubjectTag;

/// For how long a camera that waits keeps its place: it asks again by then, or nobody looks.
const PLACE: Duration = Duration::from_millis(250);

/// How soon who waits behind others asks again.
const SOON: Duration = Duration::from_millis(2);

/// The turns of the cameras of one host, and of their renditions.
#[derive(Debug, Default)]
pub struct Turns {
    cameras: HashMap<SubjectTag, Load>,
}

/// What is under way of one camera.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// The bytes that are to come of it.
    pub(super) coming_bytes: u64,
    pub(super) pace: Option<Pace>,
    /// Since when it has waited for its turn, and when it asked last whether that has come.
    waits: Option<(Instant, Instant)>,
}

impl Turns {
    /// Takes note of what is under way of a camera; with nothing it is forgotten.
    pub(super) fn note(&mut self, subject: SubjectTag, coming_bytes: u64, pace: Option<Pace>) {
        if coming_bytes == 0
            && self
                .cameras
                .get(&subject)
                .is_none_or(|it| it.waits.is_none())
        {
            self.cameras.remove(&subject);
            return;
        }
        let load = self.cameras.entry(subject).or_default();
        (load.coming_bytes, load.pace) = (coming_bytes, pace);
    }

    /// A camera is not asked now, whoever's turn it is.
    pub(super) fn leave(&mut self, subject: SubjectTag) {
        if let Some(load) = self.cameras.get_mut(&subject) {
            load.waits = None;
            if load.coming_bytes == 0 {
                self.cameras.remove(&subject);
            }
        }
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
        let others = || self.cameras.iter().filter(|(other, _)| **other != subject);
        let coming_bytes: u64 = others().map(|(_, load)| load.coming_bytes).sum();
        // While several come at once each seems slower than the link is.
        let paces = self.cameras.values().filter_map(|load| load.pace);
        let pace = paces.reduce(Pace::min);
        let coming = pace.map_or(Duration::ZERO, |pace| pace.time_of(coming_bytes));
        let load = self.cameras.get(&subject);
        let since = load
            .and_then(|load| load.waits)
            .map_or(now, |(since, _)| since);
        let is_before = |(other, asked): (Instant, Instant)| other < since && now < asked + PLACE;
        let is_behind = others().any(|(_, load)| load.waits.is_some_and(is_before));
        if coming <= response && !is_behind {
            self.leave(subject);
            return Ok(());
        }
        self.cameras.entry(subject).or_default().waits = Some((since, now));
        Err(now + coming.saturating_sub(response).max(SOON))
    }
}
