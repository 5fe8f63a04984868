//! Which things are in a picture, and where.
//!
//! [`Detector`] takes a picture of any size and gives what it sees ([`Seen`]): one of the
//! [`Label`]s, how sure, and where. The network is an SSD MobileNetV2 (Liu et al., "SSD: Single
//! Shot MultiBox Detector", 2016) of MediaPipe's, trained on Open Images: `packaging/detector`
//! makes its file, and package `eyelid-detector` has it. A [`Runtime`] runs it: [`Rten`], which is
//! Rust, or with the feature `onnxruntime` the `Onnxruntime` of this machine. Around it, all is
//! values: `input` makes a tensor of the picture, `anchors` are where the network looks, `decode`
//! makes boxes of what it says. One thread, no clock, and no I/O but reading the file.

mod anchors;
mod decode;
mod detector;
mod error;
mod input;
mod label;
mod region;
mod runtime;
#[cfg(test)]
mod test_model;

pub use detector::{DEFAULT_MODEL, Detector};
pub use error::{DetectorError, NotThisModel, RuntimeError};
pub use input::{Picture, WrongLength};
pub use label::{Label, UnknownLabel};
pub use region::Region;
#[cfg(feature = "onnxruntime")]
pub use runtime::Onnxruntime;
pub use runtime::{Answer, MAX_MODEL_BYTES, Rten, Runtime};

/// One thing in a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// What it is.
    pub label: Label,
    /// How sure the network is, 0 to 1. It is no probability: see docs/watch.md.
    pub confidence: f32,
    /// Where it is.
    pub region: Region,
}
