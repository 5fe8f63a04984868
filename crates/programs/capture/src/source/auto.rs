//! `auto`: libcamera's first camera; where libcamera has none, V4L2's.
//!
//! Which it is, is decided each time that a camera is to start and none is at hand.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use eyelid_producer::{EncodedFrame, PlanesFrame, Source, SourceStatus};
use eyelid_slot::RenditionSet;

use super::SourceError;
use super::libcamera::Libcamera;
use super::v4l2::V4l2;
use crate::Settings;

/// The first camera that there is.
pub(crate) struct Auto {
    libcamera: Libcamera,
    /// There is none while libcamera has a camera: they would take it from one another.
    v4l2: Option<V4l2>,
    settings: Settings,
}

impl Auto {
    /// Looks for a camera. There may be none yet.
    ///
    /// # Errors
    /// What was asked for that the camera does not have.
    pub(crate) fn open(settings: &Settings) -> Result<Self, SourceError> {
        let libcamera = Libcamera::look(settings)?;
        let v4l2 = if libcamera.has_camera() {
            None
        } else {
            Some(V4l2::open(None, settings)?)
        };
        Ok(Self {
            libcamera,
            v4l2,
            settings: settings.clone(),
        })
    }

    fn source(&self) -> &dyn Source<Error = SourceError> {
        match &self.v4l2 {
            Some(v4l2) => v4l2,
            None => &self.libcamera,
        }
    }

    fn source_mut(&mut self) -> &mut dyn Source<Error = SourceError> {
        match &mut self.v4l2 {
            Some(v4l2) => v4l2,
            None => &mut self.libcamera,
        }
    }
}

impl Source for Auto {
    type Error = SourceError;

    fn start(&mut self, now: Instant) -> Result<(), SourceError> {
        if let Some(v4l2) = &mut self.v4l2
            && v4l2.has_camera()
        {
            return v4l2.start(now);
        }
        let started = self.libcamera.start(now);
        if self.libcamera.has_camera() {
            self.v4l2 = None;
            return started;
        }
        let settings = &self.settings;
        let v4l2 = self.v4l2.get_or_insert_with(|| V4l2::new(None, settings));
        v4l2.start(now)
    }

    fn stop(&mut self, now: Instant) {
        self.source_mut().stop(now);
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        // libcamera signals cameras that come, whoever has one now.
        let v4l2 = self.v4l2.iter().flat_map(|v4l2| v4l2.descriptors());
        self.libcamera
            .descriptors()
            .into_iter()
            .chain(v4l2)
            .collect()
    }

    fn deadline(&self) -> Option<Instant> {
        self.source().deadline()
    }

    fn advance(&mut self, now: Instant) -> Result<(), SourceError> {
        let advanced = self.libcamera.advance(now);
        match &mut self.v4l2 {
            Some(v4l2) => v4l2.advance(now),
            None => advanced,
        }
    }

    fn status(&self) -> SourceStatus {
        self.source().status()
    }

    fn encode(&mut self, now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        self.source_mut().encode(now)
    }

    fn planes(&mut self, now: Instant) -> Result<Option<PlanesFrame<'_>>, SourceError> {
        self.source_mut().planes(now)
    }

    fn offers(&self) -> RenditionSet {
        self.source().offers()
    }

    fn full_size(&self) -> Option<(u32, u32)> {
        self.source().full_size()
    }

    fn wish_full(&mut self, now: Instant) -> Result<(), SourceError> {
        self.source_mut().wish_full(now)
    }

    fn encode_full(&mut self, now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        self.source_mut().encode_full(now)
    }

    fn waiting(&self) -> String {
        self.source().waiting()
    }

    fn take_returned(&mut self) -> bool {
        let back = self.libcamera.take_returned();
        match &mut self.v4l2 {
            Some(v4l2) => v4l2.take_returned() || (back && !v4l2.has_camera()),
            None => back,
        }
    }
}
