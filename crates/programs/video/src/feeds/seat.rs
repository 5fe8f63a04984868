//! What a viewer and the encode that it watches have in common: the one picture between them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Notify;

use crate::coded::Coded;

/// A viewer's place.
#[derive(Default)]
pub(crate) struct Seat {
    next: RefCell<Option<Rc<Coded>>>,
    changed: Notify,
    obstacle_changed: Notify,
    pub(crate) counts: Cell<SeatCounts>,
}

/// What a viewer got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeatCounts {
    /// Pictures.
    pub(crate) pictures: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// Pictures that others got.
    pub(crate) missed: u64,
}

impl Seat {
    /// A picture is there, in the place of one that was not taken.
    pub(crate) fn put(&self, coded: Rc<Coded>) {
        if self.next.replace(Some(coded)).is_some() {
            self.count_missed();
        }
        self.changed.notify_one();
    }

    /// There is one that this viewer does not get.
    pub(crate) fn miss(&self) {
        self.clear();
        self.count_missed();
    }

    /// What was not taken comes no more.
    pub(crate) fn clear(&self) {
        self.next.take();
    }

    /// Takes the picture that is there.
    pub(crate) fn take(&self) -> Option<Rc<Coded>> {
        let coded = self.next.take()?;
        let mut counts = self.counts.get();
        counts.pictures += 1;
        counts.bytes += coded.annex_b.len() as u64;
        self.counts.set(counts);
        Some(coded)
    }

    /// Waits for a change.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Why no picture comes has changed.
    pub(crate) fn tell_obstacle(&self) {
        self.obstacle_changed.notify_one();
    }

    /// Waits until why no picture comes has changed.
    pub(crate) async fn obstacle_changed(&self) {
        self.obstacle_changed.notified().await;
    }

    fn count_missed(&self) {
        let mut counts = self.counts.get();
        counts.missed += 1;
        self.counts.set(counts);
    }
}
