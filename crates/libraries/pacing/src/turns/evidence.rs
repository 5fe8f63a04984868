//! What a frame that has drained shows of who shares a link.

use std::time::Instant;

use super::groups::GroupId;
use super::member::{Role, count};
use super::relation::{Verdict, Weight};
use super::{MemberId, Turns};
use crate::units::BytesPerSecond;

/// Another group that was busy for less than this share of a frame's time was not beside it, and
/// one that was for more than the other was beside it all the time.
const NOT_BESIDE: f64 = 0.1;
const BESIDE: f64 = 0.6;

/// A frame is not slowed by what is beside it if it has more than this share of the rate alone.
const NOT_SLOWED: f64 = 0.87;

/// No frame beside others has this share of the rate alone.
const TOO_FAST: f64 = 1.3;

/// A frame is slowed by some of those beside it if it has less than this share of the rate alone.
const SLOWED_BY_SOME: f64 = 0.8;

/// A frame shares its link with one beside it if it has less than this share of the rate alone.
const SLOWED_BY_ONE: f64 = 0.7;

/// A rate is not what was expected if it is so many times higher or lower.
const ODD_FACTOR: f64 = 1.6;

/// Two rates are unlike if one is less than this share of the other.
const UNLIKE: f64 = 0.8;

/// So many odd frames in a row are a change.
const ODD_FRAMES: u8 = 2;

/// What the rate alone of a frame counts for, beside those before.
const NEW_RATE_WEIGHT: f64 = 0.3;

/// A frame that has drained.
#[derive(Debug)]
pub(super) struct Evidence {
    pub(super) rate: BytesPerSecond,
    /// In which share of its time each group was busy that may share its link.
    pub(super) beside: Vec<(GroupId, f64)>,
    pub(super) role: Role,
}

impl Turns {
    pub(super) fn learn(&mut self, now: Instant, id: MemberId, evidence: &Evidence) {
        let rate = evidence.rate;
        self.learn_from_steadiness(now, id);
        let mut beside = evidence.beside.clone();
        beside.retain(|(_, share)| *share >= NOT_BESIDE);
        match evidence.role {
            Role::Companion => {}
            Role::Beside(companion) => self.learn_beside_one(now, id, rate, companion),
            Role::Free | Role::Alone if beside.is_empty() => self.learn_alone(now, id, rate),
            Role::Free | Role::Alone => self.learn_beside_some(now, id, rate, &beside),
        }
    }

    /// Two whose rates are steady and unlike do not share a link, or one has a narrower one behind
    /// it: either way they gain nothing by turns.
    fn learn_from_steadiness(&mut self, now: Instant, id: MemberId) {
        let Some(member) = self.members.get(&id) else {
            return;
        };
        let (group, Some(rate), true) = (member.group, member.recent, member.is_steady()) else {
            return;
        };
        for other in self.groups.unknown(now, group) {
            let is_unlike = self.members_of(other).all(|(_, other)| {
                other.is_steady() && other.recent.is_some_and(|other| is_unlike(rate, other))
            });
            if is_unlike {
                self.judge(now, id, other, Verdict::Apart, Weight::Arranged);
            }
        }
    }

    /// Nothing was under way that might share the link.
    fn learn_alone(&mut self, now: Instant, id: MemberId, rate: BytesPerSecond) {
        let Some(group) = self.group_of(id) else {
            return;
        };
        let of_others = self.rate_of_others(id, group);
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        member.is_slowed_by_some = false;
        let is_unlike_others = of_others.is_some_and(|others| is_odd(rate, others));
        member.frames_unlike_others = count(member.frames_unlike_others, is_unlike_others);
        let before = member.alone.map(|(_, before)| before);
        let is_unlike_before = before.is_some_and(|before| is_odd(rate, before));
        member.frames_unlike_before = count(member.frames_unlike_before, is_unlike_before);
        let known = match before {
            Some(before) if !is_unlike_before => {
                before * (1.0 - NEW_RATE_WEIGHT) + rate * NEW_RATE_WEIGHT
            }
            Some(before) if member.frames_unlike_before < ODD_FRAMES => before,
            _ => rate,
        };
        member.set_alone(now, known);
        if member.frames_unlike_others >= ODD_FRAMES {
            // Its own link is another than that of the group, or has become the narrower one.
            member.frames_unlike_others = 0;
            self.split_off(now, id, group);
        } else if member.frames_unlike_before >= ODD_FRAMES {
            member.frames_unlike_before = 0;
            self.groups.doubt(now, group);
        }
    }

    /// The median of the last rates of the others of a group.
    fn rate_of_others(&self, id: MemberId, group: GroupId) -> Option<BytesPerSecond> {
        let others = self.members_of(group).filter(|(other, _)| *other != id);
        let mut rates: Vec<_> = others.filter_map(|(_, other)| other.recent).collect();
        rates.sort_by(|one, other| one.total_cmp(*other));
        rates.get(rates.len() / 2).copied()
    }

    /// Others were under way that may share the link.
    fn learn_beside_some(
        &mut self,
        now: Instant,
        id: MemberId,
        rate: BytesPerSecond,
        beside: &[(GroupId, f64)],
    ) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let Some(alone) = member.rate_alone(now) else {
            return;
        };
        let share = rate.share_of(alone);
        if share < SLOWED_BY_SOME {
            // It was worth it to hold the others back.
            self.last_alone = None;
        }
        if share > TOO_FAST {
            // Then it was not alone when it seemed to be.
            member.alone = None;
            return;
        }
        let are_all_beside = beside.iter().all(|(_, share)| *share >= BESIDE);
        let verdict = if share > NOT_SLOWED {
            Verdict::Apart
        } else if are_all_beside && share < slowed_by_all(beside.len()) {
            Verdict::Share
        } else {
            member.is_slowed_by_some = share < SLOWED_BY_SOME && beside.len() > 1;
            return;
        };
        member.is_slowed_by_some = false;
        for (other, _) in beside.iter().filter(|(_, share)| *share >= BESIDE) {
            self.judge(now, id, *other, verdict, Weight::Chance);
        }
    }

    /// One other was under way that may share the link, or does.
    fn learn_beside_one(
        &mut self,
        now: Instant,
        id: MemberId,
        rate: BytesPerSecond,
        companion: MemberId,
    ) {
        let (Some(member), Some(other)) = (self.members.get(&id), self.members.get(&companion))
        else {
            return;
        };
        let Some(alone) = member.rate_alone(now) else {
            return;
        };
        let share = rate.share_of(alone);
        let verdict = match share {
            _ if share < SLOWED_BY_ONE => Some(Verdict::Share),
            _ if share > NOT_SLOWED && share < TOO_FAST => Some(Verdict::Apart),
            _ => None,
        };
        let (group, other) = (member.group, other.group);
        match verdict {
            None => self.groups.put_off_check(now, group),
            Some(verdict) if group == other => {
                if self.groups.on_check(now, group, (id, companion), verdict) {
                    self.dissolve(now, group);
                }
            }
            Some(verdict) => self.judge(now, id, other, verdict, Weight::Arranged),
        }
    }

    fn judge(
        &mut self,
        now: Instant,
        id: MemberId,
        other: GroupId,
        verdict: Verdict,
        weight: Weight,
    ) {
        let Some(group) = self.group_of(id) else {
            return;
        };
        if group == other {
            return;
        }
        if let Some(merged) = self.groups.judge(now, group, other, verdict, weight) {
            for member in self.groups.members(merged) {
                if let Some(member) = self.members.get_mut(member) {
                    member.group = merged;
                    member.frames_unlike_others = 0;
                    // It has been beside others of the group.
                    if let Some(flight) = &mut member.flight {
                        flight.is_spoilt = true;
                    }
                }
            }
        }
    }

    fn split_off(&mut self, now: Instant, id: MemberId, group: GroupId) {
        if let Some(member) = self.members.get_mut(&id) {
            let in_flight = member.flight.is_some();
            member.group = self.groups.split_off(now, group, id, in_flight);
            self.groups
                .judge(now, member.group, group, Verdict::Apart, Weight::Arranged);
        }
    }

    fn dissolve(&mut self, now: Instant, group: GroupId) {
        let in_flight = |id| {
            self.members
                .get(&id)
                .is_some_and(|member| member.flight.is_some())
        };
        for (id, single) in self.groups.dissolve(now, group, in_flight) {
            if let Some(member) = self.members.get_mut(&id) {
                (member.group, member.alone) = (single, None);
            }
        }
    }
}

/// A frame shares its link with all that are beside it if it has less than this share of the rate
/// alone: the middle between what it would have if it did, and if it did with all but one.
fn slowed_by_all(others: usize) -> f64 {
    let others = others as f64;
    1.0 / (others * (others + 1.0)).sqrt()
}

fn is_unlike(one: BytesPerSecond, other: BytesPerSecond) -> bool {
    one < other * UNLIKE || other < one * UNLIKE
}

fn is_odd(rate: BytesPerSecond, expected: BytesPerSecond) -> bool {
    rate > expected * ODD_FACTOR || expected > rate * ODD_FACTOR
}
