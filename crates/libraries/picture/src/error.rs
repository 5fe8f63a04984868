//! Why a picture does not become a JPEG.

/// Why a picture did not become a JPEG.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A side is 0 or more than 65535 pixels.
    #[error("picture of {width}x{height} pixels: a JPEG has 1 to 65535 on each side")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// There are fewer bytes than the picture's size needs.
    #[error(
        "plane {plane} of {bytes} bytes, {stride} a row: too few for {rows} rows of {row_bytes}"
    )]
    Plane {
        /// Which one.
        plane: &'static str,
        /// What there is.
        bytes: usize,
        /// From row to row.
        stride: usize,
        /// What a row needs.
        row_bytes: usize,
        /// How many rows there have to be.
        rows: usize,
    },
    /// The encoder refused.
    #[error("JPEG encoder: {0}")]
    Encoder(String),
}
