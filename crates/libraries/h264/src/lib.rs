//! What a stream of H.264 says of itself: where its units begin, what they are, and what a receiver
//! has to know before the first of them. Nothing is encoded or decoded here.
//!
//! [`nal_units`] takes a picture apart, [`ParameterSets`] are those of a keyframe, [`Sps`] is what
//! one of them says, and [`length_prefixed`] is a picture as MP4 has it. [`TimedHeader`] is what
//! programs of ours tell each other of one. No I/O and no clock; no more memory than what is given
//! has bytes.

mod annex_b;
mod bits;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod parameter_sets;
mod sps;
mod timed;

pub use annex_b::{NalType, length_prefixed, nal_units};
pub use parameter_sets::ParameterSets;
pub use sps::{Colour, Sps, SpsError};
pub use timed::{TIMED_SOCKET, TimedHeader};
