//! Pictures that may lie in several planes of memory, as encoders take them: formats and buffers of
//! both queues of a memory-to-memory device. One plane is all that is used, which is how all
//! encoders have I420.
//!
//! The time in a buffer is 64 bits wide everywhere, which 32-bit kernels know since 5.6.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::node::{BUFFER_BYTES, Ioctl, MEMORY_MMAP};
use crate::{BufferMap, Node, Queue};

/// `V4L2_FIELD_NONE`: all rows of a picture are of one moment.
const FIELD_NONE: u32 = 1;
/// `V4L2_BUF_TYPE_VIDEO_OUTPUT`: selections know no planes.
const VIDEO_OUTPUT: u32 = 2;
/// `V4L2_SEL_TGT_CROP`: what of a picture counts.
const TARGET_CROP: u32 = 0;

/// `struct v4l2_plane_pix_format`.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default)]
struct PlaneFormat {
    image_bytes: u32,
    bytes_per_line: u32,
    reserved: [u16; 6],
}

/// `struct v4l2_pix_format_mplane`.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default)]
struct PixelFormatMplane {
    width: u32,
    height: u32,
    fourcc: u32,
    field: u32,
    colorspace: u32,
    planes: [PlaneFormat; 8],
    plane_count: u8,
    flags: u8,
    ycbcr_encoding: u8,
    quantization: u8,
    transfer_function: u8,
    reserved: [u8; 7],
}

/// `struct v4l2_format`. What it holds is a union of 200 bytes, some of whose members have
/// pointers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct V4l2FormatMplane {
    kind: u32,
    alignment: [usize; 0],
    pixels: PixelFormatMplane,
    rest: [u32; 2],
}

/// `struct v4l2_selection`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Selection {
    kind: u32,
    target: u32,
    flags: u32,
    left: i32,
    top: i32,
    width: u32,
    height: u32,
    reserved: [u32; 9],
}

/// `struct v4l2_plane`: its union has a pointer; the offset is at its start.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Plane {
    bytes_used: u32,
    length: u32,
    alignment: [usize; 0],
    offset: u32,
    offset_rest: [u32; size_of::<usize>() / 4 - 1],
    data_offset: u32,
    reserved: [u32; 11],
}

/// `struct v4l2_buffer`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct V4l2BufferMplane {
    index: u32,
    kind: u32,
    bytes_used: u32,
    flags: u32,
    field: u32,
    seconds: i64,
    microseconds: i64,
    timecode: [u32; 4],
    sequence: u32,
    memory: u32,
    planes: *mut Plane,
    /// How many planes there are.
    length: u32,
    reserved: u32,
    request_fd: i32,
}

impl V4l2BufferMplane {
    /// A buffer, of which [`Node::ask_buffer_mplane`] says where its plane is.
    fn numbered(queue: Queue, index: u32) -> Self {
        Self {
            index,
            kind: queue as u32,
            bytes_used: 0,
            flags: 0,
            field: FIELD_NONE,
            seconds: 0,
            microseconds: 0,
            timecode: [0; 4],
            sequence: 0,
            memory: MEMORY_MMAP,
            planes: std::ptr::null_mut(),
            length: 0,
            reserved: 0,
            request_fd: 0,
        }
    }
}

const _: () = {
    assert!(size_of::<PixelFormatMplane>() == 192);
    assert!(size_of::<V4l2FormatMplane>() == 200 + size_of::<usize>());
    assert!(size_of::<Selection>() == 64);
    assert!(size_of::<Plane>() == 56 + size_of::<usize>());
    assert!(size_of::<V4l2BufferMplane>() == BUFFER_BYTES);
};

nix::ioctl_readwrite!(s_fmt, b'V', 5, V4l2FormatMplane);
nix::ioctl_readwrite!(querybuf, b'V', 9, V4l2BufferMplane);
nix::ioctl_readwrite!(qbuf, b'V', 15, V4l2BufferMplane);
nix::ioctl_readwrite!(dqbuf, b'V', 17, V4l2BufferMplane);
nix::ioctl_readwrite!(s_selection, b'V', 95, Selection);

/// The format of a queue, of which the picture is one plane of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatMplane {
    /// Its four characters.
    pub fourcc: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `enum v4l2_colorspace`.
    pub colorspace: u32,
    /// `enum v4l2_quantization`.
    pub quantization: u8,
    /// From one row to the next.
    pub bytes_per_line: u32,
    /// The most that a picture has.
    pub image_bytes: u32,
    /// How many planes the device makes of it.
    pub planes: u8,
}

/// A buffer that the device has given back.
#[derive(Clone, Copy, Debug)]
pub struct DoneMplane {
    /// Its number.
    pub index: u32,
    /// Where in the buffer its bytes begin.
    pub offset: u32,
    /// How many there are.
    pub bytes: u32,
    flags: u32,
}

impl DoneMplane {
    /// `V4L2_BUF_FLAG_ERROR`: the device could not do it.
    pub fn is_broken(&self) -> bool {
        self.flags & 0x40 != 0
    }
}

/// Which queues have a buffer to give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// That of what was encoded.
    pub capture: bool,
    /// That of what is to be.
    pub output: bool,
}

impl Node {
    /// Sets a queue's format; gives what the device has made of it.
    ///
    /// # Errors
    /// What the driver says.
    pub fn set_format_mplane(
        &self,
        queue: Queue,
        wanted: FormatMplane,
    ) -> io::Result<FormatMplane> {
        let mut planes = [PlaneFormat::default(); 8];
        planes[0].image_bytes = wanted.image_bytes;
        planes[0].bytes_per_line = wanted.bytes_per_line;
        let mut format = V4l2FormatMplane {
            kind: queue as u32,
            alignment: [],
            pixels: PixelFormatMplane {
                width: wanted.width,
                height: wanted.height,
                fourcc: wanted.fourcc,
                field: FIELD_NONE,
                colorspace: wanted.colorspace,
                planes,
                plane_count: wanted.planes,
                quantization: wanted.quantization,
                ..PixelFormatMplane::default()
            },
            rest: [0; 2],
        };
        self.ask(s_fmt, &mut format)?;
        let pixels = format.pixels;
        let first = pixels.planes[0];
        Ok(FormatMplane {
            fourcc: pixels.fourcc,
            width: pixels.width,
            height: pixels.height,
            colorspace: pixels.colorspace,
            quantization: pixels.quantization,
            bytes_per_line: first.bytes_per_line,
            image_bytes: first.image_bytes,
            planes: pixels.plane_count,
        })
    }

    /// Says how much of a picture counts; gives what the device has made of it.
    ///
    /// # Errors
    /// What the driver says.
    pub fn set_crop(&self, (width, height): (u32, u32)) -> io::Result<(u32, u32)> {
        let mut selection = Selection {
            kind: VIDEO_OUTPUT,
            target: TARGET_CROP,
            width,
            height,
            ..Selection::default()
        };
        self.ask(s_selection, &mut selection)?;
        Ok((selection.width, selection.height))
    }

    /// Maps a buffer.
    ///
    /// # Errors
    /// There is none such, or no memory.
    pub fn map_mplane(&self, queue: Queue, index: u32) -> io::Result<BufferMap> {
        let (mut buffer, mut plane) = (V4l2BufferMplane::numbered(queue, index), Plane::default());
        self.ask_buffer_mplane(querybuf, &mut buffer, &mut plane)?;
        BufferMap::new(self.as_fd(), plane.length, plane.offset)
    }

    /// Gives the device a buffer, with so many bytes in it of this moment.
    ///
    /// # Errors
    /// What the driver says.
    pub fn queue_mplane(
        &self,
        queue: Queue,
        index: u32,
        bytes: u32,
        at: Duration,
    ) -> io::Result<()> {
        let mut plane = Plane {
            bytes_used: bytes,
            ..Plane::default()
        };
        let mut buffer = V4l2BufferMplane::numbered(queue, index);
        buffer.seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        buffer.microseconds = i64::from(at.subsec_micros());
        self.ask_buffer_mplane(qbuf, &mut buffer, &mut plane)
    }

    /// Takes back a buffer. `None`: the next one is not ready.
    ///
    /// # Errors
    /// What the driver says.
    pub fn dequeue_mplane(&self, queue: Queue) -> io::Result<Option<DoneMplane>> {
        let (mut buffer, mut plane) = (V4l2BufferMplane::numbered(queue, 0), Plane::default());
        match self.ask_buffer_mplane(dqbuf, &mut buffer, &mut plane) {
            Ok(()) => Ok(Some(DoneMplane {
                index: buffer.index,
                offset: plane.data_offset,
                bytes: plane.bytes_used.saturating_sub(plane.data_offset),
                flags: buffer.flags,
            })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Waits until one of these queues has a buffer to give back; not longer than that, nor than a
    /// signal lets it.
    ///
    /// # Errors
    /// `EIO`: the device will give none.
    pub fn wait(&self, wanted: Ready, timeout: Duration) -> io::Result<Ready> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, wanted.capture);
        events.set(PollFlags::POLLOUT, wanted.output);
        let mut descriptors = [PollFd::new(self.as_fd(), events)];
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        match poll(&mut descriptors, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let got = descriptors[0].revents().unwrap_or(PollFlags::empty());
        let ready = Ready {
            capture: got.contains(PollFlags::POLLIN),
            output: got.contains(PollFlags::POLLOUT),
        };
        // Who takes back a buffer that is there is told what is wrong.
        if got.intersects(PollFlags::POLLERR | PollFlags::POLLHUP) && ready == Ready::default() {
            return Err(Errno::EIO.into());
        }
        Ok(ready)
    }

    fn ask_buffer_mplane(
        &self,
        ioctl: Ioctl<V4l2BufferMplane>,
        buffer: &mut V4l2BufferMplane,
        plane: &mut Plane,
    ) -> io::Result<()> {
        // The kernel reads and writes as many planes as `length` says, which is this one; it lives
        // longer than the call, and nobody follows the pointer afterwards.
        buffer.planes = plane;
        buffer.length = 1;
        let answer = self.ask(ioctl, buffer);
        buffer.planes = std::ptr::null_mut();
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are those that C's headers give on a 64-bit machine.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn numbers_of_ioctls_and_places_of_fields_are_those_of_the_kernel() {
        use std::mem::offset_of;
        let set_format = nix::request_code_readwrite!(b'V', 5, size_of::<V4l2FormatMplane>());
        assert_eq!(set_format, 0xC0D0_5605);
        let dequeue = nix::request_code_readwrite!(b'V', 17, size_of::<V4l2BufferMplane>());
        assert_eq!(dequeue, 0xC058_5611);
        let crop = nix::request_code_readwrite!(b'V', 95, size_of::<Selection>());
        assert_eq!(crop, 0xC040_565F);
        assert_eq!(offset_of!(V4l2FormatMplane, pixels), 8);
        assert_eq!(offset_of!(PixelFormatMplane, plane_count), 180);
        assert_eq!(offset_of!(V4l2BufferMplane, seconds), 24);
        assert_eq!(offset_of!(V4l2BufferMplane, planes), 64);
        assert_eq!(offset_of!(Plane, offset), 8);
        assert_eq!(offset_of!(Plane, data_offset), 16);
    }
}
