//! Which alerts there are, and in which order they came: names alone, for what an alert says is
//! read when it is shown.
//!
//! By name they are in the order of their frames' moments. They come in another, for some judges
//! take a minute: so who follows them is told of arrivals, which have numbers.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;

use crate::alert::AlertId;

/// How many alerts are known at once, the newest: twenty times as many as are kept where nothing is
/// said. Their names take a few megabytes.
pub(crate) const MOST_KNOWN: usize = 20_000;

/// How many arrivals are remembered for who follows them. Who is further behind has to ask anew.
const MOST_ARRIVALS: usize = 256;

/// What is known of a directory of alerts.
#[derive(Debug, Default)]
pub(crate) struct Index {
    ids: BTreeSet<AlertId>,
    arrivals: VecDeque<(u64, Arrival)>,
    /// The number of the next arrival.
    next: u64,
    /// All arrivals below this number are forgotten.
    forgotten: u64,
}

/// Something that who follows alerts is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// An alert has come.
    Alert(AlertId),
    /// A user has said that an alert was wrong, or was not.
    Judged(AlertId),
    /// Rules, or what they are in, have changed.
    Rules,
}

/// What came after some arrival.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Since<'a> {
    /// This came next, and is so numbered.
    Next(u64, &'a Arrival),
    /// Nothing has come.
    Nothing,
    /// More than is remembered; go on with this number.
    Missed(u64),
}

impl Index {
    /// Knows the alerts of these names, in the order in which they came.
    pub(crate) fn new(in_order: impl IntoIterator<Item = AlertId>) -> Self {
        let mut index = Self::default();
        for id in in_order {
            index.add(id);
        }
        index
    }

    /// An alert has come.
    pub(crate) fn add(&mut self, id: AlertId) {
        if self.ids.insert(id.clone()) {
            self.note(Arrival::Alert(id));
        }
        if self.ids.len() > MOST_KNOWN {
            self.ids.pop_first();
        }
    }

    /// An alert is gone.
    pub(crate) fn remove(&mut self, id: &AlertId) {
        self.ids.remove(id);
    }

    /// Makes these the alerts that there are: those that were not known have come.
    pub(crate) fn replace(&mut self, in_order: Vec<AlertId>) {
        let there: BTreeSet<&AlertId> = in_order.iter().collect();
        self.ids.retain(|id| there.contains(id));
        for id in in_order {
            self.add(id);
        }
    }

    /// Something else has changed.
    pub(crate) fn note(&mut self, arrival: Arrival) {
        // Rules change in bursts, and it is enough to hear of it once.
        let is_rules = |arrival: &Arrival| *arrival == Arrival::Rules;
        if is_rules(&arrival) && self.arrivals.back().is_some_and(|(_, last)| is_rules(last)) {
            self.arrivals.pop_back();
        }
        self.arrivals.push_back((self.next, arrival));
        self.next += 1;
        if self.arrivals.len() > MOST_ARRIVALS
            && let Some((number, _)) = self.arrivals.pop_front()
        {
            self.forgotten = number + 1;
        }
    }

    /// Gives the alerts before one, or all: the newest first.
    pub(crate) fn before(&self, id: Option<&AlertId>) -> impl Iterator<Item = &AlertId> {
        let end = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.ids.range((Bound::Unbounded, end)).rev()
    }

    /// Says whether there is such an alert.
    #[cfg(test)]
    pub(crate) fn has(&self, id: &AlertId) -> bool {
        self.ids.contains(id)
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The number of the next arrival: who follows from there is told of nothing that was before.
    pub(crate) fn now(&self) -> u64 {
        self.next
    }

    /// The number of the arrival after that of this alert, if it is remembered.
    pub(crate) fn after(&self, id: &AlertId) -> Option<u64> {
        let mut arrivals = self.arrivals.iter();
        let is_it = |arrival: &Arrival| matches!(arrival, Arrival::Alert(other) if other == id);
        let (number, _) = arrivals.find(|(_, arrival)| is_it(arrival))?;
        Some(number + 1)
    }

    /// Gives the first arrival of this number or behind it.
    pub(crate) fn since(&self, number: u64) -> Since<'_> {
        if number < self.forgotten {
            return Since::Missed(self.next);
        }
        let mut arrivals = self.arrivals.iter();
        match arrivals.find(|(at, _)| *at >= number) {
            Some((at, arrival)) => Since::Next(*at, arrival),
            None => Since::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(second: u32) -> AlertId {
        let text = format!("20261128T14{:02}{:02}.000Z-a-b", second / 60, second % 60);
        text.parse().unwrap()
    }

    fn followed(index: &Index, mut number: u64) -> Vec<Arrival> {
        let mut told = Vec::new();
        while let Since::Next(at, arrival) = index.since(number) {
            told.push(arrival.clone());
            number = at + 1;
        }
        told
    }

    #[test]
    fn the_newest_come_first_and_pages_join() {
        let index = Index::new([id(3), id(1), id(2)]);
        let all: Vec<_> = index.before(None).cloned().collect();
        assert_eq!(all, [id(3), id(2), id(1)]);
        let rest: Vec<_> = index.before(Some(&id(2))).cloned().collect();
        assert_eq!(rest, [id(1)]);
        let older_than_none = index.before(Some(&id(0))).count();
        assert_eq!(older_than_none, 0);
    }

    #[test]
    fn who_follows_is_told_in_the_order_of_arrival_and_once() {
        let mut index = Index::new([id(1)]);
        let now = index.now();
        index.add(id(9));
        index.add(id(5));
        index.add(id(9));
        index.note(Arrival::Rules);
        index.note(Arrival::Rules);
        index.note(Arrival::Judged(id(5)));
        let told = [
            Arrival::Alert(id(9)),
            Arrival::Alert(id(5)),
            Arrival::Rules,
            Arrival::Judged(id(5)),
        ];
        assert_eq!(followed(&index, now), told);
        let behind_the_first = index.after(&id(9)).unwrap();
        assert_eq!(followed(&index, behind_the_first), told[1..]);
        assert_eq!(index.after(&id(7)), None);
    }

    #[test]
    fn rules_that_change_again_are_told_again() {
        let mut index = Index::default();
        index.note(Arrival::Rules);
        let Since::Next(at, _) = index.since(0) else {
            panic!("nothing came");
        };
        index.note(Arrival::Rules);
        assert_eq!(followed(&index, at + 1), [Arrival::Rules]);
    }

    #[test]
    fn who_is_too_far_behind_is_told_so_and_no_more_is_kept() {
        let mut index = Index::default();
        for second in 0..1000 {
            index.add(id(second));
        }
        assert_eq!(index.since(0), Since::Missed(index.now()));
        assert_eq!(followed(&index, index.now() - 256).len(), 256);
        assert_eq!(index.since(index.now()), Since::Nothing);
        let mut index = Index::default();
        for number in 0..MOST_KNOWN + 10 {
            let name = format!("20261128T140000.000Z-a-{number:09}");
            index.add(name.parse().unwrap());
        }
        assert_eq!(index.len(), MOST_KNOWN);
    }

    #[test]
    fn a_look_at_the_whole_directory_finds_what_came_and_what_went() {
        let mut index = Index::new([id(1), id(2)]);
        let now = index.now();
        index.replace(vec![id(2), id(3)]);
        assert!(!index.has(&id(1)) && index.has(&id(2)));
        assert_eq!(followed(&index, now), [Arrival::Alert(id(3))]);
    }
}
