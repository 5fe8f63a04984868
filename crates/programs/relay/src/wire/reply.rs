//! What a request for frames is answered with.

use std::time::Duration;

use eyelid_slot::MAX_FRAME_BYTES;

use super::fields::Fields;
use super::message::{
    FormatError, FrameId, HEAD, NO_FRAME, PART, RequestId, VERSION, kind, read_frame, write_frame,
    zero,
};

/// JPEG's sizes have two bytes (ITU-T T.81, B.2.2).
const MAX_SIDE_PX: u32 = 65_535;

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// A frame begins, with its first bytes, of which there may be none.
    Head(Head, &'a [u8]),
    /// It goes on with these bytes, of which there is one at least.
    Part(Part, &'a [u8]),
    /// There is none.
    NoFrame(NoFrame),
}

/// What is said of a frame before its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The request that this answers.
    pub id: RequestId,
    /// The frame.
    pub frame: FrameId,
    /// How long the request was held, in microseconds.
    pub held_us: u32,
    /// How old the frame was when this was sent, in microseconds: ages travel, not times, for
    /// clocks differ.
    pub age_us: u64,
    /// Width in pixels, from 1 to 65,535.
    pub width_px: u32,
    /// Height in pixels, likewise.
    pub height_px: u32,
    /// The size of the whole JPEG in bytes, from 1 to [`MAX_FRAME_BYTES`].
    pub bytes: u32,
}

/// What is said of a frame's further bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The request that this answers.
    pub id: RequestId,
    /// The frame.
    pub frame: FrameId,
    /// How many of the JPEG's bytes come before these.
    pub offset_bytes: u32,
}

/// Why there is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// None came while the request was held.
    Held,
    /// No such camera is shared.
    NotShared,
    /// The camera has failed; its state says why.
    Failed,
    /// There is one, of so many bytes: more than the asker takes.
    TooLarge(u32),
    /// The request made room for a later one.
    Superseded,
    /// A later program's reason.
    Other(u8),
}

/// "I have none": the other answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFrame {
    /// The request that this answers.
    pub id: RequestId,
    /// Why.
    pub reason: Reason,
    /// The run of the program that says so.
    pub instance: u64,
    /// How long the request was held, in microseconds.
    pub held_us: u32,
}

impl<'a> Reply<'a> {
    /// Reads one message of a reply.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn parse(message: &'a [u8]) -> Result<Self, FormatError> {
        let mut fields = Fields(message);
        match kind(&mut fields)? {
            HEAD => {
                let head = Head::read(&mut fields)?;
                if fields.0.len() > head.bytes as usize {
                    return Err(FormatError::Payload);
                }
                Ok(Self::Head(head, fields.0))
            }
            PART => {
                let part = Part::read(&mut fields)?;
                if fields.0.is_empty() {
                    return Err(FormatError::Payload);
                }
                Ok(Self::Part(part, fields.0))
            }
            NO_FRAME => {
                let no_frame = NoFrame::read(&mut fields)?;
                fields.end()?;
                Ok(Self::NoFrame(no_frame))
            }
            other => Err(FormatError::Kind(other)),
        }
    }

    /// The request that it is for.
    pub fn id(&self) -> RequestId {
        match self {
            Self::Head(head, _) => head.id,
            Self::Part(part, _) => part.id,
            Self::NoFrame(no_frame) => no_frame.id,
        }
    }

    /// Writes it down.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Head(head, first) => head.message(first),
            Self::Part(part, bytes) => part.message(bytes),
            Self::NoFrame(no_frame) => no_frame.to_bytes(),
        }
    }
}

impl Head {
    /// The length of its message without bytes of the frame.
    pub(super) const BYTES: usize = 68;

    /// Writes it down, with the frame's first bytes.
    pub(super) fn message(&self, first: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(Self::BYTES + first.len());
        message.extend([VERSION, HEAD, 0, 0]);
        message.extend(self.held_us.to_be_bytes());
        self.id.write(&mut message);
        write_frame(Some(self.frame), &mut message);
        message.extend(self.age_us.to_be_bytes());
        for field in [self.width_px, self.height_px, self.bytes] {
            message.extend(field.to_be_bytes());
        }
        message.extend(first);
        message
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FormatError> {
        zero(fields.u16()?)?;
        let held_us = fields.u32()?;
        let id = RequestId::read(fields)?;
        let frame = read_frame(fields)?.ok_or(FormatError::Frame)?;
        let age_us = fields.u64()?;
        let (width_px, height_px) = (fields.u32()?, fields.u32()?);
        if [width_px, height_px]
            .iter()
            .any(|side| !(1..=MAX_SIDE_PX).contains(side))
        {
            return Err(FormatError::Size {
                width_px,
                height_px,
            });
        }
        let bytes = fields.u32()?;
        if bytes == 0 || bytes as usize > MAX_FRAME_BYTES {
            return Err(FormatError::Bytes(bytes));
        }
        Ok(Self {
            id,
            frame,
            held_us,
            age_us,
            width_px,
            height_px,
            bytes,
        })
    }

    /// How long the request was held.
    pub fn held(&self) -> Duration {
        Duration::from_micros(self.held_us.into())
    }

    /// How old the frame was when this was sent.
    pub fn age(&self) -> Duration {
        Duration::from_micros(self.age_us)
    }
}

impl Part {
    /// The length of its message without bytes of the frame.
    pub(super) const BYTES: usize = 48;

    /// Writes it down, with those bytes of the frame.
    pub(super) fn message(&self, bytes: &[u8]) -> Vec<u8> {
        let mut message = Vec::with_capacity(Self::BYTES + bytes.len());
        message.extend([VERSION, PART, 0, 0]);
        message.extend(self.offset_bytes.to_be_bytes());
        self.id.write(&mut message);
        write_frame(Some(self.frame), &mut message);
        message.extend(bytes);
        message
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FormatError> {
        zero(fields.u16()?)?;
        Ok(Self {
            offset_bytes: fields.u32()?,
            id: RequestId::read(fields)?,
            frame: read_frame(fields)?.ok_or(FormatError::Frame)?,
        })
    }
}

impl NoFrame {
    /// Writes it down.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (reason, frame_bytes) = match self.reason {
            Reason::Held => (0, 0),
            Reason::NotShared => (1, 0),
            Reason::Failed => (2, 0),
            Reason::TooLarge(bytes) => (3, bytes),
            Reason::Superseded => (4, 0),
            Reason::Other(other) => (other, 0),
        };
        let mut message = vec![VERSION, NO_FRAME, reason, 0];
        message.extend(self.held_us.to_be_bytes());
        self.id.write(&mut message);
        message.extend(self.instance.to_be_bytes());
        message.extend(frame_bytes.to_be_bytes());
        message
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FormatError> {
        let reason = fields.u8()?;
        zero(fields.u8()?.into())?;
        let held_us = fields.u32()?;
        let id = RequestId::read(fields)?;
        let instance = fields.u64()?;
        let frame_bytes = fields.u32()?;
        let reason = match reason {
            3 => Reason::TooLarge(frame_bytes),
            _ if frame_bytes != 0 => return Err(FormatError::Reserved),
            0 => Reason::Held,
            1 => Reason::NotShared,
            2 => Reason::Failed,
            4 => Reason::Superseded,
            other => Reason::Other(other),
        };
        Ok(Self {
            id,
            reason,
            instance,
            held_us,
        })
    }
}
