//! Pictures in a camera's full resolution: it is stopped, configured to its largest size, and back.

use std::time::Instant;

use eyelid_config::Size;

use super::device::V4l2Config;
use super::find::V4l2Description;
use super::{Open, SourceError, V4l2, failed};
use crate::source::hardware::buffer_encoder::Layout;
use crate::source::hardware::choice::{self, Offer};
use crate::source::hardware::full_pictures::{FULL_BUFFERS, Purpose};
use crate::source::hardware::silence::Attempt;
use crate::source::still::{StillAction, StillWay};

/// How a camera is configured for full pictures, if it has any that are larger than its stream's.
pub(super) fn config(
    camera: &V4l2Description,
    offers: &[Offer],
    stream: &V4l2Config,
    streams_size: Size,
) -> Option<V4l2Config> {
    let (format, size) = choice::larger(offers, streams_size)?;
    Some(V4l2Config {
        purpose: Purpose::Full,
        format,
        fourcc: camera.fourcc(format),
        size,
        // As fast as the camera likes: its stream waits.
        interval: None,
        buffers: Some(FULL_BUFFERS),
        ..*stream
    })
}

impl V4l2 {
    /// Begins with a full picture, if it may.
    pub(super) fn begin_full(&mut self, now: Instant) -> Result<(), SourceError> {
        let open = self.open.as_ref().filter(|_| self.running.is_some());
        // The first frame of the stream comes first: who looks has waited for the camera to wake.
        let ready = open.filter(|open| open.device.has_frame());
        let Some(config) = ready.and_then(|open| open.full) else {
            return Ok(());
        };
        if !self.full.may_begin(now) {
            return Ok(());
        }
        log::debug!(
            "camera {:?}: taking a full picture of {}",
            self.id(),
            config.size
        );
        let started = self.change(&config).and_then(|()| self.start_full());
        match started {
            Ok(Some(layout)) => {
                self.full.begun(now, StillWay::Change, layout);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => self.give_up_full(now, error),
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
        self.end();
        self.full.ending();
        self.begin(now, Attempt::Started)
    }

    /// The camera does not give full pictures: the stream goes on. One that is gone is gone.
    pub(super) fn give_up_full(
        &mut self,
        now: Instant,
        error: SourceError,
    ) -> Result<(), SourceError> {
        if matches!(error, SourceError::Unplugged { .. }) {
            self.running = None;
            self.open = None;
            return Err(error);
        }
        self.full.fail(error);
        self.end_full(now, StillAction::Return)
    }

    /// Configures a camera back that has taken a full picture. One that cannot be is closed, and to
    /// be opened anew.
    pub(super) fn configure_back(&mut self) {
        let open = self.open.as_ref();
        let away = open.filter(|open| open.device.purpose() == Purpose::Full);
        if let Some(stream) = away.map(|open| open.stream)
            && let Err(error) = self.change(&stream)
        {
            log::debug!("{error}; opening it anew");
        }
    }

    fn change(&mut self, config: &V4l2Config) -> Result<(), SourceError> {
        let Some(Open {
            path,
            mut device,
            stream,
            full,
        }) = self.open.take()
        else {
            return Ok(());
        };
        let stopped = device
            .stop()
            .map_err(|reason| ("cannot stop it".to_owned(), reason));
        let device = stopped.and_then(|()| {
            device
                .reconfigure(config)
                .map_err(|error| (error.to_string(), error.into_reason()))
        });
        let device = device.map_err(|(what, reason)| failed(&path, &what, reason))?;
        self.open = Some(Open {
            path,
            device,
            stream,
            full,
        });
        Ok(())
    }

    fn start_full(&mut self) -> Result<Option<Layout>, SourceError> {
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let started = open.device.start();
        started.map_err(|reason| failed(&open.path, "cannot start it", reason))?;
        Ok(Some(open.device.layout()))
    }
}
