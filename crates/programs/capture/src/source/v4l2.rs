//! `v4l2`: cameras that the kernel drives by itself, as USB cameras. (Those on a Pi's connectors
//! need libcamera.)
//!
//! The camera is opened and configured once. Awake it captures, and the newest frame stays in
//! its buffer until somebody wants it; asleep it is stopped, but stays open with its buffers, so
//! that it wakes quickly and nobody else takes it.

mod arrivals;
mod controls;
mod device;
mod find;
mod full;
mod list;
mod opening;
mod rate;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use eyelid_producer::{EncodedFrame, PlanesFrame, Source, SourceStatus};
use eyelid_slot::RenditionSet;
use nix::errno::Errno;

use super::SourceError;
use super::hardware::buffer_encoder::BufferEncoder;
use super::hardware::choice;
use super::hardware::control::{self, ControlError, Value};
use super::hardware::frame_rate::FrameRate;
use super::hardware::full_pictures::{FullPictures, Purpose};
use super::hardware::silence::{self, Attempt};
use super::hardware::timestamp::Clocks;
use super::still::AutoExposure;
use crate::Settings;
use arrivals::Arrivals;
use device::{V4l2Config, V4l2Device, is};
use opening::{failed, find_and_open};

pub(crate) use list::{cameras, controls};

/// A camera that the kernel drives.
pub(crate) struct V4l2 {
    /// A path, or a part of what the camera is called.
    wanted: Option<String>,
    settings: Settings,
    arrivals: Arrivals,
    open: Option<Open>,
    running: Option<RunningCamera>,
    sequence: u64,
    captured: SystemTime,
    encoder: BufferEncoder,
    full: FullPictures,
}

/// The camera that is open.
struct Open {
    path: PathBuf,
    device: V4l2Device,
    stream: V4l2Config,
    /// For pictures in its full resolution, if that is larger.
    full: Option<V4l2Config>,
}

/// A camera that captures.
struct RunningCamera {
    heard_at: Instant,
    frame_rate: FrameRate,
    attempt: Attempt,
}

impl V4l2 {
    /// Makes a source that looks for its camera when it is started.
    pub(crate) fn new(wanted: Option<&str>, settings: &Settings) -> Self {
        let wanted = wanted.or(settings.camera.as_deref());
        Self {
            wanted: wanted.map(str::to_owned),
            settings: settings.clone(),
            // Before the first look: what comes in between is seen.
            arrivals: Arrivals::watch(Path::new(find::DEVICES)),
            open: None,
            running: None,
            sequence: 0,
            captured: SystemTime::UNIX_EPOCH,
            encoder: BufferEncoder::new(settings),
            full: FullPictures::new(settings),
        }
    }

    /// Opens and configures the camera. One that is not there, or that another process has, may
    /// come later.
    ///
    /// # Errors
    /// What was asked for that the camera does not have.
    pub(crate) fn open(wanted: Option<&str>, settings: &Settings) -> Result<Self, SourceError> {
        let mut source = Self::new(wanted, settings);
        match source.prepare(Instant::now()) {
            Err(error) if error.is_setup() => Err(error),
            Err(error) => {
                log::warn!("{error}; trying again when somebody looks");
                Ok(source)
            }
            Ok(()) => Ok(source),
        }
    }

    /// Says whether a camera is open.
    #[cfg(feature = "libcamera")]
    pub(crate) fn has_camera(&self) -> bool {
        self.open.is_some()
    }

    fn prepare(&mut self, now: Instant) -> Result<(), SourceError> {
        // Before it is looked for: a device that is gone keeps its number as long as it is open.
        self.open = None;
        self.arrivals.forget_gone(now);
        let (camera, node) = find_and_open(self.wanted.as_deref())?;
        let id = || camera.path.display().to_string();
        let unsuitable = |what: String| SourceError::Unsuitable { id: id(), what };
        let settings = &self.settings;
        let offers: Vec<_> = camera.offers.iter().map(|(_, o)| o.clone()).collect();
        let (format, size) = choice::choose(&offers, settings.size, settings.limits)
            .map_err(|error| unsuitable(error.to_string()))?;
        let fourcc = camera.fourcc(format);
        let rates = rate::V4l2Rates::of(&node, fourcc, (size.width, size.height));
        let config = V4l2Config {
            purpose: Purpose::Frames,
            format,
            fourcc,
            size,
            interval: settings.fps.map(|fps| rates.choose(fps)),
            turn: settings.turn(),
            buffers: settings.buffers.map(|buffers| buffers.count()),
        };
        // Read before the camera is configured: a mistake in them is told even of one that is busy.
        let controls = controls::describe(&node);
        let set = self.controls_to_set(&controls);
        let set = set.map_err(|error| unsuitable(error.to_string()))?;
        let device = V4l2Device::configure(node, &config)
            .map_err(|error| failed(&camera.path, &error.to_string(), error.into_reason()))?;
        controls::set(device.node(), &id(), &set, &controls);
        let layout = device.layout();
        if settings.size.is_some_and(|size| size != layout.size) {
            log::warn!("camera {:?} gives {}, not {size}", id(), layout.size);
        }
        let rate = device.interval().map(rate::rate);
        log::info!(
            "v4l2: camera {:?} ({}), {} {}{}",
            id(),
            camera.card,
            layout.size,
            layout.format.name(),
            rate.map_or_else(String::new, |fps| format!(
                ", {} fps",
                (fps * 10.0).round() / 10.0
            ))
        );
        self.encoder.configure(layout);
        let full = full::config(&camera, &offers, &config, layout.size);
        self.full.found(full.map(|full| full.size));
        self.open = Some(Open {
            path: camera.path,
            device,
            stream: config,
            full,
        });
        Ok(())
    }

    fn controls_to_set(
        &self,
        controls: &[control::Control],
    ) -> Result<Vec<(u32, Value)>, ControlError> {
        let settings = controls::plainly(&self.settings.control, controls);
        control::read(&settings, controls, &controls::PREREQUISITES)
    }

    /// Starts the camera, opening it where that has not been done.
    fn begin(&mut self, now: Instant, attempt: Attempt) -> Result<(), SourceError> {
        self.configure_back();
        let was_open = self.open.is_some();
        if !was_open {
            self.prepare(now)?;
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        if let Err(reason) = open.device.start() {
            let failed = failed(&open.path, "cannot start it", reason);
            self.open = None;
            // Unplugged while it slept, and perhaps plugged in again since.
            return match failed {
                SourceError::Unplugged { .. } if was_open => self.begin(now, attempt),
                other => Err(other),
            };
        }
        self.running = Some(RunningCamera {
            heard_at: now,
            frame_rate: FrameRate::new(self.settings.fps.map(|fps| fps.interval())),
            attempt,
        });
        Ok(())
    }

    fn end(&mut self) {
        self.running = None;
        if let Some(open) = &mut self.open
            && let Err(error) = open.device.stop()
        {
            // One that was unplugged is told of already.
            if !is(&error, Errno::ENODEV) {
                log::warn!("v4l2: cannot stop the camera: {error}; closing it");
            }
            self.open = None;
        }
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
                log::warn!("camera {id:?} gave no frame for {seconds}s: stopping and starting it");
                self.end();
                self.begin(now, Attempt::Restarted)
            }
            Attempt::Restarted => {
                log::warn!("camera {id:?} gave no frame for {seconds}s: opening it anew");
                self.end();
                self.open = None;
                self.begin(now, Attempt::Reacquired)
            }
            Attempt::Reacquired => Err(SourceError::Hung { id, seconds }),
        }
    }

    fn id(&self) -> String {
        let open = self.open.as_ref();
        open.map_or_else(String::new, |open| open.path.display().to_string())
    }

    fn take_in(&mut self, now: Instant) -> Result<(), SourceError> {
        let (Some(open), Some(running)) = (&mut self.open, &mut self.running) else {
            return Ok(());
        };
        let timestamp = match open.device.collect() {
            Ok(None) => return Ok(()),
            Ok(Some(timestamp)) => timestamp,
            Err(reason) => {
                let failed = failed(&open.path, "cannot get a frame of it", reason);
                if self.full.is_away() {
                    return self.give_up_full(now, failed);
                }
                self.running = None;
                self.open = None;
                return Err(failed);
            }
        };
        let clocks = Clocks::now();
        let captured = clocks.captured(timestamp).unwrap_or(clocks.real);
        if self.full.is_away() {
            self.full.frame(now, captured, AutoExposure::Unknown);
            return Ok(());
        }
        self.full.stream_goes_on(now);
        self.captured = captured;
        self.sequence += 1;
        running.heard_at = now;
        running.attempt = Attempt::Started;
        running.frame_rate.see(self.captured);
        Ok(())
    }
}

impl Source for V4l2 {
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
        // Asleep, the camera's own would say "error" all the time.
        let camera = self.open.as_ref().filter(|_| self.running.is_some());
        let camera = camera.map(|open| open.device.as_fd());
        camera
            .into_iter()
            .chain(self.arrivals.descriptor())
            .collect()
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.running {
            Some(_) if self.full.is_away() => self.full.deadline(),
            Some(running) => {
                let silent = running.heard_at + self.timeout();
                self.full.deadline().into_iter().chain([silent]).min()
            }
            None if self.open.is_none() => self.arrivals.deadline(),
            None => None,
        }
    }

    fn advance(&mut self, now: Instant) -> Result<(), SourceError> {
        self.arrivals.see(now);
        if let Some(open) = &self.open
            && self.arrivals.take_gone(&open.path)
        {
            let unplugged = SourceError::Unplugged { id: self.id() };
            self.open = None;
            return match self.running.take() {
                Some(_) => Err(unplugged),
                None => {
                    log::warn!("{unplugged}");
                    Ok(())
                }
            };
        }
        self.take_in(now)?;
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
        let device = self.open.as_ref().map(|open| &open.device);
        let has_frame = !self.full.is_away() && device.is_some_and(V4l2Device::has_frame);
        let running = self.running.as_ref();
        SourceStatus {
            sequence: has_frame.then_some(self.sequence),
            works: has_frame,
            keeps_rate: running.is_some_and(|running| running.frame_rate.is_kept()),
            fps: device.and_then(V4l2Device::interval).map(rate::rate),
            full: self.full.sequence(),
            full_totals: self.full.totals(),
            ..SourceStatus::default()
        }
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let open = self.open.as_ref().filter(|_| !self.full.is_away());
        let planes = open.and_then(|open| open.device.planes());
        self.encoder.encode(planes, self.captured)
    }

    fn planes(&mut self, _now: Instant) -> Result<Option<PlanesFrame<'_>>, SourceError> {
        let open = self.open.as_ref().filter(|_| !self.full.is_away());
        let planes = open.and_then(|open| open.device.planes());
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
        let open = self.open.as_ref().filter(|_| self.full.is_away());
        let planes = open.and_then(|open| open.device.planes());
        Ok(self.full.encode(planes))
    }

    fn waiting(&self) -> String {
        self.full.waiting()
    }

    fn take_returned(&mut self) -> bool {
        let come = self.arrivals.take_come();
        come && self.open.is_none()
    }
}
