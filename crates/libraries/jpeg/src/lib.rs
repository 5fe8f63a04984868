//! Pictures of strangers, bounded before memory is spent on them.
//!
//! [`Walker`] finds where a JPEG ends in bytes that come in pieces, [`Splitter`] the JPEGs in a
//! stream, [`segments`] and [`JpegKind`]
//! say what it is without decoding it, [`normalise`] makes of it what every client takes, and
//! [`FrameMaker`] does all that stands between a stranger's picture and a frame: whoever publishes
//! what others made goes through it. [`RenditionMaker`] makes smaller ones of what was published.
//! [`Sequential`] takes one apart for those who send its scan without its headers (RFC 2435), and
//! [`Recoder`] makes it fit for that without a loss.
//! [`decode_jpeg`] and [`decode_luma`] give pixels to those who look at them, [`PlanesDecoder`]
//! planes to those who encode them again, [`LumaDecoder`] small grey pictures to those who look for
//! motion. No I/O, no clock, and nothing larger than [`MAX_PIXELS`]
//! or [`eyelid_slot::MAX_FRAME_BYTES`]. All decoding is in Rust unless the feature `turbojpeg` is
//! on.

mod decode;
mod error;
mod frame_maker;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod huffman;
mod kind;
#[cfg(feature = "turbojpeg")]
mod lossless;
mod luma_decoder;
mod markers;
mod normalise;
mod pixels;
mod planes;
mod planes_decoder;
#[cfg(feature = "turbojpeg")]
mod rare;
mod recode;
mod rendition_maker;
#[cfg(feature = "turbojpeg")]
mod scaled;
mod segments;
mod sequential;
mod splitter;
mod turn;
mod walk;

pub use decode::{decode_jpeg, decode_luma, decode_png};
pub use error::PictureError;
pub use frame_maker::{Check, EncodedPicture, FrameMaker, FrameOptions, as_it_is};
pub use huffman::STANDARD_TABLES;
pub use kind::{JpegKind, JpegProcess, Peculiarity, Sampling};
pub use luma_decoder::{LumaCells, LumaDecoder};
pub use markers::{EOI, SOI, SOS};
pub use normalise::{Normalised, normalise};
pub use pixels::{Luma, MAX_PIXELS, Pixels};
pub use planes::TurnedPlanes;
pub use planes_decoder::PlanesDecoder;
pub use recode::{RecodeError, Recoder};
pub use rendition_maker::{MadeRendition, RenditionMaker};
pub use segments::{Segment, segments};
pub use sequential::{NotSequential, Sequential};
pub use splitter::{Splitter, TooLong};
pub use turn::Turn;
pub use walk::{Header, JpegError, Progress, Walker, whole};
