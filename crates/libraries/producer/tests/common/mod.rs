//! A camera that pushes its frames, and its place in a process.

#![allow(dead_code, reason = "no test program uses all of it")]

use std::borrow::Cow;
use std::convert::Infallible;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use eyelid_jpeg::EncodedPicture;
use eyelid_picture::Tables;
use eyelid_producer::{
    Driver, DriverId, DriverOptions, EncodedFrame, Precedence, Producers, Rest, SharedFrame,
    Source, SourceFailure, SourceStatus,
};
use eyelid_slot::RenditionSet;
use tempfile::TempDir;

pub(crate) const LINGER: Duration = Duration::from_secs(15);

/// Has the frame of this number; of 0, none.
pub(crate) struct Pushed {
    pub(crate) number: u64,
    pub(crate) jpeg: Arc<Vec<u8>>,
    /// It says of each frame that it has come, by itself.
    pub(crate) tells_of_frames: bool,
    pub(crate) offers: RenditionSet,
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Never(#[from] Infallible);

impl SourceFailure for Never {}

impl Pushed {
    pub(crate) fn captured(&self) -> SystemTime {
        taken(self.number)
    }
}

impl Source for Pushed {
    type Error = Never;

    fn start(&mut self, _: Instant) -> Result<(), Never> {
        Ok(())
    }

    fn stop(&mut self, _: Instant) {}

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn advance(&mut self, _: Instant) -> Result<(), Never> {
        Ok(())
    }

    fn status(&self) -> SourceStatus {
        SourceStatus {
            sequence: Some(self.number).filter(|number| *number > 0),
            works: true,
            ..SourceStatus::default()
        }
    }

    fn tells_of_frames(&self) -> bool {
        self.tells_of_frames
    }

    fn offers(&self) -> RenditionSet {
        self.offers
    }

    fn encode(&mut self, _: Instant) -> Result<Option<EncodedFrame<'_>>, Never> {
        Ok(Some(EncodedFrame {
            picture: EncodedPicture {
                jpeg: Cow::Borrowed(&self.jpeg),
                width: 32,
                height: 16,
                kind: None,
            },
            captured: self.captured(),
        }))
    }

    fn shared(&self) -> Option<SharedFrame> {
        Some(SharedFrame {
            jpeg: self.jpeg.clone(),
            captured: self.captured(),
        })
    }
}

/// When the frame of this number was taken.
pub(crate) fn taken(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + number)
}

/// A directory for slots.
pub(crate) fn directory() -> TempDir {
    TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .unwrap()
}

/// Has a camera publish into a slot.
pub(crate) fn add<S: Source>(
    producers: &mut Producers<S>,
    slot: &Path,
    source: S,
    now: Instant,
) -> DriverId {
    add_with(producers, slot, source, now, (Rest::Frame, Precedence::Own))
}

/// The same, with what lies in the slot while the camera does not run, and whose the slot is when
/// another producer comes.
pub(crate) fn add_with<S: Source>(
    producers: &mut Producers<S>,
    slot: &Path,
    source: S,
    now: Instant,
    (rest, precedence): (Rest, Precedence),
) -> DriverId {
    let publisher = producers.open(slot).unwrap();
    let options = DriverOptions {
        log_name: format!("camera {slot:?}"),
        shown_source: "push".to_owned(),
        max_fps: None,
        linger: LINGER,
        tables: Tables::Standard,
        rest,
        precedence,
    };
    producers.add(Driver::new(options, publisher, source, now))
}
