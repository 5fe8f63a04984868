//! From pixels to JPEG.

use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, SamplingFactor};

/// Makes baseline JPEGs: JFIF first, 4:2:0, the standard Huffman tables (which RTP and many cameras take for granted).
/// Reuses its memory from one to the next.
#[derive(Debug, Default)]
pub struct Encoder {
    jpeg: Vec<u8>,
}

/// Why pixels did not become a JPEG.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A side is 0 or more than 65535 pixels.
    #[error("picture of {width}x{height} pixels: a JPEG has 1 to 65535 on each side")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The encoder refused, for example because there are fewer bytes than pixels.
    #[error("JPEG encoder: {0}")]
    Encoder(#[from] jpeg_encoder::EncodingError),
}

impl Encoder {
    /// Encodes `width * height` pixels of 3 bytes. `quality` is libjpeg's, 1 to 100.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn encode_rgb(
        &mut self,
        rgb: &[u8],
        width: u32,
        height: u32,
        quality: u8,
    ) -> Result<&[u8], EncodeError> {
        let side = |n: u32| {
            u16::try_from(n)
                .ok()
                .filter(|n| *n > 0)
                .ok_or(EncodeError::Size { width, height })
        };
        let (columns, rows) = (side(width)?, side(height)?);
        self.jpeg.clear();
        let mut encoder = jpeg_encoder::Encoder::new(&mut self.jpeg, quality.clamp(1, 100));
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        // A quarter slower than taking one pixel of four, which gives letters coloured edges.
        encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
        encoder.encode(rgb, columns, rows, ColorType::Rgb)?;
        Ok(&self.jpeg)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_slot::jpeg::{segments, whole};

    fn noise(width: u32, height: u32) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..width * height * 3).map(|_| next()).collect()
    }

    #[test]
    fn is_baseline_420_with_the_standard_tables_and_jfif_first() {
        let mut encoder = Encoder::default();
        for quality in [1, 50, 85, 95, 100] {
            let jpeg = encoder
                .encode_rgb(&noise(50, 37), 50, 37, quality)
                .unwrap()
                .to_vec();
            let (header, length) = whole(&jpeg).unwrap();
            assert_eq!(
                (header.width, header.height, header.components),
                (50, 37, 3)
            );
            assert_eq!(length, jpeg.len());
            let segments: Vec<_> = segments(&jpeg).collect();
            assert_eq!(segments[0].code, 0xE0);
            assert!(segments[0].payload.starts_with(b"JFIF\0"));
            let frame = segments.iter().find(|s| s.code == 0xC0).unwrap();
            let sampling: Vec<u8> = frame.payload[6..].chunks(3).map(|c| c[1]).collect();
            assert_eq!(sampling, [0x22, 0x11, 0x11]);
            let huffman: Vec<u8> = segments
                .iter()
                .filter(|s| s.code == 0xC4)
                .flat_map(|s| s.payload.to_vec())
                .collect();
            // ITU-T T.81, table K.3, follows its class and destination.
            let luminance_dc = [
                0, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
                10, 11,
            ];
            assert!(huffman.windows(29).any(|window| window == luminance_dc));
            assert_eq!(huffman.len(), 2 * (17 + 12) + 2 * (17 + 162));
        }
    }

    #[test]
    fn looks_like_what_was_given() {
        let mut rgb = Vec::new();
        for y in 0..64u32 {
            for x in 0..64u32 {
                rgb.extend([x as u8 * 4, y as u8 * 4, 128]);
            }
        }
        let jpeg = Encoder::default()
            .encode_rgb(&rgb, 64, 64, 90)
            .unwrap()
            .to_vec();
        let decoded = zune_jpeg::JpegDecoder::new(zune_core::bytestream::ZCursor::new(&jpeg))
            .decode()
            .unwrap();
        let worst = decoded.iter().zip(&rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst < Some(24), "{worst:?}");
    }

    #[test]
    fn refuses_impossible_sizes() {
        let mut encoder = Encoder::default();
        for (width, height) in [(0, 1), (1, 0), (65536, 1)] {
            let error = encoder.encode_rgb(&[0; 9], width, height, 85).unwrap_err();
            assert!(error.to_string().contains(&format!("{width}x{height}")));
        }
        assert!(encoder.encode_rgb(&[0; 2], 1, 1, 85).is_err());
    }
}
