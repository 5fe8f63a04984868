//! What Eyelid draws itself, and how its pictures become JPEGs.
//!
//! The producer draws its test picture here and the server its "no signal" card. [`Canvas`] is
//! pixels in memory with the few shapes these need, [`Encoder`] makes JPEGs that every client
//! takes, of these and of what cameras give ([`Yuv420`], [`Nv12`], [`Yuyv`]). [`Planes`] brings all
//! of these to planes, and planes to a smaller [`Scale`]; [`write_y4m`] makes a file of them as
//! they are, and [`read_y4m`] reads one. There is no I/O and no clock.

mod canvas;
mod card;
mod colours;
mod encode;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod lettering;
mod planes;
mod scale;
mod y4m;
mod yuv;

pub use canvas::{Canvas, Colour};
pub use card::card;
pub use colours::{Chroma, ChromaStep, PixelKind, Subsampled};
pub use encode::{Encoder, Tables};
pub use error::EncodeError;
pub use lettering::Lettering;
pub use planes::Planes;
pub use scale::Scale;
pub use y4m::{Y4mError, read_y4m, write_y4m};
pub use yuv::{Nv12, SamplePlane, SampleRange, Yuv420, Yuyv};
