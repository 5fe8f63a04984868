//! `libcamera`: cameras on the sensor connectors of a Pi, and USB cameras.
//!
//! The camera is acquired and configured once. Awake it captures, and the newest frame stays in
//! its buffer until somebody wants it; asleep it is stopped, but stays acquired, so that it wakes
//! quickly. Everything runs in the one thread that drives the camera; libcamera's own thread
//! signals an eventfd when there is something to take in.

mod device;
mod find;
mod list;
mod log;
mod warm_start;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant, SystemTime};

use super::SourceError;
use super::hardware::buffer_encoder::BufferEncoder;
use super::hardware::choice;
use super::hardware::control::{self, Control, Prerequisite, Value};
use super::hardware::frame_rate::FrameRate;
use super::hardware::silence::{self, Attempt};
use super::hardware::timestamp::Clocks;
use crate::Settings;
use device::{Device, LibcameraConfig, Library};
use eyelid_producer::{EncodedFrame, PlanesFrame, Source, SourceStatus};
use eyelid_slot::RenditionSet;
use find::{cameras_of, failed, pick, start_anew};
use log::LibraryLog;
use warm_start::{Metadata, Settling, warm_start};

pub(crate) use list::{cameras, controls};

/// Controls that do nothing while libcamera sets them by itself (`ExposureTimeMode`,
/// `AnalogueGainMode`, `AwbEnable`).
const PREREQUISITES: [Prerequisite; 3] = [
    ("ExposureTime", "ExposureTimeMode", "Manual"),
    ("AnalogueGain", "AnalogueGainMode", "Manual"),
    ("ColourGains", "AwbEnable", "false"),
];

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
}

/// A control by its id, and what it is set to.
type Set = (u32, Value);

/// What is known of the camera that is acquired.
struct Prepared {
    id: String,
    controls: Vec<Control>,
    /// What the user has set, and the rate.
    set: Vec<Set>,
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
            format,
            size,
            turn: self.settings.turn(),
            buffers: self.settings.buffers.map(|buffers| buffers.count()),
        };
        let device = Device::acquire(library, &camera.id, &config)
            .map_err(|error| failed(camera, &error.to_string(), error.into_reason()))?;
        let controls = device.controls();
        let mut set = control::read(&self.settings.control, &controls, &PREREQUISITES)
            .map_err(|error| unsuitable(error.to_string()))?;
        if let Some(limits) = frame_duration_limits(&self.settings, &controls) {
            set.insert(0, limits);
        }
        let layout = device.layout();
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
        self.prepared = Some(Prepared {
            id: camera.id.clone(),
            controls,
            set,
        });
        self.device = Some(device);
        Ok(())
    }

    /// Starts the camera, acquiring it where that has not been done.
    fn begin(&mut self, now: Instant, attempt: Attempt) -> Result<(), SourceError> {
        if self.device.is_none() {
            self.prepare()?;
        }
        let (Some(device), Some(prepared)) = (&mut self.device, &self.prepared) else {
            return Ok(());
        };
        let (initial, follow_up) = prepared.start_controls(&self.last, &self.settings);
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

    fn timeout(&self) -> Duration {
        silence::timeout(&self.settings)
    }

    /// Does the next thing that may bring a camera back that gives nothing.
    fn revive(&mut self, now: Instant, attempt: Attempt) -> Result<(), SourceError> {
        let seconds = self.timeout().as_secs_f64();
        let id = self.prepared.as_ref().map_or("", |prepared| &prepared.id);
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
            Attempt::Reacquired => Err(SourceError::Hung {
                id: id.to_owned(),
                seconds,
            }),
        }
    }

    fn take_in(&mut self, now: Instant) {
        let (Some(device), Some(running)) = (&self.device, &mut self.running) else {
            return;
        };
        let Some((metadata, timestamp)) = device.newest() else {
            return;
        };
        let clocks = Clocks::now();
        self.captured = timestamp
            .and_then(|ns| clocks.captured(ns))
            .unwrap_or(clocks.real);
        self.sequence += 1;
        running.heard_at = now;
        running.attempt = Attempt::Started;
        running.settling.see(&metadata, now);
        running.frame_rate.see(self.captured);
        self.last = metadata;
    }
}

impl Prepared {
    fn start_controls(&self, last: &Metadata, settings: &Settings) -> (Vec<Set>, Vec<Set>) {
        let id = |name: &str| {
            let control = self.controls.iter().find(|control| control.name == name);
            control.map(|control| control.id)
        };
        let by_user = |name: &str| settings.control.iter().any(|set| set.name == name);
        let (start, after) = warm_start(last, |name| id(name).is_some(), by_user);
        let by_id = |controls: warm_start::Controls| {
            let controls = controls.into_iter();
            controls.filter_map(|(name, value)| Some((id(name)?, value)))
        };
        let initial = by_id(start).chain(self.set.iter().cloned()).collect();
        (initial, by_id(after).collect())
    }
}

impl Source for Libcamera {
    type Error = SourceError;

    fn start(&mut self, now: Instant) -> Result<(), SourceError> {
        self.begin(now, Attempt::Started)
    }

    fn stop(&mut self, _now: Instant) {
        self.end();
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let library = self.library.iter();
        library.map(|library| library.events().as_fd()).collect()
    }

    fn deadline(&self) -> Option<Instant> {
        let running = self.running.as_ref()?;
        Some(running.heard_at + self.timeout())
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
            let id = self.prepared.as_ref().map_or("", |prepared| &prepared.id);
            let unplugged = SourceError::Unplugged { id: id.to_owned() };
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
        match &self.running {
            Some(running) if now >= running.heard_at + self.timeout() => {
                self.revive(now, running.attempt)
            }
            _ => Ok(()),
        }
    }

    fn status(&self) -> SourceStatus {
        let has_frame = self.device.as_ref().is_some_and(Device::has_frame);
        let running = self.running.as_ref();
        SourceStatus {
            sequence: has_frame.then_some(self.sequence),
            works: has_frame,
            keeps_rate: running.is_some_and(|running| running.frame_rate.is_kept()),
            settling: running.is_some_and(|running| running.settling.holds()),
            fps: None,
        }
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let planes = self.device.as_mut().and_then(Device::planes);
        self.encoder.encode(planes, self.captured)
    }

    fn planes(&mut self, _now: Instant) -> Result<Option<PlanesFrame<'_>>, SourceError> {
        let planes = self.device.as_mut().and_then(Device::planes);
        self.encoder.planes(planes, self.captured)
    }

    fn offers(&self) -> RenditionSet {
        self.encoder.offers()
    }

    fn take_returned(&mut self) -> bool {
        let library = self.library.as_ref();
        self.device.is_none() && library.is_some_and(|library| library.events().take_added())
    }
}

/// The rate that was asked for, as the camera is told of it.
fn frame_duration_limits(settings: &Settings, controls: &[Control]) -> Option<Set> {
    let name = "FrameDurationLimits";
    if settings.control.iter().any(|set| set.name == name) {
        return None;
    }
    let control = controls.iter().find(|control| control.name == name)?;
    let us = i64::try_from(settings.fps?.interval().as_micros()).unwrap_or(i64::MAX);
    let bound = |value: &Option<Value>| match value {
        Some(Value::Integer(us)) => us.first().copied().filter(|us| *us > 0),
        _ => None,
    };
    let us = us
        .max(bound(&control.min).unwrap_or(us))
        .min(bound(&control.max).unwrap_or(us));
    Some((control.id, Value::Integer(vec![us, us])))
}
