//! What RFC 2435 carries of a JPEG: its scan and its quantisation tables. The receiver writes all
//! other headers itself, so only JPEGs can go whose headers it would write just so.

use eyelid_jpeg::{Header, JpegKind, JpegProcess, NotSequential, Sampling, Sequential, whole};

/// Width and height go in 8 bits, as a number of 8 pixels (RFC 2435, §3.1.5).
const MOST_PX: u32 = 255 * 8;

/// A packet says in 24 bits where its bytes belong (§3.1.2).
const MOST_SCAN_BYTES: usize = (1 << 24) - 1;

/// A JPEG that can be sent as it is; borrows from it.
#[derive(Clone, Copy, Debug)]
pub struct JpegPayload<'a> {
    pub(crate) width_px: u32,
    pub(crate) height_px: u32,
    pub(crate) jpeg_type: u8,
    /// Its size in 8 pixels, rounded up.
    pub(crate) size_8_px: [u8; 2],
    pub(crate) restart_interval: Option<u16>,
    pub(crate) tables: [&'a [u8; 64]; 2],
    pub(crate) scan: &'a [u8],
}

/// Why a JPEG cannot be sent as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    /// It cannot be read.
    #[error(transparent)]
    Broken(NotSequential),
    /// It is progressive, or coded in another way that RTP does not know.
    #[error("{0} JPEG, and RTP carries baseline")]
    Process(JpegProcess),
    /// Other than 8 bits a sample.
    #[error("JPEG of {0} bits a sample, and RTP carries 8")]
    Bits(u8),
    /// A scan for each colour.
    #[error("JPEG of several scans, and RTP carries one")]
    SeveralScans,
    /// Other colours than 4:2:2 and 4:2:0.
    #[error("JPEG with sampling {0}, and RTP carries 422 and 420")]
    Sampling(Sampling),
    /// 4:2:2 or 4:2:0 in larger units than usual.
    #[error("JPEG with sampling {0} in large units, which RTP does not carry")]
    LargeUnits(Sampling),
    /// More than a packet can say.
    #[error("picture of {width_px}x{height_px}, and RTP carries at most {MOST_PX}x{MOST_PX}")]
    TooLarge {
        /// Its width.
        width_px: u32,
        /// Its height.
        height_px: u32,
    },
    /// More bytes than a packet can count.
    #[error("JPEG of {0} bytes, and RTP carries at most {MOST_SCAN_BYTES}")]
    TooLong(usize),
    /// Huffman tables of its own, which receivers would take for the standard ones.
    #[error("JPEG with Huffman tables of its own, and RTP carries none")]
    HuffmanTables,
    /// A quantisation table of 16 bits, one that is missing, or different ones for the colours.
    #[error("JPEG with quantisation tables that RTP does not carry (two of 8 bits)")]
    QuantisationTables,
}

/// What may help where a JPEG is [`Unsendable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// To code the same picture in another way, without a loss: `eyelid_jpeg::Recoder`.
    Recode,
    /// To send a rendition, which is encoded anew, and smaller but for `low`.
    Rendition,
    /// Nothing: it is broken.
    Nothing,
}

impl<'a> JpegPayload<'a> {
    /// Looks whether a whole JPEG can be sent.
    ///
    /// # Errors
    /// Why not. The reason that needs the most is named first: what is too large is not recoded.
    pub fn of(jpeg: &'a [u8]) -> Result<Self, Unsendable> {
        let parts = Sequential::of(jpeg).map_err(|reason| unsendable(reason, jpeg))?;
        let size_8_px = size_8_px(parts.header)?;
        let jpeg_type = jpeg_type(parts.kind.sampling)?;
        if !parts.has_whole_colours {
            return Err(Unsendable::LargeUnits(parts.kind.sampling));
        }
        let (Some(brightness), Some(colour)) = (parts.brightness_table, parts.colour_table) else {
            return Err(Unsendable::QuantisationTables);
        };
        if !parts.has_standard_tables {
            return Err(Unsendable::HuffmanTables);
        }
        if parts.entropy_coded.len() > MOST_SCAN_BYTES {
            return Err(Unsendable::TooLong(parts.entropy_coded.len()));
        }
        Ok(Self {
            width_px: parts.header.width,
            height_px: parts.header.height,
            jpeg_type,
            size_8_px,
            restart_interval: Some(parts.restart_interval).filter(|interval| *interval > 0),
            tables: [brightness, colour],
            scan: parts.entropy_coded,
        })
    }

    /// Says whether a picture of this size can be sent at all.
    pub fn carries(width_px: u32, height_px: u32) -> bool {
        width_px.max(height_px) <= MOST_PX
    }

    /// The picture's width. Receivers see it rounded up to 8 pixels; an SDP may tell them.
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// The picture's height, likewise.
    pub fn height_px(&self) -> u32 {
        self.height_px
    }
}

/// In 8 pixels, rounded up.
fn size_8_px(header: Header) -> Result<[u8; 2], Unsendable> {
    let in_8_px = |pixels: u32| u8::try_from(pixels.div_ceil(8));
    match (in_8_px(header.width), in_8_px(header.height)) {
        (Ok(width), Ok(height)) => Ok([width, height]),
        _ => Err(Unsendable::TooLarge {
            width_px: header.width,
            height_px: header.height,
        }),
    }
}

/// 0 is 4:2:2, 1 is 4:2:0 (§4.1); 64 more with restart markers are added where packets are
/// written.
fn jpeg_type(sampling: Sampling) -> Result<u8, Unsendable> {
    match sampling {
        Sampling::Yuv422 => Ok(0),
        Sampling::Yuv420 => Ok(1),
        other => Err(Unsendable::Sampling(other)),
    }
}

/// Recoding helps where nothing else is in the way.
fn unsendable(reason: NotSequential, jpeg: &[u8]) -> Unsendable {
    let named = match reason {
        NotSequential::Process(process) => Unsendable::Process(process),
        NotSequential::Bits(bits) => Unsendable::Bits(bits),
        NotSequential::SeveralScans => Unsendable::SeveralScans,
        broken @ (NotSequential::Markers(_) | NotSequential::Head) => Unsendable::Broken(broken),
    };
    let (Cure::Recode, Ok((header, _)), Some(kind)) =
        (named.cure(), whole(jpeg), JpegKind::of(jpeg))
    else {
        return named;
    };
    let other = size_8_px(header).err();
    let other = other.or_else(|| jpeg_type(kind.sampling).err());
    other.unwrap_or(named)
}

impl Unsendable {
    /// What may help.
    pub fn cure(self) -> Cure {
        match self {
            Self::HuffmanTables | Self::SeveralScans | Self::Process(JpegProcess::Progressive) => {
                Cure::Recode
            }
            Self::Broken(_) => Cure::Nothing,
            Self::Process(_)
            | Self::Bits(_)
            | Self::Sampling(_)
            | Self::LargeUnits(_)
            | Self::TooLarge { .. }
            | Self::TooLong(_)
            | Self::QuantisationTables => Cure::Rendition,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_jpeg::Recoder;
    use eyelid_replay::case;

    #[test]
    fn takes_what_receivers_know() {
        for (jpeg, jpeg_type, size_8_px, interval) in [
            (case!("jpeg-420"), 1, [3, 2], None),
            (
                case!("jpeg-of-a-usb-camera-without-tables"),
                1,
                [3, 2],
                None,
            ),
            (case!("jpeg-422-by-cjpeg"), 0, [3, 2], Some(1)),
        ] {
            let payload = JpegPayload::of(jpeg).unwrap();
            assert_eq!(payload.jpeg_type, jpeg_type);
            assert_eq!(payload.size_8_px, size_8_px);
            assert_eq!(payload.restart_interval, interval);
            assert!(jpeg.ends_with(&[payload.scan, &[0xFF, 0xD9]].concat()));
        }
    }

    #[test]
    fn carries_sizes_of_255_units_at_most() {
        for (width_px, height_px, is_carried) in [
            (2040, 2040, true),
            (1, 2040, true),
            (2041, 1, false),
            (640, 2304, false),
        ] {
            assert_eq!(JpegPayload::carries(width_px, height_px), is_carried);
            let header = Header {
                width: width_px,
                height: height_px,
                components: 3,
            };
            assert_eq!(size_8_px(header).is_ok(), is_carried);
        }
    }

    #[test]
    fn names_why_another_cannot_go() {
        for (jpeg, name, cure) in [
            (case!("jpeg-422-restarts"), "Huffman tables", Cure::Recode),
            (case!("jpeg-420-optimised"), "Huffman tables", Cure::Recode),
            (case!("jpeg-in-three-scans"), "several scans", Cure::Recode),
            (case!("jpeg-progressive"), "progressive", Cure::Recode),
            (case!("jpeg-444-optimised"), "444", Cure::Rendition),
            (case!("jpeg-440"), "440", Cure::Rendition),
            (case!("jpeg-411"), "411", Cure::Rendition),
            (case!("jpeg-grey"), "grey", Cure::Rendition),
            (case!("recode", "progressive-grey"), "grey", Cure::Rendition),
            (case!("jpeg-cmyk"), "cmyk", Cure::Rendition),
            (case!("jpeg-12-bits"), "12 bits", Cure::Rendition),
            (case!("jpeg-arithmetic"), "arithmetic", Cure::Rendition),
            (case!("jpeg-lossless"), "lossless", Cure::Rendition),
            (
                case!("jpeg-422-in-large-units"),
                "422 in large units",
                Cure::Rendition,
            ),
            (
                case!("jpeg-three-quantisation-tables"),
                "quantisation",
                Cure::Rendition,
            ),
            (case!("jpeg-extended"), "quantisation", Cure::Rendition),
            (
                case!("jpeg-of-65535x65535"),
                "picture of 65535x65535",
                Cure::Rendition,
            ),
            (
                case!("jpeg-progressive-of-65535x65535"),
                "picture of 65535x65535",
                Cure::Rendition,
            ),
            (case!("jpeg-cut-off"), "cut off", Cure::Nothing),
            (case!("gif"), "not a JPEG", Cure::Nothing),
        ] {
            let reason = JpegPayload::of(jpeg).unwrap_err();
            assert!(reason.to_string().contains(name), "{reason}");
            assert_eq!(reason.cure(), cure, "{reason}");
        }
    }

    /// All that is said to be cured by recoding is.
    #[test]
    fn what_is_recoded_can_go() {
        for jpeg in [
            case!("jpeg-422-restarts"),
            case!("jpeg-420-optimised"),
            case!("jpeg-in-three-scans"),
            case!("jpeg-progressive"),
        ] {
            let mut recoder = Recoder::default();
            let recoded = recoder.recode(jpeg).unwrap();
            let payload = JpegPayload::of(recoded).unwrap();
            let before = whole(jpeg).unwrap().0;
            let size = (payload.width_px(), payload.height_px());
            assert_eq!(size, (before.width, before.height));
        }
    }

    /// 2040 pixels go, 2041 do not.
    #[test]
    fn the_largest_size_is_what_eight_bits_count() {
        let mut jpeg = case!("jpeg-420").to_vec();
        let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        for (pixels, fits) in [(2040_u16, true), (2041, false)] {
            for at in [frame + 5, frame + 7] {
                let before = [jpeg[at], jpeg[at + 1]];
                jpeg[at..at + 2].copy_from_slice(&pixels.to_be_bytes());
                assert_eq!(JpegPayload::of(&jpeg).is_ok(), fits, "{pixels}");
                jpeg[at..at + 2].copy_from_slice(&before);
            }
        }
    }
}
