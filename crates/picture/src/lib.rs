//! What Eyelid draws itself, and how its pictures become JPEGs.
//!
//! The producer draws its test picture here and the server its "no signal" card. [`Canvas`] is pixels in memory with the
//! few shapes these need, [`Encoder`] makes JPEGs that every client takes: JFIF, baseline, 4:2:0, standard Huffman tables.
//! There is no I/O and no clock.

mod canvas;
mod card;
mod encoder;
mod lettering;

pub use canvas::{Canvas, Colour};
pub use card::card;
pub use encoder::{EncodeError, Encoder};
pub use lettering::Lettering;
