//! Clients that take turns with each other.

use std::collections::BTreeSet;
use std::time::Instant;

use super::check::Checks;
use super::trial::{Trial, Verdict};
use super::{MemberId, SLOW_SHARE, SLOW_TURNS, Turns};
use crate::units::{Bytes, BytesPerSecond};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GroupId(u64);

impl GroupId {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }
}

/// Clients of which one at a time has a frame under way.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) members: BTreeSet<MemberId>,
    /// The trial that they have passed, while it is seen whether that was right.
    proof: Option<Trial>,
    pub(super) checks: Checks,
}

impl Group {
    pub(super) fn new(members: BTreeSet<MemberId>) -> Self {
        Self {
            members,
            proof: None,
            checks: Checks::default(),
        }
    }

    /// It has passed a trial.
    pub(super) fn begin_proof(&mut self, trial: Trial, now: Instant) {
        self.proof = Some(trial);
        self.checks.begin(now);
    }

    /// Says whether it is being seen whether the trial was right.
    pub(super) fn is_on_proof(&self) -> bool {
        self.proof.is_some()
    }

    pub(super) fn remove(&mut self, id: MemberId) {
        self.members.remove(&id);
        self.on_others_changed();
    }

    /// A client has come or gone, with which some of it may share a link: what was seen before is
    /// not to be compared with what comes.
    pub(super) fn on_others_changed(&mut self) {
        self.proof = None;
        self.checks.stop();
    }
}

impl Turns {
    /// Looks at groups whose trial is over, whether they still get as much as before it.
    pub(super) fn judge_groups(&mut self, now: Instant) {
        let on_proof = self.groups.iter().filter(|(_, group)| group.is_on_proof());
        let on_proof: Vec<_> = on_proof
            .map(|(id, group)| (*id, self.acknowledged(&group.members)))
            .collect();
        for (id, acknowledged) in on_proof {
            let Some(group) = self.groups.get_mut(&id) else {
                continue;
            };
            let Some(proof) = &mut group.proof else {
                continue;
            };
            match proof.judge_proof(now, acknowledged) {
                Verdict::Open => {}
                Verdict::Shared | Verdict::Stalled => group.proof = None,
                Verdict::Apart(missing) => {
                    self.search.on_failure(now, &group.members, missing);
                    self.dissolve(now, id);
                }
            }
        }
    }

    /// A frame has drained that was alone under way of its group, at a rate: puts a client out that
    /// is much slower than the others.
    pub(super) fn judge_turn(
        &mut self,
        now: Instant,
        id: MemberId,
        group: GroupId,
        rate: BytesPerSecond,
    ) {
        let Some(with) = self
            .groups
            .get(&group)
            .filter(|with| with.members.len() > 1)
        else {
            return;
        };
        if with.checks.is_running() {
            self.end_check(now, id, group);
            return;
        }
        let others = with.members.iter().filter(|other| **other != id);
        let rates = others.filter_map(|other| self.members.get(other)?.last_rate());
        let fastest = rates.fold(BytesPerSecond::ZERO, BytesPerSecond::max);
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        if rate >= fastest * SLOW_SHARE {
            member.slow_turns = 0;
            return;
        }
        member.slow_turns += 1;
        if member.slow_turns >= SLOW_TURNS {
            self.search.on_failure(now, &with.members, Bytes::ZERO);
            self.regroup(now, [id].into());
        }
    }
}
