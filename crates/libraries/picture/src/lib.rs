//! What Eyelid draws itself, and how its pictures become JPEGs.
//!
//! The producer draws its test picture here and the server its "no signal" card. [`Canvas`] is
//! pixels in memory with the few shapes these need, [`Encoder`] makes JPEGs that every client
//! takes, of these and of what cameras give ([`Yuv420`], [`Nv12`], [`Yuyv`]). There is no I/O and
//! no clock.

mod canvas;
mod card;
mod encode;
mod error;
mod lettering;
mod planes;
mod yuv;

pub use canvas::{Canvas, Colour};
pub use card::card;
pub use encode::{Encoder, Tables};
pub use error::EncodeError;
pub use lettering::Lettering;
pub use planes::Planes;
pub use yuv::{Nv12, SamplePlane, SampleRange, Yuv420, Yuyv};
