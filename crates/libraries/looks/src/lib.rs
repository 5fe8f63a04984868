//! Who looks at which camera: a line in the log when a look begins and one when it has ended, and
//! what is told of looks to who asks.
//!
//! A look is that of one client at one camera, however many connections it takes: pages poll
//! snapshots and players reconnect, and none of them is to fill the log. `ledger` decides which
//! looks there are and which lines tell of them, `line_budget` how many, `line` what each says.
//! A camera's name, a user's and an address are given to this crate, all of them checked; it knows
//! no socket and no request, and nothing is done here for a frame.

mod ledger;
mod line;
mod line_budget;
mod looker;
mod looks;

pub use ledger::LookNow;
pub use looker::{Looker, Way};
pub use looks::{Looking, Looks};
