//! Which clients are put on trial next, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::MemberId;
use super::member::Member;
use super::sums::SteadySums;
use super::trial::span_before;
use super::unit::Unit;
use crate::units::BytesPerSecond;

/// When the same clients are tried again after they were found not to share a link; each time this
/// is doubled, up to the longest.
const RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(60);

/// When they are tried again after nothing could be seen; doubled likewise.
const RETRY_AFTER_STALL: Duration = Duration::from_millis(250);

/// So many frames each, on the average, may clients have lost to trials, for those who have not
/// been tried together, and for those who are to be tried again. What they get makes up for it
/// (`member`). As a bound for each of them groups would be found much later: what one trial costs
/// falls on them unequally.
const FRAMES_AHEAD: f64 = 1.5;
const FRAMES_AHEAD_AGAIN: f64 = 0.5;

/// Who has lost more than this is not tried, whoever else has lost nothing: clients that come and
/// go all the time are new ones each time.
const MOST_FRAMES_LOST: f64 = 3.0;

/// So many times as much may those have lost whose sum is steady: hardly any of them have links of
/// their own, and what trials of others have cost them is not to keep them apart.
const STEADY_FACTOR: f64 = 2.0;

/// Those whose sum is steady are no more believed to share a link after so many failures: some of
/// them may be tried with others then.
const DISBELIEVED_AFTER: u32 = 3;

/// What was found out of clients counts no more when they get so many times more or less.
const CHANGED_FACTOR: f64 = 1.6;

/// Clients take turns whose frames differ by no more than this factor.
const MAX_SIZE_FACTOR: u64 = 2;

/// The rates of clients are compared over this time, and with what they were before over this.
const RATE_SPAN: Duration = Duration::from_millis(3500);
const RECENT_SPAN: Duration = Duration::from_secs(2);

/// How long a client must have been there before it is tried with some for whom only a rate or a
/// group speaks: what sums show is seen sooner, and each trial that fails delays that.
const LATER: Duration = Duration::from_millis(2500);

/// No more failures than this are remembered: those of clients that have changed are of no use.
const MAX_ATTEMPTS: usize = 1000;

/// What trials have shown so far.
#[derive(Debug, Default)]
pub(super) struct Search {
    attempts: BTreeMap<BTreeSet<MemberId>, Attempt>,
    sums: SteadySums,
}

#[derive(Clone, Copy, Debug, Default)]
struct Attempt {
    failures: u32,
    /// How often in a row nothing could be seen.
    stalls: u32,
    /// When they may be tried again.
    next: Option<Instant>,
    /// What they got in all when they failed.
    rate: Option<BytesPerSecond>,
}

impl Attempt {
    /// Says whether they get so much more or less now that they may share a link after all, or no
    /// more.
    fn is_outdated(&self, rate: Option<BytesPerSecond>) -> bool {
        let (Some(before), Some(now)) = (self.rate, rate) else {
            return false;
        };
        let factor = now.share_of(before);
        !(1.0 / CHANGED_FACTOR..CHANGED_FACTOR).contains(&factor)
    }
}

impl Search {
    /// These are a group. What was found out of them with one more is asked anew: they send in
    /// another way now.
    pub(super) fn on_success(&mut self, members: &BTreeSet<MemberId>) {
        let is_near = |tried: &BTreeSet<MemberId>| {
            tried.len() <= members.len() + 1 && members.is_subset(tried)
        };
        self.attempts.retain(|tried, _| !is_near(tried));
    }

    /// These, who got such a rate in all, were found not to share a link.
    pub(super) fn on_failure(
        &mut self,
        now: Instant,
        members: &BTreeSet<MemberId>,
        rate: Option<BytesPerSecond>,
    ) {
        if self.attempts.len() >= MAX_ATTEMPTS {
            self.attempts.clear();
        }
        let attempt = self.attempts.entry(members.clone()).or_default();
        let pause = RETRY * 2u32.saturating_pow(attempt.failures);
        attempt.failures = (attempt.failures + 1).min(16);
        attempt.next = Some(now + pause.min(MAX_RETRY));
        attempt.rate = rate;
    }

    /// Nothing could be seen of these.
    pub(super) fn on_stall(&mut self, now: Instant, members: &BTreeSet<MemberId>) {
        let attempt = self.attempts.entry(members.clone()).or_default();
        let pause = RETRY_AFTER_STALL * 2u32.saturating_pow(attempt.stalls);
        attempt.stalls = (attempt.stalls + 1).min(16);
        attempt.next = Some(now + pause.min(MAX_RETRY));
    }

    /// From `began` until now some were held back who do not share a link, or may not.
    pub(super) fn on_held_back(&mut self, now: Instant, began: Instant) {
        self.sums.on_held_back(now, began);
    }

    /// What was found out of these is not so any more.
    pub(super) fn on_doubt(&mut self, members: &BTreeSet<MemberId>) {
        self.attempts.retain(|tried, _| tried.is_disjoint(members));
    }

    pub(super) fn on_leave(&mut self, id: MemberId) {
        self.attempts.retain(|members, _| !members.contains(&id));
    }

    /// Gives those that are to be tried now, of units that send as one.
    pub(super) fn next<'a>(
        &mut self,
        now: Instant,
        members: &BTreeMap<MemberId, Member>,
        units: impl IntoIterator<Item = &'a BTreeSet<MemberId>>,
    ) -> Option<BTreeSet<MemberId>> {
        let units = units.into_iter().map(|ids| Unit::new(ids, members));
        let units: Vec<_> = units.flatten().filter(|unit| !unit.is_gone(now)).collect();
        if units.len() < 2 {
            return None;
        }
        let attempts = &self.attempts;
        let steady = self.sums.of(now, &units);
        let candidates = candidates(now, &units, steady).into_iter();
        let alike = candidates.filter(|candidate| have_frames_alike(members, candidate));
        let alike = alike.filter(|candidate| !tears_apart(attempts, candidate, steady));
        let candidates = alike.filter_map(|candidate| {
            let attempt = attempts.get(&candidate).copied();
            let attempt =
                attempt.filter(|attempt| !attempt.is_outdated(rate_of(members, &candidate)));
            let attempt = attempt.unwrap_or_default();
            let is_due = attempt.next.is_none_or(|next| now >= next);
            let most = match attempt.failures {
                0 => FRAMES_AHEAD,
                _ => FRAMES_AHEAD_AGAIN,
            };
            let factor = if steady.contains(&candidate) {
                STEADY_FACTOR
            } else {
                1.0
            };
            let can_pay = can_pay(members, &candidate, most, factor);
            (is_due && can_pay).then_some((attempt.failures, candidate))
        });
        let (_, next) = candidates.min_by_key(|(failures, _)| *failures)?;
        // What is best comes first, and is waited for.
        is_known(now, members, &next).then_some(next)
    }
}

/// Says whether some of those whose sum is steady, but not all, would be tried with others. Each
/// such trial fails, and what it costs keeps them from being tried again, where one that was right
/// has failed by chance.
fn tears_apart(
    attempts: &BTreeMap<BTreeSet<MemberId>, Attempt>,
    candidate: &BTreeSet<MemberId>,
    steady: &[BTreeSet<MemberId>],
) -> bool {
    let is_believed = |sum: &BTreeSet<MemberId>| {
        let attempt = attempts.get(sum);
        attempt.is_none_or(|attempt| attempt.failures < DISBELIEVED_AFTER)
    };
    let mut believed = steady.iter().filter(|sum| is_believed(sum));
    believed.any(|sum| {
        let is_any_within = !sum.is_disjoint(candidate);
        is_any_within && !sum.is_subset(candidate) && !candidate.is_subset(sum)
    })
}

/// What clients got of late, all together.
pub(super) fn rate_of(
    members: &BTreeMap<MemberId, Member>,
    ids: &BTreeSet<MemberId>,
) -> Option<BytesPerSecond> {
    let of = ids.iter().filter_map(|id| members.get(id));
    let mut rates = of.map(|member| member.rate_for(RECENT_SPAN));
    rates.try_fold(BytesPerSecond::ZERO, |sum, rate| Some(sum + rate?))
}

/// Says whether clients have lost no more than `most` frames each to trials, on the average, and
/// none of them too many; either times `factor`.
fn can_pay(
    members: &BTreeMap<MemberId, Member>,
    candidate: &BTreeSet<MemberId>,
    most: f64,
    factor: f64,
) -> bool {
    let of = candidate.iter().filter_map(|id| members.get(id));
    let lost = of.map(Member::frames_lost);
    let is_any_spent = lost.clone().any(|lost| lost > MOST_FRAMES_LOST * factor);
    !is_any_spent && lost.sum::<f64>() <= most * factor * candidate.len() as f64
}

/// Says whether clients have frames of about one size. In turns each gets as many frames as any
/// other: who has small ones would lose most of its rate to who has large ones.
fn have_frames_alike(members: &BTreeMap<MemberId, Member>, candidate: &BTreeSet<MemberId>) -> bool {
    let frames = || {
        candidate
            .iter()
            .filter_map(|id| Some(members.get(id)?.frame_bytes))
    };
    let (least, most) = (frames().min(), frames().max());
    most <= least.map(|bytes| bytes.saturating_mul(MAX_SIZE_FACTOR))
}

/// Says whether clients have sent for long enough as they do.
fn is_known(now: Instant, members: &BTreeMap<MemberId, Member>, ids: &BTreeSet<MemberId>) -> bool {
    let of = || ids.iter().filter_map(|id| members.get(id));
    let span = span_before(of().map(|member| member.frame_time));
    of().all(|member| {
        let has_rate = member.last_rate().is_some();
        has_rate && now.saturating_duration_since(member.sends_so_since) > span
    })
}

/// Those that may share a link, the likeliest first: those of whom the sum is `steady`, if they
/// still are whole units, those of one network, and all; then, of those that have been there for
/// [`LATER`], a group and who is beside it, and those that get about the same.
fn candidates(
    now: Instant,
    units: &[Unit<'_>],
    steady: &[BTreeSet<MemberId>],
) -> Vec<BTreeSet<MemberId>> {
    let is_whole = |ids: &&BTreeSet<MemberId>| {
        let of = units.iter().filter(|unit| unit.ids.is_subset(ids));
        of.map(|unit| unit.ids.len()).sum::<usize>() == ids.len()
    };
    let mut candidates: Vec<_> = steady.iter().filter(is_whole).cloned().collect();
    let mut push = |units: &mut dyn Iterator<Item = &Unit<'_>>| {
        let ids = units.flat_map(|unit| unit.ids.iter().copied());
        candidates.push(ids.collect::<BTreeSet<_>>());
    };
    for network in networks(units) {
        let mut of = units.iter().filter(|unit| {
            unit.members
                .iter()
                .any(|member| member.network == Some(network))
        });
        push(&mut of);
    }
    push(&mut units.iter());
    let is_known_for_long = |unit: &&Unit<'_>| {
        let since = unit.known_since();
        since.is_some_and(|since| now.saturating_duration_since(since) >= LATER)
    };
    let long_known: Vec<_> = units.iter().filter(is_known_for_long).collect();
    for (index, group) in long_known
        .iter()
        .enumerate()
        .filter(|(_, unit)| unit.ids.len() > 1)
    {
        for (other_index, other) in long_known.iter().enumerate() {
            if other.ids.len() == 1 || other_index > index {
                push(&mut [*group, *other].into_iter());
            }
        }
    }
    let singles = long_known.iter().filter(|unit| unit.ids.len() == 1);
    let singles = singles.filter_map(|unit| Some((*unit, unit.rate_for(RATE_SPAN)?)));
    let mut singles: Vec<_> = singles.collect();
    singles.sort_by(|(_, one), (_, other)| one.total_cmp(*other));
    split(&singles, &mut push);
    candidates
}

/// The networks of which there are several units.
fn networks(units: &[Unit<'_>]) -> Vec<IpAddr> {
    let mut counts = BTreeMap::new();
    for unit in units {
        let networks = unit.members.iter().filter_map(|member| member.network);
        for network in networks.collect::<BTreeSet<_>>() {
            *counts.entry(network).or_insert(0) += 1;
        }
    }
    let several = counts.into_iter().filter(|(_, count)| *count > 1);
    several.map(|(network, _)| network).collect()
}

/// Clients of one link get about the same in the long run: splits those that are ordered by rate
/// where two rates beside each other differ most, and the parts likewise.
fn split<'a>(
    units: &[(&'a Unit<'a>, BytesPerSecond)],
    push: &mut dyn FnMut(&mut dyn Iterator<Item = &Unit<'_>>),
) {
    let step = |index: usize| units[index].1.share_of(units[index - 1].1);
    let widest = (1..units.len()).max_by(|one, other| step(*one).total_cmp(&step(*other)));
    let Some(at) = widest.filter(|_| units.len() > 2) else {
        return;
    };
    for part in [&units[..at], &units[at..]] {
        if part.len() > 1 {
            push(&mut part.iter().map(|(unit, _)| *unit));
        }
        split(part, push);
    }
}

#[cfg(test)]
mod tests {
    use super::super::GroupId;
    use super::*;
    use crate::units::Bytes;

    /// Says whether clients, each with frames of so many bytes of which it has lost so many to
    /// trials, are tried together.
    fn are_tried(clients: &[(u64, f64)]) -> bool {
        let now = Instant::now();
        let (mut members, mut units) = (BTreeMap::new(), Vec::new());
        for (number, (bytes, frames_lost)) in (0..).zip(clients) {
            let mut member = Member::new(now, None, GroupId::new(number));
            member.on_write(now, *bytes);
            let flight = member.flight.take();
            member.on_drained(now + Duration::from_millis(100), flight.unwrap());
            member.on_trial_failed(Bytes::from(*bytes) * *frames_lost);
            members.insert(MemberId(number), member);
            units.push(BTreeSet::from([MemberId(number)]));
        }
        let later = now + Duration::from_secs(60);
        let next = Search::default().next(later, &members, &units);
        next.is_some()
    }

    #[test]
    fn who_has_small_frames_and_who_has_large_ones_take_no_turns() {
        assert!(are_tried(&[(98_000, 0.0), (98_000, 0.0)]));
        assert!(are_tried(&[(60_000, 0.0), (98_000, 0.0)]));
        assert!(!are_tried(&[(20_000, 0.0), (98_000, 0.0)]));
    }

    #[test]
    fn who_has_lost_much_is_tried_no_more_whoever_else_has_lost_nothing() {
        let with_five_new_ones = |lost| {
            let mut clients = [(98_000, 0.0); 6];
            clients[0].1 = lost;
            are_tried(&clients)
        };
        assert!(with_five_new_ones(2.5));
        assert!(!with_five_new_ones(3.5));
    }
}
