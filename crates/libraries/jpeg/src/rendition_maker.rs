//! Further files of an exposure: fewer bytes, a smaller picture, or the planes before they are
//! encoded.
//!
//! Made of the planes where a camera gives these, else of the JPEG that was published. With the
//! feature `turbojpeg` a JPEG is decoded no larger than is needed; what libjpeg-turbo does not
//! take, and all without the feature, is decoded in Rust and scaled then.

use eyelid_picture::{
    Encoder, PixelKind, Planes, SamplePlane, Scale, Subsampled, Tables, Yuv420, write_y4m,
};
use eyelid_slot::Rendition;

use crate::decode::{Stored, decode_as_stored, refuse_large};
use crate::error::PictureError;
#[cfg(feature = "turbojpeg")]
use crate::scaled::ScaledDecoder;
use crate::walk::{Header, whole};

/// libjpeg's quality of [`Rendition::Low`]: about a third of the bytes of a usual frame. Below it,
/// a smaller picture looks better in as many bytes.
const LOW_PERCENT: u8 = 30;

/// libjpeg's quality of the smaller ones: about a quarter of the bytes of the next larger one.
const SMALLER_PERCENT: u8 = 70;

/// Makes renditions. Reuses its memory from one to the next.
#[derive(Debug)]
pub struct RenditionMaker {
    encoder: Encoder,
    decoder: Decoder,
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

/// From a JPEG to planes.
#[derive(Debug, Default)]
struct Decoder {
    /// `None`: all is decoded in Rust.
    #[cfg(feature = "turbojpeg")]
    scaled: Option<ScaledDecoder>,
    /// What the decoder in Rust gives.
    pixels: Vec<u8>,
    planes: Planes,
}

impl RenditionMaker {
    /// Makes JPEGs with these Huffman tables.
    pub fn new(tables: Tables) -> Self {
        let mut encoder = Encoder::default();
        encoder.set_tables(tables);
        Self {
            encoder,
            decoder: Decoder {
                #[cfg(feature = "turbojpeg")]
                scaled: Some(ScaledDecoder::default()),
                ..Decoder::default()
            },
            full_range: Planes::default(),
            scaled: Planes::default(),
            y4m: Vec::new(),
        }
    }

    /// Decodes and encodes in Rust, whatever the features are: to compare with.
    pub fn pure_rust() -> Self {
        Self {
            encoder: Encoder::pure_rust(),
            decoder: Decoder {
                #[cfg(feature = "turbojpeg")]
                scaled: None,
                ..Decoder::default()
            },
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
        let (header, length) = whole(jpeg)?;
        refuse_large(header.width, header.height)?;
        let jpeg = &jpeg[..length];
        let (decoder, scaled) = (&mut self.decoder, &mut self.scaled);
        let picture = decoder.decode(jpeg, header, scale, scaled)?;
        encode(&mut self.encoder, &picture, quality)
    }
}

impl Decoder {
    fn decode<'a>(
        &'a mut self,
        jpeg: &[u8],
        header: Header,
        scale: Scale,
        scaled: &'a mut Planes,
    ) -> Result<Yuv420<'a>, PictureError> {
        #[cfg(feature = "turbojpeg")]
        if let Some(decoder) = &mut self.scaled
            && let Some(picture) = decoder.decode(jpeg, header, scale)
        {
            return Ok(self.planes.from_subsampled(&picture)?);
        }
        let stored = decode_as_stored(jpeg, header, &mut self.pixels)?;
        let picture = to_planes(&self.pixels, header, stored, &mut self.planes)?;
        Ok(scaled.scaled(&picture, scale)?)
    }
}

/// Makes planes of what the decoder in Rust gave.
fn to_planes<'a>(
    pixels: &'a [u8],
    header: Header,
    stored: Stored,
    planes: &'a mut Planes,
) -> Result<Yuv420<'a>, PictureError> {
    let Header { width, height, .. } = header;
    let kind = match stored {
        Stored::Luma => {
            let grey = Subsampled {
                width,
                height,
                y: SamplePlane {
                    bytes: pixels,
                    stride: width as usize,
                },
                chroma: None,
            };
            return Ok(planes.from_subsampled(&grey)?);
        }
        Stored::YCbCr => PixelKind::YCbCr,
        Stored::Rgb => PixelKind::Rgb,
    };
    Ok(planes.from_pixels(pixels, width, height, kind)?)
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
