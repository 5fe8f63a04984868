//! From a stranger's picture to a frame: checked, normalised, turned, and decoded and encoded only
//! where that is needed.

use std::borrow::Cow;

use eyelid_picture::{Encoder, Tables};

use crate::decode::{check_jpeg, decode_jpeg, decode_png, refuse_large};
use crate::error::PictureError;
use crate::kind::JpegKind;
#[cfg(feature = "turbojpeg")]
use crate::kind::JpegProcess;
#[cfg(feature = "turbojpeg")]
use crate::lossless::Lossless;
use crate::normalise::{Normalised, normalise};
use crate::pixels::Pixels;
#[cfg(feature = "turbojpeg")]
use crate::rare::decode_rare_jpeg;
use crate::turn::Turn;
use crate::walk::Header;

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG_START: &[u8] = b"\xFF\xD8";

/// How far a JPEG is trusted that needs no turning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Its markers lead to its end. That is what a pipe can break.
    Markers,
    /// It can be decoded whole. A file may be half old and half new.
    Decoded,
}

/// How frames are to be made.
#[derive(Clone, Copy, Debug)]
pub struct FrameOptions {
    /// What is done to a picture that is upright.
    pub turn: Turn,
    /// libjpeg's quality of what is encoded here, 1 to 100.
    pub quality_percent: u8,
    /// The Huffman tables of what is encoded here.
    pub tables: Tables,
}

/// Makes frames the way one camera wants them.
#[derive(Debug)]
pub struct FrameMaker {
    /// What is done to a picture that is upright.
    turn: Turn,
    quality_percent: u8,
    encoder: Encoder,
    #[cfg(feature = "turbojpeg")]
    lossless: Lossless,
}

/// A frame without its moment of capture.
#[derive(Debug)]
pub struct EncodedPicture<'a> {
    /// The JPEG, from SOI to EOI; borrowed where nothing had to be changed.
    pub jpeg: Cow<'a, [u8]>,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// What kind of JPEG it is, where that is known already: to name it takes a walk through its
    /// head.
    pub kind: Option<JpegKind>,
}

impl FrameMaker {
    /// Makes frames of these from now on.
    pub fn new(options: FrameOptions) -> Self {
        let mut encoder = Encoder::default();
        encoder.set_tables(options.tables);
        Self {
            turn: options.turn,
            quality_percent: options.quality_percent,
            encoder,
            #[cfg(feature = "turbojpeg")]
            lossless: Lossless::default(),
        }
    }

    /// Turns pictures so from now on, whatever the settings say: for a camera that has done a part
    /// of it.
    pub fn set_turn(&mut self, turn: Turn) {
        self.turn = turn;
    }

    /// Makes a frame of a JPEG or a PNG.
    ///
    /// # Errors
    /// See [`PictureError`].
    pub fn picture<'a>(&'a mut self, bytes: &'a [u8]) -> Result<EncodedPicture<'a>, PictureError> {
        if bytes.starts_with(JPEG_START) {
            self.jpeg(bytes, Check::Decoded)
        } else if bytes.starts_with(PNG_SIGNATURE) {
            let pixels = decode_png(bytes)?;
            self.encode(pixels, Turn::NONE)
        } else {
            Err(PictureError::Unknown)
        }
    }

    /// Makes a frame of a JPEG.
    ///
    /// # Errors
    /// See [`PictureError`].
    pub fn jpeg<'a>(
        &'a mut self,
        bytes: &'a [u8],
        check: Check,
    ) -> Result<EncodedPicture<'a>, PictureError> {
        let Judged {
            normal,
            kind,
            hidden_by,
        } = Judged::new(bytes)?;
        let header = normal.header;
        let turn = normal.turn.followed_by(self.turn);
        if let Some(why) = hidden_by {
            let pixels = decode(&normal.jpeg, header, kind);
            let pixels = pixels.map_err(|error| PictureError::Hidden {
                why,
                reason: error.to_string(),
            })?;
            return self.encode(pixels, normal.turn);
        }
        if normal.stores_rgb || turn != Turn::NONE {
            #[cfg(feature = "turbojpeg")]
            if !normal.stores_rgb && self.lossless.turn(&normal.jpeg, turn).is_some() {
                let (width, height) = turn.size(header.width, header.height);
                return Ok(EncodedPicture {
                    jpeg: Cow::Borrowed(self.lossless.turned()),
                    width,
                    height,
                    kind: None,
                });
            }
            let pixels = decode_jpeg(&normal.jpeg, header)?;
            return self.encode(pixels, normal.turn);
        }
        if check == Check::Decoded {
            check_jpeg(&normal.jpeg, header)?;
        }
        Ok(EncodedPicture {
            jpeg: normal.jpeg,
            width: header.width,
            height: header.height,
            kind: Some(kind),
        })
    }

    fn encode(&mut self, pixels: Pixels, turn: Turn) -> Result<EncodedPicture<'_>, PictureError> {
        let Pixels { width, height, rgb } = turn.followed_by(self.turn).apply(pixels);
        let jpeg = self
            .encoder
            .encode_rgb(&rgb, width, height, self.quality_percent)?;
        Ok(EncodedPicture {
            jpeg: Cow::Borrowed(jpeg),
            width,
            height,
            kind: None,
        })
    }
}

/// A JPEG that its markers make one.
struct Judged<'a> {
    normal: Normalised<'a>,
    kind: JpegKind,
    /// Why browsers do not show it, if so.
    hidden_by: Option<&'static str>,
}

impl<'a> Judged<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, PictureError> {
        let normal = normalise(bytes)?;
        // Even one that is not decoded here: those who look at it would.
        refuse_large(normal.header.width, normal.header.height)?;
        let kind = JpegKind::of(&normal.jpeg).ok_or(PictureError::Head)?;
        let hidden_by = kind.hidden_by();
        Ok(Self {
            normal,
            kind,
            hidden_by,
        })
    }
}

/// Makes a frame of a JPEG that needs neither decoding nor turning; its markers are checked. `None`
/// where it takes a [`FrameMaker`], and the time for that.
///
/// # Errors
/// See [`PictureError`].
pub fn as_it_is(bytes: &[u8]) -> Result<Option<EncodedPicture<'_>>, PictureError> {
    let Judged {
        normal,
        kind,
        hidden_by,
    } = Judged::new(bytes)?;
    let needs_more = hidden_by.is_some() || normal.stores_rgb || normal.turn != Turn::NONE;
    Ok((!needs_more).then_some(EncodedPicture {
        jpeg: normal.jpeg,
        width: normal.header.width,
        height: normal.header.height,
        kind: Some(kind),
    }))
}

/// Decodes what browsers do not show.
fn decode(jpeg: &[u8], header: Header, kind: JpegKind) -> Result<Pixels, PictureError> {
    match kind.process {
        #[cfg(feature = "turbojpeg")]
        JpegProcess::Arithmetic | JpegProcess::Lossless => decode_rare_jpeg(jpeg, header),
        _ => decode_jpeg(jpeg, header),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::whole;
    use eyelid_replay::case;

    fn maker(turn: Turn) -> FrameMaker {
        FrameMaker::new(FrameOptions {
            turn,
            quality_percent: 80,
            tables: Tables::Standard,
        })
    }

    /// A picture that is bright at its top left, so large that its blocks can be turned.
    fn jpeg() -> Vec<u8> {
        let places = (0..32u32).flat_map(|y| (0..48u32).map(move |x| (x, y)));
        let rgb: Vec<u8> = places
            .flat_map(|(x, y)| [(250 - x * 4 - y) as u8; 3])
            .collect();
        let mut encoder = Encoder::default();
        encoder.encode_rgb(&rgb, 48, 32, 90).unwrap().to_vec()
    }

    fn pixels(jpeg: &[u8]) -> Pixels {
        decode_jpeg(jpeg, whole(jpeg).unwrap().0).unwrap()
    }

    fn difference(one: &Pixels, other: &Pixels) -> u8 {
        assert_eq!((one.width, one.height), (other.width, other.height));
        let pairs = one.rgb.iter().zip(&other.rgb);
        pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    #[test]
    fn a_jpeg_is_flipped_and_turned_as_wished_after_its_own_orientation() {
        let source = jpeg();
        let exif = b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let lying = [&source[..2], exif, &source[2..]].concat();
        for wished in [6, 4, 7].map(Turn::from_exif) {
            for (source, own) in [(&source, Turn::NONE), (&lying, Turn::from_exif(6))] {
                let mut maker = maker(wished);
                let made = maker.jpeg(source, Check::Markers).unwrap();
                let expected = own.followed_by(wished).apply(pixels(source));
                assert_eq!((made.width, made.height), (expected.width, expected.height));
                let difference = difference(&pixels(&made.jpeg), &expected);
                assert!(difference < 20, "{wished:?}: {difference}");
            }
        }
    }

    #[test]
    fn what_browsers_show_is_published_as_it_came() {
        for jpeg in [
            case!("jpeg-420-optimised"),
            case!("jpeg-440"),
            case!("jpeg-411"),
            case!("jpeg-422-in-large-units"),
            case!("jpeg-in-three-scans"),
            case!("jpeg-extended"),
            case!("jpeg-three-quantisation-tables"),
        ] {
            let mut maker = maker(Turn::NONE);
            let made = maker.picture(jpeg).unwrap();
            assert!(matches!(made.jpeg, Cow::Borrowed(same) if same == jpeg));
        }
    }

    #[test]
    fn what_browsers_do_not_show_is_encoded_again() {
        let original = decode_png(case!("png-of-the-rare-jpegs")).unwrap();
        for (name, jpeg) in rare() {
            for check in [Check::Markers, Check::Decoded] {
                let mut maker = maker(Turn::NONE);
                let made = maker.jpeg(jpeg, check).unwrap();
                let kind = JpegKind::of(&made.jpeg).unwrap();
                assert_eq!(kind.to_string(), "baseline-420", "{name}");
                let difference = mean_difference(&pixels(&made.jpeg), &original);
                assert!(difference < 12.0, "{name}: {difference}");
            }
        }
    }

    /// All are of one picture.
    fn rare() -> Vec<(&'static str, &'static [u8])> {
        vec![
            ("cmyk", case!("jpeg-cmyk-of-a-picture")),
            ("ycck", case!("jpeg-ycck")),
            #[cfg(feature = "turbojpeg")]
            ("arithmetic", case!("jpeg-arithmetic")),
            #[cfg(feature = "turbojpeg")]
            ("lossless", case!("jpeg-lossless")),
        ]
    }

    fn mean_difference(one: &Pixels, other: &Pixels) -> f64 {
        assert_eq!((one.width, one.height), (other.width, other.height));
        let pairs = one.rgb.iter().zip(&other.rgb);
        let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        f64::from(sum) / one.rgb.len() as f64
    }

    #[test]
    fn what_neither_browsers_nor_decoders_know_is_refused_with_the_reason() {
        let mut hierarchical = jpeg();
        let frame = hierarchical.windows(2).position(|w| w == [0xFF, 0xC0]);
        hierarchical[frame.unwrap() + 1] = 0xC5;
        for (jpeg, words) in [
            (case!("jpeg-12-bits"), "8 bits"),
            (&hierarchical, "hierarchical"),
            #[cfg(not(feature = "turbojpeg"))]
            (case!("jpeg-arithmetic"), "arithmetic"),
            #[cfg(not(feature = "turbojpeg"))]
            (case!("jpeg-lossless"), "lossless"),
        ] {
            for check in [Check::Markers, Check::Decoded] {
                let error = maker(Turn::NONE).jpeg(jpeg, check).unwrap_err().to_string();
                assert!(error.contains(words), "{error}");
                assert!(error.contains("browsers do not show"), "{error}");
            }
        }
    }

    #[cfg(feature = "turbojpeg")]
    #[test]
    fn a_jpeg_is_turned_without_loss_where_that_is_possible() {
        let source = jpeg();
        let mut maker = FrameMaker::new(FrameOptions {
            turn: Turn::from_exif(3),
            quality_percent: 1,
            tables: Tables::Standard,
        });
        let made = maker.jpeg(&source, Check::Decoded).unwrap();
        let expected = Turn::from_exif(3).apply(pixels(&source));
        let difference = difference(&pixels(&made.jpeg), &expected);
        assert!(difference <= 3, "{difference}");
    }
}
