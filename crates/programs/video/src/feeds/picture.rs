//! From the file of a slot to planes.

use eyelid_jpeg::{PictureError as JpegError, PlanesDecoder};
use eyelid_picture::{EncodeError, Planes, Scale, Y4mError, Yuv420, read_y4m};

/// What a picture's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The planes, as a YUV4MPEG2 file.
    Y4m,
    /// A JPEG: the source has no planes.
    Jpeg,
}

/// A picture that cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PictureError {
    /// The file of planes is none.
    #[error("current.y4m: {0}")]
    Y4m(#[from] Y4mError),
    /// The JPEG is none that is decoded.
    #[error("the JPEG cannot be decoded: {0}")]
    Jpeg(#[from] JpegError),
    /// Its size is none.
    #[error(transparent)]
    Size(#[from] EncodeError),
}

/// Memory that is used again for each picture.
#[derive(Default)]
pub(crate) struct Decoder {
    jpeg: PlanesDecoder,
    scaled: Planes,
}

impl Decoder {
    /// Gives a picture's planes, as large as they are to be.
    ///
    /// # Errors
    /// See [`PictureError`].
    pub(crate) fn planes<'a>(
        &'a mut self,
        bytes: &'a [u8],
        kind: Kind,
        scale: Scale,
    ) -> Result<Yuv420<'a>, PictureError> {
        match kind {
            Kind::Y4m => Ok(self.scaled.scaled(&read_y4m(bytes)?, scale)?),
            Kind::Jpeg => Ok(self.jpeg.decode(bytes, scale)?),
        }
    }
}
