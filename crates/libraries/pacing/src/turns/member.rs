//! What is known of one client that takes turns, and of its frame under way.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::MemberId;
use super::groups::GroupId;
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

/// No frame is waited for longer than this, so that a rate near zero makes no absurd deadline.
const MAX_FRAME_TIME: Duration = Duration::from_secs(60);

/// What drains faster than this shows no rate: the pacer looks no more often.
const MIN_FRAME_TIME: Duration = Duration::from_millis(2);

/// A client that was told to go and does not begin within this time has lost its turn.
pub(super) const GRANT_VALID: Duration = Duration::from_millis(50);

/// So many rates alone are kept, as the last one may turn out not to have been alone: those of a
/// few seconds.
const ALONE_KEPT: usize = 24;

/// A client's rate is steady that has at least this share of the frame before, and the other way
/// round.
const STEADY: f64 = 0.92;

/// It is steady after so many frames.
const STEADY_FRAMES: u8 = 4;

/// How long the rate of a client alone is compared with what it gets beside others.
const ALONE_VALID: Duration = Duration::from_secs(20);

/// What is known of a client.
#[derive(Debug)]
pub(super) struct Member {
    /// Those behind one address probably share a link.
    pub(super) network: Option<IpAddr>,
    pub(super) group: GroupId,
    pub(super) flight: Option<Flight>,
    /// When its last frame began. Next is the one whose is oldest.
    pub(super) last_began: Option<Instant>,
    pub(super) waiting: Waiting,
    /// The rate of its last frame, whatever was under way beside it.
    pub(super) recent: Option<BytesPerSecond>,
    /// That of the one before.
    recent_before: Option<BytesPerSecond>,
    /// The rate that it had while nothing was under way that might share its link, and when; and
    /// what that was before.
    pub(super) alone: Option<(Instant, BytesPerSecond)>,
    alone_before: VecDeque<(Instant, BytesPerSecond)>,
    /// Frames in a row, alone, that were much slower or faster than before, or than those of the
    /// others of its group.
    pub(super) frames_unlike_before: u8,
    pub(super) frames_unlike_others: u8,
    /// Frames in a row whose rate was that of the frame before, whatever was under way beside them.
    pub(super) steady_frames: u8,
    /// Frames beside several others were slower than alone, and not all of the others can be why.
    pub(super) is_slowed_by_some: bool,
    /// Frames that have drained.
    pub(super) frames: u32,
}

/// Whether a client wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// It has nothing to send, or is sending.
    No,
    /// It waits to be called.
    ForItsTurn,
    /// It may send, since this moment, for this.
    Granted(Instant, Role),
}

/// What a frame was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing but to be seen.
    Free,
    /// To see its client alone.
    Alone,
    /// To see its client beside this one, and nobody else.
    Beside(MemberId),
    /// To be beside the one that is watched.
    Companion,
}

/// A frame under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) began: Instant,
    pub(super) bytes: u64,
    pub(super) overdue: Instant,
    pub(super) role: Role,
    /// How long each other group had been busy when it began.
    pub(super) busy_before: Vec<(GroupId, Duration)>,
    /// It shows nothing of its client alone: others of its own group have been under way with it,
    /// or some of whom nobody knew.
    pub(super) is_spoilt: bool,
}

impl Flight {
    /// A frame of so many bytes begins of a client that had a rate.
    pub(super) fn new(now: Instant, bytes: u64, rate: Option<BytesPerSecond>, role: Role) -> Self {
        let expected = rate.map_or(OVERDUE_WITHOUT_RATE, |rate| {
            rate.time_for(Bytes::from(bytes)).mul_f64(OVERDUE_FACTOR) + OVERDUE_JITTER
        });
        Self {
            began: now,
            bytes,
            overdue: now + expected.min(MAX_FRAME_TIME),
            role,
            busy_before: Vec::new(),
            is_spoilt: false,
        }
    }

    /// The rate that it had, having drained now; `None` if that was faster than can be told.
    pub(super) fn rate(&self, now: Instant) -> Option<BytesPerSecond> {
        let time = now.saturating_duration_since(self.began);
        (time >= MIN_FRAME_TIME).then(|| Bytes::from(self.bytes) / time)
    }

    /// Says whether nothing is to be expected of it any more.
    pub(super) fn is_gone(&self, now: Instant) -> bool {
        now > self.began + (self.overdue - self.began) * GONE_FACTOR
    }
}

impl Member {
    pub(super) fn new(network: Option<IpAddr>, group: GroupId) -> Self {
        Self {
            network,
            group,
            flight: None,
            last_began: None,
            waiting: Waiting::No,
            recent: None,
            recent_before: None,
            alone: None,
            alone_before: VecDeque::new(),
            frames_unlike_before: 0,
            frames_unlike_others: 0,
            steady_frames: 0,
            is_slowed_by_some: false,
            frames: 0,
        }
    }

    /// This is the rate that it has alone.
    pub(super) fn set_alone(&mut self, now: Instant, rate: BytesPerSecond) {
        if let Some(before) = self.alone.replace((now, rate)) {
            self.alone_before.truncate(ALONE_KEPT - 1);
            self.alone_before.push_front(before);
        }
    }

    /// It was not alone since this time.
    pub(super) fn forget_alone_since(&mut self, since: Instant) {
        while self.alone.is_some_and(|(at, _)| at >= since) {
            self.alone = self.alone_before.pop_front();
        }
    }

    /// The lower of the rates of its last two frames.
    pub(super) fn low_rate(&self) -> Option<BytesPerSecond> {
        let (recent, before) = (self.recent?, self.recent_before);
        Some(before.filter(|before| *before < recent).unwrap_or(recent))
    }

    /// A frame has drained, at a rate.
    pub(super) fn on_rate(&mut self, rate: BytesPerSecond) {
        let is_steady = self.recent.is_some_and(|recent| {
            let share = rate.share_of(recent);
            share > STEADY && share < 1.0 / STEADY
        });
        self.steady_frames = count(self.steady_frames, is_steady);
        self.recent_before = self.recent.replace(rate);
    }

    /// Says whether its rate has been the same for some frames: it seems that nobody shares its
    /// link but in turns, for then the rate goes up and down.
    pub(super) fn is_steady(&self) -> bool {
        self.steady_frames >= STEADY_FRAMES
    }

    /// Says whether its rate has been the same from its first frame on, and it will soon be known
    /// to be steady.
    pub(super) fn seems_steady(&self) -> bool {
        !self.is_steady() && u32::from(self.steady_frames) + 1 >= self.frames
    }

    /// Says whether others of its group are to wait for it.
    pub(super) fn occupies(&self, now: Instant) -> bool {
        let is_granted =
            matches!(self.waiting, Waiting::Granted(since, _) if now < since + GRANT_VALID);
        is_granted
            || self
                .flight
                .as_ref()
                .is_some_and(|flight| now < flight.overdue)
    }

    /// The rate that it has alone, unless that is too old to be compared with.
    pub(super) fn rate_alone(&self, now: Instant) -> Option<BytesPerSecond> {
        self.alone
            .filter(|(at, _)| now.saturating_duration_since(*at) <= ALONE_VALID)
            .map(|(_, rate)| rate)
    }
}

/// Counts frames in a row.
pub(super) fn count(before: u8, is_one: bool) -> u8 {
    if is_one { before.saturating_add(1) } else { 0 }
}
