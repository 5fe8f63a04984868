//! Decoded pictures.

/// The most pixels that a picture of a stranger may have. A larger one is refused before it is
/// decoded: 64 megapixels (the largest sensor on a Pi) take 192 MB decoded.
pub const MAX_PIXELS: u64 = 64 << 20;

/// Who decodes coefficients goes over the whole picture for each scan, of which a stranger's may
/// have thousands. A progressive picture of cjpeg has 10.
pub(crate) const MOST_SCANS: u32 = 100;

/// Red, green and blue, 3 bytes per pixel, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The bytes.
    pub rgb: Vec<u8>,
}

/// Brightness alone, 1 byte per pixel, row by row, 0 to 255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Luma {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The bytes.
    pub samples: Vec<u8>,
}
