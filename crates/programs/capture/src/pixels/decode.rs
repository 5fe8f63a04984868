//! Pictures of strangers become pixels: whole ones only, and none that would fill the memory.

use std::io::Cursor;
use std::panic::{UnwindSafe, catch_unwind};

use eyelid_slot::jpeg::{Header, JpegError};
use png::{ColorType, Transformations};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::{MAX_PIXELS, Pixels};

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It starts like neither of the two.
    #[error("neither JPEG nor PNG")]
    Unknown,
    /// It is too large to be decoded.
    #[error("{width}x{height} are more than {} megapixels", MAX_PIXELS >> 20)]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Its markers are broken.
    #[error(transparent)]
    Markers(#[from] JpegError),
    /// Its head does not say what it is.
    #[error("broken JPEG (its head)")]
    Head,
    /// Browsers do not show such a JPEG, and it cannot be made one that they do.
    #[error(
        "JPEG with {why}, which browsers do not show and this program cannot decode ({reason})"
    )]
    Hidden {
        /// What it has that browsers do not know.
        why: &'static str,
        /// What its decoder says.
        reason: String,
    },
    /// It cannot be decoded to its end.
    #[error("broken picture ({0})")]
    Broken(String),
    /// It cannot be encoded again.
    #[error(transparent)]
    Encode(#[from] eyelid_picture::EncodeError),
}

/// Which colours a decoded JPEG is to have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Colours {
    Rgb,
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

/// Decodes a JPEG to its end only to see that it can be decoded.
///
/// # Errors
/// See [`PictureError`].
pub(crate) fn check_jpeg(jpeg: &[u8], header: Header) -> Result<(), PictureError> {
    decode(jpeg, header, Colours::AsStored).map(drop)
}

fn decode(jpeg: &[u8], header: Header, colours: Colours) -> Result<Vec<u8>, PictureError> {
    refuse_large(header.width, header.height)?;
    // Without strict mode a picture that is cut off counts as decoded.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    contained(|| {
        let broken = |error: DecodeErrors| broken(&error.to_string());
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

/// Decodes a whole PNG. What is transparent shows black.
///
/// # Errors
/// See [`PictureError`].
pub fn decode_png(bytes: &[u8]) -> Result<Pixels, PictureError> {
    contained(|| decode_whole_png(bytes))
}

fn decode_whole_png(bytes: &[u8]) -> Result<Pixels, PictureError> {
    let unreadable = |error: png::DecodingError| broken(&error.to_string());
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
        return Err(broken("a palette that is not of at most 256 colours"));
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

/// Decodes so that a stranger's picture that finds a bug in the decoder is a broken picture, not the end of the camera.
fn contained<T>(
    decode: impl FnOnce() -> Result<T, PictureError> + UnwindSafe,
) -> Result<T, PictureError> {
    catch_unwind(decode).unwrap_or_else(|_| Err(broken("the decoder panicked")))
}

pub(super) fn broken(reason: &str) -> PictureError {
    let one_line: Vec<&str> = reason.split_whitespace().collect();
    PictureError::Broken(one_line.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_slot::jpeg::whole;

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
        // The decoder takes what is missing before an end for grey; files that are cut off have no end.
        for cut in [jpeg.len() / 3, jpeg.len() / 2] {
            assert!(
                check_jpeg(&jpeg[..jpeg.len() - cut], header).is_err(),
                "{cut}"
            );
        }
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
        let png = include_bytes!("../../../../../fuzz/cases/picture/png-palette-of-five-bytes");
        let error = decode_png(png).unwrap_err();
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
