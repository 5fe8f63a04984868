//! Some clients take turns for a while, to see whether they get less.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::member::Flight;
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
    /// What they had acknowledged when it began.
    acknowledged_before: u64,
    frame_bytes: u64,
    /// Those of whom a frame has drained that began during the trial.
    had_turn: BTreeSet<MemberId>,
    /// When they were last seen to have acknowledged more, and how much in all.
    progress: (Instant, u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing is known yet.
    Open,
    /// They share a link.
    Shared,
    /// They do not: so much is missing of what they would have got.
    Apart(Bytes),
    /// Nothing can be known.
    Stalled,
}

impl Trial {
    /// Begins with clients that get such a rate in all, and have acknowledged so many bytes, whose
    /// frames have about so many.
    pub(super) fn new(
        now: Instant,
        members: BTreeSet<MemberId>,
        rate: BytesPerSecond,
        acknowledged: u64,
        frame_bytes: u64,
    ) -> Self {
        Self {
            members,
            began: now,
            rate,
            acknowledged_before: acknowledged,
            frame_bytes,
            had_turn: BTreeSet::new(),
            progress: (now, acknowledged),
        }
    }

    /// A client's frame has drained.
    pub(super) fn on_drained(&mut self, id: MemberId, flight: Flight) {
        if flight.began >= self.began {
            self.had_turn.insert(id);
        }
    }

    /// Says what is known now that they have acknowledged so many bytes in all; of the `live` ones
    /// something is to be expected.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        acknowledged: u64,
        live: &BTreeSet<MemberId>,
    ) -> Verdict {
        let missing = self.missing(now, acknowledged);
        if self.is_stalled(now) || now > self.began + MAX_TRIAL {
            return Verdict::Stalled;
        }
        if missing > self.allowed(now, MISSING_FRAMES, MISSING_SHARE) {
            return Verdict::Apart(missing);
        }
        let frames = FRAMES_IN_ALL.max(FRAMES_EACH * self.members.len() as f64);
        let least = self.rate.time_for(Bytes::from(self.frame_bytes) * frames);
        let is_long_enough = now.saturating_duration_since(self.began) >= least;
        if is_long_enough && live.is_subset(&self.had_turn) {
            return Verdict::Shared;
        }
        Verdict::Open
    }

    /// Says, after the trial was passed, whether it was right. `Shared`: there is nothing more to
    /// be seen.
    pub(super) fn judge_proof(&mut self, now: Instant, acknowledged: u64) -> Verdict {
        let missing = self.missing(now, acknowledged);
        if self.is_stalled(now) {
            return Verdict::Stalled;
        }
        if missing > self.allowed(now, PROOF_MISSING_FRAMES, PROOF_MISSING_SHARE) {
            return Verdict::Apart(missing);
        }
        match now > self.began + PROOF {
            true => Verdict::Shared,
            false => Verdict::Open,
        }
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
        let Some(rate) = self.rate_for(&members, span) else {
            return;
        };
        let frame_bytes = sizes.iter().sum::<u64>() / (sizes.len().max(1) as u64);
        let acknowledged = self.acknowledged(&members);
        self.trial = Some(Trial::new(now, members, rate, acknowledged, frame_bytes));
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
        match trial.judge(now, acknowledged, &live) {
            Verdict::Open => {}
            Verdict::Shared => {
                let members = trial.members.clone();
                self.search.on_success(&members);
                let group = self.regroup(now, members);
                if let (Some(group), Some(trial)) = (self.groups.get_mut(&group), self.trial.take())
                {
                    group.begin_proof(trial, now);
                }
            }
            Verdict::Apart(missing) => {
                self.search.on_failure(now, &trial.members, missing);
                self.stop_trial(now);
            }
            Verdict::Stalled => {
                self.search.on_stall(now, &trial.members);
                self.stop_trial(now);
            }
        }
    }

    /// All send as before.
    pub(super) fn stop_trial(&mut self, now: Instant) {
        if let Some(trial) = self.trial.take() {
            for id in &trial.members {
                if let Some(member) = self.members.get_mut(id) {
                    member.sends_so_since = now;
                }
            }
        }
    }
}
