//! V4L2's memory-to-memory devices as the kernel has them (linux/videodev2.h): structures, ioctls
//! and mapped buffers. The only unsafe code of this encoder.
//!
//! By hand, as `eyelid-capture` has its cameras: the one crate that knows such devices (`v4l2r`)
//! needs libclang to be built, waits without a deadline, and panics where a driver refuses. What is
//! here is the multi-planar interface with one plane, which is how all encoders have I420. Sizes
//! are checked below, for the number of an ioctl has that of its structure in it. Longer than our
//! files are: half of it is those structures.
#![expect(
    unsafe_code,
    reason = "ioctl(2) and mmap(2) have no safe form, and a mapping goes to another thread"
)]

use std::ffi::c_int;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{O_CLOEXEC, O_NONBLOCK, c_void};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// `V4L2_MEMORY_MMAP`: buffers of the driver, mapped here.
const MEMORY_MMAP: u32 = 1;
/// `V4L2_FIELD_NONE`: all rows of a picture are of one moment.
const FIELD_NONE: u32 = 1;
/// `V4L2_BUF_TYPE_VIDEO_OUTPUT`: selections know no planes.
const VIDEO_OUTPUT: u32 = 2;
/// `V4L2_SEL_TGT_CROP`: what of a picture counts.
const TARGET_CROP: u32 = 0;

/// A queue of buffers, as the device's user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Queue {
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE`: what was encoded.
    Capture = 9,
    /// `V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE`: what is to be.
    Output = 10,
}

/// `struct v4l2_capability`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capability {
    driver: [u8; 16],
    pub(super) card: [u8; 32],
    bus_info: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

impl Capability {
    /// `V4L2_CAP_VIDEO_M2M_MPLANE` and `V4L2_CAP_STREAMING`, of this node.
    pub(super) fn is_memory_to_memory(&self) -> bool {
        const DEVICE_CAPS: u32 = 0x8000_0000;
        const NEEDED: u32 = 0x4000 | 0x0400_0000;
        let bits = match self.capabilities & DEVICE_CAPS {
            0 => self.capabilities,
            _ => self.device_caps,
        };
        bits & NEEDED == NEEDED
    }
}

/// `struct v4l2_fmtdesc`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct FormatDescription {
    index: u32,
    kind: u32,
    flags: u32,
    description: [u8; 32],
    fourcc: u32,
    mbus_code: u32,
    reserved: [u32; 3],
}

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
struct PixelFormat {
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
struct V4l2Format {
    kind: u32,
    alignment: [usize; 0],
    pixels: PixelFormat,
    rest: [u32; 2],
}

/// `struct v4l2_fract`: seconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Fraction {
    numerator: u32,
    denominator: u32,
}

/// `struct v4l2_streamparm` with a `struct v4l2_outputparm`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct StreamParameters {
    kind: u32,
    capability: u32,
    mode: u32,
    interval: Fraction,
    extended_mode: u32,
    write_buffers: u32,
    reserved: [u32; 4],
    rest: [[u32; 20]; 2],
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

/// `struct v4l2_requestbuffers`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct RequestBuffers {
    count: u32,
    kind: u32,
    memory: u32,
    capabilities: u32,
    flags_and_reserved: u32,
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
struct V4l2Buffer {
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

/// `struct v4l2_queryctrl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct QueryControl {
    id: u32,
    kind: u32,
    name: [u8; 32],
    minimum: i32,
    maximum: i32,
    step: i32,
    default: i32,
    flags: u32,
    reserved: [u32; 2],
}

/// `struct v4l2_control`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct ControlValue {
    id: u32,
    value: i32,
}

const _: () = {
    assert!(size_of::<Capability>() == 104);
    assert!(size_of::<FormatDescription>() == 64);
    assert!(size_of::<PixelFormat>() == 192);
    assert!(size_of::<V4l2Format>() == 200 + size_of::<usize>());
    assert!(size_of::<StreamParameters>() == 204);
    assert!(size_of::<Selection>() == 64);
    assert!(size_of::<RequestBuffers>() == 20);
    assert!(size_of::<Plane>() == 56 + size_of::<usize>());
    // Where 64 bits need no alignment there is no gap before the time.
    let gap = align_of::<i64>() - 4;
    assert!(
        size_of::<V4l2Buffer>()
            == if size_of::<usize>() == 8 {
                88
            } else {
                76 + gap
            }
    );
    assert!(size_of::<QueryControl>() == 68);
    assert!(size_of::<ControlValue>() == 8);
};

nix::ioctl_read!(querycap, b'V', 0, Capability);
nix::ioctl_readwrite!(enum_fmt, b'V', 2, FormatDescription);
nix::ioctl_readwrite!(s_fmt, b'V', 5, V4l2Format);
nix::ioctl_readwrite!(reqbufs, b'V', 8, RequestBuffers);
nix::ioctl_readwrite!(querybuf, b'V', 9, V4l2Buffer);
nix::ioctl_readwrite!(qbuf, b'V', 15, V4l2Buffer);
nix::ioctl_readwrite!(dqbuf, b'V', 17, V4l2Buffer);
nix::ioctl_readwrite!(s_parm, b'V', 22, StreamParameters);
nix::ioctl_readwrite!(s_ctrl, b'V', 28, ControlValue);
nix::ioctl_readwrite!(queryctrl, b'V', 36, QueryControl);
nix::ioctl_readwrite!(s_selection, b'V', 95, Selection);
nix::ioctl_write_ptr!(streamon, b'V', 18, c_int);
nix::ioctl_write_ptr!(streamoff, b'V', 19, c_int);

/// The format of a queue, of which the picture is one plane of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) fourcc: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// `enum v4l2_colorspace`.
    pub(super) colorspace: u32,
    /// `enum v4l2_quantization`.
    pub(super) quantization: u8,
    pub(super) bytes_per_line: u32,
    pub(super) image_bytes: u32,
    /// How many planes the device makes of it.
    pub(super) planes: u8,
}

/// A buffer that the device has given back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    pub(super) index: u32,
    /// Where in the buffer its bytes begin, and how many there are.
    pub(super) offset: u32,
    pub(super) bytes: u32,
    flags: u32,
}

impl Done {
    /// `V4L2_BUF_FLAG_ERROR`: the device could not do it.
    pub(super) fn is_broken(&self) -> bool {
        self.flags & 0x40 != 0
    }
}

/// Which queues have a buffer to give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) capture: bool,
    pub(super) output: bool,
}

/// An open device node.
#[derive(Debug)]
pub(super) struct Node(OwnedFd);

impl Node {
    /// Opens a device node. Nothing that is asked of it later waits, but `wait`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(O_NONBLOCK | O_CLOEXEC)
            .open(path)?;
        Ok(Self(file.into()))
    }

    pub(super) fn capability(&self) -> io::Result<Capability> {
        let mut capability = Capability::default();
        self.ask(querycap, &mut capability)?;
        Ok(capability)
    }

    /// The formats that a queue can have, as their four characters.
    pub(super) fn formats(&self, queue: Queue) -> impl Iterator<Item = u32> {
        // A driver that has no end would be asked for ever.
        (0..256).map_while(move |index| {
            let mut format = FormatDescription {
                index,
                kind: queue as u32,
                ..FormatDescription::default()
            };
            self.ask(enum_fmt, &mut format).ok()?;
            Some(format.fourcc)
        })
    }

    /// Sets a queue's format; gives what the device has made of it.
    pub(super) fn set_format(&self, queue: Queue, wanted: Format) -> io::Result<Format> {
        let mut planes = [PlaneFormat::default(); 8];
        planes[0].image_bytes = wanted.image_bytes;
        planes[0].bytes_per_line = wanted.bytes_per_line;
        let mut format = V4l2Format {
            kind: queue as u32,
            alignment: [],
            pixels: PixelFormat {
                width: wanted.width,
                height: wanted.height,
                fourcc: wanted.fourcc,
                field: FIELD_NONE,
                colorspace: wanted.colorspace,
                planes,
                plane_count: wanted.planes,
                quantization: wanted.quantization,
                ..PixelFormat::default()
            },
            rest: [0; 2],
        };
        self.ask(s_fmt, &mut format)?;
        let pixels = format.pixels;
        let first = pixels.planes[0];
        Ok(Format {
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
    pub(super) fn set_crop(&self, (width, height): (u32, u32)) -> io::Result<(u32, u32)> {
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

    /// Says how many pictures a second are going to come.
    pub(super) fn set_rate(&self, pictures_per_second: u32) -> io::Result<()> {
        let mut parameters = StreamParameters {
            kind: Queue::Output as u32,
            interval: Fraction {
                numerator: 1,
                denominator: pictures_per_second,
            },
            ..StreamParameters::default()
        };
        self.ask(s_parm, &mut parameters)
    }

    /// The least and the most that a control takes; `None`: there is none such.
    pub(super) fn control(&self, id: u32) -> Option<(i32, i32)> {
        const DISABLED: u32 = 1;
        let mut control = QueryControl {
            id,
            ..QueryControl::default()
        };
        self.ask(queryctrl, &mut control).ok()?;
        (control.flags & DISABLED == 0).then_some((control.minimum, control.maximum))
    }

    pub(super) fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
        self.ask(s_ctrl, &mut ControlValue { id, value })
    }

    /// Asks for buffers; gives how many there are.
    pub(super) fn request_buffers(&self, queue: Queue, count: u32) -> io::Result<u32> {
        let mut request = RequestBuffers {
            count,
            kind: queue as u32,
            memory: MEMORY_MMAP,
            ..RequestBuffers::default()
        };
        self.ask(reqbufs, &mut request)?;
        Ok(request.count)
    }

    /// Maps a buffer.
    pub(super) fn map(&self, queue: Queue, index: u32) -> io::Result<BufferMap> {
        let mut plane = Plane::default();
        self.ask_buffer(querybuf, &mut numbered(queue, index), &mut plane)?;
        BufferMap::new(self.0.as_fd(), plane.length, plane.offset)
    }

    /// Gives the device a buffer, with so many bytes in it of this moment.
    pub(super) fn queue(
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
        let mut buffer = numbered(queue, index);
        buffer.seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        buffer.microseconds = i64::from(at.subsec_micros());
        self.ask_buffer(qbuf, &mut buffer, &mut plane)
    }

    /// Takes back a buffer. `None`: the next one is not ready.
    pub(super) fn dequeue(&self, queue: Queue) -> io::Result<Option<Done>> {
        let (mut buffer, mut plane) = (numbered(queue, 0), Plane::default());
        match self.ask_buffer(dqbuf, &mut buffer, &mut plane) {
            Ok(()) => Ok(Some(Done {
                index: buffer.index,
                offset: plane.data_offset,
                bytes: plane.bytes_used.saturating_sub(plane.data_offset),
                flags: buffer.flags,
            })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn stream_on(&self, queue: Queue) -> io::Result<()> {
        // SAFETY: the kernel reads one int, which outlives the call.
        unsafe { streamon(self.0.as_raw_fd(), &(queue as c_int)) }?;
        Ok(())
    }

    /// Stops a queue. All its buffers are ours then.
    pub(super) fn stream_off(&self, queue: Queue) -> io::Result<()> {
        // SAFETY: as above.
        unsafe { streamoff(self.0.as_raw_fd(), &(queue as c_int)) }?;
        Ok(())
    }

    /// Waits until one of these queues has a buffer to give back; not longer than that, nor than a
    /// signal lets it.
    pub(super) fn wait(&self, wanted: Ready, timeout: Duration) -> io::Result<Ready> {
        let mut events = PollFlags::empty();
        events.set(PollFlags::POLLIN, wanted.capture);
        events.set(PollFlags::POLLOUT, wanted.output);
        let mut descriptors = [PollFd::new(self.0.as_fd(), events)];
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

    fn ask<T>(
        &self,
        ioctl: unsafe fn(c_int, *mut T) -> nix::Result<c_int>,
        argument: &mut T,
    ) -> io::Result<()> {
        loop {
            // SAFETY: `ioctl` is one of those above, each of which has the size of its structure in
            // its number: the kernel reads and writes that much, and any bytes are a valid `T`.
            // Only those with a `V4l2Buffer` have the kernel follow a pointer, and all of these
            // come from `ask_buffer`.
            match unsafe { ioctl(self.0.as_raw_fd(), argument) } {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(_) => return Ok(()),
            }
        }
    }

    fn ask_buffer(
        &self,
        ioctl: unsafe fn(c_int, *mut V4l2Buffer) -> nix::Result<c_int>,
        buffer: &mut V4l2Buffer,
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

/// A buffer, of which [`Node::ask_buffer`] says where its plane is.
fn numbered(queue: Queue, index: u32) -> V4l2Buffer {
    V4l2Buffer {
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

/// A buffer, mapped until it is dropped.
#[derive(Debug)]
pub(super) struct BufferMap {
    address: NonNull<c_void>,
    length: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and nobody else has its address.
unsafe impl Send for BufferMap {}

impl BufferMap {
    fn new(fd: BorrowedFd<'_>, length: u32, offset: u32) -> io::Result<Self> {
        let length = NonZeroUsize::new(length as usize)
            .ok_or_else(|| io::Error::other("it has buffers of no bytes"))?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in
        // use.
        let address = unsafe {
            mmap(
                None,
                length,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                fd,
                offset.into(),
            )
        }?;
        Ok(Self {
            address,
            length: length.get(),
        })
    }

    /// The bytes. To be read only while the device has not got the buffer.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is that long, readable and lives as long as `self`. The device writes
        // to it only while it is queued; the session hands out bytes of one that is not.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast(), self.length) }
    }

    /// The bytes, to be written only while the device has not got the buffer.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and writable; `self` is borrowed for as long as they are.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr().cast(), self.length) }
    }
}

impl Drop for BufferMap {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `BufferMap::new`, and its bytes are borrowed no longer
        // than `self` lives. That fails only for what is no mapping.
        let _ = unsafe { munmap(self.address, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_device_says_so() {
        let node = Node::open(Path::new("/dev/null")).unwrap();
        let error = node.capability().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOTTY as i32));
        assert!(node.formats(Queue::Capture).next().is_none());
        assert!(node.control(1).is_none() && node.set_crop((32, 32)).is_err());
        assert!(node.stream_on(Queue::Output).is_err() && node.map(Queue::Output, 0).is_err());
    }

    /// The numbers are those that C's headers give on a 64-bit machine.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn numbers_of_ioctls_and_places_of_fields_are_those_of_the_kernel() {
        use std::mem::offset_of;
        let set_format = nix::request_code_readwrite!(b'V', 5, size_of::<V4l2Format>());
        assert_eq!(set_format, 0xC0D0_5605);
        let dequeue = nix::request_code_readwrite!(b'V', 17, size_of::<V4l2Buffer>());
        assert_eq!(dequeue, 0xC058_5611);
        let crop = nix::request_code_readwrite!(b'V', 95, size_of::<Selection>());
        assert_eq!(crop, 0xC040_565F);
        assert_eq!(offset_of!(V4l2Format, pixels), 8);
        assert_eq!(offset_of!(PixelFormat, plane_count), 180);
        assert_eq!(offset_of!(V4l2Buffer, seconds), 24);
        assert_eq!(offset_of!(V4l2Buffer, planes), 64);
        assert_eq!(offset_of!(Plane, offset), 8);
        assert_eq!(offset_of!(Plane, data_offset), 16);
    }
}
