//! Pictures in a camera's full resolution: beside its frames where that does these no harm, else by
//! a change of its configuration, and back.

use std::io;
use std::time::Instant;

use eyelid_config::Size;

use super::device::{Device, LibcameraConfig};
use super::prepared::captured;
use super::{Libcamera, SourceError};
use crate::source::hardware::buffer_encoder::Layout;
use crate::source::hardware::choice::{self, Offer};
use crate::source::hardware::full_pictures::{FULL_BUFFERS, Purpose};
use crate::source::hardware::silence::Attempt;
use crate::source::still::{AutoExposure, StillAction, StillWay};

/// How a camera is configured for full pictures, if it has any that are larger than its stream's.
pub(super) fn config(
    offers: &[Offer],
    stream: &LibcameraConfig,
    streams_size: Size,
) -> Option<LibcameraConfig> {
    let (format, size) = choice::larger(offers, streams_size)?;
    Some(LibcameraConfig {
        purpose: Purpose::Full,
        format,
        size,
        buffers: Some(FULL_BUFFERS),
        ..*stream
    })
}

/// How a full picture was begun, and how the camera lays it out; `None` where there is no camera.
type Begun = Option<(StillWay, Layout)>;

impl Libcamera {
    /// Begins with a full picture, if it may.
    pub(super) fn begin_full(&mut self, now: Instant) -> Result<(), SourceError> {
        // The first frame of the stream comes first: who looks has waited for the camera to wake.
        let device = self.device.as_ref().filter(|_| self.running.is_some());
        let is_ready = device.is_some_and(Device::has_frame);
        let prepared = self.prepared.as_ref().filter(|_| is_ready);
        let Some((full, way)) =
            prepared.and_then(|prepared| Some((prepared.full?, prepared.full_way)))
        else {
            return Ok(());
        };
        if !self.full.may_begin(now) {
            return Ok(());
        }
        ::log::debug!(
            "camera {:?}: taking a full picture of {}",
            self.id(),
            full.size
        );
        let begun = match way {
            Some(StillWay::Beside) => self.request_full(),
            Some(StillWay::Change) => self.change_to_full(&full),
            None => self.find_way_to_full(now, &full),
        };
        match begun {
            Ok(Some((way, layout))) => {
                self.full.begun(now, way, layout);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => self.give_up_full(now, &error),
        }
    }

    /// Takes in the full picture that a camera has taken beside its frames.
    pub(super) fn take_in_full(&mut self, now: Instant) {
        let Some(device) = &mut self.device else {
            return;
        };
        if self.full.is_away() || !self.full.is_awaited() {
            return;
        }
        match device.full() {
            Some(timestamp) => {
                self.full
                    .frame(now, captured(timestamp), AutoExposure::Settled);
            }
            // It was broken, or the camera was restarted.
            None => {
                if let Err(error) = device.request_full() {
                    ::log::debug!("libcamera: cannot ask for a full picture: {error}");
                }
            }
        }
    }

    /// Ends with a full picture: the stream goes on.
    pub(super) fn end_full(
        &mut self,
        now: Instant,
        action: StillAction,
    ) -> Result<(), SourceError> {
        if action == StillAction::GiveUp {
            let id = self.id();
            self.full.give_up(&id);
        }
        if self.full.is_away() {
            self.end();
            self.full.ending();
            return self.begin(now, Attempt::Started);
        }
        if let Some(device) = &mut self.device {
            device.drop_full();
        }
        self.full.end(now);
        Ok(())
    }

    /// The camera does not give full pictures: the stream goes on.
    fn give_up_full(&mut self, now: Instant, error: &SourceError) -> Result<(), SourceError> {
        let device = self.device.as_mut();
        if device.is_some_and(|device| device.collect().disconnected) {
            // It is gone, which is taken in next.
            return Ok(());
        }
        self.full.fail(error);
        self.end();
        self.begin(now, Attempt::Started)
    }

    /// Configures a camera back that has taken a full picture. One that cannot be is released, and
    /// to be acquired anew.
    pub(super) fn configure_back(&mut self) {
        let (Some(device), Some(prepared)) = (&mut self.device, &self.prepared) else {
            return;
        };
        if device.purpose() == Some(Purpose::Frames) {
            return;
        }
        if let Err(error) = device.configure(&prepared.stream) {
            let error = self.cannot(&error.to_string(), error.into_reason());
            ::log::debug!("{error}; acquiring it anew");
            self.device = None;
        } else if let Some(layout) = device.layout() {
            self.encoder.configure(layout);
        }
    }

    /// Finds out whether a camera gives full pictures beside its frames, and begins with one.
    fn find_way_to_full(
        &mut self,
        now: Instant,
        full: &LibcameraConfig,
    ) -> Result<Begun, SourceError> {
        self.stop_for_full()?;
        let (Some(device), Some(prepared)) = (&mut self.device, &mut self.prepared) else {
            return Ok(None);
        };
        let id = &prepared.id;
        match device.configure_both(&prepared.stream, full) {
            Ok(()) => {
                ::log::debug!(
                    "camera {id:?}: full pictures of {} beside its frames",
                    full.size
                );
                prepared.full_way = Some(StillWay::Beside);
                self.begin(now, Attempt::Started)?;
                self.request_full()
            }
            Err(error) => {
                let reason = error.to_string();
                let why = error.into_reason();
                ::log::debug!(
                    "camera {id:?}: no full pictures of {} beside its frames: {reason}: {why}",
                    full.size
                );
                prepared.full_way = Some(StillWay::Change);
                self.change_to_full(full)
            }
        }
    }

    /// Asks a camera for a full picture that gives it beside its frames.
    fn request_full(&mut self) -> Result<Begun, SourceError> {
        let Some(device) = &mut self.device else {
            return Ok(None);
        };
        let layout = device.full_layout();
        match device.request_full() {
            Ok(()) => Ok(layout.map(|layout| (StillWay::Beside, layout))),
            Err(reason) => Err(self.cannot("cannot ask it for a full picture", reason)),
        }
    }

    /// Starts a camera that is configured to nothing but full pictures.
    fn change_to_full(&mut self, full: &LibcameraConfig) -> Result<Begun, SourceError> {
        self.stop_for_full()?;
        let (Some(device), Some(prepared)) = (&mut self.device, &self.prepared) else {
            return Ok(None);
        };
        let (initial, follow_up) = prepared.start_controls(&self.last, &self.settings);
        let started = device
            .configure(full)
            .map_err(|error| (error.to_string(), error.into_reason()))
            .and_then(|()| {
                let started = device.start(&initial, follow_up);
                started.map_err(|reason| ("cannot start it".to_owned(), reason))
            });
        let layout = device.layout();
        match started {
            Ok(()) => Ok(layout.map(|layout| (StillWay::Change, layout))),
            Err((what, reason)) => Err(self.cannot(&what, reason)),
        }
    }

    fn stop_for_full(&mut self) -> Result<(), SourceError> {
        match self.device.as_mut().map(Device::stop) {
            Some(Err(reason)) => Err(self.cannot("cannot stop it", reason)),
            _ => Ok(()),
        }
    }

    fn cannot(&self, what: &str, reason: io::Error) -> SourceError {
        SourceError::Camera {
            id: self.id(),
            what: what.to_owned(),
            reason,
        }
    }
}
