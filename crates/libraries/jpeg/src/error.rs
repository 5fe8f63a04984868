//! Why a stranger's picture is no frame.

use eyelid_slot::Rendition;

use crate::pixels::MAX_PIXELS;
use crate::walk::JpegError;

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It starts like neither of the two.
    #[error("neither JPEG nor PNG")]
    Unknown,
    /// It is too large to be decoded.
    #[error("{width}x{height} are more than {} megapixels", MAX_PIXELS >> 20)]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Its markers are broken.
    #[error(transparent)]
    Markers(#[from] JpegError),
    /// Its head does not say what it is.
    #[error("broken JPEG (its head)")]
    Head,
    /// Browsers do not show such a JPEG, and it cannot be made one that they do.
    #[error(
        "JPEG with {why}, which browsers do not show and this program cannot decode ({reason})"
    )]
    Hidden {
        /// What it has that browsers do not know.
        why: &'static str,
        /// What its decoder says.
        reason: String,
    },
    /// It cannot be decoded to its end.
    #[error("broken picture ({0})")]
    Broken(String),
    /// A file of an exposure that is not made of such a picture.
    #[error("no rendition {rendition} is made of {what}")]
    Rendition {
        /// Which one.
        rendition: Rendition,
        /// What there is to make it of.
        what: &'static str,
    },
    /// It cannot be encoded again.
    #[error(transparent)]
    Encode(#[from] eyelid_picture::EncodeError),
}

impl PictureError {
    /// A picture that its decoder refuses, in one line of text.
    pub(crate) fn broken(reason: &str) -> Self {
        let one_line: Vec<&str> = reason.split_whitespace().collect();
        Self::Broken(one_line.join(" "))
    }
}
