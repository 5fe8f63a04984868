//! What a driver is told of its camera.

use std::time::Duration;

use eyelid_picture::Tables;

use crate::Rest;

/// Whose a slot is that another process begins to publish into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precedence {
    /// This process's. It goes on, and both undo what the other does.
    Own,
    /// The other's: the camera gives its slot up ([`Producers::given_up`]).
    ///
    /// [`Producers::given_up`]: crate::Producers::given_up
    Others,
}

/// What a driver is told of its camera.
#[derive(Clone, Debug)]
pub struct DriverOptions {
    /// What the log calls it: `camera` where a process has one.
    pub log_name: String,
    /// Where its frames come from, as everybody is told: without passwords.
    pub shown_source: String,
    /// The most frames per second that are published.
    pub max_fps: Option<f64>,
    /// How long it stays awake with no demand.
    pub linger: Duration,
    /// The Huffman tables of renditions.
    pub tables: Tables,
    /// What lies in the slot while it does not run.
    pub rest: Rest,
    /// Whose the slot is when another process begins to publish into it.
    pub precedence: Precedence,
}
