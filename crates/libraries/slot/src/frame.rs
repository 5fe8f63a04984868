//! What travels through a slot.

use std::time::SystemTime;

use bytes::Bytes;

/// A complete JPEG with its moment of capture. Cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The JPEG, from SOI to EOI.
    pub jpeg: Bytes,
    /// The moment of capture: the file's mtime, CLOCK_REALTIME, nanoseconds.
    pub captured: SystemTime,
}
