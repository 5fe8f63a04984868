//! From coefficients to baseline data with the standard tables (ITU-T T.81, F.1.2).

use super::RecodeError;
use super::bits::BitWriter;
use super::code::{EncodeTable, StandardCodes};
use super::coefficients::{Block, Coefficients};
use super::layout::Layout;

/// A symbol: no zeros follow in this block.
pub(super) const END_OF_BLOCK: u8 = 0x00;

/// A symbol: 16 zeros.
pub(super) const SIXTEEN_ZEROS: u8 = 0xF0;

/// Writes all blocks, unit by unit.
pub(super) fn encode(
    coefficients: &Coefficients,
    layout: &Layout,
    codes: &StandardCodes,
    out: &mut Vec<u8>,
) -> Result<(), RecodeError> {
    let mut writer = BitWriter::new(out);
    let mut last_dc = [0; 4];
    // A JPEG of one component has its blocks row by row, and none that fill up.
    let (units_across, units_down) = match layout.components[..] {
        [alone] => (alone.blocks_across, alone.blocks_down),
        _ => (layout.units_across, layout.units_down),
    };
    for down in 0..units_down {
        for across in 0..units_across {
            for (index, last) in last_dc.iter_mut().enumerate().take(layout.components.len()) {
                let [dc, ac] = codes.of_component(index);
                for block in coefficients.unit(layout, index, across, down) {
                    let value = i32::from(block[0]);
                    let difference = value - *last;
                    *last = value;
                    encode_block(block, difference, dc, ac, &mut writer)?;
                }
            }
        }
    }
    writer.align();
    Ok(())
}

fn encode_block(
    block: &Block,
    difference: i32,
    dc: &EncodeTable,
    ac: &EncodeTable,
    writer: &mut BitWriter<'_>,
) -> Result<(), RecodeError> {
    put(difference, 0, dc, writer)?;
    let mut zeros = 0;
    for coefficient in &block[1..] {
        if *coefficient == 0 {
            zeros += 1;
            continue;
        }
        while zeros > 15 {
            let (code, length) = ac.code(SIXTEEN_ZEROS)?;
            writer.put(code, length);
            zeros -= 16;
        }
        put(i32::from(*coefficient), zeros, ac, writer)?;
        zeros = 0;
    }
    if zeros > 0 {
        let (code, length) = ac.code(END_OF_BLOCK)?;
        writer.put(code, length);
    }
    Ok(())
}

/// Writes a value behind so many zeros: its category by a code, and the bits that tell it from
/// others of that category.
fn put(
    value: i32,
    zeros: u8,
    to: &EncodeTable,
    writer: &mut BitWriter<'_>,
) -> Result<(), RecodeError> {
    let category = 32 - value.unsigned_abs().leading_zeros();
    // No more than 17: differences of 16 bits. Tables have no codes for more than 11.
    let (code, length) = match category {
        0..=15 => to.code(zeros << 4 | category as u8)?,
        _ => return Err(RecodeError::Broken("brightness that leaps")),
    };
    // Those of a negative one are less by one, and thus begin with a zero (F.1.2.1.1).
    let bits = if value < 0 { value - 1 } else { value };
    let bits = bits.cast_unsigned() & ((1 << category) - 1);
    writer.put(code << category | bits, length + category);
    Ok(())
}
