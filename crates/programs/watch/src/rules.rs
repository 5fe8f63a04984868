//! What becomes of a judge's answers: one alert for one thing. Takes answers and times, gives what
//! is to be told; knows no picture, no file and nobody who is told.
//!
//! A rule is a state, not a stream of answers. What it is about is quiet until a judge says yes,
//! asked until so many of so many answers are yes, and then stands, which is alerted once, until
//! two noes end it. `Unsure` and no answer at all count for neither. What comes again within the
//! cool-down was never gone. All times are those of a clock that nobody sets
//! ([`Monotonic`](crate::moment::Monotonic)).

mod asking;
mod blindness;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hour_cap;
mod rule;
mod saved;
mod terms;
mod thing;

use std::time::Duration;

use crate::alert::{Cause, Judge, Kind, Sighting};
use crate::moment::{Moment, Stamp};

pub(crate) use blindness::Question;
pub(crate) use rule::Rule;
pub(crate) use saved::{MOST_BYTES, Pending, Saved};
pub(crate) use terms::{Terms, cool_down};
pub(crate) use thing::State;

use asking::Asking;
use blindness::Blindness;

/// What a judge says of a picture, or of some.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// It is to be seen.
    Yes {
        /// Where, and what, as far as the judge tells.
        sightings: Vec<Sighting>,
        /// How sure it is, 0 to 1, if it says so.
        confidence: Option<f64>,
    },
    /// It is not.
    No,
    /// The judge cannot tell.
    Unsure,
    /// There is no answer, or none that is one.
    Missing,
}

/// What is to be told. Who has the picture makes an [`Alert`](crate::alert::Alert) of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Raise {
    /// The rule's name, or [`BLIND_RULE`](crate::alert::BLIND_RULE).
    pub(crate) rule: String,
    pub(crate) kind: Kind,
    pub(crate) judge: Option<Judge>,
    /// The rule's words.
    pub(crate) asked: Option<String>,
    /// All of the answer that made it stand.
    pub(crate) sightings: Vec<Sighting>,
    pub(crate) confidence: Option<f64>,
    /// How many alerts of the rule were not told before this one.
    pub(crate) held_back: u32,
    pub(crate) cause: Option<Cause>,
}

/// The rules of one camera, and whether it can see.
#[derive(Clone, Debug)]
pub(crate) struct CameraRules {
    rules: Vec<Rule>,
    blindness: Blindness,
    is_watched: bool,
    is_changed: bool,
}

impl CameraRules {
    /// These rules, by their names. What was `saved` by another run of the program goes on; `boot`
    /// is [`boot_id`](crate::moment::boot_id).
    pub(crate) fn new(
        rules: Vec<(String, Terms)>,
        saved: Option<Saved>,
        boot: &str,
        now: Moment,
    ) -> Self {
        let mut own = Self {
            rules: Vec::new(),
            blindness: Blindness::new(now),
            is_watched: false,
            is_changed: false,
        };
        own.set_rules(rules);
        let Some(mut saved) = saved else {
            return own;
        };
        let at = now.monotonic.minus(saved.saved.elapsed(now, boot));
        for rule in &mut own.rules {
            if let Some(saved) = saved.rules.remove(rule.name()) {
                rule.restore(saved, at, now);
            }
        }
        own.blindness.restore(saved.troubles, saved.blind_caps, at);
        own.keep_judges();
        own
    }

    /// Has these rules from now on. Those that were there before, with the same judge and the same
    /// words, go on as they were.
    pub(crate) fn set_rules(&mut self, rules: Vec<(String, Terms)>) {
        let mut before = std::mem::take(&mut self.rules);
        for (name, terms) in rules {
            let rule = match before.iter().position(|rule| rule.name() == name) {
                Some(at) => {
                    let mut rule = before.swap_remove(at);
                    rule.set_terms(terms);
                    rule
                }
                None => Rule::new(name, terms),
            };
            self.rules.push(rule);
        }
        self.is_changed |= !before.is_empty();
        self.keep_judges();
    }

    fn keep_judges(&mut self) {
        let judges: Vec<Judge> = self.rules.iter().map(|rule| rule.terms().judge).collect();
        self.blindness.keep_judges(&judges);
    }

    /// The rules.
    pub(crate) fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The camera is watched from now on, or no longer: its time is over.
    pub(crate) fn watch(&mut self, is_watched: bool, now: Moment) {
        self.is_changed |= self.is_watched != is_watched;
        self.is_watched = is_watched;
        self.blindness.wish(is_watched, now);
    }

    /// The camera is watched from now on, while others look at it. They decide when there are
    /// frames, so that there are none is no blindness.
    pub(crate) fn follow(&mut self, now: Moment) {
        self.watch(true, now);
        self.blindness.wish(false, now);
    }

    /// A frame came that can be looked at, whoever looks.
    pub(crate) fn frame(&mut self, now: Moment) -> Option<Raise> {
        self.blindness.frame(now)
    }

    /// A judge has answered for this rule; for a rule that is not there any more, nothing.
    pub(crate) fn look(&mut self, rule: &str, answer: &Answer, now: Moment) -> Option<Raise> {
        self.rule(rule)?.look(answer, now)
    }

    /// Something moves where this rule looks, or nothing does.
    pub(crate) fn looked(&mut self, rule: &str, is_moving: bool) {
        self.ask(rule, |asking| asking.looked(is_moving));
    }

    /// This rule does not look now.
    pub(crate) fn looks_away(&mut self, rule: &str) {
        self.ask(rule, Asking::looks_away);
    }

    /// Somebody is asked for this rule now. What comes of it is an answer, be it that there is none
    /// ([`Self::look`]), or that nobody was asked after all ([`Self::put_off`]).
    pub(crate) fn asked(&mut self, rule: &str, now: Moment) {
        if let Some(rule) = self.rule(rule) {
            let judge = rule.terms().judge;
            rule.ask(|asking| asking.asked(judge, now.monotonic));
        }
    }

    /// Nobody was asked for this rule after all, for it was not time to; it is in so long.
    pub(crate) fn put_off(&mut self, rule: &str, wait: Duration, now: Moment) {
        self.ask(rule, |asking| asking.put_off(wait, now.monotonic));
    }

    /// Questions that are under way for these rules have no answer any more.
    pub(crate) fn drop_questions(&mut self, rules: &[String], now: Moment) {
        for rule in rules {
            self.ask(rule, |asking| asking.dropped(now.monotonic));
        }
    }

    fn ask(&mut self, rule: &str, change: impl FnOnce(&mut Asking)) {
        if let Some(rule) = self.rule(rule) {
            rule.ask(change);
        }
    }

    /// What it came to that a judge was asked, or was to be.
    pub(crate) fn question(&mut self, judge: Judge, came_to: Question, now: Moment) -> Vec<Raise> {
        self.blindness.question(judge, came_to, now)
    }

    /// To be called now and then, every few seconds at least: time alone makes some alerts.
    pub(crate) fn tick(&mut self, now: Moment) -> Vec<Raise> {
        let mut raised = self.blindness.tick(now);
        raised.extend(self.rules.iter_mut().filter_map(|rule| rule.tick(now)));
        raised
    }

    /// Says whether something keeps it from seeing.
    pub(crate) fn is_blind(&self) -> bool {
        self.blindness.is_blind()
    }

    /// Says whether something is to be written down at once, and forgets that.
    pub(crate) fn take_changed(&mut self) -> bool {
        let mut is_changed = std::mem::take(&mut self.is_changed);
        is_changed |= self.blindness.take_changed();
        for rule in &mut self.rules {
            is_changed |= rule.take_changed();
        }
        is_changed
    }

    /// Says whether something stands, or would be the same if it came again: what is written down
    /// of it becomes older by itself, and is to be written anew now and then, for clocks that are
    /// set while this machine is off say nothing of how old it is.
    pub(crate) fn is_remembering(&self) -> bool {
        self.rules.iter().any(Rule::is_remembering)
    }

    /// What is to be written down.
    pub(crate) fn save(&self, camera: &str, boot: &str, now: Moment) -> Saved {
        let rules = self.rules.iter();
        let troubles = self.blindness.save();
        Saved {
            version: saved::VERSION,
            camera: camera.to_owned(),
            saved: Stamp::new(now, boot),
            watching: self.is_watched,
            rules: rules
                .map(|rule| (rule.name().to_owned(), rule.save(now)))
                .collect(),
            blind: troubles.first().cloned(),
            troubles,
            blind_caps: self.blindness.save_caps(now),
            made_rules: None,
            pending: Vec::new(),
            more: serde_json::Map::new(),
        }
    }

    fn rule(&mut self, name: &str) -> Option<&mut Rule> {
        self.rules.iter_mut().find(|rule| rule.name() == name)
    }
}

#[cfg(test)]
mod tests;
