//! When nothing can be seen any more, and when it can again: one alert each.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::Raise;
use super::hour_cap::HourCap;
use super::saved::{SavedBlindCap, SavedTrouble};
use crate::alert::{BLIND_RULE, Cause, Judge, Kind};
use crate::moment::{Moment, Monotonic};

/// How long there may be no frame, or no answer, before that is told: longer than a camera takes to
/// be plugged in again, or a program to be started anew.
pub(crate) const BLIND_AFTER: Duration = Duration::from_secs(60);

/// A pause between two looks at the clock after which this program, or the whole machine, must have
/// stood still: the time in between says nothing of the camera.
const STOOD_STILL: Duration = Duration::from_secs(15);

/// How often an hour has it told of one cause that nothing can be seen: as often as something is
/// that asks for nothing else. A camera with a loose plug comes and goes each minute.
const AN_HOUR: usize = 6;

/// What a question came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// An answer, be it that nobody knows.
    Answered,
    /// Something that is no answer.
    Invalid,
    /// Nobody, or an error.
    Failed,
    /// It was not asked, for as many were as may be.
    NotAsked,
}

/// What is known of one cause.
#[derive(Clone, Debug, Default)]
struct Trouble {
    /// The first of the failures in a row, and how many.
    failing_since: Option<Monotonic>,
    failures: u32,
    last_failure: Option<Monotonic>,
    /// Successes since the last failure; the first of them.
    well_since: Option<Monotonic>,
    successes: u32,
    /// Since when it is sure that nothing can be seen.
    blind_since: Option<SystemTime>,
    /// That was told.
    is_told: bool,
}

/// More are not written down: each cause of the camera, and of two who are asked.
const MOST_SAVED: usize = 3 * Cause::ALL.len();

/// Who is blind, and why: the camera, or who is asked about its pictures.
type Key = (Cause, Option<Judge>);

/// Whether a camera and those who judge it can see.
#[derive(Clone, Debug)]
pub(crate) struct Blindness {
    troubles: BTreeMap<Key, Trouble>,
    /// How often each was told.
    caps: BTreeMap<Key, HourCap>,
    /// When the last frame came, or could first have come; nothing while none is wished for.
    waiting_since: Option<Monotonic>,
    ticked: Monotonic,
    is_changed: bool,
}

impl Blindness {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            troubles: BTreeMap::new(),
            caps: BTreeMap::new(),
            waiting_since: None,
            ticked: now.monotonic,
            is_changed: false,
        }
    }

    /// Frames are wished for from now on, or no longer.
    pub(super) fn wish(&mut self, is_wished: bool, now: Moment) {
        match (is_wished, self.waiting_since) {
            (true, None) => self.waiting_since = Some(now.monotonic),
            (false, _) => self.waiting_since = None,
            (true, Some(_)) => {}
        }
    }

    /// A frame came that can be looked at.
    pub(super) fn frame(&mut self, now: Moment) -> Option<Raise> {
        // Where nobody waits, as others decide when there are frames, one makes nobody wait for
        // more.
        self.waiting_since = self.waiting_since.map(|_| now.monotonic);
        self.succeeded((Cause::NoFrames, None), now)
    }

    /// A judge was asked, or was to be.
    pub(super) fn question(&mut self, judge: Judge, came_to: Question, now: Moment) -> Vec<Raise> {
        let judge = Some(judge);
        let mut raised = Vec::new();
        for cause in [
            Cause::EndpointDown,
            Cause::BudgetSpent,
            Cause::AnswersInvalid,
        ] {
            let failed = match came_to {
                Question::Answered => None,
                Question::Invalid => Some(Cause::AnswersInvalid),
                Question::Failed => Some(Cause::EndpointDown),
                Question::NotAsked => Some(Cause::BudgetSpent),
            };
            let key = (cause, judge);
            raised.extend(if failed == Some(cause) {
                self.failed(key, now)
            } else if is_disproved(cause, came_to) {
                self.succeeded(key, now)
            } else {
                None
            });
        }
        raised
    }

    /// Time alone.
    pub(super) fn tick(&mut self, now: Moment) -> Vec<Raise> {
        let paused = now.monotonic.since(self.ticked);
        self.ticked = now.monotonic;
        if paused > STOOD_STILL && self.waiting_since.is_some() {
            self.waiting_since = Some(now.monotonic);
        }
        let mut raised = Vec::new();
        let key = (Cause::NoFrames, None);
        if let Some(since) = self.waiting_since
            && now.monotonic.since(since) >= BLIND_AFTER
        {
            let trouble = self.troubles.entry(key).or_default();
            trouble.failing_since = Some(since);
            raised.extend(self.failed(key, now));
        }
        let keys: Vec<Key> = self.troubles.keys().copied().collect();
        raised.extend(keys.into_iter().filter_map(|key| self.end(key, now)));
        raised.extend(self.held_back(now));
        raised
    }

    /// Says what was held back, once an hour has room for that.
    fn held_back(&mut self, now: Moment) -> Vec<Raise> {
        let mut raised = Vec::new();
        self.caps.retain(|key, cap| {
            let has_room = cap.has_room(AN_HOUR, now.monotonic);
            if has_room && cap.held_back() > 0 {
                let held_back = cap.told(now.monotonic);
                raised.push(Raise {
                    held_back,
                    ..raise(*key, Kind::HeldBack)
                });
            }
            !cap.is_over()
        });
        self.is_changed |= !raised.is_empty();
        raised
    }

    /// Says whether something keeps it from seeing.
    pub(crate) fn is_blind(&self) -> bool {
        let mut troubles = self.troubles.values();
        troubles.any(|trouble| trouble.blind_since.is_some())
    }

    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// Who is not asked any more is not blind.
    pub(super) fn keep_judges(&mut self, judges: &[Judge]) {
        let is_asked = |(_, judge): &Key| judge.is_none_or(|judge| judges.contains(&judge));
        self.troubles.retain(|key, _| is_asked(key));
        self.caps.retain(|key, _| is_asked(key));
    }

    fn failed(&mut self, key: Key, now: Moment) -> Option<Raise> {
        let trouble = self.troubles.entry(key).or_default();
        let since = *trouble.failing_since.get_or_insert(now.monotonic);
        trouble.failures = trouble.failures.saturating_add(1);
        trouble.last_failure = Some(now.monotonic);
        (trouble.well_since, trouble.successes) = (None, 0);
        let is_sure =
            trouble.failures >= least_failures(key.0) && now.monotonic.since(since) >= BLIND_AFTER;
        if trouble.is_told || !is_sure {
            return None;
        }
        self.is_changed |= trouble.blind_since.is_none();
        trouble.blind_since.get_or_insert(now.wall);
        let cap = self.caps.entry(key).or_default();
        if !cap.has_room(AN_HOUR, now.monotonic) {
            return None;
        }
        trouble.is_told = true;
        self.is_changed = true;
        Some(Raise {
            held_back: cap.told(now.monotonic),
            ..raise(key, Kind::Blind)
        })
    }

    fn succeeded(&mut self, key: Key, now: Moment) -> Option<Raise> {
        let trouble = self.troubles.get_mut(&key)?;
        trouble.successes = trouble.successes.saturating_add(1);
        trouble.well_since.get_or_insert(now.monotonic);
        (trouble.failures, trouble.failing_since) = (0, None);
        self.end(key, now)
    }

    /// It can be seen again, if that has lasted for a while.
    fn end(&mut self, key: Key, now: Moment) -> Option<Raise> {
        let trouble = self.troubles.get_mut(&key)?;
        let is_well = trouble.successes >= least_successes(key.0)
            && trouble
                .last_failure
                .is_none_or(|last| now.monotonic.since(last) >= settled_after(key.0));
        if !is_well {
            return None;
        }
        let trouble = self.troubles.remove(&key)?;
        trouble.blind_since?;
        self.is_changed = true;
        if !trouble.is_told {
            self.caps.entry(key).or_default().hold_back();
            return None;
        }
        Some(raise(key, Kind::SeesAgain))
    }

    pub(super) fn save(&self) -> Vec<SavedTrouble> {
        let sure = self
            .troubles
            .iter()
            .filter_map(|((cause, judge), trouble)| {
                Some(SavedTrouble {
                    cause: *cause,
                    judge: *judge,
                    since: trouble.blind_since?,
                    is_untold: !trouble.is_told,
                })
            });
        sure.collect()
    }

    pub(super) fn save_caps(&self, now: Moment) -> Vec<SavedBlindCap> {
        let caps = self.caps.iter().map(|((cause, judge), cap)| SavedBlindCap {
            cause: *cause,
            judge: *judge,
            cap: cap.save(now.monotonic),
        });
        caps.collect()
    }

    /// Goes on with what was written down before the moment `saved`.
    pub(super) fn restore(
        &mut self,
        troubles: Vec<SavedTrouble>,
        caps: Vec<SavedBlindCap>,
        saved: Monotonic,
    ) {
        for saved in troubles.into_iter().take(MOST_SAVED) {
            let trouble = Trouble {
                blind_since: Some(saved.since),
                is_told: !saved.is_untold,
                ..Trouble::default()
            };
            self.troubles.insert((saved.cause, saved.judge), trouble);
        }
        for SavedBlindCap { cause, judge, cap } in caps.into_iter().take(MOST_SAVED) {
            let cap = HourCap::restored(cap, saved, AN_HOUR);
            self.caps.insert((cause, judge), cap);
        }
    }
}

/// Says whether there can be no such trouble, where a question came to this. Of the answers nothing
/// is known as long as there are none.
fn is_disproved(cause: Cause, came_to: Question) -> bool {
    match cause {
        Cause::NoFrames => false,
        Cause::BudgetSpent => came_to != Question::NotAsked,
        Cause::EndpointDown => matches!(came_to, Question::Answered | Question::Invalid),
        Cause::AnswersInvalid => came_to == Question::Answered,
    }
}

/// How many failures in a row, besides the time that they have to last.
fn least_failures(cause: Cause) -> u32 {
    match cause {
        Cause::NoFrames => 1,
        Cause::EndpointDown | Cause::BudgetSpent => 2,
        // Models say nonsense now and then.
        Cause::AnswersInvalid => 3,
    }
}

/// How many successes since the last failure end it.
fn least_successes(cause: Cause) -> u32 {
    match cause {
        // One may be what lay there, one the camera's last.
        Cause::NoFrames => 3,
        _ => 1,
    }
}

/// How long the last failure has to be over.
fn settled_after(cause: Cause) -> Duration {
    match cause {
        Cause::NoFrames => Duration::from_secs(1),
        Cause::EndpointDown | Cause::AnswersInvalid => Duration::from_secs(30),
        // A budget by the hour lets one through now and then.
        Cause::BudgetSpent => Duration::from_secs(600),
    }
}

fn raise((cause, judge): Key, kind: Kind) -> Raise {
    Raise {
        rule: BLIND_RULE.to_owned(),
        kind,
        judge,
        asked: None,
        sightings: Vec::new(),
        confidence: None,
        held_back: 0,
        cause: Some(cause),
    }
}
