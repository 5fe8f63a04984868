//! A picture after it was encoded, as all that watch the same encode share it.

#[cfg(feature = "native")]
use std::{cell::OnceCell, sync::Arc};

use std::time::SystemTime;

/// One access unit of H.264.
#[derive(Clone, Debug)]
pub(crate) struct Coded {
    /// Its NAL units, each behind a start code (ITU-T H.264, Annex B). Before the picture of a
    /// keyframe stand its parameter sets.
    pub(crate) annex_b: Vec<u8>,
    /// It can be decoded without any other.
    pub(crate) is_key: bool,
    /// The moment of capture.
    pub(crate) captured: SystemTime,
    /// Which of its encode it is. Who has not the one before can decode this one only if it is a
    /// keyframe.
    pub(crate) number: u64,
    /// What its packets by WebRTC have in them, as soon as one viewer gets it: the same for all.
    #[cfg(feature = "native")]
    pub(crate) payloads: OnceCell<Vec<Arc<[u8]>>>,
}

impl Coded {
    /// One that nobody has got yet.
    pub(crate) fn new(annex_b: Vec<u8>, is_key: bool, captured: SystemTime, number: u64) -> Self {
        Self {
            annex_b,
            is_key,
            captured,
            number,
            #[cfg(feature = "native")]
            payloads: OnceCell::new(),
        }
    }
}
