//! From what a camera sends to a frame: walked, normalised, bounded, and decoded only where that
//! cannot be avoided.

use bytes::Bytes;
use eyelid_jpeg::{Check, FrameMaker, FrameOptions, JpegKind, PictureError, Turn, as_it_is, whole};
use eyelid_picture::Tables;

/// How far into a message its JPEG may begin: some sketches put 12 or 16 bytes of their own before
/// it.
pub(crate) const PREFIX_BYTES: usize = 64;

/// Every JPEG starts with SOI and the first byte of another marker.
const START: &[u8] = b"\xFF\xD8\xFF";

/// libjpeg's quality of what is encoded again, as that of other cameras (docs/configuration.md).
const QUALITY_PERCENT: u8 = 85;

/// How large a picture may be that has to be decoded: more than those of ESP32 cameras have, and
/// some 50 MB while it is done.
const MOST_DECODED_PIXELS: u64 = 8 << 20;

/// Why a message is no frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// It is no picture that can be shown.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// It has more bytes than a frame of this camera may have.
    #[error("{bytes} bytes are more than max-bytes, {max_bytes}")]
    TooLong {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max_bytes: usize,
    },
    /// It would have to be decoded, and is too large for that.
    #[error("{width}x{height} is too large to be turned or decoded here; send it upright")]
    TooLargeToDecode {
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
    },
}

/// A JPEG that can be published.
#[derive(Debug)]
pub(crate) struct Picture {
    /// The JPEG.
    pub(crate) jpeg: Bytes,
    /// Width in pixels.
    pub(crate) width: u32,
    /// Height in pixels.
    pub(crate) height: u32,
    /// What kind of JPEG it is, where that is known.
    pub(crate) kind: Option<JpegKind>,
}

/// What was made of a message.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// A frame.
    Ready(Picture),
    /// This JPEG, which has to be decoded and encoded again ([`encode_again`]): it is to be turned,
    /// or of a kind that browsers do not show.
    Slow {
        /// The JPEG.
        jpeg: Bytes,
        /// How many pixels it has: so long it takes.
        pixels: u64,
    },
}

/// Makes a frame of a message, without copying it where nothing in it has to change.
///
/// # Errors
/// What makes it none.
pub(crate) fn prepare(message: &Bytes, max_bytes: usize) -> Result<Prepared, Unusable> {
    let head = &message[..message.len().min(PREFIX_BYTES + START.len())];
    let start = head.windows(START.len()).position(|bytes| bytes == START);
    let jpeg = message.slice(start.ok_or(PictureError::Unknown)?..);
    let Some(picture) = as_it_is(&jpeg)? else {
        let (header, length) = whole(&jpeg).map_err(PictureError::from)?;
        let (width, height) = (header.width, header.height);
        let pixels = u64::from(width) * u64::from(height);
        if pixels > MOST_DECODED_PIXELS {
            return Err(Unusable::TooLargeToDecode { width, height });
        }
        within(length, max_bytes)?;
        return Ok(Prepared::Slow { jpeg, pixels });
    };
    let (width, height, kind) = (picture.width, picture.height, picture.kind);
    let jpeg = match picture.jpeg {
        std::borrow::Cow::Borrowed(same) => jpeg.slice_ref(same),
        std::borrow::Cow::Owned(mut changed) => {
            changed.shrink_to_fit();
            changed.into()
        }
    };
    within(jpeg.len(), max_bytes)?;
    Ok(Prepared::Ready(Picture {
        jpeg,
        width,
        height,
        kind,
    }))
}

fn within(bytes: usize, max_bytes: usize) -> Result<(), Unusable> {
    match bytes > max_bytes {
        true => Err(Unusable::TooLong { bytes, max_bytes }),
        false => Ok(()),
    }
}

/// Decodes and encodes a picture. It takes its time: up to seconds for the largest.
///
/// # Errors
/// What makes it no frame.
pub(crate) fn encode_again(jpeg: &[u8]) -> Result<Picture, PictureError> {
    let mut maker = FrameMaker::new(FrameOptions {
        turn: Turn::NONE,
        quality_percent: QUALITY_PERCENT,
        tables: Tables::Standard,
    });
    let made = maker.jpeg(jpeg, Check::Markers)?;
    Ok(Picture {
        width: made.width,
        height: made.height,
        kind: made.kind,
        jpeg: made.jpeg.into_owned().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_picture::Encoder;

    const MAX_BYTES: usize = 1 << 20;

    fn jpeg() -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder
            .encode_rgb(&[90; 32 * 16 * 3], 32, 16, 80)
            .unwrap()
            .to_vec()
    }

    fn ready(message: &Bytes) -> Picture {
        match prepare(message, MAX_BYTES).unwrap() {
            Prepared::Ready(picture) => picture,
            Prepared::Slow { .. } => panic!("it needs nothing"),
        }
    }

    #[test]
    fn a_frame_is_not_copied_and_what_stands_around_it_is_cut() {
        for (before, behind) in [(&b""[..], &b""[..]), (b"HMR2\x07\0\0\0", &[0; 100])] {
            let message = Bytes::from([before, &jpeg(), behind].concat());
            let picture = ready(&message);
            assert_eq!(&picture.jpeg[..], jpeg());
            assert_eq!(picture.jpeg.as_ptr(), message[before.len()..].as_ptr());
            assert_eq!((picture.width, picture.height), (32, 16));
        }
    }

    #[test]
    fn half_a_frame_is_none() {
        let whole = jpeg();
        for half in [&whole[..whole.len() / 2], b"", b"hello", &[0xFF, 0xD8]] {
            assert!(prepare(&Bytes::copy_from_slice(half), MAX_BYTES).is_err());
        }
        let far = [&[0; PREFIX_BYTES + 1], &whole[..]].concat();
        assert!(
            prepare(&Bytes::from(far), MAX_BYTES).is_err(),
            "something else has a JPEG in it"
        );
    }

    #[test]
    fn a_frame_has_as_many_bytes_as_it_may_whatever_stands_around_it() {
        let message = Bytes::from([&jpeg()[..], &[0; 1000]].concat());
        assert!(prepare(&message, jpeg().len()).is_ok());
        let error = prepare(&message, jpeg().len() - 1).unwrap_err();
        assert!(matches!(error, Unusable::TooLong { .. }), "{error}");
    }

    #[test]
    fn what_is_to_be_turned_is_left_to_who_has_the_time() {
        let exif = b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let whole = jpeg();
        let lying = Bytes::from([&whole[..2], exif, &whole[2..]].concat());
        let Prepared::Slow { jpeg, .. } = prepare(&lying, MAX_BYTES).unwrap() else {
            panic!("it lies on its side");
        };
        let picture = encode_again(&jpeg).unwrap();
        assert_eq!((picture.width, picture.height), (16, 32));
    }
}
