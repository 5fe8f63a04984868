//! The RTSP sessions that there are, and what those came to that there were, for who asks.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

use eyelid_figures::{SessionFigures, SessionTotals, StreamCounts};
use eyelid_slot::CameraName;

use crate::delivery::Delivery;

/// How many are told of by themselves: more than anybody reads. All are in the totals.
const MOST_TOLD: usize = 1000;

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    now: RefCell<Vec<Weak<Delivery>>>,
    ended: RefCell<BTreeMap<CameraName, StreamCounts>>,
}

impl Sessions {
    /// Knows one more, until it is dropped.
    pub(crate) fn enter(&self, delivery: &Rc<Delivery>) {
        let mut now = self.now.borrow_mut();
        now.retain(|other| other.strong_count() > 0);
        now.push(Rc::downgrade(delivery));
    }

    /// One has ended that came to this.
    pub(crate) fn leave(&self, camera: &CameraName, counts: StreamCounts) {
        let mut ended = self.ended.borrow_mut();
        *ended.entry(camera.clone()).or_default() += counts;
    }

    /// Those that there are, the oldest first.
    pub(crate) fn figures(&self) -> Vec<SessionFigures> {
        let all = self.all();
        all.take(MOST_TOLD).map(|it| it.figures()).collect()
    }

    /// What those of each camera came to, with those that have ended.
    pub(crate) fn totals(&self) -> Vec<SessionTotals> {
        let mut totals = self.ended.borrow().clone();
        for delivery in self.all() {
            *totals.entry(delivery.camera().clone()).or_default() += delivery.counts();
        }
        let totals = totals.into_iter();
        totals
            .map(|(camera, counts)| SessionTotals { camera, counts })
            .collect()
    }

    fn all(&self) -> impl Iterator<Item = Rc<Delivery>> {
        let now: Vec<_> = self.now.borrow().iter().filter_map(Weak::upgrade).collect();
        now.into_iter()
    }
}
