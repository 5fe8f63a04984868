//! What moves in front of a fixed camera, what was left there or taken away, and since when all is
//! still.
//!
//! [`Motion`] looks at small grey pictures ([`Luma`]), one after the other, each with its moment.
//! What changes because of light, weather, noise or a swaying pole is explained first; what is left
//! over has to behave like a thing: to stay for some pictures, in one piece, where the piece of the
//! picture before can have gone (docs/motion.md). No clock, no file, no JPEG; memory is taken when
//! the size of the pictures changes.

mod background;
mod blobs;
mod changes;
mod clutter;
mod differences;
mod grid;
mod light;
mod lighting;
mod look;
mod motion;
mod stillness;
mod tracks;
mod zones;

pub use look::{Change, ChangeKind, Look, Region};
pub use motion::Motion;
pub use zones::{ZoneError, Zones};

/// The widest picture that is looked at; a larger one is made smaller before.
pub const MOST_COLUMNS: usize = 160;
/// The highest picture that is looked at.
pub const MOST_ROWS: usize = 90;

/// A grey picture of cells: each the mean brightness of a square of the camera's pixels.
#[derive(Clone, Copy, Debug)]
pub struct Luma<'a> {
    /// Cells in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Brightness, 0 to 255, row by row, `width * height` of them.
    pub samples: &'a [u8],
}
