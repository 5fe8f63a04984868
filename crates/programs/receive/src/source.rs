//! A camera that pushes, as the source that its slot is filled from.

use std::borrow::Cow;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use eyelid_jpeg::EncodedPicture;
use eyelid_producer::{EncodedFrame, SharedFrame, Source, SourceFailure, SourceStatus};

use crate::intake::{Frame, Intake};

/// What a camera has sent, as a source.
#[derive(Debug)]
pub(crate) struct PushSource {
    intake: Rc<Intake>,
    /// The frame that is being published.
    publishing: Option<Rc<Frame>>,
}

/// The camera is not there.
#[derive(Debug, thiserror::Error)]
#[error("the camera is not connected to eyelid-receive, and has posted no picture")]
pub(crate) struct NotConnected;

impl SourceFailure for NotConnected {
    fn is_absence(&self) -> bool {
        true
    }
}

impl PushSource {
    /// A source of what comes in.
    pub(crate) fn new(intake: Rc<Intake>) -> Self {
        Self {
            intake,
            publishing: None,
        }
    }
}

impl Source for PushSource {
    type Error = NotConnected;

    fn start(&mut self, _: Instant) -> Result<(), NotConnected> {
        if !self.intake.is_present() {
            return Err(NotConnected);
        }
        self.intake.set_awake(true);
        Ok(())
    }

    fn stop(&mut self, _: Instant) {
        self.publishing = None;
        self.intake.set_awake(false);
    }

    /// Its frames come by connections, which tell of them.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn advance(&mut self, _: Instant) -> Result<(), NotConnected> {
        // A newer one may be at hand: then nobody else has it.
        self.publishing = None;
        match self.intake.is_awake() && !self.intake.is_present() {
            true => Err(NotConnected),
            false => Ok(()),
        }
    }

    fn status(&self) -> SourceStatus {
        SourceStatus {
            sequence: self.intake.newest().map(|frame| frame.sequence),
            works: self.intake.is_present(),
            ..SourceStatus::default()
        }
    }

    /// Each is taken in when it has come.
    fn tells_of_frames(&self) -> bool {
        true
    }

    fn encode(&mut self, _: Instant) -> Result<Option<EncodedFrame<'_>>, NotConnected> {
        let Some(newest) = self.intake.newest() else {
            return Ok(None);
        };
        let frame = self.publishing.insert(newest);
        Ok(Some(EncodedFrame {
            picture: EncodedPicture {
                jpeg: Cow::Borrowed(&frame.picture.jpeg),
                width: frame.picture.width,
                height: frame.picture.height,
                kind: frame.picture.kind,
            },
            captured: frame.captured,
        }))
    }

    fn shared(&self) -> Option<SharedFrame> {
        let newest = self.intake.newest()?;
        Some(SharedFrame {
            jpeg: Arc::new(newest.picture.jpeg.clone()),
            captured: newest.captured,
        })
    }

    fn waiting(&self) -> String {
        if self.intake.is_connected() {
            return "the camera is connected and sends no picture".to_owned();
        }
        match self.intake.newest() {
            Some(newest) => {
                let age = SystemTime::now().duration_since(newest.captured);
                let seconds = age.unwrap_or_default().as_secs();
                format!("the camera posts when it likes, the last picture {seconds}s ago")
            }
            None => NotConnected.to_string(),
        }
    }

    fn take_returned(&mut self) -> bool {
        self.intake.take_returned()
    }
}
