//! Pictures of strangers become pixels: whole ones only, and none that would fill the memory.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};

use png::{ColorType, Transformations};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::error::PictureError;
use crate::pixels::{Luma, MAX_PIXELS, Pixels};
use crate::walk::Header;

/// Which colours a decoded JPEG is to have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colours {
    Rgb,
    Luma,
    AsStored,
}

/// Decodes a whole JPEG with this header.
///
/// # Errors
/// See [`PictureError`].
pub fn decode_jpeg(jpeg: &[u8], header: Header) -> Result<Pixels, PictureError> {
    Ok(Pixels {
        width: header.width,
        height: header.height,
        rgb: decode(jpeg, header, Colours::Rgb)?,
    })
}

/// Decodes only the brightness of a whole JPEG with this header, for those who look for motion.
///
/// # Errors
/// See [`PictureError`].
pub fn decode_luma(jpeg: &[u8], header: Header) -> Result<Luma, PictureError> {
    Ok(Luma {
        width: header.width,
        height: header.height,
        samples: decode(jpeg, header, Colours::Luma)?,
    })
}

/// What the bytes of a decoded JPEG are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// Brightness, 1 byte a pixel.
    Luma,
    /// Brightness and colour, 3 bytes a pixel.
    YCbCr,
    /// Red, green and blue, 3 bytes a pixel.
    Rgb,
}

/// Decodes a JPEG with this header into memory that is used again, to brightness and colour where
/// it stores these. It was published already, so what it lacks at its end is grey, as viewers show
/// it.
///
/// # Errors
/// See [`PictureError`].
pub(crate) fn decode_as_stored(
    jpeg: &[u8],
    header: Header,
    memory: &mut Vec<u8>,
) -> Result<Stored, PictureError> {
    refuse_large(header.width, header.height)?;
    let broken = |error: DecodeErrors| PictureError::broken(&error.to_string());
    let options = decoder_options();
    // What a decoder that panics leaves behind is overwritten by the next picture.
    contained(AssertUnwindSafe(|| {
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        decoder.decode_headers().map_err(broken)?;
        let (wanted, stored) = match decoder.input_colorspace() {
            Some(ColorSpace::Luma) => (ColorSpace::Luma, Stored::Luma),
            Some(ColorSpace::YCbCr) => (ColorSpace::YCbCr, Stored::YCbCr),
            _ => (ColorSpace::RGB, Stored::Rgb),
        };
        decoder.set_options(options.jpeg_set_out_colorspace(wanted));
        memory.resize(decoder.output_buffer_size().unwrap_or(0), 0);
        decoder.decode_into(memory).map_err(broken)?;
        Ok(stored)
    }))
}

/// Decodes only the brightness of a JPEG with this header into memory that is used again. What it
/// lacks at its end is grey.
///
/// # Errors
/// See [`PictureError`].
pub(crate) fn decode_luma_into(
    jpeg: &[u8],
    header: Header,
    memory: &mut Vec<u8>,
) -> Result<(), PictureError> {
    refuse_large(header.width, header.height)?;
    let broken = |error: DecodeErrors| PictureError::broken(&error.to_string());
    let options = decoder_options().jpeg_set_out_colorspace(ColorSpace::Luma);
    contained(AssertUnwindSafe(|| {
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        decoder.decode_headers().map_err(broken)?;
        memory.resize(decoder.output_buffer_size().unwrap_or(0), 0);
        if memory.len() != header.width as usize * header.height as usize {
            return Err(PictureError::Head);
        }
        decoder.decode_into(memory).map_err(broken)
    }))
}

/// Decodes a JPEG to its end only to see that it can be decoded.
///
/// # Errors
/// See [`PictureError`].
pub(crate) fn check_jpeg(jpeg: &[u8], header: Header) -> Result<(), PictureError> {
    decode(jpeg, header, Colours::AsStored).map(drop)
}

fn decode(jpeg: &[u8], header: Header, colours: Colours) -> Result<Vec<u8>, PictureError> {
    refuse_large(header.width, header.height)?;
    let wanted = match colours {
        Colours::Luma => ColorSpace::Luma,
        Colours::Rgb | Colours::AsStored => ColorSpace::RGB,
    };
    // Without strict mode a picture that is cut off counts as decoded.
    let options = decoder_options()
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(wanted);
    contained(|| {
        let broken = |error: DecodeErrors| PictureError::broken(&error.to_string());
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        decoder.decode_headers().map_err(broken)?;
        if colours == Colours::AsStored
            && let Some(stored) = decoder.input_colorspace()
        {
            decoder.set_options(options.jpeg_set_out_colorspace(stored));
        }
        decoder.decode().map_err(broken)
    })
}

/// As large as a JPEG can be: it is `refuse_large` that sets the bound.
fn decoder_options() -> DecoderOptions {
    DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
}

/// Decodes a whole PNG. What is transparent shows black.
///
/// # Errors
/// See [`PictureError`].
pub fn decode_png(bytes: &[u8]) -> Result<Pixels, PictureError> {
    contained(|| decode_whole_png(bytes))
}

fn decode_whole_png(bytes: &[u8]) -> Result<Pixels, PictureError> {
    let unreadable = |error: png::DecodingError| PictureError::broken(&error.to_string());
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(unreadable)?;
    let (width, height) = (header.width, header.height);
    refuse_large(width, height)?;
    let mut reader = decoder.read_info().map_err(unreadable)?;
    let info = reader.info();
    let colours = info.palette.as_ref().map_or(0, |palette| palette.len());
    // png 0.18.1 panics where a palette ends within a colour.
    if info.color_type == ColorType::Indexed && (colours % 3 != 0 || colours > 3 * 256) {
        return Err(PictureError::broken(
            "a palette that is not of at most 256 colours",
        ));
    }
    let size = reader.output_buffer_size().unwrap_or(0);
    let mut samples = vec![0; size];
    let output = reader.next_frame(&mut samples).map_err(unreadable)?;
    reader.finish().map_err(unreadable)?;
    samples.truncate(output.buffer_size());
    Ok(Pixels {
        width,
        height,
        rgb: on_black(samples, output.color_type),
    })
}

/// Refuses a picture whose size alone would fill the memory of who decodes it.
///
/// # Errors
/// [`PictureError::TooManyPixels`].
pub(crate) fn refuse_large(width: u32, height: u32) -> Result<(), PictureError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooManyPixels { width, height });
    }
    Ok(())
}

/// Makes RGB of 8-bit samples.
fn on_black(samples: Vec<u8>, colours: ColorType) -> Vec<u8> {
    // Rounded as libpng does: (value * alpha + 127) / 255.
    let shade = |value: u8, alpha: u8| {
        let product = u16::from(value) * u16::from(alpha) + 127;
        u8::try_from(product / 255).unwrap_or(u8::MAX)
    };
    match colours {
        ColorType::Grayscale | ColorType::Indexed => samples.iter().flat_map(|g| [*g; 3]).collect(),
        ColorType::Rgb => samples,
        ColorType::GrayscaleAlpha => samples
            .chunks_exact(2)
            .flat_map(|p| [shade(p[0], p[1]); 3])
            .collect(),
        ColorType::Rgba => samples
            .chunks_exact(4)
            .flat_map(|p| [shade(p[0], p[3]), shade(p[1], p[3]), shade(p[2], p[3])])
            .collect(),
    }
}

/// Decodes so that a stranger's picture that finds a bug in the decoder is a broken picture, not
/// the end of the camera.
fn contained<T>(
    decode: impl FnOnce() -> Result<T, PictureError> + UnwindSafe,
) -> Result<T, PictureError> {
    catch_unwind(decode).unwrap_or_else(|_| Err(PictureError::broken("the decoder panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole;
    use eyelid_replay::case;

    fn jpeg() -> Vec<u8> {
        let rgb: Vec<u8> = (0..64 * 48 * 3).map(|n| (n * 7 / 5) as u8).collect();
        let mut encoder = eyelid_picture::Encoder::default();
        encoder.encode_rgb(&rgb, 64, 48, 90).unwrap().to_vec()
    }

    fn png(colours: ColorType, samples: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(colours);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(samples).unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn a_jpeg_that_is_cut_off_in_its_scan_is_broken() {
        let jpeg = jpeg();
        let (header, _) = whole(&jpeg).unwrap();
        check_jpeg(&jpeg, header).unwrap();
        assert_eq!(decode_jpeg(&jpeg, header).unwrap().rgb.len(), 64 * 48 * 3);
        // The decoder takes what is missing before an end for grey; files that are cut off have no
        // end.
        for cut in [jpeg.len() / 3, jpeg.len() / 2] {
            assert!(
                check_jpeg(&jpeg[..jpeg.len() - cut], header).is_err(),
                "{cut}"
            );
        }
    }

    #[test]
    fn luma_is_the_brightness_of_the_colours() {
        let jpeg = jpeg();
        let (header, _) = whole(&jpeg).unwrap();
        let luma = decode_luma(&jpeg, header).unwrap();
        let pixels = decode_jpeg(&jpeg, header).unwrap();
        assert_eq!((luma.width, luma.height), (64, 48));
        assert_eq!(luma.samples.len(), 64 * 48);
        // JFIF's Y (BT.601). Colours beyond what RGB has are cut off, so only the mean is the same.
        let brightness =
            |p: &[u8]| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]);
        let differences = luma.samples.iter().zip(pixels.rgb.chunks(3));
        let sum: f64 = differences
            .map(|(y, p)| (f64::from(*y) - brightness(p)).abs())
            .sum();
        let mean = sum / luma.samples.len() as f64;
        assert!(mean < 8.0, "{mean}");
    }

    #[test]
    fn pictures_that_would_fill_the_memory_are_refused_undecoded() {
        let header = Header {
            width: 65535,
            height: 65535,
            components: 3,
        };
        let error = check_jpeg(&[], header).unwrap_err();
        assert!(error.to_string().contains("65535x65535"), "{error}");
    }

    #[test]
    fn a_png_whose_palette_ends_within_a_colour_is_broken() {
        let error = decode_png(case!("png-palette-of-five-bytes")).unwrap_err();
        assert!(error.to_string().contains("palette"), "{error}");
    }

    #[test]
    fn a_decoder_that_panics_is_contained() {
        let error = contained::<()>(|| panic!("on purpose")).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }

    #[test]
    fn what_is_transparent_in_a_png_shows_black() {
        for (colours, samples, expected) in [
            (
                ColorType::Rgba,
                &[255, 100, 1, 255, 255, 100, 1, 0][..],
                [255, 100, 1, 0, 0, 0],
            ),
            (
                ColorType::Rgba,
                &[200, 100, 50, 128, 1, 1, 1, 1],
                [100, 50, 25, 0, 0, 0],
            ),
            (ColorType::Rgb, &[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]),
            (ColorType::Grayscale, &[9, 8], [9, 9, 9, 8, 8, 8]),
            (
                ColorType::GrayscaleAlpha,
                &[90, 255, 90, 0],
                [90, 90, 90, 0, 0, 0],
            ),
        ] {
            let pixels = decode_png(&png(colours, samples)).unwrap();
            assert_eq!((pixels.width, pixels.height), (2, 1));
            assert_eq!(pixels.rgb, expected);
        }
    }

    #[test]
    fn a_png_that_is_cut_off_anywhere_is_broken() {
        let whole = png(ColorType::Rgb, &[1, 2, 3, 4, 5, 6]);
        for length in 0..whole.len() - 4 {
            assert!(decode_png(&whole[..length]).is_err(), "{length}");
        }
    }
}
