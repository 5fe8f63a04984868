//! Renditions that are made aside: the thread that drives all cameras goes on with their frames.
//!
//! One job at a time, of all cameras. A camera that has to wait for its turn keeps no picture for
//! it: the newest is taken when the job begins.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::SystemTime;

use eyelid_jpeg::{PictureError, RenditionMaker};
use eyelid_slot::{Rendition, RenditionSet};

/// A frame that any thread may have, for as long as it likes.
#[derive(Clone)]
pub struct SharedFrame {
    /// The JPEG.
    pub jpeg: Arc<dyn AsRef<[u8]> + Send + Sync>,
    /// The moment of capture.
    pub captured: SystemTime,
}

/// Renditions that are to be made of one exposure. Whoever has it runs it in a thread of its own.
#[derive(Debug)]
pub struct RenderJob {
    pub(crate) frame: SharedFrame,
    pub(crate) renditions: RenditionSet,
    pub(crate) maker: RenditionMaker,
}

/// What came of a job.
#[derive(Debug)]
pub struct Rendered {
    pub(crate) captured: SystemTime,
    pub(crate) made: Vec<(Rendition, Result<Vec<u8>, PictureError>)>,
    pub(crate) maker: RenditionMaker,
}

/// What a camera has to do with jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Aside {
    /// Nothing.
    #[default]
    Idle,
    /// These renditions of the exposure of this number are wished for. When its turn comes, it may
    /// be others, and of another.
    Wanted(u64, RenditionSet),
    /// These are being made.
    Making(u64, RenditionSet),
}

impl RenderJob {
    /// Makes them. It takes its time: up to seconds for the largest.
    pub fn run(mut self) -> Rendered {
        let jpeg = (*self.frame.jpeg).as_ref();
        let made = self.renditions.iter().map(|rendition| {
            let made = self.maker.from_jpeg(jpeg, rendition);
            (rendition, made.map(|made| made.bytes.to_vec()))
        });
        Rendered {
            captured: self.frame.captured,
            made: made.collect(),
            maker: self.maker,
        }
    }
}

impl Debug for SharedFrame {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let bytes = (*self.jpeg).as_ref().len();
        let mut shown = formatter.debug_struct("SharedFrame");
        shown.field("bytes", &bytes);
        shown.field("captured", &self.captured).finish()
    }
}
