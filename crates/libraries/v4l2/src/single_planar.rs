//! Pictures in one plane of memory, as cameras give them: formats, sizes and buffers.
//!
//! The time in a buffer is 64 bits wide everywhere, which 32-bit kernels know since 5.6.

use std::io;
use std::os::fd::AsFd;

use crate::node::{BUFFER_BYTES, MEMORY_MMAP};
use crate::{BufferMap, Node, Queue};

const CAPTURE: u32 = Queue::Capture as u32;
/// `V4L2_PIX_FMT_PRIV_MAGIC`: the fields behind `priv` count.
const PRIV_MAGIC: u32 = 0xFEED_CAFE;

/// `struct v4l2_pix_format`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct PixelFormat {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Its four characters.
    pub fourcc: u32,
    field: u32,
    /// From one row to the next; some drivers leave it at 0.
    pub bytes_per_line: u32,
    /// The most that a picture has.
    pub image_bytes: u32,
    /// `enum v4l2_colorspace`.
    pub colorspace: u32,
    private: u32,
    flags: u32,
    ycbcr_encoding: u32,
    /// `enum v4l2_quantization`.
    pub quantization: u32,
    transfer_function: u32,
}

/// `struct v4l2_format`. What it holds is a union of 200 bytes, some of whose members have
/// pointers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct V4l2Format {
    kind: u32,
    alignment: [usize; 0],
    pixels: PixelFormat,
    rest: [[u32; 19]; 2],
}

impl V4l2Format {
    fn new(mut pixels: PixelFormat) -> Self {
        pixels.private = PRIV_MAGIC;
        Self {
            kind: CAPTURE,
            alignment: [],
            pixels,
            rest: [[0; 19]; 2],
        }
    }
}

/// `struct v4l2_frmsizeenum`: one size, or with another `kind` a range.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct FrameSize {
    index: u32,
    fourcc: u32,
    kind: u32,
    /// Width and height; or width: least, most, step; and height the same.
    sides: [u32; 6],
    reserved: [u32; 2],
}

/// `V4L2_FRMSIZE_TYPE_DISCRETE`.
const DISCRETE: u32 = 1;

/// `struct v4l2_buffer`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct V4l2Buffer {
    /// Its number.
    pub index: u32,
    kind: u32,
    /// How many bytes the camera has written to it.
    pub bytes_used: u32,
    flags: u32,
    field: u32,
    seconds: i64,
    microseconds: i64,
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    offset: Offset,
    length: u32,
    reserved: u32,
    request_fd: i32,
}

/// A union with a pointer; the offset is at its start, on machines of either byte order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Offset {
    alignment: [usize; 0],
    bytes: u32,
    rest: [u32; size_of::<usize>() / 4 - 1],
}

impl V4l2Buffer {
    fn numbered(index: u32) -> Self {
        Self {
            index,
            kind: CAPTURE,
            memory: MEMORY_MMAP,
            ..Self::default()
        }
    }

    /// `V4L2_BUF_FLAG_ERROR`: the picture may be broken.
    pub fn is_broken(&self) -> bool {
        self.flags & 0x40 != 0
    }

    /// Its timestamp in nanoseconds; 0 where there is none.
    pub fn timestamp_ns(&self) -> u64 {
        let seconds = u64::try_from(self.seconds).unwrap_or(0);
        let us = u64::try_from(self.microseconds).unwrap_or(0);
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(us.saturating_mul(1000))
    }
}

const _: () = {
    assert!(size_of::<PixelFormat>() == 48);
    assert!(size_of::<V4l2Format>() == 200 + size_of::<usize>());
    assert!(size_of::<FrameSize>() == 44);
    assert!(size_of::<V4l2Buffer>() == BUFFER_BYTES);
};

nix::ioctl_readwrite!(g_fmt, b'V', 4, V4l2Format);
nix::ioctl_readwrite!(s_fmt, b'V', 5, V4l2Format);
nix::ioctl_readwrite!(querybuf, b'V', 9, V4l2Buffer);
nix::ioctl_readwrite!(qbuf, b'V', 15, V4l2Buffer);
nix::ioctl_readwrite!(dqbuf, b'V', 17, V4l2Buffer);
nix::ioctl_readwrite!(enum_framesizes, b'V', 74, FrameSize);

/// One value, or all between two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Span<T> {
    /// Just this.
    One(T),
    /// From the least to the most in steps.
    Range {
        /// The least.
        min: T,
        /// The most.
        max: T,
        /// From one to the next.
        step: T,
    },
}

impl Node {
    /// The size of a camera's format with this number; `None` behind the last one.
    pub fn size(&self, fourcc: u32, index: u32) -> Option<Span<(u32, u32)>> {
        let mut size = FrameSize {
            index,
            fourcc,
            ..FrameSize::default()
        };
        self.ask(enum_framesizes, &mut size).ok()?;
        let sides = size.sides;
        Some(if size.kind == DISCRETE {
            Span::One((sides[0], sides[1]))
        } else {
            Span::Range {
                min: (sides[0], sides[3]),
                max: (sides[1], sides[4]),
                step: (sides[2], sides[5]),
            }
        })
    }

    /// The format that a camera has now.
    ///
    /// # Errors
    /// What the driver says.
    pub fn format(&self) -> io::Result<PixelFormat> {
        let mut format = V4l2Format::new(PixelFormat::default());
        self.ask(g_fmt, &mut format)?;
        Ok(format.pixels)
    }

    /// Sets a camera's format and size; gives what it has made of it.
    ///
    /// # Errors
    /// What the driver says.
    pub fn set_format(&self, fourcc: u32, (width, height): (u32, u32)) -> io::Result<PixelFormat> {
        let mut format = V4l2Format::new(PixelFormat {
            width,
            height,
            fourcc,
            ..PixelFormat::default()
        });
        self.ask(s_fmt, &mut format)?;
        Ok(format.pixels)
    }

    /// Maps a buffer.
    ///
    /// # Errors
    /// There is none such, or no memory.
    pub fn map(&self, index: u32) -> io::Result<BufferMap> {
        let mut buffer = V4l2Buffer::numbered(index);
        self.ask(querybuf, &mut buffer)?;
        BufferMap::new(self.as_fd(), buffer.length, buffer.offset.bytes)
    }

    /// Lets the camera fill a buffer.
    ///
    /// # Errors
    /// What the driver says.
    pub fn queue(&self, index: u32) -> io::Result<()> {
        self.ask(qbuf, &mut V4l2Buffer::numbered(index))
    }

    /// Takes back the buffer that was filled first. `None`: the next one is not ready.
    ///
    /// # Errors
    /// What the driver says. `ENODEV`: the camera was unplugged.
    pub fn dequeue(&self) -> io::Result<Option<V4l2Buffer>> {
        let mut buffer = V4l2Buffer::numbered(0);
        match self.ask(dqbuf, &mut buffer) {
            Ok(()) => Ok(Some(buffer)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are those that C's headers give on a 64-bit machine.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn numbers_of_ioctls_are_those_of_the_kernel() {
        let read_write = nix::request_code_readwrite!(b'V', 5, size_of::<V4l2Format>());
        assert_eq!(read_write, 0xC0D0_5605);
        let dequeue = nix::request_code_readwrite!(b'V', 17, size_of::<V4l2Buffer>());
        assert_eq!(dequeue, 0xC058_5611);
        assert_eq!(std::mem::offset_of!(V4l2Format, pixels), 8);
        assert_eq!(std::mem::offset_of!(V4l2Buffer, seconds), 24);
        assert_eq!(std::mem::offset_of!(V4l2Buffer, offset), 64);
    }

    #[test]
    fn a_timestamp_is_counted_in_nanoseconds() {
        let buffer = V4l2Buffer {
            seconds: 5,
            microseconds: 250,
            ..V4l2Buffer::default()
        };
        assert_eq!(buffer.timestamp_ns(), 5_000_250_000);
        assert_eq!(
            V4l2Buffer {
                seconds: -1,
                ..buffer
            }
            .timestamp_ns(),
            250_000
        );
    }
}
