//! Pictures to H.264, by whichever encoder there is.
//!
//! An [`Encoder`] gets one picture at a time and gives back what it has become, at once: nothing is
//! looked ahead at, and no picture waits for another. It decides nothing about when: who calls it
//! says when a keyframe is wanted and what the bitrate is. Each has the thread that calls it, and
//! waits in it for what the kernel's device does.

mod encoder;
#[cfg(feature = "openh264")]
mod openh264;
#[cfg(feature = "v4l2")]
mod v4l2;

pub use encoder::{EncodeError, Encoded, Encoder, Key, Settings};
#[cfg(feature = "openh264")]
pub use openh264::OpenH264;
#[cfg(feature = "v4l2")]
pub use v4l2::{NoDevice, V4l2, V4l2Device};
