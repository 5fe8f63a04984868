//! libjpeg-turbo through the crate turbojpeg: three planes go in as they lie, and come out as a
//! JPEG in memory that is there already. It allocates a few tables and rows for each picture
//! itself, and frees them.

use turbojpeg::{Compressor, Image, PixelFormat, Subsamp, YuvPlanesImage};

use super::Tables;
use crate::error::EncodeError;
use crate::yuv::{SamplePlane, Sizes, Yuv420};

#[derive(Debug, Default)]
pub(super) struct Turbo {
    /// The compressor, and the Huffman tables that it is set to.
    compressor: Option<(Tables, Compressor)>,
    /// Y with an even number of rows and columns.
    even: Vec<u8>,
    /// As long as the longest JPEG may be; pages that no JPEG has reached take no memory.
    jpeg: Vec<u8>,
}

impl Turbo {
    pub(super) fn encode_planes(
        &mut self,
        picture: Yuv420<'_>,
        quality: u8,
        tables: Tables,
    ) -> Result<&[u8], EncodeError> {
        let sizes = Sizes::of(picture.width, picture.height)?;
        self.make_room(sizes)?;
        let compressor = compressor(&mut self.compressor, quality, tables)?;
        let y = even(picture.y, sizes, &mut self.even);
        let image = YuvPlanesImage {
            y_plane: y.bytes,
            u_plane: picture.u.bytes,
            v_plane: picture.v.bytes,
            width: sizes.width,
            height: sizes.height,
            y_stride: y.stride,
            u_stride: picture.u.stride,
            v_stride: picture.v.stride,
            subsamp: Subsamp::Sub2x2,
        };
        let length = compressor.compress_yuv_planes_to_slice(&image, &mut self.jpeg)?;
        Ok(&self.jpeg[..length])
    }

    pub(super) fn encode_rgb(
        &mut self,
        rgb: &[u8],
        sizes: Sizes,
        quality: u8,
        tables: Tables,
    ) -> Result<&[u8], EncodeError> {
        self.make_room(sizes)?;
        let compressor = compressor(&mut self.compressor, quality, tables)?;
        compressor.set_subsamp(Subsamp::Sub2x2)?;
        let image = Image {
            pixels: rgb,
            width: sizes.width,
            pitch: sizes.width * 3,
            height: sizes.height,
            format: PixelFormat::RGB,
        };
        let length = compressor.compress_to_slice(image, &mut self.jpeg)?;
        Ok(&self.jpeg[..length])
    }

    fn make_room(&mut self, sizes: Sizes) -> Result<(), EncodeError> {
        let most = turbojpeg::compressed_buf_len(sizes.width, sizes.height, Subsamp::Sub2x2)?;
        if self.jpeg.len() < most {
            self.jpeg = vec![0; most];
        }
        Ok(())
    }
}

/// One that was used with these tables before: libjpeg never goes back to the standard ones.
fn compressor(
    held: &mut Option<(Tables, Compressor)>,
    quality: u8,
    tables: Tables,
) -> Result<&mut Compressor, EncodeError> {
    let fit = held.take().filter(|(used, _)| *used == tables);
    let (_, compressor) = match fit {
        Some(fit) => held.insert(fit),
        None => {
            let mut new = Compressor::new()?;
            new.set_optimize(tables == Tables::Optimised)?;
            held.insert((tables, new))
        }
    };
    compressor.set_quality(i32::from(quality))?;
    Ok(compressor)
}

/// libjpeg-turbo reads whole pairs of Y. The last column and row of an odd size are doubled, in
/// memory of ours.
fn even<'a>(y: SamplePlane<'a>, sizes: Sizes, copy: &'a mut Vec<u8>) -> SamplePlane<'a> {
    let (width, height) = (sizes.chroma_width * 2, sizes.chroma_height * 2);
    if (width, height) == (sizes.width, sizes.height) {
        return y;
    }
    copy.resize(width * height, 0);
    let rows = y.rows(sizes.width, sizes.height);
    for (from, to) in rows.zip(copy.chunks_mut(width)) {
        to[..sizes.width].copy_from_slice(from);
        to[sizes.width..].fill(from[sizes.width - 1]);
    }
    if sizes.height < height {
        let last = (sizes.height - 1) * width;
        copy.copy_within(last..last + width, last + width);
    }
    SamplePlane {
        bytes: copy,
        stride: width,
    }
}

impl From<turbojpeg::Error> for EncodeError {
    fn from(error: turbojpeg::Error) -> Self {
        Self::Encoder(error.to_string())
    }
}
