//! What a sequence parameter set says (ITU-T H.264, 7.3.2.1.1 and E.1.1), as far as somebody here
//! wants to know it.

use crate::annex_b::NalType;
use crate::bits::Bits;

/// Pixels on a side; level 6.2 has at most 16,864 (A.3.1: the square root of 8 times 139,264
/// macroblocks).
const MOST_PIXELS: u32 = 16_880;
/// num_ref_frames_in_pic_order_cnt_cycle (7.4.2.1.1).
const MOST_REFERENCES: u32 = 255;

/// A sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sps {
    /// profile_idc: 66 is baseline.
    pub profile: u8,
    /// constraint_set0_flag and those that follow it, from the highest bit on.
    pub constraints: u8,
    /// level_idc: ten times the level.
    pub level: u8,
    /// Width in pixels, as it is shown.
    pub width: u32,
    /// Height in pixels, as it is shown.
    pub height: u32,
    /// Which values and colours are used, where it says so.
    pub colour: Option<Colour>,
}

/// What the values of a picture stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// 0 to 255, and not 16 to 235.
    pub full_range: bool,
    /// colour_primaries, transfer_characteristics and matrix_coefficients (tables E-3 to E-5);
    /// 2 stands for "not said".
    pub description: [u8; 3],
}

/// Why a unit is no sequence parameter set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpsError {
    /// It is another one.
    #[error("no sequence parameter set of H.264")]
    Other,
    /// It ends before all is said, or says what cannot be.
    #[error("broken sequence parameter set of H.264")]
    Broken,
}

impl Sps {
    /// Reads a unit, without its start code.
    ///
    /// # Errors
    /// See [`SpsError`].
    pub fn parse(unit: &[u8]) -> Result<Self, SpsError> {
        if NalType::of(unit) != Some(NalType::Sps) {
            return Err(SpsError::Other);
        }
        parse(Bits::new(&unit[1..])).ok_or(SpsError::Broken)
    }
}

fn parse(mut bits: Bits<'_>) -> Option<Sps> {
    let mut byte = || bits.number(8).and_then(|byte| u8::try_from(byte).ok());
    let (profile, constraints, level) = (byte()?, byte()?, byte()?);
    bits.unsigned()?; // seq_parameter_set_id
    let chroma = if has_chroma_format(profile) {
        chroma_format(&mut bits)?
    } else {
        1
    };
    bits.unsigned()?; // log2_max_frame_num_minus4
    picture_order(&mut bits)?;
    bits.unsigned()?; // max_num_ref_frames
    bits.bit()?; // gaps_in_frame_num_value_allowed_flag
    let columns = bits.unsigned()?.checked_add(1)?;
    let rows = bits.unsigned()?.checked_add(1)?;
    let frames_only = bits.bit()?;
    if !frames_only {
        bits.bit()?; // mb_adaptive_frame_field_flag
    }
    bits.bit()?; // direct_8x8_inference_flag
    let fields = if frames_only { 1 } else { 2 };
    let mut crop = [0; 4]; // left, right, top, bottom
    if bits.bit()? {
        for side in &mut crop {
            *side = bits.unsigned()?;
        }
    }
    let (across, down) = match chroma {
        1 => (2, 2),
        2 => (2, 1),
        _ => (1, 1),
    };
    let width = shown(columns, 16, crop[0], crop[1], across)?;
    let height = shown(rows, 16 * fields, crop[2], crop[3], down * fields)?;
    let colour = if bits.bit()? { vui(&mut bits)? } else { None };
    Some(Sps {
        profile,
        constraints,
        level,
        width,
        height,
        colour,
    })
}

/// A side in pixels: so many macroblocks, less what is cut off.
fn shown(blocks: u32, block: u32, before: u32, behind: u32, unit: u32) -> Option<u32> {
    let cut = before.checked_add(behind)?.checked_mul(unit)?;
    let pixels = blocks.checked_mul(block)?.checked_sub(cut)?;
    (1..=MOST_PIXELS).contains(&pixels).then_some(pixels)
}

fn has_chroma_format(profile: u8) -> bool {
    matches!(
        profile,
        100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128 | 138 | 139 | 134 | 135
    )
}

/// chroma_format_idc and what follows it.
fn chroma_format(bits: &mut Bits<'_>) -> Option<u32> {
    let chroma = bits.unsigned()?;
    if chroma > 3 {
        return None;
    }
    if chroma == 3 {
        bits.bit()?; // separate_colour_plane_flag
    }
    bits.unsigned()?; // bit_depth_luma_minus8
    bits.unsigned()?; // bit_depth_chroma_minus8
    bits.bit()?; // qpprime_y_zero_transform_bypass_flag
    if bits.bit()? {
        for list in 0..if chroma == 3 { 12 } else { 8 } {
            if bits.bit()? {
                scaling_list(bits, if list < 6 { 16 } else { 64 })?;
            }
        }
    }
    Some(chroma)
}

/// scaling_list (7.3.2.1.1.1).
fn scaling_list(bits: &mut Bits<'_>, size: u32) -> Option<()> {
    let (mut last, mut next) = (8i32, 8i32);
    for _ in 0..size {
        if next != 0 {
            next = last.checked_add(bits.signed()?)?.rem_euclid(256);
        }
        if next != 0 {
            last = next;
        }
    }
    Some(())
}

/// pic_order_cnt_type and what follows it.
fn picture_order(bits: &mut Bits<'_>) -> Option<()> {
    match bits.unsigned()? {
        0 => {
            bits.unsigned()?; // log2_max_pic_order_cnt_lsb_minus4
        }
        1 => {
            bits.bit()?; // delta_pic_order_always_zero_flag
            bits.signed()?; // offset_for_non_ref_pic
            bits.signed()?; // offset_for_top_to_bottom_field
            let count = bits.unsigned()?;
            if count > MOST_REFERENCES {
                return None;
            }
            for _ in 0..count {
                bits.signed()?; // offset_for_ref_frame
            }
        }
        2 => {}
        _ => return None,
    }
    Some(())
}

/// vui_parameters as far as the colours, which come early.
fn vui(bits: &mut Bits<'_>) -> Option<Option<Colour>> {
    // aspect_ratio_idc; 255: sar_width and sar_height follow.
    if bits.bit()? && bits.number(8)? == 255 {
        bits.number(32)?;
    }
    if bits.bit()? {
        bits.bit()?; // overscan_appropriate_flag
    }
    if !bits.bit()? {
        return Some(None);
    }
    bits.number(3)?; // video_format
    let full_range = bits.bit()?;
    let mut description = [2; 3];
    if bits.bit()? {
        for what in &mut description {
            *what = u8::try_from(bits.number(8)?).ok()?;
        }
    }
    Some(Some(Colour {
        full_range,
        description,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What x264 says of a picture, as `xxd -p` shows it.
    fn sps(hexadecimal: &str) -> Vec<u8> {
        let digits = hexadecimal.as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.map(byte).collect()
    }

    #[test]
    fn reads_what_x264_says() {
        let named = |full_range, description| {
            Some(Colour {
                full_range,
                description,
            })
        };
        for (unit, profile, level, size, colour) in [
            // 1088 rows of which 8 are cut off, full range, BT.709 with the matrix of BT.601.
            (
                "67640028acd940780227e5c05b8080832000000300200000030281e30632c0",
                (100, 0),
                40,
                (1920, 1080),
                named(true, [1, 1, 6]),
            ),
            (
                "6742c015d901f08f88ac0440000003004000000503c58b92",
                (66, 0xC0),
                21,
                (482, 270),
                None,
            ),
            // 4:4:4, in which single columns and rows can be cut off.
            (
                "67f4000a919b28e4f1b1f80880000003008000000a078912cb",
                (244, 0),
                10,
                (100, 50),
                None,
            ),
            // 4:2:2 and interlaced: 192 rows as twice 96.
            (
                "677a0015bcd941433f3e022000000300200000030283e28532c0",
                (122, 0),
                21,
                (320, 180),
                None,
            ),
            // Pixels of 5:7.
            (
                "6764000cacd941419f9fff000500071000000300100000030140f1429960",
                (100, 0),
                12,
                (320, 180),
                None,
            ),
        ] {
            let read = Sps::parse(&sps(unit)).unwrap();
            assert_eq!((read.profile, read.constraints), profile, "{unit}");
            assert_eq!((read.level, (read.width, read.height)), (level, size));
            assert_eq!(read.colour, colour, "{unit}");
        }
    }

    #[test]
    fn one_that_is_cut_off_is_broken() {
        let whole = sps("67640028acd940780227e5c05b8080832000000300200000030281e30632c0");
        // What follows the colours is not read.
        for length in 1..14 {
            assert_eq!(Sps::parse(&whole[..length]), Err(SpsError::Broken));
        }
        assert_eq!(Sps::parse(&[]), Err(SpsError::Other));
        assert_eq!(Sps::parse(&[0x68, 0xCE]), Err(SpsError::Other));
    }

    #[test]
    fn sizes_that_cannot_be_are_broken() {
        // Profile 66, level 3.1; ids and counts 0; width 2^31 macroblocks.
        let mut unit = vec![0x67, 66, 0xC0, 31, 0b1110_1000];
        unit.extend([0, 3, 0, 0, 3, 0, 0, 3, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(Sps::parse(&unit), Err(SpsError::Broken));
    }
}
