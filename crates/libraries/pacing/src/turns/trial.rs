//! A frame that is arranged to be under way alone, or beside one other, to see who shares a link.
//!
//! Whoever may share the subject's link is held back until nothing of them is under way; then the
//! companion goes, if there is one, right after it the subject, and when the subject's frame has
//! drained all is as before. The companion goes first, for in a long queue the one that comes first
//! is not slowed by the other.

use std::time::{Duration, Instant};

use super::groups::GroupId;
use super::member::{Member, Role, Waiting};
use super::{MemberId, Turns};

/// After clients were held back to see one of them alone, nobody is for this many times as long;
/// and for this many times if the next subject's rate goes up and down.
const ALONE_PAUSE_FACTOR: u32 = 40;
const UNSTEADY_PAUSE_FACTOR: u32 = 8;

/// The same after two went together that turned out not to share a link.
const BESIDE_PAUSE_FACTOR: u32 = 2;

/// When clients are held back again after they were for nothing, for something came between.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// How long others are waited for at most, so that the subject has the link for itself.
const MAX_CLEARING: Duration = Duration::from_secs(3);

/// How many frames a client must have got before any is arranged.
const FRAMES_FIRST: u32 = 2;

/// Whoever is slower than the fastest by more than this is no subject: the others would wait long
/// for its frame.
const MIN_SUBJECT_RATE: f64 = 0.5;

/// A companion that began no longer ago than this has begun together with the subject.
const TOGETHER: Duration = Duration::from_millis(3);

#[derive(Debug)]
pub(super) struct Trial {
    subject: MemberId,
    subject_group: GroupId,
    companion: Option<MemberId>,
    stage: Stage,
    began: Instant,
    /// When it ends without a result.
    pub(super) deadline: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Frames are still under way that began before.
    Clearing,
    /// The companion's frame is under way.
    CompanionBegan,
    /// The subject's frame is under way.
    SubjectBegan,
}

impl Trial {
    /// Says whether it cannot go on without this client.
    pub(super) fn needs(&self, id: MemberId) -> bool {
        self.subject == id || self.companion == Some(id)
    }

    /// What the frame of a client is sent for that may send because of it.
    pub(super) fn role(&self, id: MemberId) -> Role {
        match self.companion {
            None => Role::Alone,
            Some(companion) if id == self.subject => Role::Beside(companion),
            Some(_) => Role::Companion,
        }
    }

    /// A frame begins, which is overdue at a time.
    pub(super) fn on_write(&mut self, role: Role, overdue: Instant) {
        match role {
            Role::Free => {}
            Role::Companion => self.stage = Stage::CompanionBegan,
            Role::Alone | Role::Beside(_) => {
                (self.stage, self.deadline) = (Stage::SubjectBegan, overdue);
            }
        }
    }
}

impl Turns {
    /// A client has something to send: lets it be seen alone, or beside another, if that is needed.
    pub(super) fn plan_trial(&mut self, now: Instant, id: MemberId) {
        let Some(member) = self.members.get(&id).filter(|_| self.trial.is_none()) else {
            return;
        };
        let group = member.group;
        let mut unknown = self.groups.unknown(now, group);
        unknown.retain(|other| self.is_active(now, *other));
        let is_due_beside = self.next_beside.is_none_or(|next| now >= next);
        let is_known = member.rate_alone(now).is_some();
        if unknown.is_empty() {
            if is_known && self.groups.wants_check(now, group) {
                self.begin_check(now, id);
            }
            return;
        }
        if member.frames < FRAMES_FIRST {
            return;
        }
        if !is_known {
            if self.is_due_alone(now, member) && self.is_good_subject(id, &unknown) {
                self.begin_trial(now, id, None);
            }
        } else if member.is_slowed_by_some && is_due_beside {
            let network = member.network;
            let companions = unknown.iter().flat_map(|other| self.members_of(*other));
            let companion =
                companions.min_by_key(|(_, other)| (other.network != network, other.frames));
            let companion = companion.map(|(other, _)| other);
            self.begin_trial(now, id, companion);
        }
    }

    /// Forgets what was believed of a group for long enough, and the rates that were taken for
    /// those of its clients alone.
    pub(super) fn forget_old(&mut self, now: Instant, group: GroupId) {
        for other in self.groups.unknown(now, group) {
            if self.groups.forget_old(now, group, other) {
                self.forget_alone(group);
                self.forget_alone(other);
            }
        }
    }

    fn forget_alone(&mut self, group: GroupId) {
        for id in self.groups.members(group) {
            if let Some(member) = self.members.get_mut(id) {
                member.alone = None;
            }
        }
    }

    /// Says whether some of a group have anything to do with the link now.
    fn is_active(&self, now: Instant, group: GroupId) -> bool {
        self.members_of(group)
            .any(|(_, member)| member.waiting != Waiting::No || member.occupies(now))
    }

    /// Says whether enough time has passed since others were held back.
    fn is_due_alone(&self, now: Instant, subject: &Member) -> bool {
        let factor = match subject.is_steady() {
            true => ALONE_PAUSE_FACTOR,
            false => UNSTEADY_PAUSE_FACTOR,
        };
        self.last_alone
            .is_none_or(|(ended, held_for)| now >= ended + held_for * factor)
    }

    /// Says whether a client is to be the one that is seen alone: none that is slow, for the others
    /// would wait long; and rather one whose rate goes up and down, for somebody may be why.
    fn is_good_subject(&self, id: MemberId, unknown: &[GroupId]) -> bool {
        let Some(subject) = self.members.get(&id) else {
            return false;
        };
        if subject.seems_steady() {
            return false;
        }
        let mut others = unknown.iter().flat_map(|other| self.members_of(*other));
        others.all(|(_, other)| {
            let is_quick_beside = match (subject.recent, other.recent) {
                (Some(rate), Some(other)) => rate >= other * MIN_SUBJECT_RATE,
                _ => true,
            };
            let is_other_better =
                subject.is_steady() && !other.is_steady() && other.alone.is_none();
            is_quick_beside && !is_other_better
        })
    }

    fn begin_trial(&mut self, now: Instant, subject: MemberId, companion: Option<MemberId>) {
        let Some(subject_group) = self.group_of(subject) else {
            return;
        };
        self.trial = Some(Trial {
            subject,
            subject_group,
            companion,
            stage: Stage::Clearing,
            began: now,
            deadline: now + MAX_CLEARING,
        });
    }

    /// Lets two of a group go together, to see whether they share their link still.
    fn begin_check(&mut self, now: Instant, subject: MemberId) {
        let Some(group) = self.group_of(subject) else {
            return;
        };
        let began_now = |member: &Member| {
            let flight = member.flight.as_ref();
            flight.is_some_and(|flight| now.saturating_duration_since(flight.began) <= TOGETHER)
        };
        let is_ready = |member: &Member| member.waiting != Waiting::No && member.flight.is_none();
        let companion = |may: &dyn Fn(&Member) -> bool, stage| {
            let others = self.members_of(group).filter(|(id, _)| *id != subject);
            let mut others = others.filter(|(id, _)| self.groups.is_in_check(group, subject, *id));
            let (id, _) = others.find(|(_, member)| may(member))?;
            Some((id, stage))
        };
        let Some((companion, stage)) = companion(&began_now, Stage::CompanionBegan)
            .or_else(|| companion(&is_ready, Stage::Clearing))
        else {
            return;
        };
        self.begin_trial(now, subject, Some(companion));
        if let Some(member) = self.members.get_mut(&companion)
            && let Waiting::Granted(_, role) = &mut member.waiting
        {
            *role = Role::Companion;
        }
        if let Some(trial) = &mut self.trial {
            trial.stage = stage;
        }
    }

    /// Says whether a trial decides for a group when it may send: it may share the subject's link.
    pub(super) fn is_governed(&self, now: Instant, trial: &Trial, group: GroupId) -> bool {
        group == trial.subject_group || self.groups.may_share(now, trial.subject_group, group)
    }

    /// Says whether a client that a trial governs may send now.
    pub(super) fn may_go_in_trial(&self, now: Instant, trial: &Trial, id: MemberId) -> bool {
        let is_clear = || {
            self.members.iter().all(|(other, member)| {
                *other == id || !self.is_governed(now, trial, member.group) || !member.occupies(now)
            })
        };
        match trial.stage {
            Stage::Clearing => id == trial.companion.unwrap_or(trial.subject) && is_clear(),
            Stage::CompanionBegan => id == trial.subject,
            Stage::SubjectBegan => false,
        }
    }

    /// The subject's frame has drained.
    pub(super) fn end_trial(&mut self, now: Instant) {
        let Some(trial) = self.trial.take() else {
            return;
        };
        let held_for = now.saturating_duration_since(trial.began);
        let is_known = |id| {
            self.members
                .get(&id)
                .is_some_and(|member| member.alone.is_some())
        };
        match trial.companion {
            None if is_known(trial.subject) => self.last_alone = Some((now, held_for)),
            None => self.last_alone = Some((now, FAILED_PAUSE / UNSTEADY_PAUSE_FACTOR)),
            // It was worth it: there may be more.
            Some(companion) if self.group_of(companion) == self.group_of(trial.subject) => {}
            Some(_) => self.next_beside = Some(now + held_for * BESIDE_PAUSE_FACTOR),
        }
    }

    /// Ends a trial that has come to nothing.
    pub(super) fn abort_late_trial(&mut self, now: Instant) {
        if self
            .trial
            .as_ref()
            .is_some_and(|trial| now >= trial.deadline)
        {
            self.abort_trial(now);
        }
    }

    pub(super) fn abort_trial(&mut self, now: Instant) {
        if let Some(trial) = &self.trial {
            self.groups.put_off_check(now, trial.subject_group);
        }
        self.end_trial(now);
    }

    /// Says whether a frame of the client that has drained ends the trial.
    pub(super) fn is_end_of_trial(&self, id: MemberId, role: Role) -> bool {
        let is_subject = self.trial.as_ref().is_some_and(|trial| trial.subject == id);
        is_subject && matches!(role, Role::Alone | Role::Beside(_))
    }
}
