//! The boundary to libcamera. No other module sees a type of its crate.
//!
//! What the crate leaves to its user is kept here: one manager per process; the manager outlives its cameras, a camera its
//! requests and buffers, and no request is destroyed while its camera runs; nothing but a flag, a channel and an eventfd is
//! touched in callbacks, which run on libcamera's own thread. Fields are dropped in the order in which they stand.

mod controls;
mod memory;

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use eyelid_config::Size;
use libcamera::camera::{ActiveCamera, Camera, CameraConfiguration, Orientation};
use libcamera::camera_manager::CameraManager;
use libcamera::color_space::{ColorSpace, Range as ColorRange};
use libcamera::control::ControlList;
use libcamera::framebuffer::{AsFrameBuffer, FrameMetadataStatus};
use libcamera::framebuffer_allocator::{FrameBuffer, FrameBufferAllocator};
use libcamera::pixel_format::PixelFormat;
use libcamera::request::{Request, RequestStatus, ReuseFlag};
use libcamera::stream::{Stream, StreamConfigurationRef, StreamFormatsRef, StreamRole};
use libcamera::{logging, properties};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::warm_start::Metadata;
use crate::source::hardware::buffer_encoder::Layout;
use crate::source::hardware::choice::{FORMATS, Format, Offer, Range};
use crate::source::hardware::control::{Control, Value};
use eyelid_jpeg::Turn;
use memory::{DmaBuffer, Plane};

/// What libcamera's callbacks touch.
pub(super) struct Bell {
    fd: EventFd,
    added: AtomicBool,
    disconnected: AtomicBool,
}

impl Bell {
    fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            fd: EventFd::from_value_and_flags(0, flags)?,
            added: AtomicBool::new(false),
            disconnected: AtomicBool::new(false),
        })
    }

    fn ring(&self) {
        // It fails only where it has rung 2^64 times already.
        let _ = self.fd.write(1);
    }

    /// Takes the ringing in.
    pub(super) fn hear(&self) {
        // It fails where it has not rung.
        let _ = self.fd.read();
    }

    /// Says whether a camera has been plugged in since this was asked last.
    pub(super) fn take_added(&self) -> bool {
        self.added.swap(false, Ordering::Relaxed)
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// libcamera itself: one in a process.
pub(super) struct Library {
    manager: CameraManager,
    bell: Arc<Bell>,
}

impl Library {
    /// Starts libcamera, which looks for cameras.
    pub(super) fn start() -> io::Result<Self> {
        let bell = Arc::new(Bell::new()?);
        let mut manager = CameraManager::new()?;
        let plugged = Arc::clone(&bell);
        manager.on_camera_added(move |_camera| {
            plugged.added.store(true, Ordering::Relaxed);
            plugged.ring();
        });
        Ok(Self { manager, bell })
    }

    /// Lets libcamera write its log to a file.
    pub(super) fn log_to(path: &str) -> io::Result<()> {
        logging::log_set_file(path, false)
    }

    /// Gives the version of the library that is in use.
    pub(super) fn version(&self) -> String {
        self.manager.version().to_owned()
    }

    pub(super) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Describes all cameras, in libcamera's order.
    pub(super) fn cameras(&self) -> Vec<Description> {
        let cameras = self.manager.cameras();
        (0..cameras.len())
            .filter_map(|index| cameras.get(index))
            .map(|camera| describe(&camera))
            .collect()
    }

    fn camera(&self, id: &str) -> io::Result<Camera<'static>> {
        self.manager
            .get(id)
            .ok_or_else(|| io::Error::other("it is gone"))
    }

    /// Gives the controls of a camera.
    pub(super) fn controls(&self, id: &str) -> io::Result<Vec<Control>> {
        Ok(controls::describe(self.camera(id)?.controls()))
    }

    /// Gives the fastest and the slowest rate, in frames per second, of each format and size, as far as the camera says.
    ///
    /// # Errors
    /// Why it cannot be acquired. `EBUSY`: another process has it.
    pub(super) fn rates(&self, description: &Description) -> io::Result<Rates> {
        let mut camera = self.camera(&description.id)?.acquire()?;
        let mut rates = HashMap::new();
        for offer in &description.offers {
            for size in &offer.sizes {
                let config = Config {
                    format: offer.format,
                    size: *size,
                    turn: Turn::NONE,
                    buffers: None,
                };
                let configured = configuration(&camera, &config)
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
pub(super) type Rates = HashMap<(&'static str, u32, u32), (f64, f64)>;

/// A camera, as it describes itself.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) id: String,
    pub(super) model: Option<String>,
    /// `front`, `back` or `external`.
    pub(super) location: Option<&'static str>,
    /// How it is mounted, in degrees clockwise.
    pub(super) rotation: Option<i32>,
    /// Formats and sizes that can be used here.
    pub(super) offers: Vec<Offer>,
    /// Names of the other formats.
    pub(super) others: Vec<String>,
    /// Numbers of the devices it is made of.
    pub(super) devices: Vec<u64>,
}

fn describe(camera: &Camera<'_>) -> Description {
    let properties = camera.properties();
    let configuration = camera.generate_configuration(&[StreamRole::VideoRecording]);
    let stream = configuration.as_ref().and_then(|c| c.get(0));
    let (mut offers, mut others) = (Vec::new(), Vec::new());
    if let Some(stream) = stream {
        let formats = stream.formats();
        for pixels in formats.pixel_formats().into_iter() {
            let name = pixels.to_string();
            match FORMATS.iter().find(|format| format.name() == name) {
                Some(format) => offers.push(offer(camera, *format, pixels, &formats)),
                None => others.push(name),
            }
        }
        offers.retain(|offer| !offer.sizes.is_empty());
    }
    Description {
        id: camera.id().to_owned(),
        model: properties.get::<properties::Model>().ok().map(|m| m.0),
        location: properties.get().ok().map(|location| match location {
            properties::Location::CameraFront => "front",
            properties::Location::CameraBack => "back",
            properties::Location::CameraExternal => "external",
        }),
        rotation: properties.get::<properties::Rotation>().ok().map(|r| r.0),
        offers,
        others,
        devices: properties
            .get::<properties::SystemDevices>()
            .map(|devices| devices.iter().map(|n| n.cast_unsigned()).collect())
            .unwrap_or_default(),
    }
}

/// What a camera has of one format. It may name sizes that it will not be configured to: each is tried.
fn offer(
    camera: &Camera<'_>,
    format: Format,
    pixels: PixelFormat,
    formats: &StreamFormatsRef<'_>,
) -> Offer {
    let size = |size: libcamera::geometry::Size| Size {
        width: size.width,
        height: size.height,
    };
    let range = formats.range(pixels);
    let mut ends = vec![size(range.min), size(range.max)];
    let mut sizes: Vec<Size> = formats.sizes(pixels).into_iter().map(size).collect();
    let named = sizes.len();
    sizes.retain(|size| has(camera, format, *size));
    let means_it = sizes.len() == named;
    // libcamera names the sizes that are usual and lie in the range, which need not be those that the camera has.
    ends.retain(|end| !sizes.contains(end) && has(camera, format, *end));
    sizes.extend(ends);
    Offer {
        format,
        sizes,
        // A step of 0 means that there are no sizes between the named ones.
        range: (means_it && named > 1 && range.h_step > 0 && range.v_step > 0).then(|| Range {
            min: size(range.min),
            max: size(range.max),
            step: (range.h_step, range.v_step),
        }),
    }
}

/// Says whether a camera would be configured to this.
fn has(camera: &Camera<'_>, format: Format, size: Size) -> bool {
    let config = Config {
        format,
        size,
        turn: Turn::NONE,
        buffers: None,
    };
    let configuration = configuration(camera, &config).ok();
    let stream = configuration.as_ref().and_then(|c| c.get(0));
    stream.is_some_and(|stream| {
        let there = stream.get_size();
        (there.width, there.height) == (size.width, size.height)
            && stream.get_pixel_format().to_string() == format.name()
    })
}

/// How a camera is to be configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub(super) format: Format,
    pub(super) size: Size,
    /// How the picture is to be turned.
    pub(super) turn: Turn,
    pub(super) buffers: Option<u32>,
}

/// A camera that is acquired and configured.
pub(super) struct Device {
    running: bool,
    newest: Option<Request>,
    idle: Vec<Request>,
    completed: Receiver<Request>,
    buffers: Vec<DmaBuffer>,
    stream: Stream,
    layout: Layout,
    follow_up: Vec<(u32, Value)>,
    // Dropped in this order: libcamera crashes in any other.
    _allocator: FrameBufferAllocator,
    camera: ActiveCamera<'static>,
    bell: Arc<Bell>,
}

/// What has come since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Collected {
    /// There is a new newest exposure.
    pub(super) exposure: bool,
    /// The camera was unplugged.
    pub(super) disconnected: bool,
}

impl Device {
    /// Acquires and configures a camera.
    ///
    /// # Errors
    /// What was tried, and why not. `EBUSY`: another process has it.
    pub(super) fn acquire(
        library: &Library,
        id: &str,
        config: &Config,
    ) -> Result<Self, (&'static str, io::Error)> {
        let camera = library.camera(id).map_err(|error| ("find it", error))?;
        let mut camera = camera.acquire().map_err(|error| ("acquire it", error))?;
        let bell = Arc::clone(&library.bell);
        bell.disconnected.store(false, Ordering::Relaxed);
        let unplugged = Arc::clone(&bell);
        camera.on_disconnected(move || {
            unplugged.disconnected.store(true, Ordering::Relaxed);
            unplugged.ring();
        });
        let (sender, completed) = channel();
        let done = Arc::clone(&bell);
        camera.on_request_completed(move |request| {
            // The receiver lives as long as the camera.
            let _ = sender.send(request);
            done.ring();
        });
        let mut configured =
            configuration(&camera, config).map_err(|error| ("configure it", error))?;
        camera
            .configure(&mut configured)
            .map_err(|error| ("configure it", error))?;
        let (stream, layout) =
            layout(&configured, config).map_err(|error| ("configure it", error))?;
        let mut allocator = FrameBufferAllocator::new(&camera);
        let frame_buffers = allocator
            .alloc(&stream)
            .map_err(|error| ("allocate buffers", error))?;
        let mut device = Self {
            running: false,
            newest: None,
            idle: Vec::new(),
            completed,
            buffers: Vec::new(),
            stream,
            layout,
            follow_up: Vec::new(),
            _allocator: allocator,
            camera,
            bell,
        };
        for buffer in frame_buffers {
            device
                .adopt(buffer)
                .map_err(|error| ("map a buffer", error))?;
        }
        Ok(device)
    }

    /// Maps a buffer and makes the request that carries it.
    fn adopt(&mut self, buffer: FrameBuffer) -> io::Result<()> {
        self.buffers.push(map(&buffer)?);
        let cookie = (self.buffers.len() - 1) as u64;
        let mut request = self
            .camera
            .create_request(Some(cookie))
            .ok_or_else(|| io::Error::other("no request"))?;
        request.add_buffer(&self.stream, buffer)?;
        self.idle.push(request);
        Ok(())
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn controls(&self) -> Vec<Control> {
        controls::describe(self.camera.controls())
    }

    /// Starts capturing with these controls, and sets the others once the first exposure was started.
    pub(super) fn start(
        &mut self,
        initial: &[(u32, Value)],
        follow_up: Vec<(u32, Value)>,
    ) -> io::Result<()> {
        let mut list = ControlList::new();
        self.set_all(&mut list, initial);
        self.follow_up = follow_up;
        self.camera.start(Some(&list))?;
        self.running = true;
        for (index, request) in std::mem::take(&mut self.idle).into_iter().enumerate() {
            let follow_up = if index == 1 {
                std::mem::take(&mut self.follow_up)
            } else {
                Vec::new()
            };
            self.queue(request, &follow_up)?;
        }
        Ok(())
    }

    /// Stops capturing. The camera stays acquired and configured.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        if !self.running {
            return Ok(());
        }
        let stopped = self.camera.stop();
        self.running = false;
        if let Some(newest) = self.newest.take() {
            self.rest(newest);
        }
        self.collect();
        stopped
    }

    /// Takes in completed requests. Only the newest good one stays at hand; the others are queued again.
    pub(super) fn collect(&mut self) -> Collected {
        let mut collected = Collected {
            disconnected: self.bell.disconnected.load(Ordering::Relaxed),
            ..Collected::default()
        };
        loop {
            match self.completed.try_recv() {
                Ok(request) => {
                    collected.exposure |= self.take(request);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return collected,
            }
        }
    }

    /// Says whether an exposure is at hand.
    pub(super) fn has_frame(&self) -> bool {
        self.newest.is_some()
    }

    /// What the metadata of the newest exposure say, and its timestamp in nanoseconds of the sensor's clock.
    pub(super) fn newest(&self) -> Option<(Metadata, Option<u64>)> {
        let request = self.newest.as_ref()?;
        let mut metadata = controls::metadata(request.metadata());
        metadata.startup = self.status(request) == Some(FrameMetadataStatus::Startup);
        let of_buffer = self
            .buffer(request)
            .and_then(|buffer| buffer.metadata())
            .map(|metadata| metadata.timestamp());
        let timestamp = controls::sensor_timestamp(request.metadata()).or(of_buffer);
        Some((metadata, timestamp))
    }

    /// Gives the planes of the newest exposure; of MJPEG the one with the JPEG, as long as it is.
    pub(super) fn planes(&mut self) -> Option<Vec<&[u8]>> {
        let request = self.newest.as_ref()?;
        let filled: Vec<usize> = self.filled(request);
        let index = usize::try_from(request.cookie()).ok()?;
        let buffer = self.buffers.get_mut(index)?;
        buffer.begin_read();
        let planes = (0..filled.len())
            .map_while(|plane| {
                let bytes = buffer.plane(plane)?;
                // Only compressed formats fill their planes to different lengths.
                let length = match self.layout.format {
                    Format::Mjpeg => filled[plane].min(bytes.len()),
                    _ => bytes.len(),
                };
                Some(&bytes[..length])
            })
            .collect();
        Some(planes)
    }

    fn filled(&self, request: &Request) -> Vec<usize> {
        let metadata = self.buffer(request).and_then(|buffer| buffer.metadata());
        metadata.map_or_else(Vec::new, |metadata| {
            metadata
                .planes()
                .into_iter()
                .map(|plane| plane.bytes_used as usize)
                .collect()
        })
    }

    /// Keeps a completed request or queues it again. Says whether it is the newest now.
    fn take(&mut self, request: Request) -> bool {
        if !self.running {
            self.rest(request);
            return false;
        }
        let good = request.status() == RequestStatus::Complete
            && matches!(
                self.status(&request),
                Some(FrameMetadataStatus::Success | FrameMetadataStatus::Startup)
            );
        let spent = if good {
            self.newest.replace(request)
        } else if request.status() == RequestStatus::Cancelled {
            self.rest(request);
            None
        } else {
            Some(request)
        };
        if let Some(spent) = spent {
            if let Some(buffer) = self.buffer_of(&spent) {
                buffer.end_read();
            }
            if let Err(error) = self.queue(spent, &[]) {
                log::debug!("libcamera: cannot queue a request: {error}");
            }
        }
        good
    }

    /// Puts a request aside until the camera is started again.
    fn rest(&mut self, request: Request) {
        if let Some(buffer) = self.buffer_of(&request) {
            buffer.end_read();
        }
        self.idle.push(request);
    }

    fn queue(&mut self, mut request: Request, set: &[(u32, Value)]) -> io::Result<()> {
        request.reuse(ReuseFlag::REUSE_BUFFERS);
        if !set.is_empty() {
            self.set_all(request.controls_mut(), set);
        }
        match self.camera.queue_request(request) {
            Ok(()) => Ok(()),
            Err((request, error)) => {
                self.idle.push(request);
                Err(error)
            }
        }
    }

    fn set_all(&self, list: &mut ControlList, values: &[(u32, Value)]) {
        for (id, value) in values {
            controls::set(list, *id, value);
        }
    }

    fn buffer<'a>(&self, request: &'a Request) -> Option<&'a FrameBuffer> {
        request.buffer(&self.stream)
    }

    fn buffer_of(&mut self, request: &Request) -> Option<&mut DmaBuffer> {
        let index = usize::try_from(request.cookie()).ok()?;
        self.buffers.get_mut(index)
    }

    fn status(&self, request: &Request) -> Option<FrameMetadataStatus> {
        Some(self.buffer(request)?.metadata()?.status())
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            log::debug!("libcamera: stop: {error}");
        }
    }
}

fn map(buffer: &FrameBuffer) -> io::Result<DmaBuffer> {
    let planes = buffer.planes();
    let mut mapped = Vec::with_capacity(planes.len());
    for plane in planes.into_iter() {
        mapped.push(Plane {
            fd: memory::borrow(plane.fd(), buffer),
            offset: plane
                .offset()
                .ok_or_else(|| io::Error::other("plane without an offset"))?,
            length: plane.len(),
        });
    }
    DmaBuffer::map(&mapped)
}

/// Makes libcamera's form of a configuration, as the camera would have it.
fn configuration(camera: &Camera<'_>, config: &Config) -> io::Result<CameraConfiguration> {
    let mut configuration = camera
        .generate_configuration(&[StreamRole::VideoRecording])
        .ok_or_else(|| io::Error::other("it has no video stream"))?;
    if config.turn != Turn::NONE && can_turn(camera) {
        configuration.set_orientation(orientation(config.turn));
    }
    let mut stream = configuration
        .get_mut(0)
        .ok_or_else(|| io::Error::other("it has no video stream"))?;
    let pixels = PixelFormat::parse(config.format.name());
    stream.set_pixel_format(pixels.ok_or_else(|| io::Error::other("unknown format"))?);
    stream.set_size(libcamera::geometry::Size {
        width: config.size.width,
        height: config.size.height,
    });
    if let Some(buffers) = config.buffers {
        stream.set_buffer_count(buffers);
    }
    // What JPEG is defined with (JFIF 1.02: full range, the matrix of BT.601).
    stream.set_color_space((config.format != Format::Mjpeg).then(ColorSpace::sycc));
    if configuration.validate().is_invalid() {
        return Err(io::Error::other(format!(
            "{} at {} is invalid",
            config.format.name(),
            config.size
        )));
    }
    Ok(configuration)
}

/// Reads back what the camera was configured to.
fn layout(configuration: &CameraConfiguration, config: &Config) -> io::Result<(Stream, Layout)> {
    let stream = configuration
        .get(0)
        .ok_or_else(|| io::Error::other("it has no video stream"))?;
    let name = stream.get_pixel_format().to_string();
    let format = FORMATS.into_iter().find(|format| format.name() == name);
    let size = stream.get_size();
    let layout = Layout {
        format: format.ok_or_else(|| io::Error::other(format!("it insists on format {name}")))?,
        size: Size {
            width: size.width,
            height: size.height,
        },
        stride: stream.get_stride() as usize,
        turn: left_to_do(configuration.orientation(), config.turn),
        limited_range: is_limited(&stream),
    };
    let handle = stream
        .stream()
        .ok_or_else(|| io::Error::other("its stream is not configured"))?;
    Ok((handle, layout))
}

fn is_limited(stream: &StreamConfigurationRef<'_>) -> bool {
    stream
        .get_color_space()
        .is_some_and(|space| matches!(space.range, ColorRange::Limited))
}

/// libcamera's orientations have the numbers of EXIF's (libcamera, `orientation.h`): 1 to 8, how a picture lies.
const ORIENTATIONS: [Orientation; 8] = [
    Orientation::Rotate0,
    Orientation::Rotate0Mirror,
    Orientation::Rotate180,
    Orientation::Rotate180Mirror,
    Orientation::Rotate90Mirror,
    Orientation::Rotate270,
    Orientation::Rotate270Mirror,
    Orientation::Rotate90,
];

/// Says whether a camera cares for orientations. libcamera would put another one in place of what a camera cannot do, and
/// none can do a quarter turn: where that stays, it was not looked at.
fn can_turn(camera: &Camera<'_>) -> bool {
    let configuration = camera.generate_configuration(&[StreamRole::VideoRecording]);
    configuration.is_some_and(|mut configuration| {
        configuration.set_orientation(Orientation::Rotate90);
        !configuration.validate().is_invalid()
            && configuration.orientation() != Orientation::Rotate90
    })
}

/// How a picture lies that was turned so.
fn orientation(turn: Turn) -> Orientation {
    (1..)
        .zip(ORIENTATIONS)
        .find(|(exif, _)| Turn::from_exif(*exif).followed_by(turn) == Turn::NONE)
        .map_or(Orientation::Rotate0, |(_, orientation)| orientation)
}

/// How to turn a picture that lies so, for it to be turned as wished.
fn left_to_do(lies: Orientation, wished: Turn) -> Turn {
    (1..)
        .zip(ORIENTATIONS)
        .find(|(_, orientation)| *orientation == lies)
        .map_or(wished, |(exif, _)| {
            Turn::from_exif(exif).followed_by(wished)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_camera_turned_is_not_turned_again() {
        let turns: Vec<Turn> = (1..=8).map(Turn::from_exif).collect();
        for turn in turns {
            assert_eq!(left_to_do(orientation(turn), turn), Turn::NONE, "{turn:?}");
            assert_eq!(left_to_do(Orientation::Rotate0, turn), turn);
        }
        // A picture that was turned clockwise by a quarter lies so (libcamera, orientation.h).
        assert_eq!(orientation(Turn::from_exif(6)), Orientation::Rotate90);
        assert_eq!(orientation(Turn::from_exif(2)), Orientation::Rotate0Mirror);
        // A camera that is mounted upside down and cannot turn its picture says so.
        let upside_down = left_to_do(Orientation::Rotate180, Turn::NONE);
        assert_eq!(upside_down, Turn::from_exif(3));
        let quarter = left_to_do(Orientation::Rotate180, Turn::from_exif(6));
        assert_eq!(quarter, Turn::from_exif(8));
    }
}
