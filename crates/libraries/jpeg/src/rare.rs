//! JPEGs that nobody but libjpeg-turbo decodes: with arithmetic coding, and lossless ones.

use turbojpeg::{Decompressor, Image, PixelFormat};

use crate::decode::refuse_large;
use crate::error::PictureError;
use crate::pixels::{MOST_SCANS, Pixels};
use crate::walk::Header;

/// Makes a decoder that goes over no picture more often than that.
pub(crate) fn bounded_decompressor() -> turbojpeg::Result<Decompressor> {
    let mut decompressor = Decompressor::new()?;
    decompressor.set_scan_limit(MOST_SCANS)?;
    Ok(decompressor)
}

/// Decodes a whole JPEG with this header.
///
/// # Errors
/// See [`PictureError`].
pub(crate) fn decode_rare_jpeg(jpeg: &[u8], header: Header) -> Result<Pixels, PictureError> {
    refuse_large(header.width, header.height)?;
    let (width, height) = (header.width as usize, header.height as usize);
    let mut rgb = vec![0; width * height * 3];
    let image = Image {
        pixels: &mut rgb[..],
        width,
        pitch: width * 3,
        height,
        format: PixelFormat::RGB,
    };
    bounded_decompressor()
        .and_then(|mut decompressor| decompressor.decompress(jpeg, image))
        .map_err(|error| PictureError::broken(&error.to_string()))?;
    Ok(Pixels {
        width: header.width,
        height: header.height,
        rgb,
    })
}
