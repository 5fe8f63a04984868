//! The real program on slots of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod command;
mod demand;
mod folder;
#[cfg(not(feature = "libcamera"))]
mod full_build;
mod full_picture;
mod harness;
mod http;
mod options;
mod renditions;
