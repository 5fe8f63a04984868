//! The same picture with the standard Huffman tables in one baseline scan, as RFC 2435 and simple
//! decoders want it. Nothing is lost: no coefficient changes.
//!
//! Where only the tables differ, symbols are written by other codes (`symbols`). Progressive JPEGs
//! and those of several scans are decoded as far as to their coefficients (`coefficients`), and
//! these are coded anew (`blocks`). Strangers' JPEGs come here: what is done is bounded by the size
//! of the picture and the number of scans, and both are bounded.

mod bits;
mod blocks;
mod code;
mod coefficients;
mod layout;
mod scan;
mod symbols;

use crate::huffman::STANDARD_TABLES;
use crate::kind::{JpegKind, JpegProcess, quantisation_tables};
use crate::markers::{BASELINE, EOI, HUFFMAN_TABLES, RESTART_INTERVAL, SOI, SOS, is_frame_header};
use crate::pixels::MOST_SCANS;
use crate::segments::head_of;
use crate::sequential::{NotSequential, Sequential};
use crate::walk::{JpegError, whole};
use code::{DecodeTables, StandardCodes};
use coefficients::Coefficients;
use layout::Layout;
use scan::{MOST_BLOCKS_A_UNIT, Scan};

/// Coefficients of as many blocks are held, 128 bytes each: 64 MiB, for 22 megapixels at 4:2:0.
const MOST_BLOCKS: usize = 1 << 19;

/// Recodes JPEGs. Reuses its memory from one to the next.
#[derive(Debug, Default)]
pub struct Recoder {
    codes: StandardCodes,
    coefficients: Coefficients,
    jpeg: Vec<u8>,
}

/// Why a JPEG cannot be recoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecodeError {
    /// Its markers are broken.
    #[error(transparent)]
    Markers(#[from] JpegError),
    /// Its head, or that of a scan, does not say what it is.
    #[error("broken JPEG (its head)")]
    Head,
    /// It is coded in a way that is not known here.
    #[error("{0} JPEG, which is not recoded")]
    Process(JpegProcess),
    /// Baseline has 8 bits.
    #[error("JPEG of {0} bits a sample, which is not recoded")]
    Bits(u8),
    /// More blocks than memory is spent on.
    #[error("JPEG of {0} blocks, and {MOST_BLOCKS} are recoded")]
    TooLarge(usize),
    /// More scans than time is spent on.
    #[error("JPEG of more than {MOST_SCANS} scans")]
    TooManyScans,
    /// Its coefficients are larger than those of a baseline JPEG.
    #[error("JPEG with symbol {0:#04x}, for which there is no standard code")]
    Symbol(u8),
    /// Its data are broken.
    #[error("broken JPEG ({0})")]
    Broken(&'static str),
}

impl Recoder {
    /// Recodes a whole JPEG. Its other segments stay.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub fn recode(&mut self, jpeg: &[u8]) -> Result<&[u8], RecodeError> {
        match Sequential::of(jpeg) {
            Ok(parts) => self.transcode(jpeg, &parts)?,
            Err(NotSequential::SeveralScans) => self.code_anew(jpeg)?,
            Err(NotSequential::Process(JpegProcess::Progressive)) => self.code_anew(jpeg)?,
            Err(NotSequential::Process(process)) => return Err(RecodeError::Process(process)),
            Err(NotSequential::Bits(bits)) => return Err(RecodeError::Bits(bits)),
            Err(NotSequential::Markers(error)) => return Err(error.into()),
            Err(NotSequential::Head) => return Err(RecodeError::Head),
        }
        self.jpeg.extend([0xFF, EOI]);
        Ok(&self.jpeg)
    }

    /// For one scan of whole blocks.
    fn transcode(&mut self, jpeg: &[u8], parts: &Sequential<'_>) -> Result<(), RecodeError> {
        let head = head_of(jpeg);
        let layout = Layout::of(&head, parts.header)?;
        let header = head.last().ok_or(RecodeError::Head)?;
        let data = parts.entropy_coded;
        let scan = Scan::of(header.payload, data, &layout, parts.restart_interval)?;
        let defined = head.iter().filter(|s| s.code == HUFFMAN_TABLES);
        let mut tables = DecodeTables::default();
        for segment in defined {
            tables.define(segment.payload)?;
        }
        // As the MJPEG of USB cameras has it.
        if !head.iter().any(|s| s.code == HUFFMAN_TABLES) {
            tables = DecodeTables::standard()?;
        }
        // The standard tables may take more room than a camera's own.
        self.begin(jpeg.len() + jpeg.len() / 4);
        let kept = |code: u8| !matches!(code, HUFFMAN_TABLES | SOS);
        head.iter()
            .filter(|segment| kept(segment.code))
            .for_each(|segment| self.jpeg.extend_from_slice(segment.bytes));
        let order = scan.components.iter().map(|it| it.index);
        write_scan_header(&layout, order, &mut self.jpeg);
        symbols::transcode(&scan, &tables, &self.codes, &mut self.jpeg)
    }

    /// For scans of which each has a part of the picture.
    fn code_anew(&mut self, jpeg: &[u8]) -> Result<(), RecodeError> {
        let (header, length) = whole(jpeg)?;
        let jpeg = &jpeg[..length];
        let head = head_of(jpeg);
        let kind = JpegKind::of_head(&head).ok_or(RecodeError::Head)?;
        if kind.bits != 8 {
            return Err(RecodeError::Bits(kind.bits));
        }
        // They are not needed here, but by whoever decodes what comes of it.
        quantisation_tables(&head).ok_or(RecodeError::Head)?;
        let layout = Layout::of(&head, header)?;
        let blocks = layout.components.iter().map(|it| it.across * it.down);
        if layout.components.len() > 1 && blocks.sum::<usize>() > MOST_BLOCKS_A_UNIT {
            return Err(RecodeError::Broken("too many blocks for one scan"));
        }
        self.coefficients.decode(jpeg, &layout, kind.process)?;
        self.begin(jpeg.len() + jpeg.len() / 4);
        for segment in &head {
            match segment.code {
                HUFFMAN_TABLES | RESTART_INTERVAL | SOS => {}
                code if is_frame_header(code) => {
                    self.jpeg.extend([0xFF, BASELINE]);
                    self.jpeg.extend_from_slice(&segment.bytes[2..]);
                }
                _ => self.jpeg.extend_from_slice(segment.bytes),
            }
        }
        write_scan_header(&layout, 0..layout.components.len(), &mut self.jpeg);
        blocks::encode(&self.coefficients, &layout, &self.codes, &mut self.jpeg)
    }

    fn begin(&mut self, bytes: usize) {
        self.jpeg.clear();
        self.jpeg.reserve(bytes);
        self.jpeg.extend([0xFF, SOI]);
    }
}

/// Writes the standard tables, and the header of a scan with these components.
fn write_scan_header(
    layout: &Layout,
    order: impl ExactSizeIterator<Item = usize>,
    jpeg: &mut Vec<u8>,
) {
    jpeg.extend_from_slice(STANDARD_TABLES);
    // At most four components: the layout has no more.
    let count = order.len() as u8;
    jpeg.extend([0xFF, SOS, 0, 6 + 2 * count, count]);
    for (place, index) in order.enumerate() {
        let tables = if place == 0 { 0x00 } else { 0x11 };
        jpeg.extend([layout.components[index].name, tables]);
    }
    jpeg.extend([0, 63, 0]);
}

#[cfg(test)]
mod tests;
