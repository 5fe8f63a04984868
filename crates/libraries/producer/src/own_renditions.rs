//! Renditions that come from a camera each by itself, and are not made of its frames.

use eyelid_slot::{Rendition, RenditionSet};

/// Which they are, and which ones are at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnRenditions {
    which: RenditionSet,
    newest: [Option<u64>; Rendition::ALL.len()],
}

impl OwnRenditions {
    /// These, of which none is at hand.
    pub fn new(which: RenditionSet) -> Self {
        Self {
            which,
            ..Self::default()
        }
    }

    /// Which come by themselves.
    pub fn which(&self) -> RenditionSet {
        self.which
    }

    /// The number of the newest of one that is at hand. Each has a higher one than all before it.
    pub fn newest(&self, rendition: Rendition) -> Option<u64> {
        self.newest[rendition as usize].filter(|_| self.which.contains(rendition))
    }

    /// The newest of one has this number.
    pub fn set_newest(&mut self, rendition: Rendition, number: Option<u64>) {
        self.newest[rendition as usize] = number;
    }
}
