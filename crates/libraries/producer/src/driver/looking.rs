//! What a driver knows of the readers of its slot, of another producer in it, and what lies there
//! for readers while its camera does not run.

use std::time::{Instant, SystemTime};

use eyelid_slot::{Phase, Reader, RenditionSet};

use super::Driver;
use crate::machine::SlotStatus;
use crate::render_job::Aside;
use crate::{Precedence, Source};

impl<S: Source> Driver<S> {
    /// Takes in what readers of the slot want.
    pub(super) fn look_at_slot(&mut self, now: Instant) {
        if self.publisher.take_loss() {
            log::warn!(
                "slot {:?}: its directory is gone; making it again",
                self.publisher.directory()
            );
        }
        let minds_only_who_is_seen = self.resting.minds_only_who_is_seen(self.machine.runs());
        if minds_only_who_is_seen && self.publisher.is_wish_assumed() {
            self.slot_status = SlotStatus {
                active: self.publisher.take_activity(),
                ..SlotStatus::default()
            };
            return;
        }
        let wished = self.publisher.wished(now);
        let renditions = match self.aside {
            Aside::Idle => self.publisher.wished_renditions(now),
            // They are seen to.
            Aside::Wanted(..) | Aside::Making(..) => RenditionSet::EMPTY,
        };
        self.slot_status = SlotStatus {
            wished,
            noticed: self.publisher.noticed(),
            active: self.publisher.take_activity(),
            empty: wished && self.publisher.is_empty(),
            renditions,
        };
    }

    /// Gives the slot up, where another producer has begun to write it and has precedence. Says
    /// whether that is so: nothing is written then any more.
    pub(super) fn gives_way(&mut self, now: Instant) -> bool {
        if self.has_given_way || self.precedence == Precedence::Own {
            return self.has_given_way;
        }
        if self.publisher.take_replacement() && !self.is_slot_own() {
            self.source.stop(now);
            self.has_given_way = true;
        }
        self.has_given_way
    }

    /// Says whether the slot is another producer's now.
    pub(crate) fn has_given_way(&self) -> bool {
        self.has_given_way
    }

    /// Says whether the frame and the state in the slot are those that this process put there, as
    /// far as there are any. A producer need not have a state.
    fn is_slot_own(&self) -> bool {
        let reader = Reader::new(self.publisher.directory());
        let source = reader.state().map(|said| said.source);
        let is_own_state = source.is_none_or(|source| source == self.state().source);
        let own = [Some(SystemTime::UNIX_EPOCH), self.captured];
        let captured = reader.captured();
        is_own_state && captured.is_none_or(|_| own.contains(&captured))
    }

    /// Puts a placeholder into the slot of a camera that does not run, where one is due. Says
    /// whether it did.
    pub(super) fn rest(&mut self, now: Instant) -> bool {
        let is_assumed = self.publisher.is_wish_assumed();
        if !self.resting.is_due(now, self.machine.runs(), is_assumed) {
            return false;
        }
        match self.publisher.offer_frame() {
            Ok(()) => {
                self.resting.placed();
                self.renditions.rest_in(&mut self.publisher, is_assumed);
                self.look_at_slot(now);
                true
            }
            Err(error) => {
                self.resting.refused(now);
                self.complain(&error, now);
                false
            }
        }
    }

    /// Hears readers at once again where that has become necessary. Says whether there may be
    /// something to do therefore.
    pub(super) fn turn_attention(&mut self, now: Instant, sequence: Option<u64>) -> bool {
        let unpublished = sequence.filter(|sequence| self.machine.is_new(*sequence));
        let is_awake = self.machine.phase() == Phase::Awake;
        // An error is met again, and told, where all slots are taken in.
        self.attention.is_needed(now, unpublished, is_awake)
            && self.publisher.hear_at_once(now).unwrap_or(false)
    }
}
