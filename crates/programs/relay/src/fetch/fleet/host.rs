//! What is known of a host.

use std::time::Instant;

/// What a host has said, and what it is asked.
#[derive(Debug, Default)]
pub(super) struct Host {
    /// The number of the question to all that it has answered last.
    pub(super) answered: u64,
    /// What it has said of itself last, and what it had said when its directory came.
    pub(super) claimed: Option<(u64, u64)>,
    pub(super) listed_at: Option<(u64, u64)>,
    /// The request for its directory that is outstanding, and what it had said by then.
    pub(super) asked: Option<(u64, Option<(u64, u64)>)>,
    /// How many of those that its directory lists are not fetched for want of room. Which they are
    /// is not kept: hosts may be many, and list what they like.
    pub(super) left_out: usize,
    pub(super) heard: Option<Instant>,
    /// Rounds since it was heard.
    pub(super) silent: u32,
}

impl Host {
    /// It has said something new, and is not being asked about it.
    pub(super) fn is_to_be_asked(&self) -> bool {
        self.asked.is_none() && self.claimed.is_some() && self.claimed != self.listed_at
    }
}
