//! Which of several clients that share a bottleneck is sent to next.
//!
//! Frames that are sent at once to five clients behind one link all arrive late: each waits for
//! parts of four others. Sent one after the other they take the same time in all, and each is a
//! fifth as long under way. But clients on links of their own, made to wait for each other, would
//! lose rate. So [`Turns`] finds out who shares a link, and does it by trying:
//!
//! - **Free.** A client that does not keep up begins alone: it sends whenever it can. What all of
//!   them acknowledge is looked at now and then.
//! - **On trial.** Some of them take turns for about two rounds ([`trial`]). If they share a link,
//!   they get as much in all as before: what one leaves the others take. If they do not, they get
//!   at most three quarters of it. As soon as about a frame is missing, the trial is over: so much
//!   a failed trial costs all of them together, however many they are.
//! - **In turns.** Those that have passed are a group. One of them at a time has a frame under way,
//!   and next is the one whose picture is oldest. Now and then two go together ([`check`]): if they
//!   get much more then, they share a link no more, and all is found out anew.
//!
//! Which of them are put on trial, and how often, says [`search`]: those of whom the sum of what
//! they get is steady ([`sums`]), those of one network, all, a group and who is beside it, those of
//! about the same rate. Failed trials may cost a client two frames at first, and hardly a hundredth
//! of what it gets.
//!
//! Who comes or goes changes nothing of a trial of others, for that shows but one thing. Who comes
//! takes something of a link: what is missing then shows nothing, and they are tried again. Who
//! goes leaves something: a group that was found then is soon checked.
//!
//! Who keeps up with the camera never gets here ([`Punctuality`]), and a group leaves together when
//! all frames of all of them fit between two of the camera ([`group`]). A client that takes much
//! longer than its link should (`member::OVERDUE_FACTOR`) holds up nobody.
//!
//! # The numbers
//!
//! Each was made a few times smaller and greater, and of the tests in `simulation::turns` the one
//! named failed, or none (any).
//!
//! - A: `viewers_behind_one_link_see_pictures_as_young_as_one_alone`
//! - B: `viewers_on_links_of_their_own_keep_their_rate_and_age`
//! - D: `who_has_a_link_alone_is_no_part_of_a_group`
//! - E: `a_dead_viewer_holds_up_nobody_for_long`
//! - F: `who_gets_another_link_is_found_out`
//! - G: `a_group_stays_one_when_its_link_fades_and_recovers`
//! - H: `viewers_of_a_link_that_is_shared_as_it_happens_all_take_turns`
//! - I: `a_narrower_link_behind_the_shared_one_keeps_its_viewer_out`
//! - J: `who_becomes_slow_behind_the_shared_link_is_put_out`
//! - K: `a_link_that_gives_in_bursts_is_told_from_a_shared_one`
//! - L: `changing::no_rate_of_a_link_is_one_at_which_turns_end_and_begin_again_and_again`
//! - M: `changing::viewers_whose_link_has_become_fast_take_turns_no_more`
//! - N: `trials_cost_no_client_of_a_link_of_its_own_more_than_a_hundredth_of_its_frames`
//! - O: `mixtures::viewers_of_several_links_with_an_address_each_are_told_apart`
//! - P: `mixtures::twelve_viewers_of_two_links_are_told_apart`
//! - Q: the recordings of which [`sums`] tells
//! - R: `mixtures::who_joins_one_of_several_links_has_a_turn_within_three_seconds`
//! - S: `mixtures::a_right_trial_that_failed_by_chance_is_not_kept_from_being_repeated`
//!
//! | number | smaller | greater |
//! | --- | --- | --- |
//! | [`MAX_MEMBERS`] | a cap | a cap |
//! | [`MAX_WAIT`], [`MIN_WAIT`] | caps | caps |
//! | [`TRIAL_LOOKS`] | D | F |
//! | [`LOOKS`] | G | B |
//! | [`SLOW_SHARE`] | J | J |
//! | [`SLOW_TURNS`] | I | any |
//! | `check::PAUSE` | any | F |
//! | `check::SOONER` | A | F |
//! | `check::TIMES`, `check::PAUSE_IN_DOUBT` | any | any |
//! | `member::OVERDUE_FACTOR` | A | E |
//! | `member::OVERDUE_JITTER` | G | any |
//! | `member::GONE_FACTOR` | A | any |
//! | `member::OVERDUE_WITHOUT_RATE` | any | any |
//! | `member::MAX_FRAME_TIME` | a cap | a cap |
//! | `member::MIN_FRAME_TIME`, `member::GRANT_VALID` | any | any |
//! | `member::MAX_COST_SHARE` | any | N |
//! | `member::REMEMBERED` | `trial::MAX_SPAN` is shorter | any |
//! | `search::MAX_SIZE_FACTOR` | `search::tests` | `search::tests` |
//! | `search::RETRY` | D | any |
//! | `search::MAX_RETRY`, `search::RETRY_AFTER_STALL` | any | any |
//! | `search::FRAMES_AHEAD` | D | N |
//! | `search::FRAMES_AHEAD_AGAIN` | D | N |
//! | `search::MOST_FRAMES_LOST` | D | `search::tests` |
//! | `search::STEADY_FACTOR` | R | any |
//! | `search::DISBELIEVED_AFTER` | S | any |
//! | `search::CHANGED_FACTOR` | B | F |
//! | `search::RATE_SPAN` | B | F |
//! | `search::RECENT_SPAN` | any | any |
//! | `group::ENOUGH_SHARE` | M | L |
//! | `group::SEEN_AFTER` | any | L |
//! | `punctuality::LATE_FRAMES` | L | A |
//! | `punctuality::FRAMES_IN_TIME` | any | M |
//! | `punctuality::JITTER` | any | any |
//! | `search::LATER` | any | any |
//! | `search::MAX_ATTEMPTS` | a cap | a cap |
//! | `sums::STEP` | any | O |
//! | `sums::STEPS_OF_WINDOW` | Q | O |
//! | `sums::MIN_WINDOWS` | Q | O |
//! | `sums::MIN_WINDOWS_EACH` | Q | O |
//! | `sums::MAX_WINDOWS` | any | any |
//! | `sums::STEADY` | Q | `sums::tests` |
//! | `sums::GAIN` | any | P |
//! | `sums::PAUSE` | any | O |
//! | `trial::MISSING_FRAMES` | 4 of 6 tries on real links failed at 0.75 | B |
//! | `trial::MISSING_SHARE` | B | B |
//! | `trial::PROOF_MISSING_FRAMES` | any | I |
//! | `trial::PROOF_MISSING_SHARE` | I | I |
//! | `trial::PROOF` | I | F |
//! | `trial::FRAMES_EACH`, `trial::FRAMES_IN_ALL` | any | G |
//! | `trial::STALL` | K | H |
//! | `trial::STALL_BYTES` | any | any |
//! | `trial::MAX_TRIAL` | a cap | a cap |
//! | `trial::SPAN_FRAMES`, `trial::MIN_SPAN` | D | any |
//! | `trial::MAX_SPAN` | B | any |

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

mod check;
mod group;
mod member;
mod punctuality;
mod search;
mod sums;
mod trial;
mod unit;

use group::{Group, GroupId};
use member::{Member, Waiting};
use search::Search;
use trial::Trial;

pub use punctuality::{Pace, Punctuality, Waited};

/// No more clients than this take turns: the more there are, the less a trial shows.
const MAX_MEMBERS: usize = 32;

/// The longest and the shortest time until a client that waits asks again, should nobody call it.
const MAX_WAIT: Duration = Duration::from_secs(1);
const MIN_WAIT: Duration = Duration::from_millis(1);

/// How often it is looked at what clients have acknowledged: during a trial, and else.
const TRIAL_LOOKS: Duration = Duration::from_millis(8);
const LOOKS: Duration = Duration::from_millis(40);

/// A client whose link is this much slower than those of the others of its group, so many turns in
/// a row, is no longer one of them: they would wait long for it.
const SLOW_SHARE: f64 = 0.5;
const SLOW_TURNS: u8 = 4;

/// A client that takes turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberId(u64);

/// Decides for all clients of a server that do not keep up.
///
/// Whoever sends the frames tells it of each that begins ([`on_write`](Self::on_write)) and of each
/// that has drained ([`on_drained`](Self::on_drained)), and asks before each whether it may be
/// chosen ([`ask`](Self::ask)). Before any of these it lets it look at what the clients have
/// acknowledged, when that [is due](Self::is_look_due). It knows neither sockets nor the time.
#[derive(Debug, Default)]
pub struct Turns {
    next_id: u64,
    members: BTreeMap<MemberId, Member>,
    /// Each member is in one, if only with itself.
    groups: BTreeMap<GroupId, Group>,
    trial: Option<Trial>,
    search: Search,
    last_look: Option<Instant>,
    /// Those that wait no more, and have not been told.
    called: Vec<MemberId>,
}

impl Turns {
    /// Lets a client take part that does not keep up; `network` is where it is, if others may be
    /// there, too. `None` if there are too many already: it is to send as if it were alone.
    pub fn enter(&mut self, now: Instant, network: Option<IpAddr>) -> Option<MemberId> {
        if self.members.len() >= MAX_MEMBERS {
            return None;
        }
        let id = MemberId(self.next_id);
        self.next_id += 1;
        let group = self.new_group([id].into());
        self.members.insert(id, Member::new(now, network, group));
        Some(id)
    }

    /// The client is gone, or keeps up.
    pub fn leave(&mut self, now: Instant, id: MemberId) {
        let Some(member) = self.members.remove(&id) else {
            return;
        };
        self.take_out(id, member.group);
        self.note_alone(now, member.group);
        self.search.on_leave(id);
        match &mut self.trial {
            Some(trial) if trial.members.contains(&id) => self.give_up_trial(now),
            Some(trial) => trial.on_other_left(),
            None => {}
        }
        self.groups
            .values_mut()
            .for_each(|group| group.on_other_left(now));
        self.call(now);
    }

    /// Asks for a client that has something to send, and of whose last frame no more is under way
    /// than its path holds, whether its next frame may be chosen now. Gives how long it is to wait
    /// otherwise, unless it is called before; then it asks again.
    pub fn ask(&mut self, now: Instant, id: MemberId) -> Option<Duration> {
        let member = self.members.get_mut(&id)?;
        if member.waiting == Waiting::No {
            member.waiting = Waiting::ForItsTurn;
        }
        self.call(now);
        self.called.retain(|called| *called != id);
        match self.members.get(&id)?.waiting {
            Waiting::Granted(..) | Waiting::No => None,
            Waiting::ForItsTurn => Some(self.wait_of(now, id)),
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
        member.on_write(now, bytes);
        let group = member.group;
        if self.trial.is_none() {
            self.begin_check(now, id, group);
        }
        self.call(now);
    }

    /// No more of the client's frame is under way than its path holds.
    pub fn on_drained(&mut self, now: Instant, id: MemberId) {
        let Some(member) = self.members.get_mut(&id) else {
            return;
        };
        let Some(flight) = member.flight.take() else {
            return;
        };
        let (rate, group) = (member.on_drained(now, flight), member.group);
        if let Some(trial) = &mut self.trial {
            trial.on_drained(id, flight);
        } else if let Some(rate) = rate {
            self.judge_turn(now, id, group, rate);
        }
        self.call(now);
    }

    /// Says whether it is to look at what clients have acknowledged.
    #[must_use]
    pub fn is_look_due(&self, now: Instant) -> bool {
        let interval = match self.trial {
            Some(_) => TRIAL_LOOKS,
            None => LOOKS,
        };
        let is_over = |last: Instant| now.saturating_duration_since(last) >= interval;
        self.members.len() > 1 && self.last_look.is_none_or(is_over)
    }

    /// Looks at how many bytes each client has acknowledged in all.
    pub fn look(&mut self, now: Instant, acknowledged: impl Fn(MemberId) -> Option<u64>) {
        self.last_look = Some(now);
        for (id, member) in &mut self.members {
            if let Some(bytes) = acknowledged(*id) {
                member.on_acknowledged(now, bytes);
            }
        }
        self.judge_trial(now);
        self.judge_groups(now);
        if self.trial.is_none() {
            self.begin_trial(now);
        }
        self.call(now);
    }

    /// Gives those that wait no more, and have not been told: each is to ask again.
    pub fn take_called(&mut self) -> Vec<MemberId> {
        std::mem::take(&mut self.called)
    }

    /// How many clients share a link with this one, itself included.
    #[cfg(test)]
    pub(crate) fn group_size(&self, id: MemberId) -> usize {
        let group = self.members.get(&id).map(|member| member.group);
        let group = group.and_then(|group| self.groups.get(&group));
        group.map_or(0, |group| group.members.len())
    }

    /// Says whether a client takes turns with others, be it on trial.
    #[must_use]
    pub fn is_in_turns(&self, id: MemberId) -> bool {
        self.with(id).is_some_and(|with| with.len() > 1)
    }

    /// Those with which a client takes turns, itself included.
    fn with(&self, id: MemberId) -> Option<&BTreeSet<MemberId>> {
        if let Some(trial) = &self.trial
            && trial.members.contains(&id)
        {
            return Some(&trial.members);
        }
        let group = self.members.get(&id)?.group;
        Some(&self.groups.get(&group)?.members)
    }

    /// Those of some clients of which something is to be expected.
    fn live<'a>(
        &'a self,
        now: Instant,
        ids: &'a BTreeSet<MemberId>,
    ) -> impl Iterator<Item = (MemberId, &'a Member)> {
        let members = ids
            .iter()
            .filter_map(|id| Some((*id, self.members.get(id)?)));
        members.filter(move |(_, member)| !member.is_gone(now))
    }

    fn acknowledged(&self, ids: &BTreeSet<MemberId>) -> u64 {
        let members = ids.iter().filter_map(|id| self.members.get(id));
        members.map(Member::acknowledged).sum()
    }

    /// Calls all that may go, the one with the oldest picture first.
    fn call(&mut self, now: Instant) {
        let waiting = self.members.iter();
        let waiting = waiting.filter(|(_, member)| member.waiting == Waiting::ForItsTurn);
        let mut waiting: Vec<_> = waiting
            .map(|(id, member)| (member.last_began, *id))
            .collect();
        waiting.sort();
        for (_, id) in waiting {
            if self.may_go(now, id) {
                self.grant(now, id);
            }
        }
    }

    /// Lets a client go that waits.
    fn grant(&mut self, now: Instant, id: MemberId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.waiting = Waiting::Granted(now);
            self.called.push(id);
        }
    }

    /// Says whether a client that waits may send now.
    fn may_go(&self, now: Instant, id: MemberId) -> bool {
        let Some(with) = self.with(id) else {
            return true;
        };
        let others = with.iter().filter(|other| **other != id);
        let mut others = others.filter_map(|other| self.members.get(other));
        !others.any(|other| other.occupies(now))
    }

    /// How long a client waits until it asks again.
    fn wait_of(&self, now: Instant, id: MemberId) -> Duration {
        if self
            .trial
            .as_ref()
            .is_some_and(|trial| trial.members.contains(&id))
        {
            return TRIAL_LOOKS;
        }
        let others = self.with(id).into_iter().flatten();
        let others = others.filter_map(|other| self.members.get(other)?.occupies_until());
        let next = others.filter(|at| *at > now).min();
        next.map_or(MAX_WAIT, |at| (at - now).clamp(MIN_WAIT, MAX_WAIT))
    }
}
