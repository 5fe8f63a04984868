//! One rule: its things, how many alerts it may make, and when it is to be asked.

use std::time::Duration;

use super::asking::Asking;
use super::hour_cap::HourCap;
use super::saved::{SavedRule, SavedThing};
use super::terms::Terms;
use super::thing::{Found, State, Thing};
use super::{Answer, Raise};
use crate::alert::{Kind, Sighting};
use crate::moment::{Moment, Monotonic};

/// How many things of a rule are told apart; the one that was seen the longest ago is forgotten for
/// another one, and told again if it is still there.
const MOST_THINGS: usize = 16;

/// One rule of a camera.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    name: String,
    terms: Terms,
    things: Vec<Thing>,
    cap: HourCap,
    /// Nothing, where its judge looks at every picture and nobody is asked.
    asking: Option<Asking>,
    /// Something is to be written down.
    is_changed: bool,
}

impl Rule {
    pub(super) fn new(name: String, terms: Terms) -> Self {
        let is_asked = !terms.judge.is_of_every_picture();
        Self {
            name,
            terms,
            things: Vec::new(),
            cap: HourCap::default(),
            asking: is_asked.then(Asking::default),
            is_changed: false,
        }
    }

    /// The rule's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What it goes by.
    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What is known of its things: the most of them all.
    pub(crate) fn state(&self) -> State {
        let states = self.things.iter().map(|thing| thing.state);
        states.max().unwrap_or(State::Quiet)
    }

    /// Says whether something stands, or did within the cool-down.
    pub(super) fn is_remembering(&self) -> bool {
        !self.things.is_empty()
    }

    /// Goes by other terms from now on. What stands stays so.
    pub(super) fn set_terms(&mut self, terms: Terms) {
        if (terms.judge, &terms.asked) != (self.terms.judge, &self.terms.asked) {
            *self = Self::new(std::mem::take(&mut self.name), terms);
            self.is_changed = true;
        } else {
            self.terms = terms;
        }
    }

    /// Takes an answer.
    pub(super) fn look(&mut self, answer: &Answer, now: Moment) -> Option<Raise> {
        self.ask(|asking| match answer {
            Answer::Missing => asking.missed(now.monotonic),
            Answer::Yes { .. } | Answer::No | Answer::Unsure => asking.answered(),
        });
        let (sightings, confidence) = match answer {
            Answer::Yes {
                sightings,
                confidence,
            } if confidence.is_none_or(|sure| sure >= self.terms.confidence) => {
                (&sightings[..], *confidence)
            }
            Answer::No => (&[][..], None),
            Answer::Yes { .. } | Answer::Unsure | Answer::Missing => return None,
        };
        let before = self.states();
        let is_new = if matches!(answer, Answer::No) {
            self.things
                .iter_mut()
                .for_each(|thing| thing.no(&self.terms, now));
            false
        } else {
            self.seen(sightings, confidence, now)
        };
        self.things.retain(|thing| !thing.is_over(&self.terms, now));
        self.is_changed |= is_new || self.states() != before;
        if is_new {
            self.raise(sightings, confidence, now)
        } else {
            None
        }
    }

    /// Time alone. Says what was held back, once there is room for that.
    pub(super) fn tick(&mut self, now: Moment) -> Option<Raise> {
        let before = self.states();
        self.things
            .iter_mut()
            .for_each(|thing| thing.lapse(&self.terms, now));
        self.things.retain(|thing| !thing.is_over(&self.terms, now));
        self.is_changed |= self.states() != before;
        if self.cap.held_back() == 0 || !self.has_room(now) {
            return None;
        }
        Some(self.told(Kind::HeldBack, &[], None, now))
    }

    /// Says whether it is to be asked now.
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        let is_standing = self.state() == State::Standing;
        let pauses = self.terms.pauses(self.is_confirming(), is_standing);
        let asking = self.asking.as_ref();
        asking.is_some_and(|asking| asking.is_due(pauses, now.monotonic))
    }

    /// Says whether the next answer is to confirm the last one.
    pub(crate) fn is_confirming(&self) -> bool {
        self.things.iter().any(Thing::is_confirming)
    }

    /// Takes in what has become of questions.
    pub(super) fn ask(&mut self, change: impl FnOnce(&mut Asking)) {
        let before = self.is_unanswered();
        if let Some(asking) = &mut self.asking {
            change(asking);
        }
        self.is_changed |= self.is_unanswered() != before;
    }

    fn is_unanswered(&self) -> bool {
        let asking = self.asking.as_ref();
        asking.is_some_and(|asking| asking.is_unanswered(self.terms.judge))
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// Takes in what was seen. Says whether something stands that did not.
    fn seen(&mut self, sightings: &[Sighting], confidence: Option<f64>, now: Moment) -> bool {
        let identity = self.terms.identity();
        let is_sure = self.terms.is_sure(confidence);
        let mut is_answered = vec![false; self.things.len()];
        let mut is_new = false;
        let is_undone = |thing: &Thing| sightings.iter().any(|seen| thing.is_undone_by(seen));
        for thing in self.things.iter_mut().filter(|thing| is_undone(thing)) {
            thing.end(now);
        }
        // A yes that says no place is one, too.
        let all: Vec<Option<&Sighting>> = if sightings.is_empty() {
            vec![None]
        } else {
            sightings.iter().map(Some).collect()
        };
        for seen in all {
            let at = match self
                .things
                .iter()
                .position(|thing| thing.is(seen, identity))
            {
                Some(at) => at,
                None => {
                    let label = seen.and_then(|seen| seen.label.clone());
                    self.things.push(Thing::new(label, seen.cloned(), now));
                    is_answered.push(false);
                    self.things.len() - 1
                }
            };
            self.things[at].place = seen.cloned();
            // Two people are one answer.
            if !std::mem::replace(&mut is_answered[at], true) {
                is_new |= self.things[at].yes(is_sure, &self.terms, now) == Found::New;
            }
        }
        for (thing, is_answered) in self.things.iter_mut().zip(is_answered) {
            if !is_answered {
                thing.no(&self.terms, now);
            }
        }
        while self.things.len() > MOST_THINGS {
            let oldest = (0..self.things.len()).min_by_key(|at| {
                let thing = &self.things[*at];
                (thing.state, thing.looked)
            });
            self.things.remove(oldest.unwrap_or(0));
        }
        is_new
    }

    /// Alerts, if an hour has room for that.
    fn raise(
        &mut self,
        sightings: &[Sighting],
        confidence: Option<f64>,
        now: Moment,
    ) -> Option<Raise> {
        if !self.has_room(now) {
            self.cap.hold_back();
            return None;
        }
        Some(self.told(Kind::Seen, sightings, confidence, now))
    }

    fn told(
        &mut self,
        kind: Kind,
        sightings: &[Sighting],
        confidence: Option<f64>,
        now: Moment,
    ) -> Raise {
        self.is_changed = true;
        Raise {
            rule: self.name.clone(),
            kind,
            judge: Some(self.terms.judge),
            asked: self.terms.asked.clone(),
            sightings: sightings.to_vec(),
            confidence,
            held_back: self.cap.told(now.monotonic),
            cause: None,
        }
    }

    fn has_room(&mut self, now: Moment) -> bool {
        self.cap.has_room(self.terms.an_hour, now.monotonic)
    }

    fn states(&self) -> Vec<State> {
        self.things.iter().map(|thing| thing.state).collect()
    }

    /// What is to be known after a restart.
    pub(super) fn save(&self, now: Moment) -> SavedRule {
        let ago_ms = |at: &Monotonic| now.monotonic.since(*at).as_millis() as u64;
        let things = self.things.iter().filter(|thing| thing.stood.is_some());
        SavedRule {
            state: self.state(),
            since: self.since(),
            judge: self.terms.judge,
            asked: self.terms.asked.clone(),
            things: things
                .map(|thing| SavedThing {
                    label: thing.label.clone(),
                    place: thing.place.clone(),
                    state: thing.state,
                    since: thing.since.wall,
                    stood_ago_ms: thing.stood.as_ref().map(ago_ms),
                    looked_ago_ms: ago_ms(&thing.looked),
                })
                .collect(),
            cap: self.cap.save(now.monotonic),
            is_unanswered: self.is_unanswered(),
            more: serde_json::Map::new(),
        }
    }

    /// Since when its state is what it is.
    fn since(&self) -> Option<std::time::SystemTime> {
        let state = self.state();
        let of_state = self.things.iter().filter(|thing| thing.state == state);
        of_state.map(|thing| thing.since.wall).min()
    }

    /// Goes on with what was written down before the moment `saved`.
    pub(super) fn restore(&mut self, rule: SavedRule, saved: Monotonic, now: Moment) {
        if (rule.judge, &rule.asked) != (self.terms.judge, &self.terms.asked) {
            return;
        }
        let at = |ago_ms: u64| saved.minus(Duration::from_millis(ago_ms));
        self.things = (rule.things.into_iter().take(MOST_THINGS))
            .map(|thing| {
                let moment = Moment {
                    monotonic: at(thing.looked_ago_ms),
                    wall: thing.since,
                };
                let mut restored = Thing::new(thing.label, thing.place, moment);
                restored.stood = thing.stood_ago_ms.map(at);
                // Votes are not written down: who was asked about is asked about anew.
                restored.state = match thing.state {
                    State::Asked => State::Quiet,
                    state => state,
                };
                restored.lose_view(&self.terms, now);
                restored.lapse(&self.terms, now);
                restored
            })
            .collect();
        self.cap = HourCap::restored(rule.cap, saved, self.terms.an_hour);
        if rule.is_unanswered
            && let Some(asking) = &mut self.asking
        {
            asking.put_off(Duration::ZERO, now.monotonic);
        }
    }
}
