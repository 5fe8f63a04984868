//! A picture after it was encoded, as all that watch the same encode share it.

use std::sync::Arc;
use std::time::SystemTime;

/// One access unit of H.264.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coded {
    /// Its NAL units, each behind a start code (ITU-T H.264, Annex B). Before the picture of a
    /// keyframe stand its parameter sets. Shared in the way that str0m takes it without a copy.
    pub(crate) annex_b: Arc<[u8]>,
    /// It can be decoded without any other.
    pub(crate) is_key: bool,
    /// The moment of capture.
    pub(crate) captured: SystemTime,
    /// Which of its encode it is. Who has not the one before can decode this one only if it is a
    /// keyframe.
    pub(crate) number: u64,
}
