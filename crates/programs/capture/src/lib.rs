//! A camera and its slot: awake while somebody looks, asleep otherwise.
//!
//! [`run`] is the program. One thread sleeps in poll(2) on the slot, the source and the signals that end it; [`machine`]
//! decides what is next and does nothing itself; a [`source::Source`] is one kind of camera. Frames of strangers pass
//! through [`eyelid_jpeg`] before they are published. No HTTP here, and no queue: only the newest exposure is at hand.

mod arguments;
mod camera;
mod fit;
mod full_build;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod kinds;
pub mod machine;
mod run;
mod slot_log;
pub mod source;
mod waiting;

pub use arguments::{Arguments, ListRequest, ListWhat, Settings, SetupError, SizeLimits};
pub use run::run;
