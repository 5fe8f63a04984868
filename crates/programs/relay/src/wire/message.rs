//! Requests and replies, byte by byte.
//!
//! | request, 48 bytes | head, 68 | part, 48 | no frame, 44 |
//! | --- | --- | --- | --- |
//! | 1 version | 1 version | 1 version | 1 version |
//! | 1 kind: 1 | 1 kind: 2 | 1 kind: 3 | 1 kind: 4 |
//! | 2 hold, ms | 2 zero | 2 zero | 1 reason, 1 zero |
//! | 4 largest frame, bytes | 4 held, µs | 4 offset | 4 held, µs |
//! | 24 request | 24 request | 24 request | 24 request |
//! | 16 frame that it has | 16 frame | 16 frame | 8 instance |
//! | | 8 age, µs | | 4 size of the frame, bytes |
//! | | 4 width, 4 height, 4 size, bytes | | |
//!
//! The head has the JPEG's first bytes behind it, and each part some more. The first bit of a
//! request's kind (128) is set where nothing else that was asked is under way.
//!
//! Every reply says which request it is for, and every part of which frame it is: a broker that
//! repeats a message, brings it to somebody else, or has two hosts of one name is found out by
//! that.

use eyelid_slot::MAX_FRAME_BYTES;
use sha2::{Digest, Sha256};

use super::fields::Fields;
use super::subject::Subject;

pub(super) const VERSION: u8 = 1;

pub(super) const REQUEST: u8 = 1;
pub(super) const HEAD: u8 = 2;
pub(super) const PART: u8 = 3;
pub(super) const NO_FRAME: u8 = 4;
pub(super) const STATE: u8 = 5;
pub(super) const DIRECTORY: u8 = 6;
pub(super) const PRESENCE: u8 = 7;

/// A side that fetches: a random number, made when the program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asker(pub u64);

/// Stands for a [`Subject`] in messages: the first bytes of its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectTag(u64);

impl SubjectTag {
    /// Gives that of a subject.
    pub fn of(subject: &Subject) -> Self {
        let digest = Sha256::digest(subject.to_string().as_bytes());
        let first = digest.first_chunk().copied().unwrap_or_default();
        Self(u64::from_be_bytes(first))
    }

    /// Gives the one with this number.
    pub(crate) fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Gives its number.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// Which request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// Who asks.
    pub asker: Asker,
    /// What is asked.
    pub subject: SubjectTag,
    /// Greater with each request that this asker makes of this camera.
    pub number: u64,
}

/// Which exposure of a camera a frame is. Renditions of the same exposure have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameId {
    /// The run of the program that shares it: a random number, made when that starts.
    pub instance: u64,
    /// Greater with each exposure of this instance; 1 or more.
    pub sequence: u64,
}

/// Bytes that are no message of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Another version.
    #[error("message of version {0}: this is version {VERSION}; update the older side")]
    Version(u8),
    /// A kind that is not expected here.
    #[error("message of kind {0} is not expected here")]
    Kind(u8),
    /// It ends before its last field.
    #[error("message is cut off")]
    Short,
    /// It goes on behind its last field.
    #[error("message is longer than its kind")]
    Long,
    /// What is to be zero is not.
    #[error("message has a field that version {VERSION} does not have")]
    Reserved,
    /// It says a host's name that no host has.
    #[error("message with a host's name that hosts do not have")]
    Host,
    /// A request is to be held for longer than [`super::MAX_HOLD`].
    #[error("request to be held for {0} ms: 10000 at most")]
    Hold(u16),
    /// Frames are counted from 1, and none has an instance without a number.
    #[error("message says a frame that cannot be")]
    Frame,
    /// A size that no JPEG has.
    #[error("frame of {width_px}x{height_px}: 65535x65535 at most")]
    Size {
        /// Width in pixels.
        width_px: u32,
        /// Height in pixels.
        height_px: u32,
    },
    /// An empty frame, or one larger than [`MAX_FRAME_BYTES`].
    #[error("frame of {0} bytes: 1 to {MAX_FRAME_BYTES}")]
    Bytes(u32),
    /// More bytes than the frame is said to have, or none where some must be.
    #[error("message has other bytes of the frame than it says")]
    Payload,
}

impl RequestId {
    pub(super) fn write(&self, message: &mut Vec<u8>) {
        for field in [self.asker.0, self.subject.0, self.number] {
            message.extend(field.to_be_bytes());
        }
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, FormatError> {
        Ok(Self {
            asker: Asker(fields.u64()?),
            subject: SubjectTag(fields.u64()?),
            number: fields.u64()?,
        })
    }
}

/// Writes what the messages begin with that are no frame's.
pub(super) fn write_start(kind: u8, id: RequestId, message: &mut Vec<u8>) {
    message.extend([VERSION, kind, 0, 0]);
    id.write(message);
}

/// Reads what [`write_start`] writes.
pub(super) fn read_start(wanted: u8, fields: &mut Fields<'_>) -> Result<RequestId, FormatError> {
    let found = kind(fields)?;
    if found != wanted {
        return Err(FormatError::Kind(found));
    }
    zero(fields.u16()?)?;
    RequestId::read(fields)
}

/// Reads version and kind.
pub(super) fn kind(fields: &mut Fields<'_>) -> Result<u8, FormatError> {
    match fields.u8()? {
        VERSION => fields.u8(),
        other => Err(FormatError::Version(other)),
    }
}

pub(super) fn zero(field: u16) -> Result<(), FormatError> {
    if field == 0 {
        Ok(())
    } else {
        Err(FormatError::Reserved)
    }
}

/// No frame is all zeros.
pub(super) fn write_frame(frame: Option<FrameId>, message: &mut Vec<u8>) {
    let (instance, sequence) = frame.map_or((0, 0), |frame| (frame.instance, frame.sequence));
    message.extend(instance.to_be_bytes());
    message.extend(sequence.to_be_bytes());
}

pub(super) fn read_frame(fields: &mut Fields<'_>) -> Result<Option<FrameId>, FormatError> {
    match (fields.u64()?, fields.u64()?) {
        (0, 0) => Ok(None),
        (_, 0) => Err(FormatError::Frame),
        (instance, sequence) => Ok(Some(FrameId { instance, sequence })),
    }
}

#[cfg(test)]
mod tests;
