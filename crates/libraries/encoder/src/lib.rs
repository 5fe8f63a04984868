//! Pictures to H.264, by whichever encoder there is.
//!
//! An [`Encoder`] gets one picture at a time and gives back what it has become, at once: nothing is
//! looked ahead at, and no picture waits for another. It decides nothing about when: who calls it
//! says when a keyframe is wanted and what the bitrate is. Each has the thread that calls it.

mod encoder;
#[cfg(feature = "openh264")]
mod openh264;

pub use encoder::{EncodeError, Encoded, Encoder, Key, Settings};
#[cfg(feature = "openh264")]
pub use openh264::OpenH264;
