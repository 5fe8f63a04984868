//! From a JPEG's own Huffman tables to the standard ones, symbol by symbol: what follows each code
//! stays, and no coefficient is made of it.

use super::RecodeError;
use super::bits::{BitReader, BitWriter};
use super::blocks::{END_OF_BLOCK, SIXTEEN_ZEROS};
use super::code::{DecodeTable, DecodeTables, EncodeTable, StandardCodes};
use super::scan::Scan;

/// The tables of one block of each unit.
struct BlockCodes<'a> {
    from_dc: &'a DecodeTable,
    from_ac: &'a DecodeTable,
    to_dc: &'a EncodeTable,
    to_ac: &'a EncodeTable,
}

/// Writes the data of a scan that has all coefficients of its blocks.
pub(super) fn transcode(
    scan: &Scan<'_>,
    tables: &DecodeTables,
    codes: &StandardCodes,
    out: &mut Vec<u8>,
) -> Result<(), RecodeError> {
    if (scan.first, scan.last, scan.low_bit, scan.known_bit) != (0, 63, 0, 0) {
        return Err(RecodeError::Head);
    }
    let mut blocks = Vec::with_capacity(scan.blocks.len());
    for block in &scan.blocks {
        let component = &scan.components[block.place];
        let [to_dc, to_ac] = codes.of_component(block.place);
        blocks.push(BlockCodes {
            from_dc: tables.dc(component.dc)?,
            from_ac: tables.ac(component.ac)?,
            to_dc,
            to_ac,
        });
    }
    let mut left = scan.units_across * scan.units_down;
    let mut writer = BitWriter::new(out);
    for (number, stretch) in scan.stretches.iter().enumerate() {
        if number > 0 {
            writer.restart(number - 1);
        }
        let units = left.min(scan.units_a_stretch);
        left -= units;
        let mut reader = BitReader::new(stretch);
        for _ in 0..units {
            for block in &blocks {
                block.transcode(&mut reader, &mut writer)?;
            }
            reader.check()?;
        }
    }
    writer.align();
    Ok(())
}

impl BlockCodes<'_> {
    #[inline]
    fn transcode(
        &self,
        reader: &mut BitReader<'_>,
        writer: &mut BitWriter<'_>,
    ) -> Result<(), RecodeError> {
        reader.refill();
        let category = self.from_dc.symbol(reader)?;
        copy(category, category, self.to_dc, reader, writer)?;
        let mut place = 1;
        while place < 64 {
            reader.refill();
            let symbol = self.from_ac.symbol(reader)?;
            copy(symbol, symbol & 15, self.to_ac, reader, writer)?;
            place += match symbol {
                END_OF_BLOCK => return Ok(()),
                SIXTEEN_ZEROS => 16,
                _ => usize::from(symbol >> 4) + 1,
            };
        }
        if place > 64 {
            return Err(RecodeError::Broken("a block of more than 64 coefficients"));
        }
        Ok(())
    }
}

/// Writes a symbol by its other code, with the bits behind it as they are.
#[inline]
fn copy(
    symbol: u8,
    category: u8,
    to: &EncodeTable,
    reader: &mut BitReader<'_>,
    writer: &mut BitWriter<'_>,
) -> Result<(), RecodeError> {
    // Standard tables have codes for categories up to 11: so many bits are at hand, and written.
    let (code, length) = to.code(symbol)?;
    let category = u32::from(category);
    let bits = reader.take(category);
    writer.put(code << category | bits, length + category);
    Ok(())
}
