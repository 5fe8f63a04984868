//! When a file of a slot is made anew: at most once of each exposure, and at most once in an
//! interval.

use std::time::{Duration, Instant};

/// What is known of one file: the frame's, or that of a rendition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileTurn {
    /// The exposure that it was made of last.
    sequence: Option<u64>,
    not_before: Instant,
}

impl FileTurn {
    /// Begins with a file that was not made yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            sequence: None,
            not_before: now,
        }
    }

    /// The file was made of this exposure.
    pub(crate) fn made(&mut self, now: Instant, sequence: u64, interval: Duration) {
        self.sequence = Some(sequence);
        // Steps from the moment that was due, so that one late frame does not make all later ones
        // late.
        let next = self.not_before + interval;
        self.not_before = if now < next { next } else { now + interval };
    }

    /// What was made of this exposure lies in the slot no longer.
    pub(crate) fn lost(&mut self) {
        self.sequence = None;
    }

    /// Says whether it was not made of this exposure, nor of a later one.
    pub(crate) fn is_new(&self, sequence: u64) -> bool {
        Some(sequence) > self.sequence
    }

    /// When it may be made again.
    pub(crate) fn not_before(&self) -> Instant {
        self.not_before
    }
}
