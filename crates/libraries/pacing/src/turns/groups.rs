//! Who is believed to share a link with whom.
//!
//! A group are the clients behind one link; most are of one client. What is known of two groups is
//! that they share no link, for a while, or not yet enough to say.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::MemberId;
use super::relation::{Relation, Verdict, Weight};

/// When two of a new group go together, to see whether they share their link still; each time that
/// they do, the pause until the next time grows by the factor, up to the longest. Where they do
/// not, the same two go together again soon.
const CHECK_PAUSE: Duration = Duration::from_secs(1);
const CHECK_PAUSE_GROWTH: u32 = 8;
const CHECK_PAUSE_MAX: Duration = Duration::from_secs(30);
const CHECK_AGAIN: Duration = Duration::from_millis(250);

/// A set of clients behind one link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupId(u64);

#[derive(Debug, Default)]
pub(super) struct Groups {
    next: u64,
    groups: BTreeMap<GroupId, Group>,
    relations: BTreeMap<(GroupId, GroupId), Relation>,
}

#[derive(Debug, Default)]
struct Group {
    members: Vec<MemberId>,
    /// How many of them have a frame under way, since when at least one has, and for how long at
    /// least one had before that.
    flights: u32,
    busy_since: Option<Instant>,
    busy_time: Duration,
    /// When two of them are to go together, and the pause before that.
    check: Option<(Instant, Duration)>,
    /// The two that the last check found not to share a link.
    failed_check: Option<(MemberId, MemberId)>,
}

impl Groups {
    /// Adds a client that shares its link with nobody so far.
    pub(super) fn add(&mut self, member: MemberId) -> GroupId {
        let id = GroupId(self.next);
        self.next += 1;
        let group = Group {
            members: vec![member],
            ..Group::default()
        };
        self.groups.insert(id, group);
        id
    }

    /// Takes a client out.
    pub(super) fn remove(&mut self, member: MemberId, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else {
            return;
        };
        group.members.retain(|other| *other != member);
        group.failed_check = None;
        if group.members.is_empty() {
            self.groups.remove(&id);
            self.relations
                .retain(|(one, other), _| *one != id && *other != id);
        }
    }

    /// The clients of a group.
    pub(super) fn members(&self, id: GroupId) -> &[MemberId] {
        self.groups.get(&id).map_or(&[], |group| &group.members)
    }

    /// A frame of the group begins.
    pub(super) fn on_begin(&mut self, now: Instant, id: GroupId) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.flights += 1;
            group.busy_since.get_or_insert(now);
        }
    }

    /// A frame of the group has drained.
    pub(super) fn on_end(&mut self, now: Instant, id: GroupId) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.flights = group.flights.saturating_sub(1);
            if group.flights == 0
                && let Some(since) = group.busy_since.take()
            {
                group.busy_time += now.saturating_duration_since(since);
            }
        }
    }

    /// How many frames of the group are under way.
    pub(super) fn flights(&self, id: GroupId) -> u32 {
        self.groups.get(&id).map_or(0, |group| group.flights)
    }

    /// How long each group but one has been busy, in all.
    pub(super) fn busy_times(&self, now: Instant, except: GroupId) -> Vec<(GroupId, Duration)> {
        let others = self.groups.iter().filter(|(id, _)| **id != except);
        others.map(|(id, group)| (*id, group.busy(now))).collect()
    }

    /// The share of a `time` that ends now in which each group was busy that may share a link with
    /// this one; `before` is how long each had been busy when it began.
    pub(super) fn overlaps(
        &self,
        now: Instant,
        id: GroupId,
        before: &[(GroupId, Duration)],
        time: Duration,
    ) -> Vec<(GroupId, f64)> {
        let others = self.groups.iter();
        let others = others.filter(|(other, _)| **other != id && self.may_share(now, id, **other));
        others
            .map(|(other, group)| {
                let before = before.iter().find(|(known, _)| known == other);
                let before = before.map_or(Duration::ZERO, |(_, busy)| *busy);
                let busy = group.busy(now).saturating_sub(before);
                (*other, busy.as_secs_f64() / time.as_secs_f64())
            })
            .collect()
    }

    /// The other groups that may share a link with this one.
    pub(super) fn unknown(&self, now: Instant, id: GroupId) -> Vec<GroupId> {
        let others = self.groups.keys().copied();
        others
            .filter(|other| *other != id && self.may_share(now, id, *other))
            .collect()
    }

    /// Says whether two groups may share a link.
    pub(super) fn may_share(&self, now: Instant, one: GroupId, other: GroupId) -> bool {
        let relation = self.relations.get(&key(one, other));
        relation.is_none_or(|relation| relation.may_share(now))
    }

    /// Takes it that what was found out of two groups some time ago may not be so any more. Gives
    /// whether that was the case.
    pub(super) fn forget_old(&mut self, now: Instant, one: GroupId, other: GroupId) -> bool {
        let relation = self.relations.get_mut(&key(one, other));
        relation.is_some_and(|relation| relation.forget_old(now))
    }

    /// What was found out since this time was wrong.
    pub(super) fn forget_since(&mut self, since: Instant) {
        self.relations
            .retain(|_, relation| relation.judged.is_none_or(|judged| judged < since));
    }

    /// A rate has changed: the group may share its link with others than before.
    pub(super) fn doubt(&mut self, now: Instant, id: GroupId) {
        let relations = self.relations.iter_mut();
        for ((_, _), relation) in relations.filter(|((one, other), _)| *one == id || *other == id) {
            relation.doubt(now);
        }
    }

    /// A frame of one group has shown whether they share a link. Gives the group that both are from
    /// now on, if they are believed to.
    pub(super) fn judge(
        &mut self,
        now: Instant,
        one: GroupId,
        other: GroupId,
        verdict: Verdict,
        weight: Weight,
    ) -> Option<GroupId> {
        let relation = self.relations.entry(key(one, other)).or_default();
        relation.judge(now, verdict, weight);
        relation.is_shared().then(|| self.merge(now, one, other))
    }

    /// Two groups share a link: whoever shares none with one of them shares none with the other.
    fn merge(&mut self, now: Instant, one: GroupId, other: GroupId) -> GroupId {
        let Some(merged) = self.groups.remove(&other) else {
            return one;
        };
        self.relations.remove(&key(one, other));
        if let Some(group) = self.groups.get_mut(&one) {
            group.busy_time = group.busy(now);
            group.members.extend(merged.members);
            group.flights += merged.flights;
            group.busy_since = (group.flights > 0).then_some(now);
            group.check = Some((now + CHECK_PAUSE, CHECK_PAUSE));
            group.failed_check = None;
        }
        let of_other = |pair: &(GroupId, GroupId)| match *pair {
            (third, same) | (same, third) if same == other => Some(third),
            _ => None,
        };
        let inherited: Vec<_> = self
            .relations
            .iter()
            .filter_map(|(pair, relation)| Some((of_other(pair)?, *relation)))
            .collect();
        self.relations.retain(|pair, _| of_other(pair).is_none());
        for (third, relation) in inherited {
            let known = self.relations.entry(key(one, third)).or_default();
            known.sharing = 0;
            if known.apart_until < relation.apart_until {
                *known = relation;
            }
        }
        one
    }

    /// Makes groups of one of all the clients of a group: their new groups, in the order of
    /// [`Groups::members`]. `in_flight` says which of them have a frame under way.
    pub(super) fn dissolve(
        &mut self,
        now: Instant,
        id: GroupId,
        in_flight: impl Fn(MemberId) -> bool,
    ) -> Vec<(MemberId, GroupId)> {
        let members = self.members(id).to_vec();
        let mut singles = Vec::new();
        for member in members {
            let single = self.split_off(now, id, member, in_flight(member));
            singles.push((member, single));
        }
        singles
    }

    /// Takes a client out of its group, into one of its own; what is known of the group's links
    /// beside others is known of it as well.
    pub(super) fn split_off(
        &mut self,
        now: Instant,
        from: GroupId,
        member: MemberId,
        in_flight: bool,
    ) -> GroupId {
        let single = self.add(member);
        if in_flight {
            self.on_end(now, from);
            self.on_begin(now, single);
        }
        let inherited: Vec<_> = self
            .relations
            .iter()
            .filter_map(|((one, other), relation)| match () {
                () if *one == from => Some((*other, *relation)),
                () if *other == from => Some((*one, *relation)),
                () => None,
            })
            .collect();
        for (third, relation) in inherited {
            self.relations.insert(key(single, third), relation);
        }
        self.remove(member, from);
        single
    }

    /// Says whether two of the group are to go together now.
    pub(super) fn wants_check(&self, now: Instant, id: GroupId) -> bool {
        let check = self.groups.get(&id).and_then(|group| group.check);
        check.is_some_and(|(at, _)| now >= at) && self.members(id).len() > 1
    }

    /// Puts the next check off by the pause there is: this one showed nothing.
    pub(super) fn put_off_check(&mut self, now: Instant, id: GroupId) {
        if let Some(group) = self.groups.get_mut(&id)
            && let Some((at, pause)) = &mut group.check
        {
            *at = now + *pause;
        }
    }

    /// Says whether these two may be the ones that go together: those that failed to, else whoever
    /// was not checked for the longest time and any other.
    pub(super) fn is_in_check(&self, id: GroupId, one: MemberId, other: MemberId) -> bool {
        let Some(group) = self.groups.get(&id) else {
            return false;
        };
        match group.failed_check {
            Some(pair) => pair == (one, other) || pair == (other, one),
            None => group
                .members
                .first()
                .is_some_and(|next| *next == one || *next == other),
        }
    }

    /// Two of the group went together. Gives whether it is to be dissolved.
    pub(super) fn on_check(
        &mut self,
        now: Instant,
        id: GroupId,
        pair: (MemberId, MemberId),
        verdict: Verdict,
    ) -> bool {
        let Some(group) = self.groups.get_mut(&id) else {
            return false;
        };
        let pause = group.check.map_or(CHECK_PAUSE, |(_, pause)| pause);
        match verdict {
            Verdict::Share => {
                let pause = (pause * CHECK_PAUSE_GROWTH).min(CHECK_PAUSE_MAX);
                (group.check, group.failed_check) = (Some((now + pause, pause)), None);
                // They are the last to be checked again.
                group
                    .members
                    .sort_by_key(|member| *member == pair.0 || *member == pair.1);
                false
            }
            Verdict::Apart => {
                group.check = Some((now + CHECK_AGAIN, CHECK_PAUSE));
                group.failed_check.replace(pair).is_some()
            }
        }
    }
}

impl Group {
    fn busy(&self, now: Instant) -> Duration {
        let since = self.busy_since;
        self.busy_time + since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

fn key(one: GroupId, other: GroupId) -> (GroupId, GroupId) {
    (one.min(other), one.max(other))
}
