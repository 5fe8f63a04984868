//! What a camera does next: the decisions, apart from clocks, files and cameras.
//!
//! The caller gives the time, what readers want ([`SlotStatus`]) and what the source has
//! ([`SourceStatus`]); the machine answers with one [`Action`] at a time until there is nothing to
//! do, and with the moment at which to ask again.

use std::time::{Duration, Instant};

use eyelid_daemon::backoff::Backoff;
use eyelid_slot::{Phase, Rendition, RenditionSet};

use crate::SourceStatus;
use crate::file_turn::FileTurn;

/// How often a slot that refused a frame is tried again at most.
const SLOT_RETRY: Duration = Duration::from_secs(1);

/// How soon a failed camera is tried again the first time. It doubles with each failure...
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// ...up to this: a camera plugged in again is seen within half a minute.
const LAST_RETRY: Duration = Duration::from_secs(30);

/// What readers want of one slot.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlotStatus {
    /// The next frame is wanted.
    pub wished: bool,
    /// Somebody has opened the frame, or a rendition, since it was published.
    pub noticed: bool,
    /// Something has happened to the slot just now: a reader came, even where the wish is an old
    /// one.
    pub active: bool,
    /// No frame lies in the slot: nobody can open it.
    pub empty: bool,
    /// The renditions that are wanted.
    pub renditions: RenditionSet,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the source; report [`Machine::failed`] if it cannot be.
    Start,
    /// Encode the frame of this number and publish it; report [`Machine::published`],
    /// [`Machine::unusable`], [`Machine::refused`] or [`Machine::failed`].
    Publish(u64),
    /// Make these renditions of the exposure of this number and publish them; report
    /// [`Machine::rendered`] for each, made or not, [`Machine::unusable`], [`Machine::refused`] or
    /// [`Machine::failed`].
    Render(u64, RenditionSet),
    /// Encode the full picture of this number ([`SourceStatus::full`]) and publish it; report
    /// [`Machine::rendered`], made or not, [`Machine::refused`] or [`Machine::failed`].
    PublishFull(u64),
    /// Publish a rendition that comes by itself ([`SourceStatus::own`]), which has this number;
    /// report as of a full picture.
    PublishOwn(Rendition, u64),
    /// Stop the source.
    Stop,
}

/// The state of one camera.
#[derive(Debug)]
pub struct Machine {
    linger: Duration,
    interval: Duration,
    activity: Activity,
    backoff: Backoff,
    wanted_at: Instant,
    frame: FileTurn,
    renditions: [FileTurn; Rendition::ALL.len()],
    unusable: Option<u64>,
    slot_retry: Instant,
    opens_are_seen: bool,
}

/// What the source does now. One that was started again after a failure is awake, but has not shown
/// yet that it works.
#[derive(Clone, Copy, Debug)]
enum Activity {
    Asleep,
    Awake,
    Failed { retry_at: Instant },
}

impl Machine {
    /// Makes a sleeping camera that stays awake for `linger` after the last demand and publishes at
    /// most one frame in each `interval`.
    pub fn new(linger: Duration, interval: Duration, now: Instant) -> Self {
        Self {
            linger,
            interval,
            activity: Activity::Asleep,
            backoff: Backoff::new(FIRST_RETRY, LAST_RETRY),
            wanted_at: now,
            frame: FileTurn::new(now),
            renditions: [FileTurn::new(now); Rendition::ALL.len()],
            unusable: None,
            slot_retry: now,
            opens_are_seen: false,
        }
    }

    /// What the camera is doing, as `state.json` says it. A camera that failed stays so until it
    /// works again.
    pub fn phase(&self) -> Phase {
        match self.activity {
            Activity::Asleep => Phase::Asleep,
            Activity::Awake if self.backoff.failures() == 0 => Phase::Awake,
            Activity::Awake | Activity::Failed { .. } => Phase::Failed,
        }
    }

    /// Gives what to do now, if anything. To be called again after each action.
    pub fn next(&mut self, now: Instant, slot: SlotStatus, source: SourceStatus) -> Option<Action> {
        match self.activity {
            Activity::Asleep if slot.wished || slot.noticed => {
                self.wanted_at = now;
                self.activity = Activity::Awake;
                Some(Action::Start)
            }
            Activity::Asleep => None,
            Activity::Failed { retry_at } => {
                let is_wanted = slot.active || self.blind(slot);
                if is_wanted {
                    self.wanted_at = now;
                }
                // Wanted just now, it is tried however short the linger: `deadline` says so, too.
                if now < retry_at || (!is_wanted && self.expired(now)) {
                    return None;
                }
                self.activity = Activity::Awake;
                Some(Action::Start)
            }
            Activity::Awake => self.awake(now, slot, source),
        }
    }

    /// When to ask again although nothing has happened. Holds for what [`Machine::next`] was told
    /// last.
    pub fn deadline(&self, slot: SlotStatus, source: SourceStatus) -> Option<Instant> {
        let linger_ends = self.wanted_at.checked_add(self.linger);
        match self.activity {
            Activity::Asleep => None,
            Activity::Failed { retry_at } => (self.blind(slot)
                || linger_ends.is_none_or(|end| retry_at < end))
            .then_some(retry_at),
            Activity::Awake if slot.wished || !slot.renditions.is_empty() => {
                self.publish_at(slot, source)
            }
            Activity::Awake if slot.noticed => None,
            Activity::Awake => linger_ends,
        }
    }

    /// Says whether the source runs, well or not.
    pub fn runs(&self) -> bool {
        matches!(self.activity, Activity::Awake)
    }

    /// What lies in the slot is this process's, so that readers of it are seen.
    pub fn opens_are_seen(&mut self) {
        self.opens_are_seen = true;
    }

    /// Says whether the frame of this number was not published, nor found unusable.
    pub fn is_new(&self, sequence: u64) -> bool {
        self.frame.is_new(sequence) && Some(sequence) > self.unusable
    }

    /// The frame of this number was published.
    pub fn published(&mut self, now: Instant, sequence: u64) {
        self.frame.made(now, sequence, self.interval);
        self.opens_are_seen = true;
        self.slot_retry = now;
    }

    /// A rendition of the exposure of this number was published, or cannot be made of it.
    pub fn rendered(&mut self, now: Instant, sequence: u64, rendition: Rendition) {
        self.renditions[rendition as usize].made(now, sequence, self.interval);
        self.slot_retry = now;
    }

    /// The file of a rendition was taken out of the slot: it may be made again of the same
    /// exposure.
    pub fn rendition_lost(&mut self, rendition: Rendition) {
        self.renditions[rendition as usize].lost();
    }

    /// Says whether the source is to take a full picture, as soon as it may.
    pub fn wants_full(&self, now: Instant, slot: SlotStatus) -> bool {
        self.runs() && slot.renditions.contains(Rendition::Full) && now >= self.slot_retry
    }

    /// What has this number cannot be a frame; the next one may.
    pub fn unusable(&mut self, sequence: u64) {
        self.unusable = Some(sequence);
    }

    /// The slot did not take the frame.
    pub fn refused(&mut self, now: Instant) {
        self.slot_retry = now + SLOT_RETRY;
    }

    /// The source failed and was stopped. `jitter` is any number from 0 to 1. Gives the time until
    /// the next try.
    pub fn failed(&mut self, now: Instant, jitter: f64) -> Duration {
        let delay = self.backoff.failed(jitter);
        self.activity = Activity::Failed {
            retry_at: now + delay,
        };
        delay
    }

    /// The source of a camera that is asleep is known to fail: it has failed, and is tried as soon
    /// as somebody looks.
    pub fn failed_asleep(&mut self, now: Instant) {
        if let Activity::Asleep = self.activity {
            self.activity = Activity::Failed { retry_at: now };
        }
    }

    /// What made it fail is over: it is asleep, until somebody looks.
    pub fn mended(&mut self) {
        if let Activity::Failed { .. } = self.activity {
            self.activity = Activity::Asleep;
            self.backoff.succeeded();
        }
    }

    /// A failed source may work again: the next try is due at once.
    pub fn returned(&mut self, now: Instant) {
        self.retry_by(now);
    }

    /// A failed source is tried again at this moment at the latest.
    pub fn retry_by(&mut self, latest: Instant) {
        if let Activity::Failed { retry_at } = &mut self.activity {
            *retry_at = latest.min(*retry_at);
        }
    }

    fn awake(&mut self, now: Instant, slot: SlotStatus, source: SourceStatus) -> Option<Action> {
        if source.works {
            self.backoff.succeeded();
        }
        let wanted = slot.wished || slot.noticed;
        // While a camera fails, an old wish that cannot be answered must not keep it trying for
        // ever.
        if slot.active || self.blind(slot) || (wanted && self.backoff.failures() == 0) {
            self.wanted_at = now;
        }
        if let Some(action) = self.publish(now, slot, source) {
            return Some(action);
        }
        if !wanted && self.expired(now) {
            self.activity = Activity::Asleep;
            self.backoff.succeeded();
            return Some(Action::Stop);
        }
        None
    }

    /// The file that is wished for and due; the frame before any rendition of it.
    fn publish(&self, now: Instant, slot: SlotStatus, source: SourceStatus) -> Option<Action> {
        let is_due = |turn: &FileTurn| now >= self.due(turn, source);
        if slot.wished
            && is_due(&self.frame)
            && let Some(sequence) = self.fresh(slot, source)
        {
            return Some(Action::Publish(sequence));
        }
        if let Some(sequence) = self.fresh_full(slot, source)
            && now >= self.slot_retry
        {
            return Some(Action::PublishFull(sequence));
        }
        if let Some((rendition, number)) = self.fresh_own(slot, source).next()
            && now >= self.slot_retry
        {
            return Some(Action::PublishOwn(rendition, number));
        }
        let sequence = self.usable(source)?;
        let fresh = self.fresh_renditions(slot, source, sequence);
        let due = fresh.filter(|(_, turn)| is_due(turn));
        let due: RenditionSet = due.map(|(rendition, _)| rendition).collect();
        (!due.is_empty()).then_some(Action::Render(sequence, due))
    }

    /// When the first of the files that are wished for may be published, as far as there is an
    /// exposure for it.
    fn publish_at(&self, slot: SlotStatus, source: SourceStatus) -> Option<Instant> {
        let frame = self.fresh(slot, source).filter(|_| slot.wished);
        let renditions = self
            .usable(source)
            .into_iter()
            .flat_map(|sequence| self.fresh_renditions(slot, source, sequence));
        let turns = frame.map(|_| &self.frame).into_iter();
        let turns = turns.chain(renditions.map(|(_, turn)| turn));
        let full = self.fresh_full(slot, source).map(|_| self.slot_retry);
        let due = turns.map(|turn| self.due(turn, source));
        let own = self.fresh_own(slot, source).next().map(|_| self.slot_retry);
        due.chain(full).chain(own).min()
    }

    /// The full picture at hand, if it is wished for.
    fn fresh_full(&self, slot: SlotStatus, source: SourceStatus) -> Option<u64> {
        let turn = &self.renditions[Rendition::Full as usize];
        let is_wished = slot.renditions.contains(Rendition::Full);
        source
            .full
            .filter(|number| is_wished && turn.is_new(*number))
    }

    /// The renditions at hand that come by themselves and are wished for.
    fn fresh_own(
        &self,
        slot: SlotStatus,
        source: SourceStatus,
    ) -> impl Iterator<Item = (Rendition, u64)> {
        let wished = slot.renditions.iter();
        wished.filter_map(move |rendition| {
            let turn = &self.renditions[rendition as usize];
            let newest = source.own.newest(rendition);
            let fresh = newest.filter(|number| turn.is_new(*number));
            fresh.map(|number| (rendition, number))
        })
    }

    /// When a file may be published. A source that keeps the configured rate by itself is not held
    /// back.
    fn due(&self, turn: &FileTurn, source: SourceStatus) -> Instant {
        if source.keeps_rate {
            self.slot_retry
        } else {
            turn.not_before().max(self.slot_retry)
        }
    }

    /// The frame at hand, if it was not used already. One whose frame was taken out of the slot may
    /// be used again.
    fn fresh(&self, slot: SlotStatus, source: SourceStatus) -> Option<u64> {
        let sequence = self.usable(source)?;
        (slot.empty || self.frame.is_new(sequence)).then_some(sequence)
    }

    /// The exposure at hand, if it is one.
    fn usable(&self, source: SourceStatus) -> Option<u64> {
        source
            .sequence
            .filter(|sequence| Some(*sequence) > self.unusable)
    }

    /// The renditions that are wished for and were not made of this exposure.
    fn fresh_renditions(
        &self,
        slot: SlotStatus,
        source: SourceStatus,
        sequence: u64,
    ) -> impl Iterator<Item = (Rendition, &FileTurn)> {
        let mut made_of_frames = slot.renditions.without(source.own.which());
        // A full picture is another exposure.
        made_of_frames.remove(Rendition::Full);
        let wished = made_of_frames.iter();
        let turns = wished.map(|rendition| (rendition, &self.renditions[rendition as usize]));
        turns.filter(move |(_, turn)| turn.is_new(sequence))
    }

    /// Readers cannot be seen: those of an earlier producer's frame, and those of no frame at all.
    /// One is assumed.
    fn blind(&self, slot: SlotStatus) -> bool {
        slot.empty || !self.opens_are_seen
    }

    fn expired(&self, now: Instant) -> bool {
        now.duration_since(self.wanted_at) >= self.linger
    }
}

#[cfg(test)]
mod tests;
