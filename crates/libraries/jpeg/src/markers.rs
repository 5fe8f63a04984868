//! The second bytes of a JPEG's markers (ITU-T T.81, table B.1), as far as they matter here.

/// Start of image.
pub const SOI: u8 = 0xD8;
/// End of image.
pub const EOI: u8 = 0xD9;
/// Start of scan.
pub const SOS: u8 = 0xDA;

/// SOF0.
pub(crate) const BASELINE: u8 = 0xC0;
/// SOF1.
pub(crate) const EXTENDED: u8 = 0xC1;
/// SOF3.
pub(crate) const LOSSLESS: u8 = 0xC3;
/// DHT.
pub(crate) const HUFFMAN_TABLES: u8 = 0xC4;
/// DRI.
pub(crate) const RESTART_INTERVAL: u8 = 0xDD;
/// DQT.
pub(crate) const QUANTISATION_TABLES: u8 = 0xDB;
/// JFIF's segment, and others.
pub(crate) const APP0: u8 = 0xE0;
/// EXIF, XMP.
pub(crate) const APP1: u8 = 0xE1;
/// Colour profiles.
pub(crate) const APP2: u8 = 0xE2;
/// Adobe's segment.
pub(crate) const APP14: u8 = 0xEE;
/// The last one for applications.
pub(crate) const APP15: u8 = 0xEF;
/// COM.
pub(crate) const COMMENT: u8 = 0xFE;

/// SOF0 to SOF15 without DHT, JPG and DAC, which share their range.
pub(crate) fn is_frame_header(code: u8) -> bool {
    matches!(code, 0xC0..=0xCF) && !matches!(code, 0xC4 | 0xC8 | 0xCC)
}
