//! One camera that is open and configured: its buffers, and the one that has the newest frame.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use eyelid_config::Size;
use eyelid_v4l2::{BufferMap, Fraction, Node, PixelFormat, Queue};
use nix::errno::Errno;

use crate::source::hardware::buffer_encoder::Layout;
use crate::source::hardware::choice::Format;
use crate::source::hardware::full_pictures::Purpose;
use eyelid_jpeg::Turn;

/// How many buffers there are unless the user says otherwise: one is held here, the camera fills
/// one, one waits, and one is for a machine that is late.
const BUFFERS: u32 = 4;

/// How a camera is to be configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct V4l2Config {
    pub(super) purpose: Purpose,
    pub(super) format: Format,
    pub(super) fourcc: u32,
    pub(super) size: Size,
    /// The time between frames; the camera's own where there is none.
    pub(super) interval: Option<Fraction>,
    pub(super) turn: Turn,
    pub(super) buffers: Option<u32>,
}

/// Why a camera cannot be configured: what was tried, and the system's reason. `EBUSY`: another
/// process has it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigureError {
    /// It does not take format and size.
    #[error("cannot configure it")]
    Format(#[source] io::Error),
    /// It does not take the rate, for it is busy or gone.
    #[error("cannot set its rate")]
    Rate(#[source] io::Error),
    /// There is no memory for its frames.
    #[error("cannot allocate buffers")]
    Allocate(#[source] io::Error),
    /// Its memory cannot be read here.
    #[error("cannot map a buffer")]
    Map(#[source] io::Error),
}

impl ConfigureError {
    /// Gives the system's reason.
    pub(super) fn into_reason(self) -> io::Error {
        match self {
            Self::Format(reason)
            | Self::Rate(reason)
            | Self::Allocate(reason)
            | Self::Map(reason) => reason,
        }
    }
}

/// A camera. Its buffers are there as long as it is: no other program can have it meanwhile.
#[derive(Debug)]
pub(super) struct V4l2Device {
    // Dropped in this order, though the kernel would keep what is mapped.
    buffers: Vec<BufferMap>,
    node: Node,
    purpose: Purpose,
    layout: Layout,
    interval: Option<Fraction>,
    /// A frame of pixels has this many bytes; a JPEG has as many as it likes.
    frame_bytes: usize,
    running: bool,
    newest: Option<FilledBuffer>,
}

/// A buffer that has a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
struct FilledBuffer {
    index: u32,
    bytes: usize,
}

impl V4l2Device {
    /// Configures a camera and maps its buffers.
    ///
    /// # Errors
    /// See [`ConfigureError`].
    pub(super) fn configure(node: Node, config: &V4l2Config) -> Result<Self, ConfigureError> {
        let given = node
            .set_format(config.fourcc, (config.size.width, config.size.height))
            .map_err(ConfigureError::Format)?;
        let layout = layout(&given, config).map_err(ConfigureError::Format)?;
        // A camera without a rate that can be set still has one.
        let interval = match node.set_interval(config.interval) {
            Err(error) if is(&error, Errno::EBUSY) || is(&error, Errno::ENODEV) => {
                return Err(ConfigureError::Rate(error));
            }
            given => given.unwrap_or(None),
        };
        let count = node
            .request_buffers(Queue::Capture, config.buffers.unwrap_or(BUFFERS))
            .map_err(ConfigureError::Allocate)?;
        if count < 2 {
            return Err(ConfigureError::Allocate(io::Error::other(format!(
                "it has {count}; 2 are needed, one to fill and one to read"
            ))));
        }
        let buffers = (0..count).map(|index| node.map(index));
        Ok(Self {
            buffers: buffers
                .collect::<io::Result<_>>()
                .map_err(ConfigureError::Map)?,
            node,
            purpose: config.purpose,
            frame_bytes: frame_bytes(&layout),
            layout,
            interval,
            running: false,
            newest: None,
        })
    }

    /// Configures a camera anew that is stopped. The memory of its frames is given back first. One
    /// that cannot be is closed.
    ///
    /// # Errors
    /// See [`ConfigureError`].
    pub(super) fn reconfigure(self, config: &V4l2Config) -> Result<Self, ConfigureError> {
        let Self { buffers, node, .. } = self;
        // A format cannot be changed while there are buffers of it.
        drop(buffers);
        node.request_buffers(Queue::Capture, 0)
            .map_err(ConfigureError::Allocate)?;
        Self::configure(node, config)
    }

    /// What it is configured for.
    pub(super) fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// The time between frames, where the camera says.
    pub(super) fn interval(&self) -> Option<Fraction> {
        self.interval
    }

    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// Starts capturing into all buffers.
    pub(super) fn start(&mut self) -> io::Result<()> {
        self.newest = None;
        for index in 0..self.buffers.len() as u32 {
            self.node.queue(index)?;
        }
        self.node.stream_on(Queue::Capture)?;
        self.running = true;
        Ok(())
    }

    /// Stops capturing. The camera stays open and configured.
    pub(super) fn stop(&mut self) -> io::Result<()> {
        self.newest = None;
        if !std::mem::take(&mut self.running) {
            return Ok(());
        }
        self.node.stream_off(Queue::Capture)
    }

    /// Takes in what has come. Gives the timestamp in nanoseconds if there is a new newest
    /// frame; all others are given back to the camera at once.
    ///
    /// # Errors
    /// Why there will be no further frame. `ENODEV`: it was unplugged.
    pub(super) fn collect(&mut self) -> io::Result<Option<u64>> {
        let mut newest = None;
        // Each buffer once: while a slow machine is at it, a fast camera would fill them for ever.
        for _ in 0..self.buffers.len() {
            let Some(buffer) = self.node.dequeue()? else {
                break;
            };
            let Some(map) = self.buffers.get(buffer.index as usize) else {
                return Err(io::Error::other("it gave a buffer that it does not have"));
            };
            let bytes = (buffer.bytes_used as usize).min(map.bytes().len());
            if buffer.is_broken() || bytes < self.frame_bytes {
                log::debug!("v4l2: frame of {bytes} bytes dropped: it is broken or short");
                self.node.queue(buffer.index)?;
                continue;
            }
            let filled = FilledBuffer {
                index: buffer.index,
                bytes,
            };
            if let Some(older) = self.newest.replace(filled) {
                self.node.queue(older.index)?;
            }
            newest = Some(buffer.timestamp_ns());
        }
        Ok(newest)
    }

    pub(super) fn has_frame(&self) -> bool {
        self.newest.is_some()
    }

    /// Gives the planes of the newest frame.
    pub(super) fn planes(&self) -> Option<Vec<&[u8]>> {
        let FilledBuffer { index, bytes } = self.newest?;
        let bytes = self.buffers.get(index as usize)?.bytes().get(..bytes)?;
        split(bytes, &self.layout)
    }
}

impl AsFd for V4l2Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.node.as_fd()
    }
}

pub(super) fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno as i32)
}

fn layout(given: &PixelFormat, config: &V4l2Config) -> io::Result<Layout> {
    const JPEG_COLOURS: u32 = 7;
    const FULL_RANGE: u32 = 1;
    const LIMITED_RANGE: u32 = 2;
    if given.fourcc != config.fourcc {
        let insists = String::from_utf8_lossy(&given.fourcc.to_le_bytes()).into_owned();
        return Err(io::Error::other(format!("it insists on format {insists}")));
    }
    let width = given.width as usize;
    let (stride, bytes_of_a_row) = match config.format {
        Format::Mjpeg => (0, 0),
        Format::Yuyv => (given.bytes_per_line as usize, width * 2),
        Format::Yuv420 | Format::Nv12 => (given.bytes_per_line as usize, width),
    };
    Ok(Layout {
        format: config.format,
        size: Size {
            width: given.width,
            height: given.height,
        },
        // Some drivers leave it at 0 where rows have no padding.
        stride: stride.max(bytes_of_a_row),
        turn: config.turn,
        limited_range: match given.quantization {
            FULL_RANGE => false,
            LIMITED_RANGE => true,
            // V4L2_MAP_QUANTIZATION_DEFAULT.
            _ => given.colorspace != JPEG_COLOURS,
        },
    })
}

/// The bytes of a whole frame, the padding of its last row left out; 0 where that is not known
/// before.
fn frame_bytes(layout: &Layout) -> usize {
    let (stride, width) = (layout.stride, layout.size.width as usize);
    let height = layout.size.height as usize;
    let before = height.saturating_sub(1);
    match layout.format {
        Format::Mjpeg => 0,
        Format::Yuyv => stride * before + width * 2,
        Format::Yuv420 => {
            let (half, rows) = (stride.div_ceil(2), height.div_ceil(2));
            stride * height + half * (2 * rows - 1) + width.div_ceil(2)
        }
        Format::Nv12 => stride * (height + height.div_ceil(2) - 1) + width.next_multiple_of(2),
    }
}

/// Finds the planes of a frame, which lie one behind the other.
fn split<'a>(bytes: &'a [u8], layout: &Layout) -> Option<Vec<&'a [u8]>> {
    let height = layout.size.height as usize;
    let luma = layout.stride * height;
    Some(match layout.format {
        Format::Mjpeg | Format::Yuyv => vec![bytes],
        Format::Nv12 => {
            let (y, uv) = bytes.split_at_checked(luma)?;
            vec![y, uv]
        }
        Format::Yuv420 => {
            let (y, chroma) = bytes.split_at_checked(luma)?;
            let (u, v) = chroma.split_at_checked(layout.stride.div_ceil(2) * height.div_ceil(2))?;
            vec![y, u, v]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(format: Format, fourcc: &[u8; 4]) -> V4l2Config {
        V4l2Config {
            purpose: Purpose::Frames,
            format,
            fourcc: u32::from_le_bytes(*fourcc),
            size: "640x480".parse().unwrap(),
            interval: None,
            turn: Turn::NONE,
            buffers: None,
        }
    }

    fn given(fourcc: &[u8; 4], bytes_per_line: u32) -> PixelFormat {
        let mut given = PixelFormat::default();
        (given.width, given.height) = (640, 480);
        given.fourcc = u32::from_le_bytes(*fourcc);
        given.bytes_per_line = bytes_per_line;
        given
    }

    #[test]
    fn planes_lie_where_the_stride_puts_them() {
        for (format, fourcc, stride, planes) in [
            (Format::Yuyv, b"YUYV", 0, vec![640 * 2 * 480]),
            (Format::Nv12, b"NV12", 704, vec![704 * 480, 704 * 239 + 640]),
            (
                Format::Yuv420,
                b"YU12",
                704,
                vec![704 * 480, 352 * 240, 352 * 239 + 320],
            ),
        ] {
            let layout = layout(&given(fourcc, stride), &config(format, fourcc)).unwrap();
            let whole = vec![0; frame_bytes(&layout)];
            let found = split(&whole, &layout).unwrap();
            let lengths: Vec<usize> = found.iter().map(|plane| plane.len()).collect();
            assert_eq!(lengths, planes, "{format:?}");
        }
    }

    #[test]
    fn a_camera_that_gives_another_format_or_range_is_understood() {
        let jpeg = layout(&given(b"MJPG", 0), &config(Format::Mjpeg, b"MJPG")).unwrap();
        assert_eq!(frame_bytes(&jpeg), 0);
        let error = layout(&given(b"YUYV", 0), &config(Format::Mjpeg, b"MJPG")).unwrap_err();
        assert_eq!(error.to_string(), "it insists on format YUYV");
        for (colorspace, quantization, limited) in
            [(8, 0, true), (7, 0, false), (8, 1, false), (7, 2, true)]
        {
            let mut given = given(b"YUYV", 1280);
            (given.colorspace, given.quantization) = (colorspace, quantization);
            let layout = layout(&given, &config(Format::Yuyv, b"YUYV")).unwrap();
            assert_eq!(layout.limited_range, limited, "{colorspace} {quantization}");
        }
    }
}
