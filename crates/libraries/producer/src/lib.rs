//! Cameras and their slots: awake while somebody looks, asleep otherwise, failed until they work
//! again.
//!
//! A [`Source`] is one kind of camera, or what takes a camera's place. [`Machine`] decides what is
//! next and does nothing itself; [`Driver`] does it, with one source and one slot; [`Producers`]
//! has any number of drivers in one thread, on one inotify instance. Renditions that are wished
//! for are made here, of what every source has; aside ([`RenderJob`]) where it shares its frames,
//! so that other cameras' are not held up. No queue: a source has its
//! newest frame at hand, and that is encoded when it is wished for. Sources see to it that what
//! strangers send passes through [`eyelid_jpeg`] before it is published.

mod attention;
mod camera_clock;
mod driver;
mod file_turn;
mod kinds;
mod machine;
mod moment;
mod options;
mod own_renditions;
mod producers;
mod render_job;
mod renditions;
mod rest;
mod slot_log;
mod source;
mod told_state;
mod waiting;

pub use camera_clock::CameraClock;
pub use driver::Driver;
pub use machine::{Action, Machine, SlotStatus};
pub use options::{DriverOptions, Precedence};
pub use own_renditions::OwnRenditions;
pub use producers::{DriverId, Producers};
pub use render_job::{RenderJob, Rendered, SharedFrame};
pub use rest::Rest;
pub use source::{
    EncodedFrame, FullTotals, NO_NEW_PICTURE, PlanesFrame, Source, SourceFailure, SourceStatus,
    Wishes,
};
