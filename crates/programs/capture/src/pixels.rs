//! Decoded pictures, and how they are turned.

mod decode;
#[cfg(feature = "turbojpeg")]
mod lossless;
mod planes;
#[cfg(feature = "turbojpeg")]
mod rare;
mod turn;

pub use decode::{PictureError, decode_jpeg, decode_png};
pub(crate) use decode::{check_jpeg, refuse_large};
#[cfg(feature = "turbojpeg")]
pub(crate) use lossless::Lossless;
pub use planes::TurnedPlanes;
#[cfg(feature = "turbojpeg")]
pub(crate) use rare::decode_rare_jpeg;
pub use turn::Turn;

/// The most pixels that a picture of a stranger may have. A larger one is refused before it is decoded: 64 megapixels
/// (the largest sensor on a Pi) take 192 MB decoded.
pub const MAX_PIXELS: u64 = 64 << 20;

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
