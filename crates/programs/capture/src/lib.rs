//! One camera and its slot: awake while somebody looks, asleep otherwise.
//!
//! [`run`] is the program. One thread sleeps in poll(2) on the slot, the source and the signals
//! that end it; [`eyelid_producer`] decides what is next, and does it; [`source`] has the kinds of
//! camera. Frames of strangers pass through [`eyelid_jpeg`] before they are published. No HTTP
//! server here, and no queue: only the newest frame is at hand.

mod arguments;
mod fit;
mod full_build;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod run;
pub mod source;
mod turn;

pub use arguments::{Arguments, ListRequest, ListWhat, Settings, SetupError, SizeLimits};
pub use run::run;
