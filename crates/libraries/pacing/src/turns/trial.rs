//! Some clients take turns for a while, to see whether they get less.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::member::{Flight, Member};
use super::{MemberId, Turns};
use crate::units::{Bytes, BytesPerSecond};

/// So many frames may be missing of what clients had before, and this share of what they should
/// have got: from one to the next a link is idle for a moment.
const MISSING_FRAMES: f64 = 1.0;
const MISSING_SHARE: f64 = 0.15;

/// The same in the time after a trial that was passed.
const PROOF_MISSING_FRAMES: f64 = 2.0;
const PROOF_MISSING_SHARE: f64 = 0.2;
const PROOF: Duration = Duration::from_secs(3);

/// A trial takes as long as so many frames of each client would if all shared a link, and as so
/// many in all.
const FRAMES_EACH: f64 = 2.0;
const FRAMES_IN_ALL: f64 = 6.0;

/// Nothing is acknowledged for so long: TCP waits for what was lost, or the camera pauses. That
/// shows nothing.
const STALL: Duration = Duration::from_millis(60);

/// What a link must have carried, too, before nothing is a stall: receivers answer two packets at
/// once.
const STALL_BYTES: u64 = 6000;

/// A trial is given up after this time.
const MAX_TRIAL: Duration = Duration::from_secs(20);

/// What clients got before a trial is looked at for this many times as long as the longest of their
/// frames took, within these bounds.
const SPAN_FRAMES: f64 = 1.2;
const MIN_SPAN: Duration = Duration::from_millis(300);
const MAX_SPAN: Duration = Duration::from_secs(2);

/// How long clients of whom the last frame took these times must have sent freely before a trial.
pub(super) fn span_before(frame_times: impl IntoIterator<Item = Duration>) -> Duration {
    let longest = frame_times.into_iter().max().unwrap_or_default();
    longest.mul_f64(SPAN_FRAMES).clamp(MIN_SPAN, MAX_SPAN)
}

/// Clients that take turns on trial.
#[derive(Debug)]
pub(super) struct Trial {
    pub(super) members: BTreeSet<MemberId>,
    began: Instant,
    /// What they got before, all together.
    rate: BytesPerSecond,
    /// For how long before it began that was so.
    span: Duration,
    /// What they had acknowledged when it began.
    acknowledged_before: u64,
    /// The same of each.
    before: BTreeMap<MemberId, Before>,
    frame_bytes: u64,
    /// Another client has left meanwhile, who may have made room for them.
    has_room_of_others: bool,
    /// Those of whom a frame has drained that began during the trial.
    had_turn: BTreeSet<MemberId>,
    /// When they were last seen to have acknowledged more, and how much in all.
    progress: (Instant, u64),
}

/// What a client got before a trial, and had acknowledged when it began.
#[derive(Clone, Copy, Debug)]
struct Before {
    rate: BytesPerSecond,
    acknowledged: u64,
}

/// What a trial or its proof has shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// They share a link.
    Shared,
    /// They do not.
    Apart,
    /// Nothing can be known.
    Stalled,
}

impl Trial {
    /// Begins with clients that have got such rates for the last `span`, each with what it has
    /// acknowledged, whose frames have about so many bytes.
    fn new(
        now: Instant,
        before: BTreeMap<MemberId, Before>,
        span: Duration,
        frame_bytes: u64,
    ) -> Self {
        let rates = before.values().map(|before| before.rate);
        let acknowledged = before.values().map(|before| before.acknowledged).sum();
        Self {
            members: before.keys().copied().collect(),
            began: now,
            rate: rates.fold(BytesPerSecond::ZERO, std::ops::Add::add),
            span,
            acknowledged_before: acknowledged,
            before,
            frame_bytes,
            has_room_of_others: false,
            had_turn: BTreeSet::new(),
            progress: (now, acknowledged),
        }
    }

    /// Another client has left.
    pub(super) fn on_other_left(&mut self) {
        self.has_room_of_others = true;
    }

    pub(super) fn has_room_of_others(&self) -> bool {
        self.has_room_of_others
    }

    /// Says whether a client that came at such a time may have taken what is missing.
    fn may_have_lost_to(&self, entered: Instant) -> bool {
        entered + self.span >= self.began
    }

    /// What each would have got more by now if it were as before.
    fn costs(&self, members: &BTreeMap<MemberId, Member>) -> Vec<(MemberId, Bytes)> {
        let time = self.progress.0.saturating_duration_since(self.began);
        let each = self.before.iter().filter_map(|(id, before)| {
            let got = members.get(id)?.acknowledged() - before.acknowledged;
            let cost = before.rate.bytes_in(time) - Bytes::from(got);
            Some((*id, cost.max(Bytes::ZERO)))
        });
        each.collect()
    }

    /// A client's frame has drained.
    pub(super) fn on_drained(&mut self, id: MemberId, flight: Flight) {
        if flight.began >= self.began {
            self.had_turn.insert(id);
        }
    }

    /// Says what is known, if anything is, now that they have acknowledged so many bytes in all; of
    /// the `live` ones something is to be expected.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        acknowledged: u64,
        live: &BTreeSet<MemberId>,
    ) -> Option<Verdict> {
        let missing = self.missing(now, acknowledged);
        if self.is_stalled(now) || now > self.began + MAX_TRIAL {
            return Some(Verdict::Stalled);
        }
        if missing > self.allowed(now, MISSING_FRAMES, MISSING_SHARE) {
            return Some(Verdict::Apart);
        }
        let frames = FRAMES_IN_ALL.max(FRAMES_EACH * self.members.len() as f64);
        let least = self.rate.time_for(Bytes::from(self.frame_bytes) * frames);
        let is_long_enough = now.saturating_duration_since(self.began) >= least;
        let is_over = is_long_enough && live.is_subset(&self.had_turn);
        is_over.then_some(Verdict::Shared)
    }

    /// Says, after the trial was passed, whether it was right. `Shared`: there is nothing more to
    /// be seen.
    pub(super) fn judge_proof(&mut self, now: Instant, acknowledged: u64) -> Option<Verdict> {
        let missing = self.missing(now, acknowledged);
        if self.is_stalled(now) {
            return Some(Verdict::Stalled);
        }
        if missing > self.allowed(now, PROOF_MISSING_FRAMES, PROOF_MISSING_SHARE) {
            return Some(Verdict::Apart);
        }
        (now > self.began + PROOF).then_some(Verdict::Shared)
    }

    /// What they would have got more if it were as before. While nothing at all comes, nothing is
    /// missed.
    fn missing(&mut self, now: Instant, acknowledged: u64) -> Bytes {
        if acknowledged > self.progress.1 {
            self.progress = (now, acknowledged);
        }
        let time = self.progress.0.saturating_duration_since(self.began);
        let got = acknowledged.saturating_sub(self.acknowledged_before);
        self.rate.bytes_in(time) - Bytes::from(got)
    }

    fn allowed(&self, now: Instant, frames: f64, share: f64) -> Bytes {
        let expected = self
            .rate
            .bytes_in(now.saturating_duration_since(self.began));
        Bytes::from(self.frame_bytes) * frames + expected * share
    }

    fn is_stalled(&self, now: Instant) -> bool {
        let patience = STALL + self.rate.time_for(Bytes::from(STALL_BYTES)).min(MAX_SPAN);
        now.saturating_duration_since(self.progress.0) > patience
    }
}

impl Turns {
    /// Puts those on trial that are next, if any are.
    pub(super) fn begin_trial(&mut self, now: Instant) {
        let units = self.groups.values().map(|group| &group.members);
        let Some(members) = self.search.next(now, &self.members, units) else {
            return;
        };
        // At least as long as it has been so, and as a frame of any of them takes.
        let live = self.live(now, &members);
        let frames = live.map(|(_, member)| (member.frame_time, member.frame_bytes));
        let (times, sizes): (Vec<_>, Vec<_>) = frames.unzip();
        let span = span_before(times);
        let before = members.iter().map(|id| {
            let member = self.members.get(id)?;
            let (rate, acknowledged) = (member.rate_for(span)?, member.acknowledged());
            Some((*id, Before { rate, acknowledged }))
        });
        let Some(before) = before.collect() else {
            return;
        };
        let frame_bytes = sizes.iter().sum::<u64>() / (sizes.len().max(1) as u64);
        self.trial = Some(Trial::new(now, before, span, frame_bytes));
    }

    /// Looks at the trial after clients have acknowledged more.
    pub(super) fn judge_trial(&mut self, now: Instant) {
        let Some(trial) = &self.trial else {
            return;
        };
        let live = self.live(now, &trial.members).map(|(id, _)| id).collect();
        let acknowledged = self.acknowledged(&trial.members);
        let Some(trial) = &mut self.trial else {
            return;
        };
        let Some(verdict) = trial.judge(now, acknowledged, &live) else {
            return;
        };
        let Some(trial) = self.stop_trial(now) else {
            return;
        };
        match verdict {
            Verdict::Shared => {
                self.search.on_success(&trial.members);
                let group = self.regroup(now, trial.members.clone());
                if let Some(group) = self.groups.get_mut(&group) {
                    group.begin_proof(trial, now);
                }
            }
            Verdict::Apart => self.on_failure(now, &trial),
            Verdict::Stalled => {
                self.search.on_held_back(now, trial.began);
                self.search.on_stall(now, &trial.members);
            }
        }
    }

    /// Clients have got less in turns than before.
    pub(super) fn on_failure(&mut self, now: Instant, trial: &Trial) {
        self.search.on_held_back(now, trial.began);
        for (id, cost) in trial.costs(&self.members) {
            if let Some(member) = self.members.get_mut(&id) {
                member.on_trial_failed(cost);
            }
        }
        let mut others = self.members.iter();
        let has_newcomers = others.any(|(id, member)| {
            !trial.members.contains(id) && trial.may_have_lost_to(member.entered)
        });
        match has_newcomers {
            // The others may share a link, and have lost something to these.
            true => self.search.on_stall(now, &trial.members),
            false => {
                let rate = Some(trial.rate);
                self.search.on_failure(now, &trial.members, rate);
            }
        }
    }

    /// One of those on trial is gone.
    pub(super) fn give_up_trial(&mut self, now: Instant) {
        if let Some(trial) = self.stop_trial(now) {
            self.search.on_held_back(now, trial.began);
        }
    }

    /// All send as before. Gives the trial, if there was one.
    pub(super) fn stop_trial(&mut self, now: Instant) -> Option<Trial> {
        let trial = self.trial.take()?;
        for id in &trial.members {
            if let Some(member) = self.members.get_mut(id) {
                member.sends_so_since = now;
            }
        }
        Some(trial)
    }
}
