//! What one configuration of a camera has: streams, the memory of their frames, and the requests
//! that go round with it. All of it goes before the camera is configured anew.

use std::io;

use libcamera::camera::{ActiveCamera, CameraConfiguration};
use libcamera::control::ControlList;
use libcamera::framebuffer::{AsFrameBuffer, FrameMetadataStatus};
use libcamera::framebuffer_allocator::{FrameBuffer, FrameBufferAllocator};
use libcamera::request::{Request, RequestStatus, ReuseFlag};
use libcamera::stream::Stream;

use super::configuration::{LibcameraConfig, layout};
use super::memory::{self, DmaBuffer, Plane};
use super::{AcquireError, controls};
use crate::source::hardware::buffer_encoder::Layout;
use crate::source::hardware::choice::Format;
use crate::source::hardware::control::Value;
use crate::source::hardware::full_pictures::Purpose;
use crate::source::libcamera::warm_start::Metadata;

/// What a camera is configured to. Fields are dropped in the order in which they stand: libcamera
/// crashes in any other.
pub(super) struct Configured {
    newest: Option<Request>,
    idle: Vec<Request>,
    beside: Option<Beside>,
    buffers: Vec<DmaBuffer>,
    stream: Stream,
    purpose: Purpose,
    layout: Layout,
    follow_up: Vec<(u32, Value)>,
    allocator: FrameBufferAllocator,
}

/// A second stream, of the full size. One request carries a buffer of both streams; it goes round
/// only when it is asked to.
struct Beside {
    request: Option<Request>,
    /// It has come back with a picture.
    is_filled: bool,
    buffer: DmaBuffer,
    stream: Stream,
    layout: Layout,
}

/// The fewest buffers that go round beside the one of the request with both streams.
const ROUND: usize = 2;

impl Configured {
    /// Allocates and maps what a camera has that was configured like this.
    ///
    /// # Errors
    /// See [`AcquireError`].
    pub(super) fn new(
        camera: &mut ActiveCamera<'static>,
        configuration: &CameraConfiguration,
        config: &LibcameraConfig,
    ) -> Result<Self, AcquireError> {
        let (stream, layout) = layout(configuration, 0, config).map_err(AcquireError::Configure)?;
        let mut allocator = FrameBufferAllocator::new(camera);
        let frame_buffers = allocator.alloc(&stream).map_err(AcquireError::Allocate)?;
        let mut configured = Self {
            newest: None,
            idle: Vec::new(),
            beside: None,
            buffers: Vec::new(),
            stream,
            purpose: config.purpose,
            layout,
            follow_up: Vec::new(),
            allocator,
        };
        for buffer in frame_buffers {
            let request = configured.adopt(camera, buffer);
            configured.idle.push(request.map_err(AcquireError::Map)?);
        }
        Ok(configured)
    }

    /// The same with a second stream, of the full size.
    ///
    /// # Errors
    /// See [`AcquireError`].
    pub(super) fn with_full(
        camera: &mut ActiveCamera<'static>,
        configuration: &CameraConfiguration,
        config: &LibcameraConfig,
        full: &LibcameraConfig,
    ) -> Result<Self, AcquireError> {
        let mut configured = Self::new(camera, configuration, config)?;
        let (stream, layout) = layout(configuration, 1, full).map_err(AcquireError::Configure)?;
        let buffers = configured.allocator.alloc(&stream);
        let mut buffers = buffers.map_err(AcquireError::Allocate)?;
        let too_few = || AcquireError::Allocate(io::Error::other("too few buffers"));
        let buffer = buffers.pop().ok_or_else(too_few)?;
        if configured.idle.len() <= ROUND {
            return Err(too_few());
        }
        let mut request = configured.idle.pop().ok_or_else(too_few)?;
        let map = map(&buffer).map_err(AcquireError::Map)?;
        request
            .add_buffer(&stream, buffer)
            .map_err(AcquireError::Map)?;
        configured.beside = Some(Beside {
            request: Some(request),
            is_filled: false,
            buffer: map,
            stream,
            layout,
        });
        Ok(configured)
    }

    /// Maps a buffer and makes the request that carries it.
    fn adopt(
        &mut self,
        camera: &mut ActiveCamera<'static>,
        buffer: FrameBuffer,
    ) -> io::Result<Request> {
        self.buffers.push(map(&buffer)?);
        let cookie = (self.buffers.len() - 1) as u64;
        let mut request = camera
            .create_request(Some(cookie))
            .ok_or_else(|| io::Error::other("no request"))?;
        request.add_buffer(&self.stream, buffer)?;
        Ok(request)
    }

    /// What its first stream is for.
    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn buffer_count(&self) -> u32 {
        self.buffers.len() as u32
    }

    /// The layout of full pictures, where it gives them beside its frames.
    pub(super) fn full_layout(&self) -> Option<Layout> {
        Some(self.beside.as_ref()?.layout)
    }

    /// Lets a camera that was started fill all buffers. The second frame is taken with these
    /// controls, as all after it.
    pub(super) fn queue_all(
        &mut self,
        camera: &ActiveCamera<'static>,
        follow_up: Vec<(u32, Value)>,
    ) -> io::Result<()> {
        self.follow_up = follow_up;
        for (index, request) in std::mem::take(&mut self.idle).into_iter().enumerate() {
            let follow_up = if index == 1 {
                std::mem::take(&mut self.follow_up)
            } else {
                Vec::new()
            };
            self.queue(camera, request, &follow_up)?;
        }
        Ok(())
    }

    /// Has the next exposure taken in the full size, too.
    pub(super) fn request_full(&mut self, camera: &ActiveCamera<'static>) -> io::Result<()> {
        let Some(beside) = &mut self.beside else {
            return Ok(());
        };
        match beside.request.take() {
            Some(request) => self.queue(camera, request, &[]),
            // It is on its way.
            None => Ok(()),
        }
    }

    /// The full picture at hand is wanted no longer.
    pub(super) fn drop_full(&mut self) {
        if let Some(beside) = &mut self.beside {
            beside.is_filled = false;
            beside.buffer.end_read();
        }
    }

    /// The camera was stopped.
    pub(super) fn stopped(&mut self) {
        if let Some(newest) = self.newest.take() {
            self.rest(newest);
        }
        self.drop_full();
    }

    /// Keeps a completed request of a camera that runs, or queues it again. Says whether it is the
    /// newest now.
    pub(super) fn take(&mut self, camera: &ActiveCamera<'static>, request: Request) -> bool {
        let is_good = self.is_good(&request);
        if self.is_full(&request) {
            self.rest(request);
            if let Some(beside) = &mut self.beside {
                beside.is_filled = is_good;
            }
            return false;
        }
        let spent = if is_good {
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
            if let Err(error) = self.queue(camera, spent, &[]) {
                log::debug!("libcamera: cannot queue a request: {error}");
            }
        }
        is_good
    }

    /// Puts a request aside until it is asked for again.
    pub(super) fn rest(&mut self, request: Request) {
        if let Some(buffer) = self.buffer_of(&request) {
            buffer.end_read();
        }
        if self.is_full(&request)
            && let Some(beside) = &mut self.beside
        {
            beside.request = Some(request);
        } else {
            self.idle.push(request);
        }
    }

    /// Says whether a frame is at hand.
    pub(super) fn has_frame(&self) -> bool {
        self.newest.is_some()
    }

    /// What the metadata of the newest frame say, and its timestamp in nanoseconds of the sensor's
    /// clock.
    pub(super) fn newest(&self) -> Option<(Metadata, Option<u64>)> {
        let request = self.newest.as_ref()?;
        let mut metadata = controls::metadata(request.metadata());
        metadata.startup = status(request, &self.stream) == Some(FrameMetadataStatus::Startup);
        Some((metadata, timestamp(request, &self.stream)))
    }

    /// The timestamp, as [`Configured::newest`] gives it, of the full picture at hand beside the
    /// frames, if there is one.
    pub(super) fn full(&self) -> Option<Option<u64>> {
        let beside = self.beside.as_ref().filter(|beside| beside.is_filled)?;
        let request = beside.request.as_ref()?;
        Some(timestamp(request, &beside.stream))
    }

    /// Gives the planes of the newest frame.
    pub(super) fn planes(&mut self) -> Option<Vec<&[u8]>> {
        let request = self.newest.as_ref()?;
        let filled = filled(request, &self.stream);
        let index = usize::try_from(request.cookie()).ok()?;
        Some(planes(self.buffers.get_mut(index)?, &filled, self.layout))
    }

    /// Gives the planes of the full picture at hand beside the frames.
    pub(super) fn full_planes(&mut self) -> Option<Vec<&[u8]>> {
        let beside = self.beside.as_mut().filter(|beside| beside.is_filled)?;
        let filled = filled(beside.request.as_ref()?, &beside.stream);
        Some(planes(&mut beside.buffer, &filled, beside.layout))
    }

    fn queue(
        &mut self,
        camera: &ActiveCamera<'static>,
        mut request: Request,
        set: &[(u32, Value)],
    ) -> io::Result<()> {
        request.reuse(ReuseFlag::REUSE_BUFFERS);
        if !set.is_empty() {
            set_all(request.controls_mut(), set);
        }
        camera.queue_request(request).map_err(|(request, error)| {
            self.rest(request);
            error
        })
    }

    fn is_full(&self, request: &Request) -> bool {
        let beside = self.beside.as_ref();
        beside.is_some_and(|beside| request.buffer::<FrameBuffer>(&beside.stream).is_some())
    }

    fn is_good(&self, request: &Request) -> bool {
        let is_filled = |stream| {
            matches!(
                status(request, stream),
                Some(FrameMetadataStatus::Success | FrameMetadataStatus::Startup)
            )
        };
        let full = self.beside.as_ref().filter(|_| self.is_full(request));
        request.status() == RequestStatus::Complete
            && is_filled(&self.stream)
            && full.is_none_or(|beside| is_filled(&beside.stream))
    }

    fn buffer_of(&mut self, request: &Request) -> Option<&mut DmaBuffer> {
        let index = usize::try_from(request.cookie()).ok()?;
        self.buffers.get_mut(index)
    }
}

/// Puts controls into a list.
pub(super) fn set_all(list: &mut ControlList, values: &[(u32, Value)]) {
    for (id, value) in values {
        controls::set(list, *id, value);
    }
}

fn status(request: &Request, stream: &Stream) -> Option<FrameMetadataStatus> {
    let buffer = request.buffer::<FrameBuffer>(stream)?;
    Some(buffer.metadata()?.status())
}

/// Nanoseconds of the sensor's clock.
fn timestamp(request: &Request, stream: &Stream) -> Option<u64> {
    let buffer = || request.buffer::<FrameBuffer>(stream)?.metadata();
    let of_buffer = || Some(buffer()?.timestamp());
    controls::sensor_timestamp(request.metadata()).or_else(of_buffer)
}

/// How many bytes the camera has written to each plane.
fn filled(request: &Request, stream: &Stream) -> Vec<usize> {
    let buffer = request.buffer::<FrameBuffer>(stream);
    let metadata = buffer.and_then(|buffer| buffer.metadata());
    metadata.map_or_else(Vec::new, |metadata| {
        metadata
            .planes()
            .into_iter()
            .map(|plane| plane.bytes_used as usize)
            .collect()
    })
}

/// Gives the planes of a buffer; of MJPEG the one with the JPEG, as long as it is.
fn planes<'a>(buffer: &'a mut DmaBuffer, filled: &[usize], layout: Layout) -> Vec<&'a [u8]> {
    buffer.begin_read();
    (0..filled.len())
        .map_while(|plane| {
            let bytes = buffer.plane(plane)?;
            // Only compressed formats fill their planes to different lengths.
            let length = match layout.format {
                Format::Mjpeg => filled[plane].min(bytes.len()),
                _ => bytes.len(),
            };
            Some(&bytes[..length])
        })
        .collect()
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
