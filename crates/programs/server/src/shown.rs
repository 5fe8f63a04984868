//! A frame that was read: once, for all clients of this process.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use eyelid_slot::{FrameId, OpenFrame, ReadError};
use tokio::time::Instant;

use crate::part::{self, FRAMING_BYTES, Header, Signal};

/// A frame that was read.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The JPEG.
    pub(crate) jpeg: Bytes,
    /// The moment of capture.
    pub(crate) captured: SystemTime,
    /// The same as a part of a stream, and where in it the JPEG lies: of this every client of a stream gets its share.
    part: Bytes,
    start: usize,
    /// Its number among those this process has seen.
    pub(crate) number: u64,
    /// Which frame of the slot it is.
    pub(crate) id: FrameId,
    /// When it came into the slot, as far as that was seen; long ago otherwise.
    pub(crate) published: Option<Instant>,
}

impl Shown {
    /// Reads a frame into `spare`, which is left empty.
    ///
    /// # Errors
    /// See [`OpenFrame::append_to`].
    pub(crate) fn read(
        file: &OpenFrame,
        spare: &mut Vec<u8>,
        number: u64,
        published: Option<Instant>,
    ) -> Result<Self, ReadError> {
        let mut part = std::mem::take(spare);
        part.clear();
        part.reserve(file.bytes + FRAMING_BYTES);
        part::begin(&mut part, file.bytes, file.captured, Signal::Frame);
        let start = part.len();
        file.append_to(&mut part)?;
        part::end(&mut part);
        let part = Bytes::from(part);
        Ok(Self {
            jpeg: part.slice(start..start + file.bytes),
            captured: file.captured,
            part,
            start,
            number,
            id: file.id,
            published,
        })
    }

    /// What a client of a stream gets.
    pub(crate) fn part(&self, header: Header) -> &[u8] {
        header.cut(&self.part, self.start)
    }

    /// Gives the buffer of a frame, if nobody else has it still; an empty one otherwise.
    pub(crate) fn into_buffer(shown: Rc<Self>) -> Vec<u8> {
        let Ok(Self { jpeg, mut part, .. }) = Rc::try_unwrap(shown) else {
            return Vec::new();
        };
        drop(jpeg);
        if !part.is_unique() {
            return Vec::new();
        }
        // Only the room is wanted: nothing is copied.
        part.clear();
        part.into()
    }

    /// Now minus capture.
    pub(crate) fn age(&self) -> Duration {
        age(self.captured)
    }
}

/// Now minus capture; nothing where the clock was set back since.
pub(crate) fn age(captured: SystemTime) -> Duration {
    SystemTime::now()
        .duration_since(captured)
        .unwrap_or_default()
}
