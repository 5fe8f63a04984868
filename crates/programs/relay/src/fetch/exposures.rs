//! The moments of capture of one far camera's exposures, on this host's clock.
//!
//! Frame and renditions of one exposure are asked for apart, and each answer gives an estimate of
//! its own. A slot's files of one exposure have one mtime (docs/slot.md), and later exposures a
//! later one: who changes from one to the other is never to take a step back.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::wire::FrameId;

/// How many exposures are remembered: one that is as old as so many is not asked for any more.
const MOST: usize = 16;

/// Two exposures are this far apart at least.
const DISTINCT: Duration = Duration::from_micros(1);

/// A clock that was set is another clock.
const JUMP: Duration = Duration::from_secs(10);

/// The last exposures, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Exposures(VecDeque<(FrameId, SystemTime)>);

impl Exposures {
    /// Gives the moment of an exposure that is estimated to have been captured then; `None` where
    /// it is of a run of the other side's program that has ended.
    pub(super) fn captured(&mut self, id: FrameId, estimate: SystemTime) -> Option<SystemTime> {
        if let Some((_, known)) = self.0.iter().find(|(other, _)| *other == id) {
            return Some(*known);
        }
        let newest = self.0.back().copied();
        if newest.is_some_and(|(_, at)| was_set(at, estimate)) {
            self.0.clear();
        }
        let index = match newest.filter(|_| !self.0.is_empty()) {
            Some((newest, _)) if newest.instance != id.instance => {
                if self
                    .0
                    .iter()
                    .any(|(other, _)| other.instance == id.instance)
                {
                    return None;
                }
                self.0.len()
            }
            _ => self.0.partition_point(|(other, _)| {
                other.instance != id.instance || other.sequence < id.sequence
            }),
        };
        let after = index
            .checked_sub(1)
            .map(|before| self.0[before].1 + DISTINCT);
        let before = self.0.get(index).map(|(_, at)| *at - DISTINCT);
        let captured = after.map_or(estimate, |after| estimate.max(after));
        let captured = before.map_or(captured, |before| captured.min(before));
        self.0.insert(index, (id, captured));
        if self.0.len() > MOST {
            self.0.pop_front();
        }
        Some(captured)
    }
}

fn was_set(before: SystemTime, now: SystemTime) -> bool {
    before.duration_since(now).is_ok_and(|back| back > JUMP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn id(instance: u64, sequence: u64) -> FrameId {
        FrameId { instance, sequence }
    }

    fn at(ms: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + MS * ms
    }

    #[test]
    fn what_is_of_one_exposure_has_one_moment() {
        let mut exposures = Exposures::default();
        assert_eq!(exposures.captured(id(1, 1), at(100)), Some(at(100)));
        assert_eq!(exposures.captured(id(1, 1), at(140)), Some(at(100)));
    }

    #[test]
    fn later_exposures_are_later_whatever_the_estimates_say() {
        let mut exposures = Exposures::default();
        exposures.captured(id(1, 1), at(100));
        let third = exposures.captured(id(1, 3), at(90)).unwrap();
        assert!(third > at(100), "{third:?}");
        let second = exposures.captured(id(1, 2), at(200)).unwrap();
        assert!(at(100) <= second && second <= third, "{second:?}");
        let next = exposures.captured(id(2, 1), at(50)).unwrap();
        assert!(next > third, "the other side has been started anew");
        assert_eq!(exposures.captured(id(1, 4), at(300)), None, "too late");
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed() {
        let mut exposures = Exposures::default();
        exposures.captured(id(1, 1), at(3_600_000));
        assert_eq!(exposures.captured(id(1, 2), at(0)), Some(at(0)));
    }

    #[test]
    fn few_are_remembered() {
        let mut exposures = Exposures::default();
        for sequence in 1..1000 {
            exposures.captured(id(1, sequence), at(sequence as u32));
        }
        assert_eq!(exposures.0.len(), MOST);
    }
}
