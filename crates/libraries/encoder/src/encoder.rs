//! What all encoders have in common.

use std::time::Duration;

use eyelid_picture::Yuv420;

/// Makes H.264 of pictures, one at a time.
pub trait Encoder: Send {
    /// Encodes a picture. `None`: the encoder left it out; the next one will come.
    ///
    /// The size may change from one picture to the next, which then is a keyframe. The range may,
    /// too: what is encoded has that of television, which decoders take for granted.
    ///
    /// `at` is the moment of capture on any clock that does not go back. The encoder learns from it
    /// how much time there was for a picture's bits, since they come as irregularly as they like.
    ///
    /// # Errors
    /// See [`EncodeError`]. The next picture may be encoded again, and is a keyframe.
    fn encode(
        &mut self,
        picture: &Yuv420<'_>,
        at: Duration,
        key: Key,
    ) -> Result<Option<Encoded>, EncodeError>;

    /// Sets how many bits a second the next pictures are to have.
    ///
    /// # Errors
    /// [`EncodeError::Encoder`]: it is as it was.
    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), EncodeError>;

    /// Which encoder it is, for people: its name, its version, what makes it fast.
    fn description(&self) -> String;
}

/// Whether a picture has to be one that can be decoded without any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Somebody cannot go on without it.
    Wanted,
    /// It may need those before it.
    NotNeeded,
}

/// How pictures are to be encoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// How many bits a second they are to have.
    pub bits_per_second: u32,
    /// How many pictures a second are expected at most. Fewer may come.
    pub pictures_per_second: f32,
}

/// A picture after it was encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// One access unit: its NAL units, each behind a start code. A keyframe begins with its
    /// parameter sets.
    pub annex_b: Vec<u8>,
    /// It can be decoded without any other, and so can all behind it.
    pub is_key: bool,
}

/// Why a picture was not encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The encoder takes no such size.
    #[error("picture of {width}x{height}: {encoder} takes {least} to {most} pixels on each side")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Which encoder it is.
        encoder: &'static str,
        /// The fewest.
        least: u32,
        /// The most, for people: they may depend on one another.
        most: String,
    },
    /// Not all of the picture is there.
    #[error(transparent)]
    Picture(#[from] eyelid_picture::EncodeError),
    /// The encoder refused, in its words.
    #[error("{encoder}: {reason}")]
    Encoder {
        /// Which encoder it is.
        encoder: &'static str,
        /// What it says.
        reason: String,
    },
}
