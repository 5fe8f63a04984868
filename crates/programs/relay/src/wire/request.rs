//! What an asker sends.

use std::time::Duration;

use super::fields::Fields;
use super::message::{
    FormatError, FrameId, REQUEST, RequestId, VERSION, kind, read_frame, write_frame,
};

/// The bit of a request's kind that says that nothing else is under way.
const ALONE: u8 = 0x80;

/// How long a request may be held. A broker that a host vanished from ends it no sooner.
pub const MAX_HOLD: Duration = Duration::from_secs(10);

/// "I want the next frame": what an asker sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which one it is.
    pub id: RequestId,
    /// The newest frame that the asker has.
    pub have: Option<FrameId>,
    /// Nothing else that this asker has asked of this camera is under way: what it does not have
    /// now, it does not get any more.
    pub is_alone: bool,
    /// How long it is to be held where there is no newer frame, in milliseconds; [`MAX_HOLD`] at
    /// most.
    pub hold_ms: u16,
    /// The largest frame that the asker takes, in bytes.
    pub max_bytes: u32,
}

impl Request {
    /// Its length in bytes.
    pub const BYTES: usize = 48;

    /// Asks for no frame, but for what is known at once: a state, a directory, who is there.
    pub fn question(id: RequestId) -> Self {
        Self {
            id,
            have: None,
            is_alone: true,
            hold_ms: 0,
            max_bytes: 0,
        }
    }

    /// How long it is to be held.
    pub fn hold(&self) -> Duration {
        Duration::from_millis(self.hold_ms.into())
    }

    /// Writes it down.
    pub fn to_bytes(&self) -> Vec<u8> {
        let kind = if self.is_alone {
            REQUEST | ALONE
        } else {
            REQUEST
        };
        let mut message = vec![VERSION, kind];
        message.extend(self.hold_ms.to_be_bytes());
        message.extend(self.max_bytes.to_be_bytes());
        self.id.write(&mut message);
        write_frame(self.have, &mut message);
        message
    }

    /// Reads one.
    ///
    /// # Errors
    /// See [`FormatError`].
    pub fn parse(message: &[u8]) -> Result<Self, FormatError> {
        let mut fields = Fields(message);
        let kind = kind(&mut fields)?;
        if kind & !ALONE != REQUEST {
            return Err(FormatError::Kind(kind));
        }
        let hold_ms = fields.u16()?;
        if Duration::from_millis(hold_ms.into()) > MAX_HOLD {
            return Err(FormatError::Hold(hold_ms));
        }
        let max_bytes = fields.u32()?;
        let id = RequestId::read(&mut fields)?;
        let have = read_frame(&mut fields)?;
        fields.end()?;
        Ok(Self {
            id,
            have,
            is_alone: kind & ALONE != 0,
            hold_ms,
            max_bytes,
        })
    }
}
