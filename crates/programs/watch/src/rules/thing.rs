//! One thing that a rule is about: quiet, asked, standing. Alerted once, when it begins to stand.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::terms::{Identity, LIES_AT_MOST, Terms};
use crate::alert::{Judge, LEFT, Sighting, TAKEN};
use crate::moment::{Moment, Monotonic};

/// What is known of a thing, or of all those of a rule together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It is not there.
    Quiet,
    /// It may be: that is being confirmed.
    Asked,
    /// It is, and was told of.
    Standing,
}

/// One thing.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub(super) label: Option<String>,
    /// Where it was seen last.
    pub(super) place: Option<Sighting>,
    pub(super) state: State,
    /// Since when it is in that state.
    pub(super) since: Moment,
    /// When it was last seen for sure: standing.
    pub(super) stood: Option<Monotonic>,
    /// When it was last looked for, and there was an answer.
    pub(super) looked: Monotonic,
    /// The last answers while it is asked, the first of them a yes.
    votes: VecDeque<(bool, Monotonic)>,
    /// Noes in a row while it stands.
    noes: u32,
    /// It stood when the program was started anew, and nobody has looked since: that time says
    /// nothing of whether it was there.
    is_out_of_view: bool,
}

/// What a yes comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing new.
    Nothing,
    /// It stands, and is one that was not known: to be told.
    New,
}

impl Thing {
    /// One that was never seen.
    pub(super) fn new(label: Option<String>, place: Option<Sighting>, now: Moment) -> Self {
        Self {
            label,
            place,
            state: State::Quiet,
            since: now,
            stood: None,
            looked: now.monotonic,
            votes: VecDeque::new(),
            noes: 0,
            is_out_of_view: false,
        }
    }

    /// The program was started anew. What stood a moment before is not away until somebody has
    /// looked again, and what the view looks like is learned before.
    pub(super) fn lose_view(&mut self, terms: &Terms, now: Moment) {
        let is_recent = now.monotonic.since(self.looked) < terms.restart();
        self.is_out_of_view = self.state == State::Standing && is_recent;
    }

    /// Says whether this may be it.
    pub(super) fn is(&self, seen: Option<&Sighting>, identity: Identity) -> bool {
        match (identity, seen) {
            (Identity::One, _) => true,
            (_, None) => self.label.is_none() && self.place.is_none(),
            (Identity::Label, Some(seen)) => self.label == seen.label,
            (Identity::Place, Some(seen)) => {
                let is_there =
                    |place: &Sighting| place.overlap(seen) > 0.3 || place.is_about_where(seen);
                self.label == seen.label && self.place.as_ref().is_some_and(is_there)
            }
        }
    }

    /// It was seen. `is_sure` says that this one answer is enough.
    pub(super) fn yes(&mut self, is_sure: bool, terms: &Terms, now: Moment) -> Found {
        self.looked(terms, now);
        self.noes = 0;
        if self.state == State::Standing {
            self.stood = Some(now.monotonic);
            return Found::Nothing;
        }
        if self.state == State::Quiet {
            self.enter(State::Asked, now);
        }
        self.vote(true, terms, now);
        let yeses = self.votes.iter().filter(|(yes, _)| *yes).count();
        if yeses < terms.yes && !is_sure {
            return Found::Nothing;
        }
        // The same that stood here, if it was there again before the cool-down was over.
        let again = self.votes.front().map_or(now.monotonic, |(_, at)| *at);
        let is_same = self
            .stood
            .is_some_and(|stood| again.since(stood) < terms.cool_down);
        self.enter(State::Standing, now);
        self.stood = Some(now.monotonic);
        if is_same { Found::Nothing } else { Found::New }
    }

    /// It was not seen.
    pub(super) fn no(&mut self, terms: &Terms, now: Moment) {
        self.looked(terms, now);
        match self.state {
            State::Quiet => {}
            State::Asked => {
                self.vote(false, terms, now);
                if self.votes.is_empty() {
                    self.enter(State::Quiet, now);
                }
            }
            // That it was left is said once. It lies there until it is said to be gone.
            State::Standing if self.lies(terms) => {}
            State::Standing => {
                self.noes = self.noes.saturating_add(1);
                let is_out_of_sight = self
                    .stood
                    .is_none_or(|stood| now.monotonic.since(stood) >= terms.quiet_after());
                if self.noes >= terms.noes() && is_out_of_sight {
                    self.enter(State::Quiet, now);
                }
            }
        }
    }

    /// Says whether what was seen is the end of this: what was left is taken, or what was taken is
    /// put back.
    pub(super) fn is_undone_by(&self, seen: &Sighting) -> bool {
        let is_opposite = match self.label.as_deref() {
            Some(LEFT) => seen.label.as_deref() == Some(TAKEN),
            Some(TAKEN) => seen.label.as_deref() == Some(LEFT),
            _ => false,
        };
        let is_there = |place: &Sighting| place.overlap(seen) > 0.3 || place.is_about_where(seen);
        is_opposite && self.place.as_ref().is_some_and(is_there)
    }

    /// It is gone for sure.
    pub(super) fn end(&mut self, now: Moment) {
        self.enter(State::Quiet, now);
    }

    /// Says whether it is something that was left.
    fn lies(&self, terms: &Terms) -> bool {
        terms.judge == Judge::Left && self.label.as_deref() == Some(LEFT)
    }

    /// It was looked for, and there is an answer.
    fn looked(&mut self, terms: &Terms, now: Moment) {
        self.lapse(terms, now);
        if std::mem::take(&mut self.is_out_of_view) {
            let nobody_looked = now.monotonic.since(self.looked);
            self.stood = self.stood.map(|stood| stood.plus(nobody_looked));
        }
        self.looked = now.monotonic;
    }

    /// Time alone: votes become too old, and what was not looked at for long is not known any more.
    pub(super) fn lapse(&mut self, terms: &Terms, now: Moment) {
        match self.state {
            State::Quiet => {}
            State::Asked => {
                let is_old =
                    |(_, at): &(bool, Monotonic)| now.monotonic.since(*at) > terms.vote_age();
                while self.votes.front().is_some_and(is_old) {
                    self.votes.pop_front();
                }
                self.begin_with_yes();
                if self.votes.is_empty() {
                    self.enter(State::Quiet, now);
                }
            }
            State::Standing => {
                let is_old =
                    self.lies(terms) && now.monotonic.since(self.since.monotonic) > LIES_AT_MOST;
                if is_old || now.monotonic.since(self.looked) > terms.gap() {
                    self.enter(State::Quiet, now);
                }
            }
        }
    }

    /// Says whether nothing would be forgotten with it.
    pub(super) fn is_over(&self, terms: &Terms, now: Moment) -> bool {
        self.state == State::Quiet
            && self
                .stood
                .is_none_or(|stood| now.monotonic.since(stood) >= terms.cool_down)
    }

    /// Says whether the next answer is to confirm the last one.
    pub(super) fn is_confirming(&self) -> bool {
        self.state == State::Asked || (self.state == State::Standing && self.noes > 0)
    }

    fn enter(&mut self, state: State, now: Moment) {
        self.state = state;
        self.since = now;
        self.noes = 0;
        self.is_out_of_view = false;
        if state != State::Asked {
            self.votes.clear();
        }
    }

    /// Takes an answer, and drops those with which there can be no yes any more.
    fn vote(&mut self, yes: bool, terms: &Terms, now: Moment) {
        self.votes.push_back((yes, now.monotonic));
        if self.votes.len() > terms.of {
            self.votes.pop_front();
        }
        self.begin_with_yes();
        let noes =
            |votes: &VecDeque<(bool, Monotonic)>| votes.iter().filter(|(yes, _)| !yes).count();
        while noes(&self.votes) > terms.of - terms.yes {
            self.votes.pop_front();
            self.begin_with_yes();
        }
    }

    fn begin_with_yes(&mut self) {
        while self.votes.front().is_some_and(|(yes, _)| !yes) {
            self.votes.pop_front();
        }
    }
}
