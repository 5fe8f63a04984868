//! From a stranger's picture to a frame: checked, normalised, turned, and encoded only where that is needed.

use std::borrow::Cow;

use eyelid_config::Rotation;
use eyelid_picture::Encoder;

use crate::Settings;
use crate::normalise::normalise;
use crate::pixels::{PictureError, Pixels, Turn, check_jpeg, decode_jpeg, decode_png};

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG_START: &[u8] = b"\xFF\xD8";

/// How far a JPEG is trusted that needs no turning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Its markers lead to its end. That is what a pipe can break.
    Markers,
    /// It can be decoded whole. A file may be half old and half new.
    Decoded,
}

/// Makes frames the way one camera wants them.
#[derive(Debug)]
pub(crate) struct FrameMaker {
    rotation: Rotation,
    quality: u8,
    encoder: Encoder,
}

/// A frame without its moment of capture.
#[derive(Debug)]
pub(crate) struct Made<'a> {
    pub(crate) jpeg: Cow<'a, [u8]>,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl FrameMaker {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            rotation: settings.rotate,
            quality: settings.quality.percent(),
            encoder: Encoder::default(),
        }
    }

    /// Makes a frame of a JPEG or a PNG.
    pub(crate) fn picture<'a>(&'a mut self, bytes: &'a [u8]) -> Result<Made<'a>, PictureError> {
        if bytes.starts_with(JPEG_START) {
            self.jpeg(bytes, Check::Decoded)
        } else if bytes.starts_with(PNG_SIGNATURE) {
            let pixels = decode_png(bytes)?;
            self.encode(pixels, Turn::NONE)
        } else {
            Err(PictureError::Unknown)
        }
    }

    /// Makes a frame of a JPEG.
    pub(crate) fn jpeg<'a>(
        &'a mut self,
        bytes: &'a [u8],
        check: Check,
    ) -> Result<Made<'a>, PictureError> {
        let normal = normalise(bytes)?;
        let header = normal.header;
        if normal.stores_rgb || normal.turn.then(self.rotation) != Turn::NONE {
            let pixels = decode_jpeg(&normal.jpeg, header)?;
            return self.encode(pixels, normal.turn);
        }
        if check == Check::Decoded {
            check_jpeg(&normal.jpeg, header)?;
        }
        Ok(Made {
            jpeg: normal.jpeg,
            width: header.width,
            height: header.height,
        })
    }

    fn encode(&mut self, pixels: Pixels, turn: Turn) -> Result<Made<'_>, PictureError> {
        let Pixels { width, height, rgb } = turn.then(self.rotation).apply(pixels);
        let jpeg = self.encoder.encode_rgb(&rgb, width, height, self.quality)?;
        Ok(Made {
            jpeg: Cow::Borrowed(jpeg),
            width,
            height,
        })
    }
}
