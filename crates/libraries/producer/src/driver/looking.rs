//! What a driver knows of the readers of its slot, and what lies there for them while its camera
//! does not run.

use std::time::Instant;

use eyelid_slot::{Phase, RenditionSet};

use super::Driver;
use crate::Source;
use crate::machine::SlotStatus;
use crate::render_job::Aside;

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
