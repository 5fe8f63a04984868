//! Clients that send as one: a group, or a client alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::MemberId;
use super::member::Member;
use crate::units::BytesPerSecond;

/// A group, or a client alone.
pub(super) struct Unit<'a> {
    pub(super) ids: &'a BTreeSet<MemberId>,
    pub(super) members: Vec<&'a Member>,
}

impl<'a> Unit<'a> {
    pub(super) fn new(
        ids: &'a BTreeSet<MemberId>,
        all: &'a BTreeMap<MemberId, Member>,
    ) -> Option<Self> {
        let members: Vec<_> = ids.iter().filter_map(|id| all.get(id)).collect();
        (!members.is_empty()).then_some(Self { ids, members })
    }

    pub(super) fn is_gone(&self, now: Instant) -> bool {
        self.members.iter().all(|member| member.is_gone(now))
    }

    /// The rate at which one of it has acknowledged bytes for the last `time`, if that is known.
    pub(super) fn rate_for(&self, time: Duration) -> Option<BytesPerSecond> {
        self.members.first()?.rate_for(time)
    }

    /// Since when it is known what all of it had acknowledged, and they sent as one.
    pub(super) fn known_since(&self) -> Option<Instant> {
        let since = self.members.iter().map(|member| member.known_since());
        since.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// How many bytes all of it had acknowledged at a moment, if that is known.
    pub(super) fn acknowledged_at(&self, at: Instant) -> Option<f64> {
        let bytes = self.members.iter().map(|member| member.acknowledged_at(at));
        bytes.sum()
    }
}
