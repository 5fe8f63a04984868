//! What a producer learns of the renditions that it offers: each file has a watch and demand of its
//! own.

use std::time::Instant;

use rustix::fs::inotify::ReadFlags;

use crate::demand::Demand;
use crate::watch::Watch;
use crate::{Rendition, RenditionSet};

/// The renditions that one slot offers.
#[derive(Debug, Default)]
pub(crate) struct Offered(Vec<Offer>);

/// One of them. Without a watch it is not there, and nobody can open it.
#[derive(Debug)]
struct Offer {
    rendition: Rendition,
    watch: Option<Watch>,
    demand: Demand,
}

impl Offered {
    /// A new file of a rendition was put into the slot, and is watched. Nobody has wished for the
    /// one after it.
    pub(crate) fn published(&mut self, rendition: Rendition, watch: Watch) {
        let offer = Offer {
            rendition,
            watch: Some(watch),
            demand: Demand::default(),
        };
        match self.find(rendition) {
            Some(known) => *known = offer,
            None => self.0.push(offer),
        }
    }

    /// Takes in an event of a file. Says whether it is one of these.
    pub(crate) fn take_in(&mut self, watch: Watch, mask: ReadFlags, now: Instant) -> bool {
        let mut offers = self.0.iter_mut();
        let Some(offer) = offers.find(|offer| offer.watch == Some(watch)) else {
            return false;
        };
        offer.demand.take_in(mask, now);
        true
    }

    /// The file of this watch is gone. Says whether it was one of these.
    pub(crate) fn lost_file(&mut self, watch: Watch) -> bool {
        let mut offers = self.0.iter_mut();
        let offer = offers.find(|offer| offer.watch == Some(watch));
        offer.is_some_and(|offer| offer.watch.take().is_some())
    }

    /// The file of a rendition is gone.
    pub(crate) fn lost(&mut self, rendition: Rendition) {
        if let Some(offer) = self.find(rendition) {
            offer.watch = None;
        }
    }

    /// All files are gone.
    pub(crate) fn lost_all(&mut self) {
        for offer in &mut self.0 {
            offer.watch = None;
        }
    }

    /// One is offered no longer. Gives its watch, which is to end.
    pub(crate) fn withdraw(&mut self, rendition: Rendition) -> Option<Watch> {
        let index = self
            .0
            .iter()
            .position(|offer| offer.rendition == rendition)?;
        self.0.swap_remove(index).watch
    }

    /// The kernel lost count: somebody may have wished for any of them.
    pub(crate) fn assume(&mut self) {
        for offer in &mut self.0 {
            offer.demand.assume();
        }
    }

    /// Those whose next file is wanted.
    pub(crate) fn wished(&self, now: Instant) -> RenditionSet {
        let there = self.there().filter(|offer| offer.demand.wished(now));
        there.map(|offer| offer.rendition).collect()
    }

    /// Says whether anybody has opened one since it was published.
    pub(crate) fn noticed(&self) -> bool {
        self.there().any(|offer| offer.demand.noticed())
    }

    /// The same, but only of who was seen.
    pub(crate) fn is_seen(&self) -> bool {
        self.there().any(|offer| offer.demand.is_seen())
    }

    /// Says whether readers of any were assumed since it was published.
    pub(crate) fn is_assumed(&self) -> bool {
        self.there().any(|offer| offer.demand.is_assumed())
    }

    /// When [`Offered::wished`] may give more although nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let there = self.there();
        there.filter_map(|offer| offer.demand.deadline()).min()
    }

    /// Those that are offered and not there.
    pub(crate) fn missing(&self) -> RenditionSet {
        let missing = self.0.iter().filter(|offer| offer.watch.is_none());
        missing.map(|offer| offer.rendition).collect()
    }

    fn there(&self) -> impl Iterator<Item = &Offer> {
        self.0.iter().filter(|offer| offer.watch.is_some())
    }

    fn find(&mut self, rendition: Rendition) -> Option<&mut Offer> {
        let mut offers = self.0.iter_mut();
        offers.find(|offer| offer.rendition == rendition)
    }
}
