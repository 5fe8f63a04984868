//! `libcamera`: cameras on the sensor connectors of a Pi, and USB cameras.
//!
//! The camera is acquired and configured once. Awake it captures, and the newest frame stays in
//! its buffer until somebody wants it; asleep it is stopped, but stays acquired, so that it wakes
//! quickly. Everything runs in the one thread that drives the camera; libcamera's own thread
//! signals an eventfd when there is something to take in.

mod device;
mod find;
mod full;
mod list;
mod log;
mod prepared;
mod warm_start;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use super::SourceError;
use super::hardware::buffer_encoder::BufferEncoder;
use super::hardware::choice;
use super::hardware::control;
use super::hardware::frame_rate::FrameRate;
use super::hardware::full_pictures::{FullPictures, Purpose};
use super::hardware::silence::{self, Attempt};
use crate::Settings;
use device::{Device, LibcameraConfig, Library};
use eyelid_producer::{EncodedFrame, PlanesFrame, Source, SourceStatus};
use eyelid_slot::RenditionSet;
use find::{cameras_of, failed, pick, start_anew};
use log::LibraryLog;
use prepared::{PREREQUISITES, Prepared, captured, frame_duration_limits};
use warm_start::{Metadata, Settling};

pub(crate) use list::{cameras, controls};

/// A camera that libcamera drives.
pub(crate) struct Libcamera {
    // Dropped in this order: the camera before libcamera, libcamera before the end of its log.
    device: Option<Device>,
    library: Option<Library>,
    log: LibraryLog,
    settings: Settings,
    /// It has found the camera, whether or not it could be acquired.
    found: bool,
    prepared: Option<Prepared>,
    running: Option<Running>,
    sequence: u64,
    captured: SystemTime,
    /// What was known of the light last.
    last: Metadata,
    encoder: BufferEncoder,
    full: FullPictures,
}

/// A camera that captures.
struct Running {
    heard_at: Instant,
    settling: Settling,
    frame_rate: FrameRate,
    attempt: Attempt,
}

impl Libcamera {
    /// Acquires and configures the camera. One that is not there, or that another process has, may
    /// come later.
    ///
    /// # Errors
    /// What was asked for that the camera does not have.
    pub(crate) fn open(settings: &Settings) -> Result<Self, SourceError> {
        let mut source = Self::new(settings)?;
        match source.prepare() {
            Err(error) if error.is_setup() => Err(error),
            Err(error) => {
                ::log::warn!("{error}; trying again when somebody looks");
                Ok(source)
            }
            Ok(()) => Ok(source),
        }
    }

    /// Acquires and configures the camera as [`Libcamera::open`] does, and says nothing where there
    /// is none.
    ///
    /// # Errors
    /// What was asked for that the camera does not have.
    pub(crate) fn look(settings: &Settings) -> Result<Self, SourceError> {
        let mut source = Self::new(settings)?;
        match source.prepare() {
            Err(error) if error.is_setup() => return Err(error),
            Err(error) if source.found => {
                ::log::warn!("{error}; trying again when somebody looks");
            }
            Err(error) => ::log::debug!("{error}"),
            Ok(()) => {}
        }
        Ok(source)
    }

    fn new(settings: &Settings) -> Result<Self, SourceError> {
        let log = LibraryLog::start(Library::log_to).map_err(|reason| SourceError::Libcamera {
            what: "cannot take over its log".to_owned(),
            reason: Some(reason),
        })?;
        Ok(Self {
            device: None,
            library: None,
            log,
            settings: settings.clone(),
            found: false,
            prepared: None,
            running: None,
            sequence: 0,
            captured: SystemTime::UNIX_EPOCH,
            last: Metadata::default(),
            encoder: BufferEncoder::new(settings),
            full: FullPictures::new(settings),
        })
    }

    /// Says whether there was a camera when it was looked for last.
    pub(crate) fn has_camera(&self) -> bool {
        self.found
    }

    fn prepare(&mut self) -> Result<(), SourceError> {
        self.device = None;
        self.found = false;
        let library = start_anew(&mut self.library, &mut self.log)?;
        let cameras = cameras_of(library, &mut self.log)?;
        let camera = pick(&cameras, self.settings.camera.as_deref())?;
        self.found = true;
        let unsuitable = |what: String| SourceError::Unsuitable {
            id: camera.id.clone(),
            what,
        };
        let (format, size) =
            choice::choose(&camera.offers, self.settings.size, self.settings.limits)
                .map_err(|error| unsuitable(error.to_string()))?;
        let config = LibcameraConfig {
            purpose: Purpose::Frames,
            format,
            size,
            turn: self.settings.turn(),
            buffers: self.settings.buffers.map(|buffers| buffers.count()),
        };
        let device = Device::acquire(library, &camera.id, &config)
            .map_err(|error| failed(camera, &error.to_string(), error.into_reason()))?;
        let controls = device.controls();
        let set = control::read(&self.settings.control, &controls, &PREREQUISITES)
            .map_err(|error| unsuitable(error.to_string()))?;
        let Some(layout) = device.layout() else {
            return Ok(());
        };
        if self.settings.size.is_some_and(|size| size != layout.size) {
            ::log::warn!("camera {:?} gives {}, not {size}", camera.id, layout.size);
        }
        ::log::info!(
            "libcamera {}: camera {:?}, {} {}",
            library.version(),
            camera.id,
            layout.size,
            layout.format.name()
        );
        self.encoder.configure(layout);
        let offers = self.log.hushed(|| library.full_offers(&camera.id));
        let full = full::config(&offers, &config, layout.size);
        self.full.found(full.map(|full| full.size));
        self.prepared = Some(Prepared {
            id: camera.id.clone(),
            rate: frame_duration_limits(&self.settings, &controls),
            controls,
            set,
            stream: config,
            full,
            full_way: None,
        });
        self.device = Some(device);
        Ok(())
    }

    /// Starts the camera, acquiring it where that has not been done.
    fn begin(&mut self, now: Instant, attempt: Attempt) -> Result<(), SourceError> {
        self.configure_back();
        if self.device.is_none() {
            self.prepare()?;
        }
        let (Some(device), Some(prepared)) = (&mut self.device, &self.prepared) else {
            return Ok(());
        };
        let (mut initial, follow_up) = prepared.start_controls(&self.last, &self.settings);
        initial.extend(prepared.rate.clone());
        if let Err(reason) = device.start(&initial, follow_up) {
            self.device = None;
            return Err(SourceError::Camera {
                id: prepared.id.clone(),
                what: "cannot start it".to_owned(),
                reason,
            });
        }
        self.running = Some(Running {
            heard_at: now,
            settling: Settling::begin(now),
            frame_rate: FrameRate::new(self.settings.fps.map(|fps| fps.interval())),
            attempt,
        });
        Ok(())
    }

    fn end(&mut self) {
        self.running = None;
        if let Some(device) = &mut self.device
            && let Err(error) = device.stop()
        {
            ::log::warn!("libcamera: cannot stop the camera: {error}; releasing it");
            self.device = None;
        }
    }

    fn id(&self) -> String {
        let prepared = self.prepared.as_ref();
        prepared.map_or_else(String::new, |prepared| prepared.id.clone())
    }

    fn timeout(&self) -> Duration {
        silence::timeout(&self.settings)
    }

    /// Does the next thing that may bring a camera back that gives nothing.
    fn revive(&mut self, now: Instant, attempt: Attempt) -> Result<(), SourceError> {
        let seconds = self.timeout().as_secs_f64();
        let id = self.id();
        match attempt {
            Attempt::Started => {
                ::log::warn!(
                    "camera {id:?} gave no frame for {seconds}s: stopping and starting it"
                );
                self.end();
                self.begin(now, Attempt::Restarted)
            }
            Attempt::Restarted => {
                ::log::warn!("camera {id:?} gave no frame for {seconds}s: acquiring it anew");
                self.end();
                self.device = None;
                self.begin(now, Attempt::Reacquired)
            }
            Attempt::Reacquired => Err(SourceError::Hung { id, seconds }),
        }
    }

    fn take_in(&mut self, now: Instant) {
        let (Some(device), Some(running)) = (&self.device, &mut self.running) else {
            return;
        };
        let Some((metadata, timestamp)) = device.newest() else {
            return;
        };
        let captured = captured(timestamp);
        if self.full.is_away() {
            self.full.frame(now, captured, metadata.exposure());
            return;
        }
        self.full.stream_goes_on(now);
        self.captured = captured;
        self.sequence += 1;
        running.heard_at = now;
        running.attempt = Attempt::Started;
        running.settling.see(&metadata, now);
        running.frame_rate.see(self.captured);
        self.last = metadata;
    }
}

impl Source for Libcamera {
    type Error = SourceError;

    fn start(&mut self, now: Instant) -> Result<(), SourceError> {
        self.begin(now, Attempt::Started)
    }

    fn stop(&mut self, now: Instant) {
        self.full.end(now);
        self.end();
        // Here, and not when it wakes: it is to wake quickly, and to hold little memory until then.
        self.configure_back();
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let library = self.library.iter();
        library.map(|library| library.events().as_fd()).collect()
    }

    fn deadline(&self) -> Option<Instant> {
        let running = self.running.as_ref()?;
        let silent = running.heard_at + self.timeout();
        let silent = (!self.full.is_away()).then_some(silent);
        self.full.deadline().into_iter().chain(silent).min()
    }

    fn advance(&mut self, now: Instant) -> Result<(), SourceError> {
        if let Some(library) = &self.library {
            library.events().take_in();
        }
        let Some(device) = &mut self.device else {
            return Ok(());
        };
        let collected = device.collect();
        if collected.disconnected {
            let unplugged = SourceError::Unplugged { id: self.id() };
            self.device = None;
            self.found = false;
            return match self.running.take() {
                Some(_) => Err(unplugged),
                None => {
                    ::log::warn!("{unplugged}");
                    Ok(())
                }
            };
        }
        if collected.frame {
            self.take_in(now);
        }
        self.take_in_full(now);
        if let Some(action) = self.full.next(now) {
            return self.end_full(now, action);
        }
        match &self.running {
            Some(_) if self.full.is_away() => Ok(()),
            Some(running) if now >= running.heard_at + self.timeout() => {
                self.revive(now, running.attempt)
            }
            _ => Ok(()),
        }
    }

    fn status(&self) -> SourceStatus {
        let device = self.device.as_ref().filter(|_| !self.full.is_away());
        let has_frame = device.is_some_and(Device::has_frame);
        let running = self.running.as_ref();
        SourceStatus {
            sequence: has_frame.then_some(self.sequence),
            works: has_frame,
            keeps_rate: running.is_some_and(|running| running.frame_rate.is_kept()),
            settling: running.is_some_and(|running| running.settling.holds()),
            full: self.full.sequence(),
            full_totals: self.full.totals(),
            ..SourceStatus::default()
        }
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let device = self.device.as_mut().filter(|_| !self.full.is_away());
        let planes = device.and_then(Device::planes);
        self.encoder.encode(planes, self.captured)
    }

    fn planes(&mut self, _now: Instant) -> Result<Option<PlanesFrame<'_>>, SourceError> {
        let device = self.device.as_mut().filter(|_| !self.full.is_away());
        let planes = device.and_then(Device::planes);
        self.encoder.planes(planes, self.captured)
    }

    fn offers(&self) -> RenditionSet {
        self.encoder.offers()
    }

    fn full_size(&self) -> Option<(u32, u32)> {
        self.full.size()
    }

    fn wish_full(&mut self, now: Instant) -> Result<(), SourceError> {
        self.begin_full(now)
    }

    fn encode_full(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let is_away = self.full.is_away();
        let planes = self.device.as_mut().and_then(|device| {
            if is_away {
                device.planes()
            } else {
                device.full_planes()
            }
        });
        Ok(self.full.encode(planes))
    }

    fn waiting(&self) -> String {
        self.full.waiting()
    }

    fn take_returned(&mut self) -> bool {
        let library = self.library.as_ref();
        self.device.is_none() && library.is_some_and(|library| library.events().take_added())
    }
}
