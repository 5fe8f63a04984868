//! The encoder that is always there: the crate jpeg-encoder, with vector instructions on x86 only.
//!
//! It takes whole pixels, so each sample of colour is given to it twice, and of each four it takes
//! one again. It allocates a strip of 16 rows and its tables anew for each picture, and frees them.
//! It is not asked for optimised tables: those it makes only with a scan for each component, which
//! not all decoders get right, and of the whole picture in memory.

use jpeg_encoder::{
    ChromaSubsamplingMethod, ColorType, EncodingError, ImageBuffer, JpegColorType, SamplingFactor,
};

use super::Tables;
use crate::error::EncodeError;
use crate::yuv::{Sizes, Yuv420};

#[derive(Debug, Default)]
pub(super) struct Pure {
    jpeg: Vec<u8>,
}

impl Pure {
    pub(super) fn encode_planes(
        &mut self,
        picture: Yuv420<'_>,
        quality: u8,
        _: Tables,
    ) -> Result<&[u8], EncodeError> {
        let encoder = self.encoder(quality, ChromaSubsamplingMethod::Nearest);
        encoder.encode_image(Planar(picture))?;
        Ok(&self.jpeg)
    }

    pub(super) fn encode_rgb(
        &mut self,
        rgb: &[u8],
        sizes: Sizes,
        quality: u8,
        _: Tables,
    ) -> Result<&[u8], EncodeError> {
        // A quarter slower than taking one pixel of four, which gives letters coloured edges.
        let encoder = self.encoder(quality, ChromaSubsamplingMethod::Average);
        let (width, height) = (sizes.width as u16, sizes.height as u16);
        encoder.encode(rgb, width, height, ColorType::Rgb)?;
        Ok(&self.jpeg)
    }

    fn encoder(
        &mut self,
        quality: u8,
        method: ChromaSubsamplingMethod,
    ) -> jpeg_encoder::Encoder<&mut Vec<u8>> {
        self.jpeg.clear();
        let mut encoder = jpeg_encoder::Encoder::new(&mut self.jpeg, quality);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.set_chroma_subsampling_method(method);
        encoder
    }
}

struct Planar<'a>(Yuv420<'a>);

impl ImageBuffer for Planar<'_> {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Ycbcr
    }

    fn width(&self) -> u16 {
        self.0.width as u16
    }

    fn height(&self) -> u16 {
        self.0.height as u16
    }

    fn fill_buffers(&self, row: u16, buffers: &mut [Vec<u8>; 4]) {
        let (row, width) = (usize::from(row), self.0.width as usize);
        let [y, u, v, _] = buffers;
        y.extend_from_slice(self.0.y.row(row, width));
        let chroma_width = width.div_ceil(2);
        push_twice(self.0.u.row(row / 2, chroma_width), width, u);
        push_twice(self.0.v.row(row / 2, chroma_width), width, v);
    }
}

/// Appends each sample twice, `width` in all.
fn push_twice(samples: &[u8], width: usize, buffer: &mut Vec<u8>) {
    let start = buffer.len();
    buffer.resize(start + width, 0);
    let (pairs, odd) = buffer[start..].as_chunks_mut::<2>();
    for (pair, sample) in pairs.iter_mut().zip(samples) {
        *pair = [*sample; 2];
    }
    if let ([last], Some(sample)) = (odd, samples.last()) {
        *last = *sample;
    }
}

impl From<EncodingError> for EncodeError {
    fn from(error: EncodingError) -> Self {
        Self::Encoder(error.to_string())
    }
}
