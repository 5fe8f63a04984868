//! A frame that was read: once, for all clients of this process.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use eyelid_slot::{FrameId, OpenFrame, ReadError};

use crate::FrameNumber;
use crate::clock::age;

/// What a program sends before and after each JPEG. It is written around the JPEG while that is
/// read, so that all of it lies in one piece and leaves in one write. `()` is no envelope.
pub trait Envelope {
    /// How many bytes [`Envelope::begin`] and [`Envelope::end`] add at most.
    fn room_bytes(&self) -> usize;

    /// Appends what precedes the JPEG, which has so many bytes.
    fn begin(&self, buffer: &mut Vec<u8>, jpeg_bytes: usize, captured: SystemTime);

    /// Appends what follows the JPEG.
    fn end(&self, buffer: &mut Vec<u8>);
}

impl Envelope for () {
    fn room_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _: &mut Vec<u8>, _: usize, _: SystemTime) {}

    fn end(&self, _: &mut Vec<u8>) {}
}

/// A frame that was read.
#[derive(Debug)]
pub struct SharedFrame {
    /// The JPEG.
    pub jpeg: Bytes,
    /// The moment of capture.
    pub captured: SystemTime,
    /// Its number among those of this camera.
    pub number: FrameNumber,
    /// Which frame of the slot it is.
    pub(crate) id: FrameId,
    enveloped: Bytes,
    jpeg_start: usize,
}

impl SharedFrame {
    /// Reads a frame into `spare`, an empty buffer. What is left there is another without room.
    ///
    /// # Errors
    /// See [`OpenFrame::append_to`].
    pub(crate) fn read(
        file: &OpenFrame,
        envelope: &dyn Envelope,
        spare: &mut Vec<u8>,
        number: FrameNumber,
    ) -> Result<Self, ReadError> {
        let mut buffer = std::mem::take(spare);
        buffer.reserve(file.bytes + envelope.room_bytes());
        envelope.begin(&mut buffer, file.bytes, file.captured);
        let jpeg_start = buffer.len();
        file.append_to(&mut buffer)?;
        envelope.end(&mut buffer);
        let enveloped = Bytes::from(buffer);
        Ok(Self {
            jpeg: enveloped.slice(jpeg_start..jpeg_start + file.bytes),
            captured: file.captured,
            number,
            id: file.id,
            enveloped,
            jpeg_start,
        })
    }

    /// The JPEG in its [`Envelope`].
    pub fn enveloped(&self) -> &[u8] {
        &self.enveloped
    }

    /// At which byte of [`SharedFrame::enveloped`] the JPEG begins.
    pub fn jpeg_start(&self) -> usize {
        self.jpeg_start
    }

    /// Gives the buffer of a frame, if nobody else has it still; an empty one otherwise.
    pub(crate) fn into_buffer(frame: Rc<Self>) -> Vec<u8> {
        let Ok(Self {
            jpeg,
            mut enveloped,
            ..
        }) = Rc::try_unwrap(frame)
        else {
            return Vec::new();
        };
        drop(jpeg);
        if !enveloped.is_unique() {
            return Vec::new();
        }
        // Only the room is wanted: nothing is copied.
        enveloped.clear();
        enveloped.into()
    }

    /// Now minus capture.
    pub(crate) fn age(&self, now: SystemTime) -> Duration {
        age(self.captured, now)
    }
}
