//! The boundary to libcamera. No other module sees a type of its crate.
//!
//! What the crate leaves to its user is kept here: one manager per process; the manager outlives
//! its cameras, a camera its requests and buffers, and no request is destroyed while its camera
//! runs; nothing but a flag, a channel and an eventfd is touched in callbacks, which run on
//! libcamera's own thread. Fields are dropped in the order in which they stand.

mod configuration;
mod controls;
mod description;
mod events;
mod library;
mod memory;

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use libcamera::camera::ActiveCamera;
use libcamera::control::ControlList;
use libcamera::framebuffer::{AsFrameBuffer, FrameMetadataStatus};
use libcamera::framebuffer_allocator::{FrameBuffer, FrameBufferAllocator};
use libcamera::request::{Request, RequestStatus, ReuseFlag};
use libcamera::stream::Stream;

use super::warm_start::Metadata;
use crate::source::hardware::buffer_encoder::Layout;
use crate::source::hardware::choice::Format;
use crate::source::hardware::control::{Control, Value};
use configuration::{configuration, layout};
use events::CallbackEvents;
use memory::{DmaBuffer, Plane};

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
        let mut configured = configuration(&camera, config).map_err(AcquireError::Configure)?;
        camera
            .configure(&mut configured)
            .map_err(AcquireError::Configure)?;
        let (stream, layout) = layout(&configured, config).map_err(AcquireError::Configure)?;
        let mut allocator = FrameBufferAllocator::new(&camera);
        let frame_buffers = allocator.alloc(&stream).map_err(AcquireError::Allocate)?;
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
            events,
        };
        for buffer in frame_buffers {
            device.adopt(buffer).map_err(AcquireError::Map)?;
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

    /// Starts capturing with these controls, and sets the others once the first frame was
    /// begun.
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
        self.newest.is_some()
    }

    /// What the metadata of the newest frame say, and its timestamp in nanoseconds of the
    /// sensor's clock.
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

    /// Gives the planes of the newest frame; of MJPEG the one with the JPEG, as long as it is.
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
