//! From scans to coefficients (ITU-T T.81, F.2.2 and G.2): Huffman codes only, nothing is
//! dequantised.

mod decode;

use super::code::DecodeTables;
use super::layout::Layout;
use super::scan::{Scan, UnitBlock};
use super::{MOST_BLOCKS, RecodeError};
use crate::kind::JpegProcess;
use crate::markers::{HUFFMAN_TABLES, QUANTISATION_TABLES, RESTART_INTERVAL, SOS};
use crate::pixels::MOST_SCANS;
use crate::segments::with_data;
use decode::ScanDecoder;

/// The coefficients of a block, in the order of the file (zigzag).
pub(super) type Block = [i16; 64];

/// All coefficients of a picture.
#[derive(Debug, Default)]
pub(super) struct Coefficients {
    blocks: Vec<Block>,
    /// Where each component's blocks begin; they lie row by row.
    starts: Vec<usize>,
}

impl Coefficients {
    /// Decodes a whole JPEG of this layout.
    pub(super) fn decode(
        &mut self,
        jpeg: &[u8],
        layout: &Layout,
        process: JpegProcess,
    ) -> Result<(), RecodeError> {
        self.clear(layout)?;
        let mut tables = DecodeTables::default();
        let (mut restart_interval, mut scans) = (0, 0);
        for (segment, data) in with_data(jpeg) {
            match (segment.code, segment.payload) {
                (HUFFMAN_TABLES, payload) => tables.define(payload)?,
                (RESTART_INTERVAL, &[high, low, ..]) => {
                    restart_interval = u16::from_be_bytes([high, low]);
                }
                // It would be of the components of later scans alone.
                (QUANTISATION_TABLES, _) if scans > 0 => {
                    return Err(RecodeError::Broken("quantisation tables between scans"));
                }
                (SOS, payload) => {
                    scans += 1;
                    if scans > MOST_SCANS {
                        return Err(RecodeError::TooManyScans);
                    }
                    let scan = Scan::of(payload, data, layout, restart_interval)?;
                    self.scan(&scan, layout, &tables, process)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The blocks of a component in a unit.
    pub(super) fn unit(
        &self,
        layout: &Layout,
        index: usize,
        across: usize,
        down: usize,
    ) -> impl Iterator<Item = &Block> {
        let component = layout.components[index];
        let columns = layout.units_across * component.across;
        // Alone, a component has units of one block.
        let (wide, high) = match layout.components.len() {
            1 => (1, 1),
            _ => (component.across, component.down),
        };
        let first = self.starts[index] + down * high * columns + across * wide;
        (0..high).flat_map(move |row| {
            let start = first + row * columns;
            &self.blocks[start..start + wide]
        })
    }

    fn clear(&mut self, layout: &Layout) -> Result<(), RecodeError> {
        let mut blocks = 0;
        self.starts.clear();
        for component in &layout.components {
            self.starts.push(blocks);
            let a_unit = component.across * component.down;
            blocks += layout.units_across * layout.units_down * a_unit;
        }
        if blocks > MOST_BLOCKS {
            return Err(RecodeError::TooLarge(blocks));
        }
        self.blocks.clear();
        self.blocks.resize(blocks, [0; 64]);
        Ok(())
    }

    fn scan(
        &mut self,
        scan: &Scan<'_>,
        layout: &Layout,
        tables: &DecodeTables,
        process: JpegProcess,
    ) -> Result<(), RecodeError> {
        let mut decoder = ScanDecoder::new(scan, tables, process)?;
        let (mut across, mut down) = (0, 0);
        for stretch in &scan.stretches {
            decoder.restart(stretch);
            for _ in 0..scan.units_a_stretch {
                if down == scan.units_down {
                    break;
                }
                for block in &scan.blocks {
                    let at = self.place(scan, layout, (across, down), *block);
                    decoder.block(block.place, &mut self.blocks[at])?;
                }
                decoder.check()?;
                across += 1;
                if across == scan.units_across {
                    (across, down) = (0, down + 1);
                }
            }
        }
        Ok(())
    }

    /// Where a block of a scan's unit lies.
    fn place(
        &self,
        scan: &Scan<'_>,
        layout: &Layout,
        (across, down): (usize, usize),
        block: UnitBlock,
    ) -> usize {
        let component = &scan.components[block.place];
        let columns = layout.units_across * layout.components[component.index].across;
        let row = down * component.down + block.down;
        let column = across * component.across + block.across;
        self.starts[component.index] + row * columns + column
    }
}
