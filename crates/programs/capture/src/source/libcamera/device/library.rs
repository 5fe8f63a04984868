//! libcamera itself: one in a process, which outlives its cameras.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use eyelid_jpeg::Turn;
use libcamera::camera::Camera;
use libcamera::camera_manager::CameraManager;
use libcamera::logging;

use super::configuration::{LibcameraConfig, configuration};
use super::controls;
use super::description::{Description, describe, full_offers};
use super::events::CallbackEvents;
use crate::source::hardware::choice::Offer;
use crate::source::hardware::control::Control;
use crate::source::hardware::full_pictures::Purpose;

/// libcamera itself: one in a process.
pub(in super::super) struct Library {
    manager: CameraManager,
    pub(super) events: Arc<CallbackEvents>,
}

impl Library {
    /// Starts libcamera, which looks for cameras.
    pub(in super::super) fn start() -> io::Result<Self> {
        let events = Arc::new(CallbackEvents::new()?);
        let mut manager = CameraManager::new()?;
        let plugged = Arc::clone(&events);
        manager.on_camera_added(move |_camera| {
            plugged.added.store(true, Ordering::Relaxed);
            plugged.signal();
        });
        Ok(Self { manager, events })
    }

    /// Lets libcamera write its log to a file.
    pub(in super::super) fn log_to(path: &str) -> io::Result<()> {
        logging::log_set_file(path, false)
    }

    /// Gives the version of the library that is in use.
    pub(in super::super) fn version(&self) -> String {
        self.manager.version().to_owned()
    }

    pub(in super::super) fn events(&self) -> &Arc<CallbackEvents> {
        &self.events
    }

    /// Describes all cameras, in libcamera's order.
    pub(in super::super) fn cameras(&self) -> Vec<Description> {
        let cameras = self.manager.cameras();
        (0..cameras.len())
            .filter_map(|index| cameras.get(index))
            .map(|camera| describe(&camera))
            .collect()
    }

    pub(super) fn camera(&self, id: &str) -> io::Result<Camera<'static>> {
        self.manager
            .get(id)
            .ok_or_else(|| io::Error::other("it is gone"))
    }

    /// Gives the controls of a camera.
    pub(in super::super) fn controls(&self, id: &str) -> io::Result<Vec<Control>> {
        Ok(controls::describe(self.camera(id)?.controls()))
    }

    /// Gives the largest sizes that a camera has for pictures in its full resolution.
    pub(in super::super) fn full_offers(&self, id: &str) -> Vec<Offer> {
        self.camera(id)
            .map_or_else(|_| Vec::new(), |camera| full_offers(&camera))
    }

    /// Gives the fastest and the slowest rate, in frames per second, of each format and size, as
    /// far as the camera says.
    ///
    /// # Errors
    /// Why it cannot be acquired. `EBUSY`: another process has it.
    pub(in super::super) fn rates(&self, description: &Description) -> io::Result<Rates> {
        let mut camera = self.camera(&description.id)?.acquire()?;
        let mut rates = HashMap::new();
        for offer in &description.offers {
            for size in &offer.sizes {
                let config = LibcameraConfig {
                    purpose: Purpose::Frames,
                    format: offer.format,
                    size: *size,
                    turn: Turn::NONE,
                    buffers: None,
                };
                let configured = configuration(&camera, &[config])
                    .and_then(|mut configuration| camera.configure(&mut configuration));
                if configured.is_ok()
                    && let Some(rate) = controls::rate(camera.controls())
                {
                    rates.insert((offer.format.name(), size.width, size.height), rate);
                }
            }
        }
        Ok(rates)
    }
}

/// Frames per second, slowest and fastest, by format, width and height.
pub(in super::super) type Rates = HashMap<(&'static str, u32, u32), (f64, f64)>;
