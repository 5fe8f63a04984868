//! The requests that are held, by place, camera, asker and time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

use super::{Answer, MAX_HELD, MAX_HELD_FOR_CAMERA, MAX_HELD_OF_ASKER, What};
use crate::wire::{Asker, RequestId, SubjectTag};

/// A place among the requests that are held: the later one came, the larger it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

/// A request that is held.
#[derive(Debug)]
pub(super) struct Held<R> {
    pub(super) id: RequestId,
    pub(super) reply_to: R,
    pub(super) came: Instant,
    pub(super) until: Instant,
    pub(super) max_bytes: u32,
    /// The number of the newest frame that its asker had when it came; 0 for none.
    pub(super) had: u64,
}

impl<R> Held<R> {
    /// Answers it.
    pub(super) fn answer(self, now: Instant, what: What) -> Answer<R> {
        Answer {
            reply_to: self.reply_to,
            id: self.id,
            held: now.saturating_duration_since(self.came),
            what,
        }
    }
}

/// All requests that are held. Each is in each of these tables.
#[derive(Debug)]
pub(super) struct HeldRequests<R> {
    next_place: u64,
    places: BTreeMap<Place, Held<R>>,
    ends: BTreeSet<(Instant, Place)>,
    subjects: HashMap<SubjectTag, BTreeSet<Place>>,
    askers: HashMap<Asker, BTreeSet<Place>>,
}

impl<R> HeldRequests<R> {
    pub(super) fn new() -> Self {
        Self {
            next_place: 0,
            places: BTreeMap::new(),
            ends: BTreeSet::new(),
            subjects: HashMap::new(),
            askers: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn insert(&mut self, held: Held<R>) {
        let place = Place(self.next_place);
        self.next_place += 1;
        self.ends.insert((held.until, place));
        self.subjects
            .entry(held.id.subject)
            .or_default()
            .insert(place);
        self.askers.entry(held.id.asker).or_default().insert(place);
        self.places.insert(place, held);
    }

    pub(super) fn remove(&mut self, place: Place) -> Option<Held<R>> {
        let held = self.places.remove(&place)?;
        self.ends.remove(&(held.until, place));
        remove(&mut self.subjects, held.id.subject, place);
        remove(&mut self.askers, held.id.asker, place);
        Some(held)
    }

    /// Removes one whose time is over.
    pub(super) fn remove_expired(&mut self, now: Instant) -> Option<Held<R>> {
        let (until, place) = *self.ends.first()?;
        (until <= now).then(|| self.remove(place)).flatten()
    }

    /// Removes one, if one has to make room for this: of the same asker and camera, of the asker,
    /// or of anybody, the one that has waited longest of them.
    pub(super) fn remove_for(&mut self, id: RequestId) -> Option<Held<R>> {
        let of_asker = self.askers.get(&id.asker);
        let for_camera: Vec<Place> = of_asker
            .into_iter()
            .flatten()
            .copied()
            .filter(|place| {
                self.places
                    .get(place)
                    .is_some_and(|it| it.id.subject == id.subject)
            })
            .collect();
        let place = if for_camera.len() >= MAX_HELD_FOR_CAMERA {
            for_camera.first().copied()
        } else if of_asker.is_some_and(|of_asker| of_asker.len() >= MAX_HELD_OF_ASKER) {
            of_asker.and_then(|of_asker| of_asker.first().copied())
        } else if self.places.len() >= MAX_HELD {
            self.places.keys().next().copied()
        } else {
            None
        };
        self.remove(place?)
    }

    /// Gives the places of a camera's requests, in the order in which they came.
    pub(super) fn of_subject(&self, subject: SubjectTag) -> Vec<Place> {
        let places = self.subjects.get(&subject);
        places.into_iter().flatten().copied().collect()
    }

    pub(super) fn has_subject(&self, subject: SubjectTag) -> bool {
        self.subjects.contains_key(&subject)
    }

    pub(super) fn get(&self, place: Place) -> Option<&Held<R>> {
        self.places.get(&place)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ends.first().map(|(until, _)| *until)
    }
}

/// Takes a place out of a table, which has no entry without one.
fn remove<K: Eq + Hash>(table: &mut HashMap<K, BTreeSet<Place>>, key: K, place: Place) {
    if let Some(places) = table.get_mut(&key) {
        places.remove(&place);
        if places.is_empty() {
            table.remove(&key);
        }
    }
}
