//! Further files of an exposure: fewer bytes, a smaller picture, or the planes before they are
//! encoded.
//!
//! Made of the planes where a camera gives these, else of the JPEG that was published.

use eyelid_picture::{Encoder, Planes, Scale, Tables, Yuv420, write_y4m};
use eyelid_slot::Rendition;

use crate::error::PictureError;
use crate::planes_decoder::PlanesDecoder;

/// libjpeg's quality of [`Rendition::Low`]: about a third of the bytes of a usual frame. Below it,
/// a smaller picture looks better in as many bytes.
const LOW_PERCENT: u8 = 30;

/// libjpeg's quality of the smaller ones: about a quarter of the bytes of the next larger one.
const SMALLER_PERCENT: u8 = 70;

/// Makes renditions. Reuses its memory from one to the next.
#[derive(Debug)]
pub struct RenditionMaker {
    encoder: Encoder,
    decoder: PlanesDecoder,
    full_range: Planes,
    scaled: Planes,
    y4m: Vec<u8>,
}

/// A rendition without its moment of capture.
#[derive(Clone, Copy, Debug)]
pub struct MadeRendition<'a> {
    /// The file.
    pub bytes: &'a [u8],
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl RenditionMaker {
    /// Makes JPEGs with these Huffman tables.
    pub fn new(tables: Tables) -> Self {
        let mut encoder = Encoder::default();
        encoder.set_tables(tables);
        Self {
            encoder,
            decoder: PlanesDecoder::default(),
            full_range: Planes::default(),
            scaled: Planes::default(),
            y4m: Vec::new(),
        }
    }

    /// Decodes and encodes in Rust, whatever the features are: to compare with.
    pub fn pure_rust() -> Self {
        Self {
            encoder: Encoder::pure_rust(),
            decoder: PlanesDecoder::pure_rust(),
            ..Self::new(Tables::Standard)
        }
    }

    /// Makes a rendition of an exposure's planes.
    ///
    /// # Errors
    /// [`PictureError::Encode`] for planes that are too short, [`PictureError::Rendition`] for
    /// [`Rendition::Full`], which only a camera makes.
    pub fn from_planes(
        &mut self,
        picture: &Yuv420<'_>,
        rendition: Rendition,
    ) -> Result<MadeRendition<'_>, PictureError> {
        let full_range = self.full_range.full_range(picture)?;
        if rendition == Rendition::Y4m {
            write_y4m(&full_range, &mut self.y4m)?;
            return Ok(MadeRendition {
                bytes: &self.y4m,
                width: picture.width,
                height: picture.height,
            });
        }
        let (scale, quality) = jpeg_of(rendition, "planes")?;
        let scaled = self.scaled.scaled(&full_range, scale)?;
        encode(&mut self.encoder, &scaled, quality)
    }

    /// Makes a rendition of the JPEG that was published of an exposure. One that is broken, though
    /// not in its markers, gives what viewers show of it.
    ///
    /// # Errors
    /// [`PictureError::Rendition`] for [`Rendition::Full`] and [`Rendition::Y4m`], which a JPEG is
    /// no source of; else see [`PictureError`].
    pub fn from_jpeg(
        &mut self,
        jpeg: &[u8],
        rendition: Rendition,
    ) -> Result<MadeRendition<'_>, PictureError> {
        let (scale, quality) = jpeg_of(rendition, "a JPEG")?;
        let picture = self.decoder.decode(jpeg, scale)?;
        encode(&mut self.encoder, &picture, quality)
    }
}

/// How large a rendition's JPEG is, and of which quality; an error where it is none, or none that
/// is made of `what`.
fn jpeg_of(rendition: Rendition, what: &'static str) -> Result<(Scale, u8), PictureError> {
    match rendition {
        Rendition::Low => Ok((Scale::Whole, LOW_PERCENT)),
        Rendition::Half => Ok((Scale::Half, SMALLER_PERCENT)),
        Rendition::Quarter => Ok((Scale::Quarter, SMALLER_PERCENT)),
        Rendition::Full | Rendition::Y4m => Err(PictureError::Rendition { rendition, what }),
    }
}

fn encode<'a>(
    encoder: &'a mut Encoder,
    picture: &Yuv420<'_>,
    quality_percent: u8,
) -> Result<MadeRendition<'a>, PictureError> {
    Ok(MadeRendition {
        bytes: encoder.encode_yuv420(picture, quality_percent)?,
        width: picture.width,
        height: picture.height,
    })
}

#[cfg(test)]
mod tests;
