//! The slot: the contract between every producer and every consumer of frames.
//!
//! A slot is a directory on tmpfs with two public files, `current.jpg` (the newest frame) and
//! `state.json` (what the producer is doing), and further ones of the same exposure where the
//! producer offers them ([`Rendition`]). [`Publisher`] is the writing side, many of them on one
//! inotify instance are [`Publishers`]; [`Reader`] is the reading side, [`Changes`] tells a reader
//! when there is something new. [`SlotLock`] is for a producer that wants to know of a second
//! one. `docs/slot.md` states the contract for other languages. This
//! crate knows no camera and no network; all of its I/O is the file system's and inotify(7)'s.

mod changes;
mod demand;
mod directory;
mod events;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod instance;
mod lock;
mod name;
mod offered;
mod placeholder;
mod publisher;
mod publishers;
mod reader;
mod rendition;
mod rendition_set;
mod state;
mod table;
mod watch;
mod watched;

pub use changes::{Change, Changes, ChangesError};
pub use frame::Frame;
pub use instance::OpenError;
pub use lock::{LockError, SlotLock, lock_file};
pub use name::{CameraName, NameError};
pub use placeholder::is_placeholder;
pub use publisher::{PublishError, Publisher};
pub use publishers::Publishers;
pub use reader::{FrameId, Held, OpenFrame, ReadError, Reader};
pub use rendition::{Rendition, RenditionError};
pub use rendition_set::RenditionSet;
pub use state::{Phase, RenditionSize, State};
pub use table::SlotId;
pub use watch::Hearing;

/// The newest complete frame of a slot.
pub const FRAME_FILE: &str = "current.jpg";

/// What the producer of a slot is doing, as JSON ([`State`]).
pub const STATE_FILE: &str = "state.json";

/// The largest frame in bytes that a reader or a parser accepts: a 64-megapixel picture at high
/// quality fits in, and a producer gone wild cannot fill the memory of its readers.
pub const MAX_FRAME_BYTES: usize = 32 << 20;

/// The names of all files that a producer may leave in a slot.
pub fn files() -> impl Iterator<Item = &'static str> {
    let renditions = Rendition::ALL.into_iter().map(Rendition::file);
    [FRAME_FILE, STATE_FILE].into_iter().chain(renditions)
}
