//! Several renditions at once.

use std::fmt;

use crate::Rendition;

/// A set of [`Rendition`]s, as small as a byte.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct RenditionSet(u8);

impl RenditionSet {
    /// Without any.
    pub const EMPTY: Self = Self(0);

    /// Adds one.
    pub fn insert(&mut self, rendition: Rendition) {
        self.0 |= bit(rendition);
    }

    /// Takes one out.
    pub fn remove(&mut self, rendition: Rendition) {
        self.0 &= !bit(rendition);
    }

    /// Says whether it has this one.
    pub const fn contains(self, rendition: Rendition) -> bool {
        self.0 & bit(rendition) != 0
    }

    /// Says whether it has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Gives those that are in this one and not in the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Those it has, in the order of [`Rendition::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Rendition> {
        let all = Rendition::ALL.into_iter();
        all.filter(move |rendition| self.contains(*rendition))
    }
}

const fn bit(rendition: Rendition) -> u8 {
    1 << rendition as u8
}

impl FromIterator<Rendition> for RenditionSet {
    fn from_iter<I: IntoIterator<Item = Rendition>>(renditions: I) -> Self {
        let mut set = Self::EMPTY;
        for rendition in renditions {
            set.insert(rendition);
        }
        set
    }
}

impl fmt::Debug for RenditionSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_not_taken_out() {
        let mut set: RenditionSet = [Rendition::Y4m, Rendition::Low].into_iter().collect();
        set.insert(Rendition::Half);
        set.remove(Rendition::Low);
        let held: Vec<_> = set.iter().collect();
        assert_eq!(held, [Rendition::Half, Rendition::Y4m]);
        let half = [Rendition::Half].into_iter().collect();
        assert!(set.without(half).contains(Rendition::Y4m));
        assert!(set.without(set).is_empty() && !set.is_empty());
    }
}
