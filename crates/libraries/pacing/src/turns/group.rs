//! Clients that take turns with each other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::check::Checks;
use super::punctuality::FRAMES_IN_TIME;
use super::search::rate_of;
use super::trial::{Trial, Verdict};
use super::{MemberId, Pace, SLOW_SHARE, SLOW_TURNS, Turns};
use crate::pacer::MIN_PAUSE;
use crate::units::BytesPerSecond;

/// A link is fast enough for a group that has one frame after the other under way in this share of
/// the time between two frames of the source.
const ENOUGH_SHARE: f64 = 0.9;

/// That a frame has drained is seen up to so much later, for the pacer looks no more often.
const SEEN_AFTER: Duration = MIN_PAUSE;

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
    /// So many frames in a row showed that all of them fit between two of the source.
    fitting_frames: u32,
}

impl Group {
    pub(super) fn new(members: BTreeSet<MemberId>) -> Self {
        Self {
            members,
            proof: None,
            checks: Checks::default(),
            fitting_frames: 0,
        }
    }

    /// It has passed a trial.
    pub(super) fn begin_proof(&mut self, trial: Trial, now: Instant) {
        match trial.has_room_of_others() {
            true => self.checks.begin_soon(now),
            false => self.checks.begin(now),
        }
        self.proof = Some(trial);
    }

    /// Says whether it is being seen whether the trial was right.
    pub(super) fn is_on_proof(&self) -> bool {
        self.proof.is_some()
    }

    /// A client is none of it any more: what was seen before is not to be compared with what comes.
    pub(super) fn remove(&mut self, id: MemberId) {
        self.members.remove(&id);
        self.proof = None;
        self.checks.stop();
    }

    /// A client of another group has left, who may have made room for some of it.
    pub(super) fn on_other_left(&mut self, now: Instant) {
        if self.is_on_proof() {
            self.checks.begin_soon(now);
        }
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
                None => {}
                Some(Verdict::Shared | Verdict::Stalled) => group.proof = None,
                Some(Verdict::Apart) => {
                    if let Some(proof) = group.proof.take() {
                        self.on_failure(now, &proof);
                    }
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
            let rate = rate_of(&self.members, &with.members);
            self.search.on_failure(now, &with.members, rate);
            self.regroup(now, [id].into());
        }
    }

    /// A client's last frames show this, of a source that has one each `interval`. Gives whether it
    /// is to leave: it keeps up, and takes turns with nobody.
    pub fn on_pace(&mut self, now: Instant, id: MemberId, pace: Pace, interval: Duration) -> bool {
        let Some(group) = self.members.get(&id).map(|member| member.group) else {
            return true;
        };
        let mut trial = self.trial.iter();
        if trial.any(|trial| trial.members.contains(&id)) {
            return false;
        }
        let Some(with) = self.groups.get(&group) else {
            return true;
        };
        if with.members.len() > 1 {
            let frames = self.live(now, &with.members);
            let times = frames.map(|(_, member)| member.frame_time.saturating_sub(SEEN_AFTER));
            let all: Duration = times.sum();
            let all_fit = all < interval.mul_f64(ENOUGH_SHARE);
            self.judge_pace(now, group, all_fit);
            return false;
        }
        pace == Pace::KeepsUp
    }

    /// All frames of a group fit between two of the source, or do not: it takes turns no more when
    /// they have for a while. Its link is fast enough.
    fn judge_pace(&mut self, now: Instant, group: GroupId, all_fit: bool) {
        let Some(with) = self.groups.get_mut(&group) else {
            return;
        };
        with.fitting_frames = if all_fit { with.fitting_frames + 1 } else { 0 };
        if with.fitting_frames as usize >= FRAMES_IN_TIME as usize * with.members.len() {
            self.dissolve(now, group);
            self.call(now);
        }
    }

    /// A client is none of this group any more, which goes with its last one.
    pub(super) fn take_out(&mut self, id: MemberId, group: GroupId) {
        let Some(with) = self.groups.get_mut(&group) else {
            return;
        };
        with.remove(id);
        if with.members.is_empty() {
            self.groups.remove(&group);
        }
    }

    /// Somebody has left a group: who is the last one there sends for itself from now on.
    pub(super) fn note_alone(&mut self, now: Instant, group: GroupId) {
        let members = self.groups.get(&group).map(|with| &with.members);
        let Some(last) = members.filter(|members| members.len() == 1) else {
            return;
        };
        let last = last.first().and_then(|id| self.members.get_mut(id));
        if let Some(member) = last {
            (member.alone_since, member.sends_so_since) = (now, now);
        }
    }

    pub(super) fn new_group(&mut self, members: BTreeSet<MemberId>) -> GroupId {
        let id = GroupId::new(self.next_id);
        self.next_id += 1;
        self.groups.insert(id, Group::new(members));
        id
    }

    /// These are a group of their own from now on.
    pub(super) fn regroup(&mut self, now: Instant, members: BTreeSet<MemberId>) -> GroupId {
        let mut left = BTreeSet::new();
        for id in &members {
            let Some(before) = self.members.get(id).map(|member| member.group) else {
                continue;
            };
            self.take_out(*id, before);
            left.insert(before);
        }
        for before in left {
            self.note_alone(now, before);
        }
        let group = self.new_group(members.clone());
        let is_alone = members.len() == 1;
        for id in members {
            if let Some(member) = self.members.get_mut(&id) {
                if is_alone {
                    member.alone_since = now;
                }
                (member.group, member.sends_so_since) = (group, now);
                member.slow_turns = 0;
            }
        }
        group
    }

    /// A group is none any more.
    pub(super) fn dissolve(&mut self, now: Instant, group: GroupId) {
        let Some(group) = self.groups.get(&group) else {
            return;
        };
        for id in group.members.clone() {
            self.regroup(now, [id].into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_the_last_of_a_group_sends_for_itself_from_then_on() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut turns = Turns::default();
        let ids = [(); 3].map(|()| turns.enter(start, None).unwrap());
        let alone_since =
            |turns: &Turns| ids.map(|id| turns.members.get(&id).map(|member| member.alone_since));
        turns.regroup(at(1), [ids[0], ids[1]].into());
        turns.regroup(at(2), ids.into());
        assert_eq!(alone_since(&turns), [Some(start); 3], "with ever more");
        turns.leave(at(3), ids[0]);
        assert_eq!(alone_since(&turns), [None, Some(start), Some(start)]);
        turns.leave(at(4), ids[1]);
        assert_eq!(alone_since(&turns), [None, None, Some(at(4))]);
    }
}
