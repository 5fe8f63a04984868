//! Which slot each watch of an inotify(7) instance belongs to.

use std::collections::BTreeMap;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use rustix::fs::inotify::{Event, ReadFlags};

use crate::watch::{Hearing, Watch};
use crate::watched::Watched;

/// Which of the slots of an instance a publisher has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlotId(u64);

/// The slots that are open, and which of them each watch belongs to. A slot has several watches: a
/// frame that was replaced is watched until its last reader has closed it.
#[derive(Debug, Default)]
pub(crate) struct Table {
    next_id: u64,
    pub(crate) slots: BTreeMap<SlotId, Watched>,
    pub(crate) owners: BTreeMap<Watch, SlotId>,
    /// When all was taken in last that is heard when asked.
    pub(crate) taken_in: Option<Instant>,
}

impl Table {
    /// Makes room for one more slot.
    pub(crate) fn add(&mut self) -> SlotId {
        let id = SlotId(self.next_id);
        self.next_id += 1;
        self.slots.insert(id, Watched::default());
        id
    }

    /// Takes in an event. Slots of which it is news that is heard at once are among those `changed`
    /// then. Gives the watches that are to end.
    pub(crate) fn take_in(
        &mut self,
        hearing: Hearing,
        event: &Event<'_>,
        happened: Instant,
        changed: &mut Vec<SlotId>,
    ) -> Vec<Watch> {
        let mask = event.events();
        let watch = Watch {
            hearing,
            number: event.wd(),
        };
        if mask.contains(ReadFlags::QUEUE_OVERFLOW) {
            return self.overflowed(hearing, changed);
        }
        let name = event.file_name().map(CStr::to_bytes);
        let ended = self.tell(watch, mask, name.map(OsStr::from_bytes), happened, changed);
        ended.into_iter().collect()
    }

    /// Has the slot that the watch is of take in an event. Gives its watch that is to end, if any.
    fn tell(
        &mut self,
        watch: Watch,
        mask: ReadFlags,
        name: Option<&OsStr>,
        happened: Instant,
        changed: &mut Vec<SlotId>,
    ) -> Option<Watch> {
        let id = self.owners.get(&watch).copied();
        if mask.contains(ReadFlags::IGNORED) {
            self.owners.remove(&watch);
        }
        let id = id?;
        let slot = self.slots.get_mut(&id)?;
        let ended = slot.take_in(watch, mask, name, happened);
        let is_news = watch.hearing == Hearing::AtOnce && slot.is_active();
        if is_news && !changed.contains(&id) {
            changed.push(id);
        }
        ended
    }

    /// Events of this hearing were dropped: all slots are changed that may have had one.
    pub(crate) fn overflowed(&mut self, hearing: Hearing, changed: &mut Vec<SlotId>) -> Vec<Watch> {
        let mut ended = Vec::new();
        for (id, slot) in &mut self.slots {
            if hearing == Hearing::WhenAsked && slot.frame_heard_when_asked().is_none() {
                continue;
            }
            if !changed.contains(id) {
                changed.push(*id);
            }
            ended.extend(slot.overflowed());
        }
        ended
    }

    pub(crate) fn of(&self, id: SlotId) -> impl Iterator<Item = Watch> {
        let owners = self.owners.iter();
        owners.filter_map(move |(watch, owner)| (*owner == id).then_some(*watch))
    }
}
