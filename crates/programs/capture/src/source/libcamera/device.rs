//! The boundary to libcamera. No other module sees a type of its crate.
//!
//! What the crate leaves to its user is kept here: one manager per process; the manager outlives
//! its cameras, a camera its requests and buffers, and no request is destroyed while its camera
//! runs; nothing but a flag, a channel and an eventfd is touched in callbacks, which run on
//! libcamera's own thread. Fields are dropped in the order in which they stand.

mod configuration;
mod configured;
mod controls;
mod description;
mod events;
mod harm;
mod library;
mod memory;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use libcamera::camera::{ActiveCamera, CameraConfiguration};
use libcamera::control::ControlList;
use libcamera::request::Request;

use super::warm_start::Metadata;
use crate::source::hardware::buffer_encoder::Layout;
use crate::source::hardware::control::{Control, Value};
use crate::source::hardware::full_pictures::Purpose;
use configuration::configuration;
use configured::{Configured, set_all};
use events::CallbackEvents;
use harm::StreamFacts;

pub(super) use configuration::LibcameraConfig;
pub(super) use description::Description;
pub(super) use library::{Library, Rates};

/// Why a camera cannot be acquired: what was tried, and the system's reason. `EBUSY`: another
/// process has it.
#[derive(Debug, thiserror::Error)]
pub(super) enum AcquireError {
    /// libcamera does not know it any more.
    #[error("cannot find it")]
    Find(#[source] io::Error),
    /// It is there, and not to be had.
    #[error("cannot acquire it")]
    Acquire(#[source] io::Error),
    /// It does not do what it was chosen for.
    #[error("cannot configure it")]
    Configure(#[source] io::Error),
    /// There is no memory for its frames.
    #[error("cannot allocate buffers")]
    Allocate(#[source] io::Error),
    /// Its memory cannot be read here.
    #[error("cannot map a buffer")]
    Map(#[source] io::Error),
}

impl AcquireError {
    /// Gives the system's reason.
    pub(super) fn into_reason(self) -> io::Error {
        match self {
            Self::Find(reason)
            | Self::Acquire(reason)
            | Self::Configure(reason)
            | Self::Allocate(reason)
            | Self::Map(reason) => reason,
        }
    }
}

/// A camera that is acquired. Fields are dropped in the order in which they stand.
pub(super) struct Device {
    running: bool,
    completed: Receiver<Request>,
    /// `None` where it could not be configured.
    configured: Option<Configured>,
    /// What its stream is like where it is alone.
    alone: Option<StreamFacts>,
    camera: ActiveCamera<'static>,
    events: Arc<CallbackEvents>,
}

/// What has come since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Collected {
    /// There is a new newest frame.
    pub(super) frame: bool,
    /// The camera was unplugged.
    pub(super) disconnected: bool,
}

impl Device {
    /// Acquires and configures a camera.
    ///
    /// # Errors
    /// See [`AcquireError`].
    pub(super) fn acquire(
        library: &Library,
        id: &str,
        config: &LibcameraConfig,
    ) -> Result<Self, AcquireError> {
        let camera = library.camera(id).map_err(AcquireError::Find)?;
        let mut camera = camera.acquire().map_err(AcquireError::Acquire)?;
        let events = Arc::clone(&library.events);
        events.disconnected.store(false, Ordering::Relaxed);
        let unplugged = Arc::clone(&events);
        camera.on_disconnected(move || {
            unplugged.disconnected.store(true, Ordering::Relaxed);
            unplugged.signal();
        });
        let (sender, completed) = channel();
        let done = Arc::clone(&events);
        camera.on_request_completed(move |request| {
            // The receiver lives as long as the camera.
            let _ = sender.send(request);
            done.signal();
        });
        let mut device = Self {
            running: false,
            completed,
            configured: None,
            alone: None,
            camera,
            events,
        };
        device.configure(config)?;
        device.alone = device
            .layout()
            .map(|layout| StreamFacts::of(&device.camera, layout));
        Ok(device)
    }

    /// Configures a camera that is stopped. One that cannot be has no stream.
    ///
    /// # Errors
    /// See [`AcquireError`].
    pub(super) fn configure(&mut self, config: &LibcameraConfig) -> Result<(), AcquireError> {
        let configuration = self.apply(&[*config])?;
        let configured = Configured::new(&mut self.camera, &configuration, config)?;
        self.configured = Some(configured);
        Ok(())
    }

    /// Configures a camera that is stopped to give full pictures beside its frames. One that cannot
    /// be has no stream.
    ///
    /// # Errors
    /// That it has no two streams, or that the frames would suffer from it.
    pub(super) fn configure_both(
        &mut self,
        config: &LibcameraConfig,
        full: &LibcameraConfig,
    ) -> Result<(), AcquireError> {
        let count = self.configured.as_ref().map(Configured::buffer_count);
        let config = LibcameraConfig {
            // One more goes along with the full picture.
            buffers: count.map(|count| count + 1),
            ..*config
        };
        let full = LibcameraConfig {
            buffers: Some(1),
            ..*full
        };
        let configuration = self.apply(&[config, full])?;
        let configured = Configured::with_full(&mut self.camera, &configuration, &config, &full)?;
        let beside = StreamFacts::of(&self.camera, configured.layout());
        let harm = self.alone.as_ref().and_then(|alone| alone.harm(&beside));
        if let Some(harm) = harm {
            return Err(AcquireError::Configure(io::Error::other(harm)));
        }
        self.configured = Some(configured);
        Ok(())
    }

    fn apply(&mut self, configs: &[LibcameraConfig]) -> Result<CameraConfiguration, AcquireError> {
        self.configured = None;
        let configuration = configuration(&self.camera, configs);
        let mut configuration = configuration.map_err(AcquireError::Configure)?;
        self.camera
            .configure(&mut configuration)
            .map_err(AcquireError::Configure)?;
        Ok(configuration)
    }

    /// What it is configured for, if it could be configured.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        self.configured.as_ref().map(Configured::purpose)
    }

    pub(super) fn layout(&self) -> Option<Layout> {
        self.configured.as_ref().map(Configured::layout)
    }

    /// The layout of full pictures, where it gives them beside its frames.
    pub(super) fn full_layout(&self) -> Option<Layout> {
        self.configured.as_ref().and_then(Configured::full_layout)
    }

    pub(super) fn controls(&self) -> Vec<Control> {
        controls::describe(self.camera.controls())
    }

    /// Starts capturing with these controls, and sets the others once the first frame was
    /// begun.
    pub(super) fn start(
        &mut self,
        initial: &[(u32, Value)],
        follow_up: Vec<(u32, Value)>,
    ) -> io::Result<()> {
        let not_configured = || io::Error::other("it is not configured");
        let configured = self.configured.as_mut().ok_or_else(not_configured)?;
        let mut list = ControlList::new();
        set_all(&mut list, initial);
        self.camera.start(Some(&list))?;
        self.running = true;
        configured.queue_all(&self.camera, follow_up)
    }

    /// Has the next exposure taken in the full size, too: [`Device::full`].
    pub(super) fn request_full(&mut self) -> io::Result<()> {
        match &mut self.configured {
            Some(configured) if self.running => configured.request_full(&self.camera),
            _ => Ok(()),
        }
    }

    /// Stops capturing. The camera stays acquired and configured.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        if !self.running {
            return Ok(());
        }
        let stopped = self.camera.stop();
        self.running = false;
        if let Some(configured) = &mut self.configured {
            configured.stopped();
        }
        self.collect();
        stopped
    }

    /// Takes in completed requests. Only the newest good one stays at hand; the others are queued
    /// again.
    pub(super) fn collect(&mut self) -> Collected {
        let mut collected = Collected {
            disconnected: self.events.disconnected.load(Ordering::Relaxed),
            ..Collected::default()
        };
        loop {
            match self.completed.try_recv() {
                Ok(request) => {
                    collected.frame |= self.take(request);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return collected,
            }
        }
    }

    /// Says whether a frame is at hand.
    pub(super) fn has_frame(&self) -> bool {
        self.configured.as_ref().is_some_and(Configured::has_frame)
    }

    /// What the metadata of the newest frame say, and its timestamp in nanoseconds of the
    /// sensor's clock.
    pub(super) fn newest(&self) -> Option<(Metadata, Option<u64>)> {
        self.configured.as_ref().and_then(Configured::newest)
    }

    /// The timestamp of the full picture at hand beside the frames, if there is one.
    pub(super) fn full(&self) -> Option<Option<u64>> {
        self.configured.as_ref().and_then(Configured::full)
    }

    /// The full picture at hand is wanted no longer.
    pub(super) fn drop_full(&mut self) {
        if let Some(configured) = &mut self.configured {
            configured.drop_full();
        }
    }

    /// Gives the planes of the newest frame; of MJPEG the one with the JPEG, as long as it is.
    pub(super) fn planes(&mut self) -> Option<Vec<&[u8]>> {
        self.configured.as_mut().and_then(Configured::planes)
    }

    /// Gives those of the full picture at hand beside the frames.
    pub(super) fn full_planes(&mut self) -> Option<Vec<&[u8]>> {
        self.configured.as_mut().and_then(Configured::full_planes)
    }

    fn take(&mut self, request: Request) -> bool {
        match &mut self.configured {
            Some(configured) if self.running => configured.take(&self.camera, request),
            Some(configured) => {
                configured.rest(request);
                false
            }
            None => false,
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            log::debug!("libcamera: stop: {error}");
        }
    }
}
