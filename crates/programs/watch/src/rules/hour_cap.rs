//! How many alerts an hour may have, and how many were held back because of that.

use std::collections::VecDeque;
use std::time::Duration;

use super::saved::SavedCap;
use crate::moment::Monotonic;

const HOUR: Duration = Duration::from_secs(3600);

/// Alerts of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct HourCap {
    /// When there were some within the last hour.
    alerts: VecDeque<Monotonic>,
    held_back: u32,
}

impl HourCap {
    /// Goes on with what was written down at the moment `at`: so many alerts at most are known.
    pub(super) fn restored(saved: SavedCap, at: Monotonic, most: usize) -> Self {
        let ago_ms = saved.alerts_ago_ms.into_iter().take(most.max(1));
        Self {
            alerts: ago_ms
                .map(|ago| at.minus(Duration::from_millis(ago)))
                .collect(),
            held_back: saved.held_back,
        }
    }

    /// What is to be known after a restart.
    pub(super) fn save(&self, now: Monotonic) -> SavedCap {
        let ago_ms = |at: &Monotonic| now.since(*at).as_millis() as u64;
        SavedCap {
            alerts_ago_ms: self.alerts.iter().map(ago_ms).collect(),
            held_back: self.held_back,
        }
    }

    /// Says whether there may be one more, of so many an hour.
    pub(super) fn has_room(&mut self, most: usize, now: Monotonic) -> bool {
        let is_over = |at: &Monotonic| now.since(*at) >= HOUR;
        while self.alerts.front().is_some_and(is_over) {
            self.alerts.pop_front();
        }
        self.alerts.len() < most.max(1)
    }

    /// There was one more than may be.
    pub(super) fn hold_back(&mut self) {
        self.held_back = self.held_back.saturating_add(1);
    }

    /// There is one. Gives how many were held back before it.
    pub(super) fn told(&mut self, now: Monotonic) -> u32 {
        self.alerts.push_back(now);
        std::mem::take(&mut self.held_back)
    }

    /// Says whether nothing would be forgotten with it.
    pub(super) fn is_over(&self) -> bool {
        self.alerts.is_empty() && self.held_back == 0
    }

    /// How many were held back and not told of.
    pub(super) fn held_back(&self) -> u32 {
        self.held_back
    }
}
