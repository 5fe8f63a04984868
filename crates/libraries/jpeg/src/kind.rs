//! Which kind of JPEG a frame is, in words that `state.json` carries (`docs/slot.md`): consumers
//! with stricter needs than browsers, such as RTP (RFC 2435), then know without walking it.
//!
//! Read from what stands before the first scan; the scan itself is not looked at.

use std::fmt;

use crate::huffman::STANDARD_TABLES;
use crate::markers::{HUFFMAN_TABLES, QUANTISATION_TABLES, SOS, is_frame_header};
use crate::segments::{Segment, head_of};

/// Each table of [`STANDARD_TABLES`] has its class and number, 16 counts, and as many bytes as they
/// say.
const DC_BYTES: usize = 1 + 16 + 12;
const AC_BYTES: usize = 1 + 16 + 162;

/// A kind of JPEG. [`fmt::Display`] gives it as `state.json` says it: `baseline-420`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JpegKind {
    /// How it is coded.
    pub process: JpegProcess,
    /// Bits a sample: 8 in all that browsers show.
    pub bits: u8,
    /// Which colours it has, and how finely.
    pub sampling: Sampling,
    /// What else is out of the ordinary.
    pub peculiarity: Option<Peculiarity>,
}

/// How a JPEG is coded, by its frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JpegProcess {
    /// SOF0.
    Baseline,
    /// SOF1: baseline with more tables, or with 12 bits.
    Extended,
    /// SOF2.
    Progressive,
    /// SOF3.
    Lossless,
    /// SOF9 to SOF11.
    Arithmetic,
    /// The others: several frames in one.
    Hierarchical,
}

/// Which colours a JPEG has, and how many samples of brightness there are for one of colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// No colours.
    Grey,
    /// Colours in full.
    Yuv444,
    /// Half of them across.
    Yuv422,
    /// Half of them across and half of them down.
    Yuv420,
    /// Half of them down.
    Yuv440,
    /// A quarter of them across.
    Yuv411,
    /// Three components in another proportion.
    Other,
    /// Four components.
    Cmyk,
    /// Any other number of components.
    Unknown,
}

/// What RFC 2435 does not provide for in an otherwise plain JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peculiarity {
    /// Huffman tables that are not the standard ones.
    OwnTables,
    /// Several scans, quantisation tables of 16 bits or more than one for colours, or sampling
    /// factors with a common divisor.
    Unusual,
}

impl JpegKind {
    /// Reads what kind of JPEG this is. `None` where its head is broken.
    pub fn of(jpeg: &[u8]) -> Option<Self> {
        Self::of_head(&head_of(jpeg))
    }

    /// The same, from the segments of its head.
    pub(crate) fn of_head(head: &[Segment<'_>]) -> Option<Self> {
        let frame = head.iter().find(|s| is_frame_header(s.code))?;
        let bits = *frame.payload.first()?;
        let components = Self::frame_components(head)?;
        let process = JpegProcess::of(frame.code);
        let sampling = Sampling::of(components);
        let peculiarity = match process {
            JpegProcess::Baseline | JpegProcess::Extended => peculiarity(components, head),
            _ => None,
        };
        Some(Self {
            process,
            bits,
            sampling,
            peculiarity,
        })
    }

    /// Of each component in the frame header its name, sampling factors and quantisation table.
    pub(crate) fn frame_components<'a>(head: &[Segment<'a>]) -> Option<&'a [[u8; 3]]> {
        let frame = head.iter().find(|s| is_frame_header(s.code))?;
        // Before them precision, height, width and their number.
        let &[_, _, _, _, _, count, ref components @ ..] = frame.payload else {
            return None;
        };
        let (components, _) = components.get(..usize::from(count) * 3)?.as_chunks::<3>();
        Some(components)
    }

    /// Why browsers, or some of them, do not show such a JPEG; `None` if all do.
    pub fn hidden_by(self) -> Option<&'static str> {
        match self.process {
            JpegProcess::Arithmetic => return Some("arithmetic coding"),
            JpegProcess::Lossless => return Some("lossless coding"),
            JpegProcess::Hierarchical => return Some("hierarchical coding"),
            JpegProcess::Baseline | JpegProcess::Extended | JpegProcess::Progressive => {}
        }
        match self.sampling {
            _ if self.bits != 8 => Some("other than 8 bits a sample"),
            Sampling::Cmyk => Some("four components (CMYK)"),
            Sampling::Unknown => Some("neither one nor three components"),
            _ => None,
        }
    }
}

impl fmt::Display for JpegKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peculiarity = match self.peculiarity {
            None => "",
            Some(Peculiarity::OwnTables) => "-optimized",
            Some(Peculiarity::Unusual) => "-unusual",
        };
        write!(out, "{}-{}{peculiarity}", self.process, self.sampling)
    }
}

impl fmt::Display for JpegProcess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Baseline => "baseline",
            Self::Extended => "extended",
            Self::Progressive => "progressive",
            Self::Lossless => "lossless",
            Self::Arithmetic => "arithmetic",
            Self::Hierarchical => "hierarchical",
        })
    }
}

impl fmt::Display for Sampling {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Grey => "grey",
            Self::Yuv444 => "444",
            Self::Yuv422 => "422",
            Self::Yuv420 => "420",
            Self::Yuv440 => "440",
            Self::Yuv411 => "411",
            Self::Other | Self::Unknown => "other",
            Self::Cmyk => "cmyk",
        })
    }
}

impl JpegProcess {
    fn of(frame_header: u8) -> Self {
        match frame_header {
            0xC0 => Self::Baseline,
            0xC1 => Self::Extended,
            0xC2 => Self::Progressive,
            0xC3 => Self::Lossless,
            0xC9..=0xCB => Self::Arithmetic,
            _ => Self::Hierarchical,
        }
    }
}

impl Sampling {
    fn of(components: &[[u8; 3]]) -> Self {
        let factors = |component: &[u8; 3]| (component[1] >> 4, component[1] & 15);
        let [y, blue, red] = components else {
            return match components.len() {
                1 => Self::Grey,
                4 => Self::Cmyk,
                _ => Self::Unknown,
            };
        };
        let ((across, down), colour) = (factors(y), factors(blue));
        if factors(red) != colour || colour.0 == 0 || colour.1 == 0 {
            return Self::Other;
        }
        if across % colour.0 != 0 || down % colour.1 != 0 {
            return Self::Other;
        }
        match (across / colour.0, down / colour.1) {
            (1, 1) => Self::Yuv444,
            (2, 1) => Self::Yuv422,
            (2, 2) => Self::Yuv420,
            (1, 2) => Self::Yuv440,
            (4, 1) => Self::Yuv411,
            _ => Self::Other,
        }
    }
}

fn peculiarity(components: &[[u8; 3]], head: &[Segment<'_>]) -> Option<Peculiarity> {
    if is_unusual(components, head) {
        return Some(Peculiarity::Unusual);
    }
    (!has_standard_tables(head)).then_some(Peculiarity::OwnTables)
}

/// A receiver of RFC 2435 knows of one scan, of one table of 8 bits for brightness and one for both
/// colours, and of colours with the sampling factors 1 and 1.
fn is_unusual(components: &[[u8; 3]], head: &[Segment<'_>]) -> bool {
    let in_scan = scan_components(head).map(<[_]>::len);
    if in_scan != Some(components.len()) {
        return true;
    }
    let [_, colours @ ..] = components else {
        return false;
    };
    let Some([brightness, colour]) = tables_in_use(components, head) else {
        return true;
    };
    let is_one = colours.is_empty() || colour.is_some();
    brightness.is_none() || !is_one || !has_whole_colours(components)
}

/// Says whether all colours have the sampling factors 1 and 1.
pub(crate) fn has_whole_colours(components: &[[u8; 3]]) -> bool {
    let mut colours = components.iter().skip(1);
    colours.all(|[_, factors, _]| *factors == 0x11)
}

/// The quantisation tables of brightness and of the colours; none where they are not of 8 bits, or
/// those of the colours are different. `None` where a table or the frame header is broken.
pub(crate) fn tables_in_use<'a>(
    components: &[[u8; 3]],
    head: &[Segment<'a>],
) -> Option<[Option<&'a [u8; 64]>; 2]> {
    let [[_, _, first], colours @ ..] = components else {
        return None;
    };
    let tables = quantisation_tables(head)?;
    let table = |number: &u8| tables.get(usize::from(*number)).copied().flatten();
    // Tables that are no different are one, whatever their numbers.
    let mut of_colours = colours.iter().map(|[_, _, number]| table(number));
    let colour = of_colours.next().flatten();
    let colour = colour.filter(|_| of_colours.all(|it| it == colour));
    Some([table(first), colour])
}

/// Of each component in the first scan its name, and the numbers of its Huffman tables.
pub(crate) fn scan_components<'a>(head: &[Segment<'a>]) -> Option<&'a [[u8; 2]]> {
    let scan = head.last().filter(|segment| segment.code == SOS)?;
    let (count, rest) = scan.payload.split_first()?;
    let (components, _) = rest.get(..usize::from(*count) * 2)?.as_chunks::<2>();
    Some(components)
}

/// The 64 bytes of each of the tables, by number, where it is one of 8 bits.
pub(crate) fn quantisation_tables<'a>(head: &[Segment<'a>]) -> Option<[Option<&'a [u8; 64]>; 16]> {
    let mut tables = [None; 16];
    for segment in head.iter().filter(|s| s.code == QUANTISATION_TABLES) {
        let mut rest = segment.payload;
        while let Some((&label, table)) = rest.split_first() {
            let has_8_bits = label >> 4 == 0;
            let bytes = if has_8_bits { 64 } else { 128 };
            let (table, behind) = table.split_at_checked(bytes)?;
            tables[usize::from(label & 15)] = table.as_array().filter(|_| has_8_bits);
            rest = behind;
        }
    }
    Some(tables)
}

/// Says whether the first component of the scan has the standard tables for brightness, and the
/// others those for colours. Where there is no table at all, as in the MJPEG of USB cameras, the
/// standard ones are meant.
pub(crate) fn has_standard_tables(head: &[Segment<'_>]) -> bool {
    let (_, tables) = STANDARD_TABLES.split_at(4);
    let (brightness, colours) = tables.split_at(DC_BYTES + AC_BYTES);
    if !head.iter().any(|s| s.code == HUFFMAN_TABLES) {
        return true;
    }
    let Some(found) = huffman_tables(head) else {
        return false;
    };
    let table = |label: u8| found[usize::from(label)];
    let components = scan_components(head).unwrap_or_default();
    components.iter().enumerate().all(|(index, [_, numbers])| {
        let (dc, ac) = match index {
            0 => brightness.split_at(DC_BYTES),
            _ => colours.split_at(DC_BYTES),
        };
        table(numbers >> 4) == Some(&dc[1..]) && table(0x10 | numbers & 15) == Some(&ac[1..])
    })
}

/// Counts and values of a table of Huffman codes.
type HuffmanTable<'a> = &'a [u8];

/// All tables, by class (the high digit, 0 or 1) and number.
fn huffman_tables<'a>(head: &[Segment<'a>]) -> Option<[Option<HuffmanTable<'a>>; 32]> {
    let mut tables = [None; 32];
    for segment in head.iter().filter(|s| s.code == HUFFMAN_TABLES) {
        add_huffman_tables(segment.payload, &mut tables)?;
    }
    Some(tables)
}

/// Adds those of one segment.
pub(crate) fn add_huffman_tables<'a>(
    payload: &'a [u8],
    tables: &mut [Option<HuffmanTable<'a>>; 32],
) -> Option<()> {
    let mut rest = payload;
    while let Some((label, table)) = rest.split_first() {
        let counts = table.first_chunk::<16>()?;
        let values: usize = counts.iter().map(|count| usize::from(*count)).sum();
        let (table, behind) = table.split_at_checked(16 + values)?;
        // There are no other classes.
        if let Some(known) = tables.get_mut(usize::from(*label)) {
            *known = Some(table);
        }
        rest = behind;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_replay::case;

    #[test]
    fn names_what_each_encoder_makes() {
        for (jpeg, expected) in [
            (case!("jpeg-420"), "baseline-420"),
            (case!("jpeg-of-a-usb-camera-without-tables"), "baseline-420"),
            (case!("jpeg-422-by-cjpeg"), "baseline-422"),
            (case!("jpeg-422-restarts"), "baseline-422-optimized"),
            (case!("jpeg-440"), "baseline-440"),
            (case!("jpeg-411"), "baseline-411"),
            (case!("jpeg-grey"), "baseline-grey"),
            (case!("jpeg-420-optimised"), "baseline-420-optimized"),
            (case!("jpeg-444-optimised"), "baseline-444-optimized"),
            (case!("jpeg-422-in-large-units"), "baseline-422-unusual"),
            (case!("jpeg-in-three-scans"), "baseline-420-unusual"),
            (
                case!("jpeg-three-quantisation-tables"),
                "baseline-420-unusual",
            ),
            (case!("jpeg-extended"), "extended-420-unusual"),
            (case!("jpeg-progressive"), "progressive-420"),
        ] {
            let kind = JpegKind::of(jpeg).unwrap();
            assert_eq!(kind.to_string(), expected);
            assert_eq!(kind.hidden_by(), None, "{expected}");
        }
    }

    #[test]
    fn knows_what_browsers_do_not_show() {
        for (jpeg, expected, words) in [
            (case!("jpeg-cmyk"), "baseline-cmyk-optimized", "CMYK"),
            (case!("jpeg-ycck"), "baseline-cmyk-unusual", "CMYK"),
            (case!("jpeg-12-bits"), "extended-420-optimized", "8 bits"),
            (case!("jpeg-arithmetic"), "arithmetic-420", "arithmetic"),
            (case!("jpeg-lossless"), "lossless-444", "lossless"),
        ] {
            let kind = JpegKind::of(jpeg).unwrap();
            assert!(kind.to_string().starts_with(expected), "{kind}");
            assert!(kind.hidden_by().unwrap().contains(words), "{expected}");
        }
        let mut jpeg = case!("jpeg-420").to_vec();
        let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        for code in [0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF] {
            jpeg[frame + 1] = code;
            let hidden = JpegKind::of(&jpeg).unwrap().hidden_by();
            assert_eq!(hidden, Some("hierarchical coding"), "{code:02X}");
        }
    }

    /// Changes one byte of the standard tables, wherever it is, and the tables are standard no
    /// longer.
    #[test]
    fn every_byte_of_the_standard_tables_counts() {
        let jpeg = case!("jpeg-420");
        for tables in crate::segments(jpeg).filter(|s| s.code == HUFFMAN_TABLES) {
            let start = tables.payload.as_ptr().addr() - jpeg.as_ptr().addr();
            for at in start..start + tables.payload.len() {
                let mut changed = jpeg.to_vec();
                changed[at] ^= 1;
                let kind = JpegKind::of(&changed).unwrap();
                assert_eq!(kind.peculiarity, Some(Peculiarity::OwnTables), "{at}");
            }
        }
    }

    #[test]
    fn a_head_cut_off_anywhere_is_no_kind_or_another() {
        let jpeg = case!("jpeg-422-by-cjpeg");
        let scan = jpeg.windows(2).position(|w| w == [0xFF, 0xDA]).unwrap();
        for length in 0..scan {
            let kind = JpegKind::of(&jpeg[..length]);
            assert!(
                kind.is_none_or(|kind| kind.peculiarity.is_some()),
                "{length}"
            );
        }
    }
}
