//! Which of several clients that share a bottleneck is sent to next.
//!
//! Frames that are sent at once to five clients behind one link all arrive late: each waits for
//! parts of four others. Sent one after the other they take the same time in all, and each is a
//! fifth as long under way. But clients on links of their own, made to wait for each other, would
//! lose rate. So [`Turns`] first finds out who shares a link, by nothing but when frames were
//! written and when they had drained:
//!
//! - **Alone.** While no other frame is under way that might share the link, a client's frame shows
//!   the rate that the link gives to one. Where others always are, they are held back for a single
//!   frame.
//! - **Together.** A frame that takes about as long while others are under way shares no link with
//!   them. One that takes as much longer as there are others shares its link with all of them. In
//!   between, one of the others goes with it and the rest are held back, for a frame at a time.
//! - **In turns.** Those that share a link are a group ([`Groups`]). One of them at a time has a
//!   frame under way, and next is the one whose picture is oldest. Now and then two go together for
//!   a frame: if that takes no longer, they share a link no more, and all is found out anew.
//!
//! Who keeps up with the camera never gets here. A client that takes much longer than its link
//! should ([`OVERDUE_FACTOR`]) holds up nobody.
//!
//! # The numbers
//!
//! Each was made a few times smaller and greater, and of the tests in `simulation::turns` the one
//! named failed, or none (any). That was before the rules of who was not alone
//! (`Turns::enter`) and of `TOO_FAST` came, and is to be done again before a program uses this.
//!
//! - A: `viewers_behind_one_link_see_pictures_as_young_as_one_alone`
//! - B: `viewers_on_links_of_their_own_keep_their_rate_and_age`
//! - C: `links_of_their_own_cost_nothing_once_that_is_known`
//! - D: `two_links_make_two_groups`
//! - E: `a_dead_viewer_holds_up_nobody_for_long`
//! - F: `who_gets_another_link_is_found_out`
//! - G: `frames_of_changing_size_change_nothing`
//!
//! | number | smaller | greater |
//! | --- | --- | --- |
//! | [`MAX_MEMBERS`] | a cap | a cap |
//! | [`MAX_WAIT`] | G | any |
//! | `member::OVERDUE_FACTOR` | A | E |
//! | `member::OVERDUE_JITTER` | any | any |
//! | `member::GONE_FACTOR` | any | any |
//! | `member::OVERDUE_WITHOUT_RATE` | A | any |
//! | `member::MAX_FRAME_TIME` | a cap | a cap |
//! | `member::MIN_FRAME_TIME` | any | A |
//! | `member::GRANT_VALID` | A | E |
//! | `member::ALONE_KEPT` | any | a cap |
//! | `member::STEADY` | A | B |
//! | `member::STEADY_FRAMES` | D | C |
//! | [`ALONE_VALID`] | A | any |
//! | `evidence::NOT_BESIDE` | any | A |
//! | `evidence::BESIDE` | any | A |
//! | `evidence::NOT_SLOWED` | any | any |
//! | `evidence::TOO_FAST` | any | any |
//! | `evidence::SLOWED_BY_SOME` | any | any |
//! | `evidence::SLOWED_BY_ONE` | A | any |
//! | `evidence::UNLIKE` | any | D |
//! | `evidence::ODD_FACTOR` | B | any |
//! | `evidence::ODD_FRAMES` | A | any |
//! | `evidence::NEW_RATE_WEIGHT` | any | any |
//! | `relation::APART_VALID` | B | any |
//! | `relation::APART_VALID_MAX` | any | any |
//! | `relation::FRAMES_BELIEVED` | any | A |
//! | `groups::CHECK_PAUSE` | A | F |
//! | `groups::CHECK_PAUSE_GROWTH` | A | any |
//! | `groups::CHECK_PAUSE_MAX` | A | any |
//! | `groups::CHECK_AGAIN` | any | F |
//! | `trial::ALONE_PAUSE_FACTOR` | B | any |
//! | `trial::UNSTEADY_PAUSE_FACTOR` | B | D |
//! | `trial::BESIDE_PAUSE_FACTOR` | A | D |
//! | `trial::FAILED_PAUSE` | any | any |
//! | `trial::MAX_CLEARING` | A | any |
//! | `trial::FRAMES_FIRST` | E | A |
//! | `trial::MIN_SUBJECT_RATE` | any | any |
//! | `trial::TOGETHER` | any | any |
//!

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

mod evidence;
mod groups;
mod member;
mod relation;
mod trial;

use evidence::Evidence;
use groups::{GroupId, Groups};
use member::{Flight, GRANT_VALID, Member, Role, Waiting};
use trial::Trial;

/// No more clients than this take turns: what there is to decide grows with their square.
const MAX_MEMBERS: usize = 32;

/// The longest time until a client that waits asks again, should nobody call it.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// A client that takes turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u64);

/// What a frame that has drained shows of its client's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What the link carries.
    Rate,
    /// Little: the path holds much of a frame, or seems to, because others filled its queue when
    /// the client came. It takes part, and others find out whether they share a link with it.
    Little,
}

/// Decides for all clients of a server that do not keep up.
///
/// Whoever sends the frames tells it of each that begins ([`on_write`](Self::on_write)) and of each
/// that has drained ([`on_drained`](Self::on_drained)), and asks before each whether it may be
/// chosen ([`ask`](Self::ask)). It knows neither sockets nor the time.
#[derive(Debug, Default)]
pub struct Turns {
    next_member: u64,
    members: BTreeMap<MemberId, Member>,
    groups: Groups,
    trial: Option<Trial>,
    /// When clients were held back last to see one alone, and for how long.
    last_alone: Option<(Instant, Duration)>,
    /// When they may be held back next to see one beside one other.
    next_beside: Option<Instant>,
    /// Those that wait no more, and have not been told.
    called: Vec<MemberId>,
}

impl Turns {
    /// Lets a client take part that has not kept up `since` some time; `network` is its address, if
    /// others may have the same. `None` if there are too many already: it is to send as if it were
    /// alone.
    pub fn enter(&mut self, network: Option<IpAddr>, since: Instant) -> Option<MemberId> {
        if self.members.len() >= MAX_MEMBERS {
            return None;
        }
        // Nobody has known of its frames: whoever seemed to be alone was not.
        for member in self.members.values_mut() {
            member.forget_alone_since(since);
            if let Some(flight) = &mut member.flight {
                flight.is_spoilt = true;
            }
        }
        self.groups.forget_since(since);
        let id = MemberId(self.next_member);
        self.next_member += 1;
        let member = Member::new(network, self.groups.add(id));
        self.members.insert(id, member);
        Some(id)
    }

    /// The client is gone, or keeps up.
    pub fn leave(&mut self, now: Instant, id: MemberId) {
        let Some(member) = self.members.remove(&id) else {
            return;
        };
        if member.flight.is_some() {
            self.groups.on_end(now, member.group);
        }
        self.groups.remove(id, member.group);
        if self.trial.as_ref().is_some_and(|trial| trial.needs(id)) {
            self.abort_trial(now);
        }
        self.call(now);
    }

    /// Asks for a client that has something to send, and of whose last frame no more is under way
    /// than its path holds, whether its next frame may be chosen now. Gives how long it is to wait
    /// otherwise, unless it is called before; then it asks again.
    pub fn ask(&mut self, now: Instant, id: MemberId) -> Option<Duration> {
        let member = self.members.get_mut(&id)?;
        if member.waiting == Waiting::No {
            member.waiting = Waiting::ForItsTurn;
            self.plan_trial(now, id);
        }
        self.call(now);
        self.called.retain(|called| *called != id);
        match self.members.get(&id)?.waiting {
            Waiting::Granted(..) | Waiting::No => None,
            Waiting::ForItsTurn => Some(self.next_change(now)),
        }
    }

    /// The client has nothing to send after all.
    pub fn withdraw(&mut self, now: Instant, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.waiting = Waiting::No;
            self.call(now);
        }
    }

    /// A frame of so many bytes begins.
    pub fn on_write(&mut self, now: Instant, id: MemberId, bytes: u64) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let role = match std::mem::replace(&mut member.waiting, Waiting::No) {
            Waiting::Granted(_, role) if self.trial.is_some() => role,
            _ => Role::Free,
        };
        member.last_began = Some(now);
        let group = member.group;
        let mut flight = Flight::new(now, bytes, member.low_rate(), role);
        flight.busy_before = self.groups.busy_times(now, group);
        let overdue = flight.overdue;
        let began_before = member.flight.replace(flight);
        if began_before.is_none() {
            self.groups.on_begin(now, group);
        }
        if self.groups.flights(group) > 1 {
            self.mark_beside_own(group);
        }
        if let Some(trial) = &mut self.trial {
            trial.on_write(role, overdue);
        }
        // A companion has begun: its subject may follow.
        self.call(now);
    }

    /// No more of the client's frame is under way than its path holds.
    pub fn on_drained(&mut self, now: Instant, id: MemberId, shown: Shown) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let Some(flight) = member.flight.take() else {
            return;
        };
        let (group, rate) = (member.group, flight.rate(now));
        member.frames = member.frames.saturating_add(1);
        if let Some(rate) = rate {
            member.on_rate(rate);
        }
        self.groups.on_end(now, group);
        self.forget_old(now, group);
        let is_end_of_trial = self.is_end_of_trial(id, flight.role);
        let role = match flight.role {
            // The trial was given up meanwhile, and others go.
            Role::Alone | Role::Beside(_) if !is_end_of_trial => Role::Free,
            role => role,
        };
        if let Some(rate) = rate
            && shown == Shown::Rate
            && (matches!(role, Role::Beside(_)) || !flight.is_spoilt)
        {
            let beside = self.beside(now, group, &flight);
            self.learn(now, id, &Evidence { rate, beside, role });
        }
        if is_end_of_trial {
            self.end_trial(now);
        }
        self.call(now);
    }

    /// The groups that were under way beside a frame that has drained and may share its link, and
    /// in which share of its time.
    fn beside(&self, now: Instant, group: GroupId, flight: &Flight) -> Vec<(GroupId, f64)> {
        let time = now.saturating_duration_since(flight.began);
        let mut beside = self.groups.overlaps(now, group, &flight.busy_before, time);
        beside.retain(|(other, _)| !self.is_gone(now, *other));
        beside
    }

    /// Gives those that wait no more, and have not been told: each is to ask again.
    pub fn take_called(&mut self) -> Vec<MemberId> {
        std::mem::take(&mut self.called)
    }

    /// How many clients take turns with this one, itself included.
    #[must_use]
    pub fn group_size(&self, id: MemberId) -> usize {
        self.group_of(id)
            .map_or(0, |group| self.groups.members(group).len())
    }

    fn group_of(&self, id: MemberId) -> Option<GroupId> {
        self.members.get(&id).map(|member| member.group)
    }

    /// The clients of a group.
    fn members_of(&self, group: GroupId) -> impl Iterator<Item = (MemberId, &Member)> {
        let members = self.groups.members(group).iter();
        members.filter_map(|id| Some((*id, self.members.get(id)?)))
    }

    /// Several of a group are under way at once: their frames show nothing of it alone.
    fn mark_beside_own(&mut self, group: GroupId) {
        for member in self.groups.members(group) {
            if let Some(flight) = self
                .members
                .get_mut(member)
                .and_then(|member| member.flight.as_mut())
            {
                flight.is_spoilt = true;
            }
        }
    }

    /// Calls all that may go, the one with the oldest picture first.
    fn call(&mut self, now: Instant) {
        self.abort_late_trial(now);
        let mut waiting: Vec<_> = self
            .members
            .iter()
            .filter(|(_, member)| member.waiting == Waiting::ForItsTurn)
            .map(|(id, member)| (member.last_began, *id))
            .collect();
        waiting.sort();
        for (_, id) in waiting {
            if let Some(role) = self.may_go(now, id)
                && let Some(member) = self.members.get_mut(&id)
            {
                member.waiting = Waiting::Granted(now, role);
                self.called.push(id);
            }
        }
    }

    /// Says whether a client that waits may send now, and for what.
    fn may_go(&self, now: Instant, id: MemberId) -> Option<Role> {
        let group = self.group_of(id)?;
        match &self.trial {
            Some(trial) if self.is_governed(now, trial, group) => {
                self.may_go_in_trial(now, trial, id).then(|| trial.role(id))
            }
            _ => (!self.occupied(now, group, id)).then_some(Role::Free),
        }
    }

    /// Says whether another one of the group has the turn.
    fn occupied(&self, now: Instant, group: GroupId, except: MemberId) -> bool {
        self.members_of(group)
            .any(|(id, member)| id != except && member.occupies(now))
    }

    /// Says whether nothing is to be expected of the frames that a group has under way.
    fn is_gone(&self, now: Instant, group: GroupId) -> bool {
        let flights = self.members_of(group);
        let mut flights = flights
            .filter_map(|(_, member)| member.flight.as_ref())
            .peekable();
        flights.peek().is_some() && flights.all(|flight| flight.is_gone(now))
    }

    /// When something may have changed without anybody calling.
    fn next_change(&self, now: Instant) -> Duration {
        let overdue = self.members.values().filter_map(|member| {
            let grant = match member.waiting {
                Waiting::Granted(since, _) => Some(since + GRANT_VALID),
                _ => None,
            };
            grant.or(member.flight.as_ref().map(|flight| flight.overdue))
        });
        let deadline = self.trial.as_ref().map(|trial| trial.deadline);
        overdue
            .chain(deadline)
            .filter(|at| *at > now)
            .map(|at| at - now + Duration::from_millis(1))
            .min()
            .unwrap_or(MAX_WAIT)
            .min(MAX_WAIT)
    }
}
