//! JPEGs are decoded at their size or smaller, to planes, by libjpeg-turbo: of each block only as
//! much as a smaller picture has of it, and without red, green and blue on the way.

use eyelid_picture::{Chroma, ChromaStep, SamplePlane, Scale, Subsampled};
use turbojpeg::{
    Colorspace, DecompressHeader, Decompressor, Image, PixelFormat, ScalingFactor, Subsamp,
    YuvImage,
};

use crate::rare::bounded_decompressor;
use crate::walk::Header;

/// Decodes JPEGs. Reuses its memory from one to the next.
#[derive(Debug, Default)]
pub(crate) struct ScaledDecoder {
    decompressor: Option<Decompressor>,
    samples: Vec<u8>,
}

impl ScaledDecoder {
    /// Decodes a JPEG with this header, which is not larger than `refuse_large` lets pass. `None`
    /// where it takes another decoder: a sampling that libjpeg-turbo has no name for, red, green
    /// and blue, or anything at all that it warns of.
    pub(crate) fn decode(
        &mut self,
        jpeg: &[u8],
        header: Header,
        scale: Scale,
    ) -> Option<Subsampled<'_>> {
        let (mut decompressor, found) = self.open(jpeg, header)?;
        let steps = steps(found.subsamp);
        if steps.is_none() && found.subsamp != Subsamp::Gray {
            return None;
        }
        let factor = ScalingFactor::new(1, scale.divisor() as usize);
        decompressor.set_scaling_factor(factor).ok()?;
        let (width, height) = (scale.side(header.width), scale.side(header.height));
        let layout = YuvImage {
            pixels: (),
            width: width as usize,
            align: 1,
            height: height as usize,
            subsamp: found.subsamp,
        };
        let (luma, chroma) = (layout.y_size(), layout.uv_size());
        let luma_bytes = luma.0 * luma.1;
        let chroma_bytes = steps.map_or(0, |_| chroma.0 * chroma.1);
        let bytes = luma_bytes + chroma_bytes * 2;
        if self.samples.len() < bytes {
            self.samples.resize(bytes, 0);
        }
        // The crate takes the sampling that it is told for the JPEG's: it is, as was just read.
        let output = YuvImage {
            pixels: &mut self.samples[..bytes],
            width: layout.width,
            align: layout.align,
            height: layout.height,
            subsamp: layout.subsamp,
        };
        decompressor.decompress_to_yuv(jpeg, output).ok()?;
        self.decompressor = Some(decompressor);
        let plane = |at: usize, stride| SamplePlane {
            bytes: &self.samples[at..bytes],
            stride,
        };
        let chroma = steps.map(|(across, down)| Chroma {
            u: plane(luma_bytes, chroma.0),
            v: plane(luma_bytes + chroma_bytes, chroma.0),
            across,
            down,
        });
        Some(Subsampled {
            width,
            height,
            y: plane(0, luma.0),
            chroma,
        })
    }

    /// Decodes the brightness of such a JPEG, made smaller by 1, 2, 4 or 8 (sides rounded up).
    /// `None` as for [`Self::decode`].
    pub(crate) fn decode_luma(
        &mut self,
        jpeg: &[u8],
        header: Header,
        divisor: usize,
    ) -> Option<&[u8]> {
        let (mut decompressor, _) = self.open(jpeg, header)?;
        let factor = ScalingFactor::new(1, divisor);
        decompressor.set_scaling_factor(factor).ok()?;
        let (width, height) = (
            factor.scale(header.width as usize),
            factor.scale(header.height as usize),
        );
        if self.samples.len() < width * height {
            self.samples.resize(width * height, 0);
        }
        let output = Image {
            pixels: &mut self.samples[..width * height],
            width,
            pitch: width,
            height,
            format: PixelFormat::GRAY,
        };
        decompressor.decompress(jpeg, output).ok()?;
        self.decompressor = Some(decompressor);
        Some(&self.samples[..width * height])
    }

    /// Reads a header; the decoder that did is to be put back by who has decoded with it.
    ///
    /// One that refused a picture is not used again: after an error in a header, libjpeg-turbo
    /// (3.1.0, tj3DecompressHeader) goes on in the middle of it, and refuses all that comes.
    fn open(&mut self, jpeg: &[u8], header: Header) -> Option<(Decompressor, DecompressHeader)> {
        let mut decompressor = match self.decompressor.take() {
            Some(decompressor) => decompressor,
            None => bounded_decompressor().ok()?,
        };
        let found = decompressor.read_header(jpeg).ok()?;
        let is_same =
            (found.width, found.height) == (header.width as usize, header.height as usize);
        let has_luma = matches!(found.colorspace, Colorspace::YCbCr | Colorspace::Gray);
        (is_same && has_luma && !found.is_lossless).then_some((decompressor, found))
    }
}

/// How coarse the colour of a sampling is across and down; `None` where that is not known, and
/// where there is no colour.
fn steps(sampling: Subsamp) -> Option<(ChromaStep, ChromaStep)> {
    use ChromaStep::{Four, One, Two};
    match sampling {
        Subsamp::None => Some((One, One)),
        Subsamp::Sub2x1 => Some((Two, One)),
        Subsamp::Sub2x2 => Some((Two, Two)),
        Subsamp::Sub1x2 => Some((One, Two)),
        Subsamp::Sub4x1 => Some((Four, One)),
        Subsamp::Sub1x4 => Some((One, Four)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole;
    use eyelid_replay::case;

    #[test]
    fn a_broken_head_does_no_harm_to_the_next_picture() {
        let jpeg = case!("jpeg-420");
        let (header, _) = whole(jpeg).unwrap();
        let scan = memchr::memmem::find(jpeg, &[0xFF, 0xDA]).unwrap();
        let mut decoder = ScaledDecoder::default();
        // Marker, length and number of components; then a component that there is not.
        let mut broken = jpeg.to_vec();
        broken[scan + 5] = 75;
        for jpeg in [jpeg, &broken, jpeg, case!("jpeg-cmyk"), jpeg] {
            let decoded = decoder.decode(jpeg, header, Scale::Half);
            let is_whole = jpeg == case!("jpeg-420");
            assert_eq!(decoded.is_some(), is_whole);
        }
    }

    #[test]
    fn what_libjpeg_turbo_knows_is_not_left_to_the_other_decoder() {
        let mut decoder = ScaledDecoder::default();
        for jpeg in [
            case!("jpeg-411"),
            case!("jpeg-420-optimised"),
            case!("jpeg-422-by-cjpeg"),
            case!("jpeg-422-in-large-units"),
            case!("jpeg-422-restarts"),
            case!("jpeg-440"),
            case!("jpeg-444-optimised"),
            case!("jpeg-extended"),
            case!("jpeg-grey"),
            case!("jpeg-in-three-scans"),
            case!("jpeg-progressive"),
        ] {
            let (header, _) = whole(jpeg).unwrap();
            for scale in [Scale::Whole, Scale::Half, Scale::Quarter] {
                let picture = decoder.decode(jpeg, header, scale).unwrap();
                let size = (picture.width, picture.height);
                assert_eq!(size, (scale.side(header.width), scale.side(header.height)));
            }
        }
    }
}
