//! From a JPEG that was published to planes of 4:2:0, in its size or smaller.
//!
//! With the feature `turbojpeg` a JPEG is decoded no larger than is needed, and without red, green
//! and blue on the way; what libjpeg-turbo does not take, and all without the feature, is decoded
//! in Rust and scaled then.

use eyelid_picture::{PixelKind, Planes, SamplePlane, Scale, Subsampled, Yuv420};

use crate::decode::{Stored, decode_as_stored, refuse_large};
use crate::error::PictureError;
#[cfg(feature = "turbojpeg")]
use crate::scaled::ScaledDecoder;
use crate::walk::{Header, whole};

/// Decodes JPEGs to planes. Reuses its memory from one to the next.
#[derive(Debug, Default)]
pub struct PlanesDecoder {
    #[cfg(feature = "turbojpeg")]
    scaled: ScaledDecoder,
    #[cfg(feature = "turbojpeg")]
    is_pure_rust: bool,
    /// What the decoder in Rust gives.
    pixels: Vec<u8>,
    planes: Planes,
    /// Those, where they are to be smaller.
    smaller: Planes,
}

impl PlanesDecoder {
    /// Decodes in Rust, whatever the features are: to compare with.
    pub fn pure_rust() -> Self {
        Self {
            #[cfg(feature = "turbojpeg")]
            is_pure_rust: true,
            ..Self::default()
        }
    }

    /// Gives the planes of a JPEG, of the full range. Colour that is finer or coarser than that of
    /// 4:2:0 becomes it; what is grey has none. One that is broken, though not in its markers,
    /// gives what viewers show of it.
    ///
    /// # Errors
    /// See [`PictureError`].
    pub fn decode(&mut self, jpeg: &[u8], scale: Scale) -> Result<Yuv420<'_>, PictureError> {
        let (jpeg, header) = one_picture(jpeg)?;
        #[cfg(feature = "turbojpeg")]
        if !self.is_pure_rust
            && let Some(picture) = self.scaled.decode(jpeg, header, scale)
        {
            return Ok(self.planes.from_subsampled(&picture)?);
        }
        let stored = decode_as_stored(jpeg, header, &mut self.pixels)?;
        let picture = to_planes(&self.pixels, header, stored, &mut self.planes)?;
        Ok(self.smaller.scaled(&picture, scale)?)
    }
}

/// A JPEG without what may follow it, and its header; none that would fill the memory.
fn one_picture(jpeg: &[u8]) -> Result<(&[u8], Header), PictureError> {
    let (header, length) = whole(jpeg)?;
    refuse_large(header.width, header.height)?;
    Ok((&jpeg[..length], header))
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

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_picture::SampleRange;
    use eyelid_replay::case;

    /// The mean of the differences of two planes' samples.
    fn apart(one: SamplePlane<'_>, other: SamplePlane<'_>, width: usize, height: usize) -> f64 {
        let mut sum = 0u64;
        for row in 0..height {
            let one = &one.bytes[row * one.stride..][..width];
            let other = &other.bytes[row * other.stride..][..width];
            let differences = one.iter().zip(other).map(|(a, b)| a.abs_diff(*b));
            sum += differences.map(u64::from).sum::<u64>();
        }
        sum as f64 / (width * height) as f64
    }

    #[test]
    fn gives_the_same_planes_by_either_decoder_whatever_the_sampling() {
        let (mut usual, mut pure) = (PlanesDecoder::default(), PlanesDecoder::pure_rust());
        for jpeg in [
            case!("jpeg-420"),
            case!("jpeg-411"),
            case!("jpeg-422-restarts"),
            case!("jpeg-440"),
            case!("jpeg-444-optimised"),
            case!("jpeg-grey"),
            case!("jpeg-progressive"),
            case!("jpeg-420"),
        ] {
            let (header, _) = whole(jpeg).unwrap();
            let picture = usual.decode(jpeg, Scale::Whole).unwrap();
            picture.check().unwrap();
            assert_eq!(
                (picture.width, picture.height),
                (header.width, header.height)
            );
            assert_eq!(picture.range, SampleRange::Full);
            let other = pure.decode(jpeg, Scale::Whole).unwrap();
            let (width, height) = (picture.width as usize, picture.height as usize);
            assert!(apart(picture.y, other.y, width, height) < 1.5);
            let half = (width.div_ceil(2), height.div_ceil(2));
            // The one makes colour finer before it is made coarser again.
            assert!(apart(picture.u, other.u, half.0, half.1) < 4.0);
            assert!(apart(picture.v, other.v, half.0, half.1) < 4.0);
        }
    }

    #[test]
    fn refuses_what_is_no_picture_and_goes_on() {
        let mut decoder = PlanesDecoder::default();
        let mut decodes = |jpeg: &[u8]| decoder.decode(jpeg, Scale::Whole).is_ok();
        assert!(!decodes(b""));
        assert!(!decodes(&case!("jpeg-420")[..200]));
        assert!(decodes(case!("jpeg-420")));
    }
}
