//! Two of a group go together now and then: if they are through much sooner than one after the
//! other, they do not share a link any more.

use std::time::{Duration, Instant};

use super::group::GroupId;
use super::member::Waiting;
use super::{MemberId, Turns};
use crate::units::Bytes;

/// How long after a trial, or the check before, the next one comes. It makes two frames late, which
/// are less than a hundredth of what is sent meanwhile from six frames a second on.
const PAUSE: Duration = Duration::from_secs(60);

/// Two that went together, and were sooner through than one after the other by this factor, seem to
/// share no link.
const SOONER: f64 = 1.5;

/// So often in a row they must.
const TIMES: u8 = 2;

/// When that is looked at again.
const PAUSE_IN_DOUBT: Duration = Duration::from_millis(500);

/// The checks of a group.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// When the next one may be.
    next: Option<Instant>,
    /// Which of those that wait goes with the one that begins; another one each time.
    turn: usize,
    /// The two that were through sooner, and how often in a row.
    suspects: Option<([MemberId; 2], u8)>,
    running: Option<Check>,
}

/// Two frames that are under way together.
#[derive(Debug)]
struct Check {
    pair: [MemberId; 2],
    began: Instant,
    /// How long they take one after the other.
    in_turns: Duration,
    has_drained: Option<MemberId>,
}

impl Checks {
    /// The group has passed a trial.
    pub(super) fn begin(&mut self, now: Instant) {
        self.next = Some(now + PAUSE);
    }

    /// The group has passed a trial which may show too much.
    pub(super) fn begin_soon(&mut self, now: Instant) {
        self.next = Some(now + PAUSE_IN_DOUBT);
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Something came between.
    pub(super) fn stop(&mut self) {
        self.running = None;
    }

    fn is_due(&self, now: Instant) -> bool {
        self.running.is_none() && self.next.is_some_and(|at| now >= at)
    }

    /// Both have drained. Says whether they share no link, as it was not the first time.
    fn on_end(&mut self, now: Instant, check: &Check) -> bool {
        let together = now.saturating_duration_since(check.began);
        let is_sooner = together.mul_f64(SOONER) < check.in_turns;
        if !is_sooner {
            self.suspects = None;
            self.next = Some(now + PAUSE);
            return false;
        }
        let before = self.suspects.filter(|(pair, _)| *pair == check.pair);
        let times = before.map_or(0, |(_, times)| times) + 1;
        self.suspects = Some((check.pair, times));
        self.next = Some(now + PAUSE_IN_DOUBT);
        times >= TIMES
    }
}

impl Turns {
    /// A client of a group begins: lets another one go with it, if a check is due.
    pub(super) fn begin_check(&mut self, now: Instant, id: MemberId, group: GroupId) {
        let Some(with) = self
            .groups
            .get(&group)
            .filter(|with| with.members.len() > 1)
        else {
            return;
        };
        if with.is_on_proof() || !with.checks.is_due(now) {
            return;
        }
        let waiting = with.members.iter().filter(|other| {
            let member = self.members.get(*other);
            member.is_some_and(|member| member.waiting == Waiting::ForItsTurn)
        });
        let waiting: Vec<_> = waiting.copied().collect();
        let companion = match with.checks.suspects {
            // These again, whichever of them goes first.
            Some((pair, _)) if pair.contains(&id) => {
                waiting.into_iter().find(|other| pair.contains(other))
            }
            Some(_) => None,
            None => waiting
                .get(with.checks.turn % waiting.len().max(1))
                .copied(),
        };
        let Some(companion) = companion else {
            return;
        };
        let wire_time = |id| {
            let member = self.members.get(&id)?;
            Some(
                member
                    .last_rate()?
                    .time_for(Bytes::from(member.frame_bytes)),
            )
        };
        let (Some(one), Some(other)) = (wire_time(id), wire_time(companion)) else {
            return;
        };
        let Some(with) = self.groups.get_mut(&group) else {
            return;
        };
        with.checks.turn += 1;
        with.checks.running = Some(Check {
            pair: [id.min(companion), id.max(companion)],
            began: now,
            in_turns: one + other,
            has_drained: None,
        });
        self.grant(now, companion);
    }

    /// A frame of a client has drained while its group is checked.
    pub(super) fn end_check(&mut self, now: Instant, id: MemberId, group: GroupId) {
        let Some(with) = self.groups.get_mut(&group) else {
            return;
        };
        let Some(mut check) = with.checks.running.take() else {
            return;
        };
        if !check.pair.contains(&id) || check.has_drained == Some(id) {
            // One of them is overdue, and others go.
            return;
        }
        if check.has_drained.is_none() {
            check.has_drained = Some(id);
            with.checks.running = Some(check);
            return;
        }
        if with.checks.on_end(now, &check) {
            self.search.on_doubt(&with.members);
            self.dissolve(now, group);
        }
    }
}
