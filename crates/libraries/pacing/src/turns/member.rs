//! What is known of one client that takes turns, and of its frame under way.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::GroupId;
use crate::units::{Bytes, BytesPerSecond};

/// A frame is overdue after this many times what its link should take, and [`OVERDUE_JITTER`] more:
/// the others then wait for it no longer.
const OVERDUE_FACTOR: f64 = 2.5;
const OVERDUE_JITTER: Duration = Duration::from_millis(30);

/// A frame that is overdue for this many times as long as it took until then is taken for one that
/// never comes: its client takes nothing of a link.
const GONE_FACTOR: u32 = 2;

/// A frame of a client of which no rate is known is overdue after this time.
const OVERDUE_WITHOUT_RATE: Duration = Duration::from_secs(1);

/// No frame is waited for longer than this, whatever the rate was of late.
const MAX_FRAME_TIME: Duration = Duration::from_secs(4);

/// What drains faster than this shows no rate: half of it may have passed before the pacer looked
/// (`group::SEEN_AFTER`).
const MIN_FRAME_TIME: Duration = Duration::from_millis(2);

/// A client that was told to go and does not begin within this time has lost its turn.
const GRANT_VALID: Duration = Duration::from_millis(50);

/// For so long it is remembered how much a client had acknowledged when.
const REMEMBERED: Duration = Duration::from_secs(4);

/// Trials that fail may cost a client this share of what it acknowledges in the long run.
const MAX_COST_SHARE: f64 = 0.005;

/// What is known of a client.
#[derive(Debug)]
pub(super) struct Member {
    /// Those of one network probably share a link.
    pub(super) network: Option<IpAddr>,
    pub(super) group: GroupId,
    /// When it was first heard of.
    pub(super) entered: Instant,
    /// Since when it has sent for itself: since it came, or has left those it took turns with.
    pub(super) alone_since: Instant,
    /// What failed trials have cost it and is not made up for.
    trial_cost: Bytes,
    /// Since when it has sent as it does now: in turns with the same clients, or with none.
    pub(super) sends_so_since: Instant,
    pub(super) flight: Option<Flight>,
    /// When its last frame began. Next is the one whose is oldest.
    pub(super) last_began: Option<Instant>,
    pub(super) waiting: Waiting,
    /// How long its last frame was under way.
    pub(super) frame_time: Duration,
    pub(super) frame_bytes: u64,
    /// The rate of its last frame, and of the one before.
    rate: Option<BytesPerSecond>,
    rate_before: Option<BytesPerSecond>,
    /// Its last frame was overdue, and the one before was not: it may have rested, as a page in the
    /// background does. What that took is no rate by which others would wait for its next frames.
    may_have_rested: bool,
    /// Its last frame was overdue.
    was_overdue: bool,
    /// Turns in a row in which its link was much slower than those of the others of its group.
    pub(super) slow_turns: u8,
    /// Bytes that it had acknowledged in all at times of late.
    acknowledged: VecDeque<(Instant, u64)>,
}

/// Whether a client wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// It has nothing to send, or is sending.
    No,
    /// It waits to be called.
    ForItsTurn,
    /// It may send, since this moment.
    Granted(Instant),
}

/// A frame under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) began: Instant,
    pub(super) bytes: u64,
    pub(super) overdue: Instant,
}

impl Flight {
    /// Says whether nothing is to be expected of it any more.
    fn is_gone(&self, now: Instant) -> bool {
        now > self.began + (self.overdue - self.began) * GONE_FACTOR
    }
}

impl Member {
    pub(super) fn new(now: Instant, network: Option<IpAddr>, group: GroupId) -> Self {
        Self {
            network,
            group,
            entered: now,
            alone_since: now,
            trial_cost: Bytes::ZERO,
            sends_so_since: now,
            flight: None,
            last_began: None,
            waiting: Waiting::No,
            frame_time: Duration::ZERO,
            frame_bytes: 0,
            rate: None,
            rate_before: None,
            may_have_rested: false,
            was_overdue: false,
            slow_turns: 0,
            acknowledged: VecDeque::new(),
        }
    }

    /// A frame of so many bytes begins.
    pub(super) fn on_write(&mut self, now: Instant, bytes: u64) {
        let last = self.rate.filter(|_| !self.may_have_rested);
        let low = last.into_iter().chain(self.rate_before);
        let low = low.reduce(BytesPerSecond::min);
        let expected = low.map_or(OVERDUE_WITHOUT_RATE, |rate| {
            rate.time_for(Bytes::from(bytes)).mul_f64(OVERDUE_FACTOR) + OVERDUE_JITTER
        });
        self.waiting = Waiting::No;
        self.last_began = Some(now);
        self.frame_bytes = bytes;
        self.flight = Some(Flight {
            began: now,
            bytes,
            overdue: now + expected.min(MAX_FRAME_TIME),
        });
    }

    /// Its frame has drained. Gives the rate that it had; `None` if that was faster than can be
    /// told.
    pub(super) fn on_drained(&mut self, now: Instant, flight: Flight) -> Option<BytesPerSecond> {
        self.frame_time = now.saturating_duration_since(flight.began);
        if self.frame_time < MIN_FRAME_TIME {
            return None;
        }
        let rate = Bytes::from(flight.bytes) / self.frame_time;
        let rested = std::mem::take(&mut self.may_have_rested);
        if now >= flight.overdue {
            self.may_have_rested = !self.was_overdue;
            self.was_overdue = true;
        } else {
            self.was_overdue = false;
            if rested {
                self.rate = None;
            }
        }
        self.rate_before = self.rate.replace(rate);
        Some(rate)
    }

    /// The rate of its last frame.
    pub(super) fn last_rate(&self) -> Option<BytesPerSecond> {
        self.rate
    }

    /// It has acknowledged so many bytes in all.
    pub(super) fn on_acknowledged(&mut self, now: Instant, bytes: u64) {
        while let Some((at, _)) = self.acknowledged.get(1)
            && now.saturating_duration_since(*at) > REMEMBERED
        {
            self.acknowledged.pop_front();
        }
        // What came out of order may be lost after all, and is then sent again.
        let bytes = bytes.max(self.acknowledged());
        let progress = Bytes::from(bytes - self.acknowledged());
        self.trial_cost = (self.trial_cost - progress * MAX_COST_SHARE).max(Bytes::ZERO);
        self.acknowledged.push_back((now, bytes));
    }

    /// Bytes that it had acknowledged in all when that was asked last.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.back().map_or(0, |(_, bytes)| *bytes)
    }

    /// The rate at which it has acknowledged bytes for the last `time`; `None` if that is more than
    /// what is remembered.
    pub(super) fn rate_for(&self, time: Duration) -> Option<BytesPerSecond> {
        let (end, bytes) = *self.acknowledged.back()?;
        let mut before = self.acknowledged.iter().rev();
        let (begin, bytes_before) =
            before.find(|(at, _)| end.saturating_duration_since(*at) >= time)?;
        Some(Bytes::from(bytes - *bytes_before) / (end - *begin))
    }

    /// Since when it is known what it had acknowledged while it sent as it does now, or in turns
    /// with ever more.
    pub(super) fn known_since(&self) -> Option<Instant> {
        let (first, _) = self.acknowledged.front()?;
        Some(self.alone_since.max(*first))
    }

    /// How many bytes it had acknowledged in all at a moment, if that is remembered: between two
    /// looks, as if they had come evenly.
    pub(super) fn acknowledged_at(&self, at: Instant) -> Option<f64> {
        let after = self.acknowledged.partition_point(|(look, _)| *look < at);
        let (end, bytes) = *self.acknowledged.get(after)?;
        let Some((begin, bytes_before)) =
            after.checked_sub(1).map(|before| self.acknowledged[before])
        else {
            return (end == at).then_some(bytes as f64);
        };
        let share = (at - begin).as_secs_f64() / (end - begin).as_secs_f64();
        Some(bytes_before as f64 + (bytes - bytes_before) as f64 * share)
    }

    /// A trial has cost it so much, and shown that it does not share a link.
    pub(super) fn on_trial_failed(&mut self, cost: Bytes) {
        self.trial_cost = self.trial_cost + cost;
    }

    /// How many frames it has lost to trials that failed and has not made up for.
    pub(super) fn frames_lost(&self) -> f64 {
        self.trial_cost.ratio(Bytes::from(self.frame_bytes.max(1)))
    }

    /// Says whether others are to wait for it.
    pub(super) fn occupies(&self, now: Instant) -> bool {
        let is_granted =
            matches!(self.waiting, Waiting::Granted(since) if now < since + GRANT_VALID);
        let is_under_way = |flight: &Flight| now < flight.overdue;
        is_granted || self.flight.as_ref().is_some_and(is_under_way)
    }

    /// When that changes, unless it is changed.
    pub(super) fn occupies_until(&self) -> Option<Instant> {
        let granted = match self.waiting {
            Waiting::Granted(since) => Some(since + GRANT_VALID),
            Waiting::No | Waiting::ForItsTurn => None,
        };
        granted.max(self.flight.map(|flight| flight.overdue))
    }

    /// Says whether nothing is to be expected of it.
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.is_gone(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_BYTES: u64 = 98_000;

    /// A frame that takes so long; gives for how long others would have waited for it.
    fn frame(member: &mut Member, now: &mut Instant, took: Duration) -> Duration {
        member.on_write(*now, FRAME_BYTES);
        let flight = member.flight.take().unwrap();
        let waited_for = flight.overdue - *now;
        *now += took;
        member.on_drained(*now, flight);
        waited_for
    }

    #[test]
    fn who_rested_once_is_waited_for_no_longer_than_before() {
        let mut now = Instant::now();
        let mut member = Member::new(now, None, GroupId::new(0));
        let usual = Duration::from_millis(80);
        frame(&mut member, &mut now, usual);
        frame(&mut member, &mut now, usual);
        frame(&mut member, &mut now, Duration::from_secs(20));
        for _ in 0..4 {
            let waited_for = frame(&mut member, &mut now, usual);
            assert!(waited_for < Duration::from_millis(300), "{waited_for:?}");
        }
    }

    #[test]
    fn what_came_between_two_looks_came_evenly() {
        let now = Instant::now();
        let mut member = Member::new(now, None, GroupId::new(0));
        let ms = Duration::from_millis;
        for (at, bytes) in [(0, 1000), (40, 3000), (80, 2000)] {
            member.on_acknowledged(now + ms(at), bytes);
        }
        assert_eq!(member.known_since(), Some(now));
        for (at, bytes) in [(0, 1000.0), (10, 1500.0), (40, 3000.0), (80, 3000.0)] {
            assert_eq!(member.acknowledged_at(now + ms(at)), Some(bytes), "{at}");
        }
        // Before the first look and after the last.
        assert_eq!(member.acknowledged_at(now - ms(1)), None);
        assert_eq!(member.acknowledged_at(now + ms(81)), None);
    }

    #[test]
    fn whose_link_has_become_slow_is_waited_for_but_not_for_ever() {
        let mut now = Instant::now();
        let mut member = Member::new(now, None, GroupId::new(0));
        frame(&mut member, &mut now, Duration::from_millis(80));
        for _ in 0..2 {
            frame(&mut member, &mut now, Duration::from_millis(800));
        }
        let waited_for = frame(&mut member, &mut now, Duration::from_secs(30));
        assert!(waited_for > Duration::from_secs(1), "{waited_for:?}");
        frame(&mut member, &mut now, Duration::from_secs(30));
        assert_eq!(frame(&mut member, &mut now, Duration::ZERO), MAX_FRAME_TIME);
    }
}
