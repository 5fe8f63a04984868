//! A frame that was read: once, for all clients of this process.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use eyelid_slot::{OpenFrame, ReadError, Rendition};

use crate::clock::age;
use crate::{FrameNumber, Position};

/// What a program sends before and after each JPEG. It is written around the JPEG while that is
/// read, so that all of it lies in one piece and leaves in one write. `()` is no envelope.
pub trait Envelope {
    /// How many bytes [`Envelope::begin`] and [`Envelope::end`] add at most.
    fn room_bytes(&self) -> usize;

    /// Appends what precedes the JPEG.
    fn begin(&self, buffer: &mut Vec<u8>, jpeg: &EnvelopedJpeg);

    /// Appends what follows the JPEG.
    fn end(&self, buffer: &mut Vec<u8>);
}

/// What is known of a JPEG that is about to be read into its [`Envelope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvelopedJpeg {
    /// How many bytes it has.
    pub bytes: usize,
    /// The moment of capture.
    pub captured: SystemTime,
    /// Which rendition it is; `None` is the frame.
    pub rendition: Option<Rendition>,
}

impl Envelope for () {
    fn room_bytes(&self) -> usize {
        0
    }

    fn begin(&self, _: &mut Vec<u8>, _: &EnvelopedJpeg) {}

    fn end(&self, _: &mut Vec<u8>) {}
}

/// A frame that was read.
#[derive(Debug)]
pub struct SharedFrame {
    /// The JPEG; of [`Rendition::Y4m`] the YUV4MPEG2 file.
    pub jpeg: Bytes,
    /// The moment of capture.
    pub captured: SystemTime,
    /// Which rendition it is; `None` is the frame.
    pub rendition: Option<Rendition>,
    /// Its number among those of this rendition of this camera.
    pub number: FrameNumber,
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
        rendition: Option<Rendition>,
        envelope: &dyn Envelope,
        spare: &mut Vec<u8>,
        number: FrameNumber,
    ) -> Result<Self, ReadError> {
        let mut buffer = std::mem::take(spare);
        buffer.reserve(file.bytes + envelope.room_bytes());
        let jpeg = EnvelopedJpeg {
            bytes: file.bytes,
            captured: file.captured,
            rendition,
        };
        envelope.begin(&mut buffer, &jpeg);
        let jpeg_start = buffer.len();
        file.append_to(&mut buffer)?;
        envelope.end(&mut buffer);
        let enveloped = Bytes::from(buffer);
        Ok(Self {
            jpeg: enveloped.slice(jpeg_start..jpeg_start + file.bytes),
            captured: file.captured,
            rendition,
            number,
            enveloped,
            jpeg_start,
        })
    }

    /// Where a client is that has this frame.
    pub fn position(&self) -> Position {
        Position::at(self.rendition, self.number, self.captured)
    }

    /// How many frames of its rendition came after the one that a client has and before this one.
    /// None where the client has none of this rendition: how many it has missed is not known.
    pub fn skipped_since(&self, last: Position) -> u64 {
        self.number.skipped_since(last.number_of(self.rendition))
    }

    /// The JPEG in its [`Envelope`].
    pub fn enveloped(&self) -> &[u8] {
        &self.enveloped
    }

    /// At which byte of [`SharedFrame::enveloped`] the JPEG begins.
    pub fn jpeg_start(&self) -> usize {
        self.jpeg_start
    }

    /// Says whether this is the same picture as another, to the byte: somebody removed the file,
    /// and its producer has made it once more.
    pub(crate) fn is_same_picture(&self, other: &Self) -> bool {
        self.captured == other.captured && self.jpeg == other.jpeg
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
