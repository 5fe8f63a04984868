//! V4L2 as the kernel has it (linux/videodev2.h): structures, ioctls and mapped buffers. The only
//! unsafe code of this source.
//!
//! By hand, for it is little: crates that wrap V4L2 make their bindings with bindgen, which needs
//! libclang, and the default build needs nothing but Rust and a C compiler. Sizes are checked
//! below, for the number of an ioctl has that of its structure in it. The time in a buffer is 64
//! bits wide everywhere, which 32-bit kernels know since 5.6. Longer than our files are: half of it
//! is those structures, whose fields nobody but the ioctls below may see.
#![expect(unsafe_code, reason = "ioctl(2) and mmap(2) have no safe form")]

use std::ffi::c_int;
use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc::{O_CLOEXEC, O_NONBLOCK, c_void};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// `V4L2_BUF_TYPE_VIDEO_CAPTURE`: pictures, in one plane of memory.
pub(super) const VIDEO_CAPTURE: u32 = 1;
/// `V4L2_MEMORY_MMAP`: buffers of the driver, mapped here.
const MEMORY_MMAP: u32 = 1;
/// `V4L2_PIX_FMT_PRIV_MAGIC`: the fields behind `priv` count.
const PRIV_MAGIC: u32 = 0xFEED_CAFE;

/// `struct v4l2_capability`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Capability {
    pub(super) driver: [u8; 16],
    pub(super) card: [u8; 32],
    pub(super) bus_info: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

impl Capability {
    /// What this device node can do, as opposed to the whole device.
    pub(super) fn bits(&self) -> u32 {
        const DEVICE_CAPS: u32 = 0x8000_0000;
        if self.capabilities & DEVICE_CAPS != 0 {
            self.device_caps
        } else {
            self.capabilities
        }
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

/// `struct v4l2_pix_format`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PixelFormat {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) fourcc: u32,
    field: u32,
    pub(super) bytes_per_line: u32,
    pub(super) image_bytes: u32,
    pub(super) colorspace: u32,
    private: u32,
    flags: u32,
    ycbcr_encoding: u32,
    pub(super) quantization: u32,
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

/// `struct v4l2_fract`: seconds.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fraction {
    pub(super) numerator: u32,
    pub(super) denominator: u32,
}

/// `struct v4l2_frmivalenum`: one time between frames, or with another `kind` a range.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct FrameInterval {
    index: u32,
    fourcc: u32,
    width: u32,
    height: u32,
    kind: u32,
    /// The only one; or least, most, step.
    intervals: [Fraction; 3],
    reserved: [u32; 2],
}

/// `V4L2_FRMSIZE_TYPE_DISCRETE` and `V4L2_FRMIVAL_TYPE_DISCRETE`.
const DISCRETE: u32 = 1;

/// `struct v4l2_streamparm` with a `struct v4l2_captureparm`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct StreamParameters {
    kind: u32,
    capability: u32,
    mode: u32,
    interval: Fraction,
    extended_mode: u32,
    read_buffers: u32,
    reserved: [u32; 4],
    rest: [[u32; 20]; 2],
}

/// `V4L2_CAP_TIMEPERFRAME`.
const CAN_SET_INTERVAL: u32 = 0x1000;

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

/// `struct v4l2_buffer`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct V4l2Buffer {
    pub(super) index: u32,
    kind: u32,
    pub(super) bytes_used: u32,
    pub(super) flags: u32,
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
            kind: VIDEO_CAPTURE,
            memory: MEMORY_MMAP,
            ..Self::default()
        }
    }

    /// `V4L2_BUF_FLAG_ERROR`: the picture may be broken.
    pub(super) fn is_broken(&self) -> bool {
        self.flags & 0x40 != 0
    }

    /// Its timestamp in nanoseconds; 0 where there is none.
    pub(super) fn timestamp_ns(&self) -> u64 {
        let seconds = u64::try_from(self.seconds).unwrap_or(0);
        let us = u64::try_from(self.microseconds).unwrap_or(0);
        seconds
            .saturating_mul(1_000_000_000)
            .saturating_add(us.saturating_mul(1000))
    }
}

/// `struct v4l2_queryctrl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QueryControl {
    pub(super) id: u32,
    pub(super) kind: u32,
    pub(super) name: [u8; 32],
    pub(super) minimum: i32,
    pub(super) maximum: i32,
    step: i32,
    pub(super) default: i32,
    pub(super) flags: u32,
    reserved: [u32; 2],
}

/// `struct v4l2_querymenu`.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug, Default)]
struct QueryMenu {
    id: u32,
    index: u32,
    /// The name, or a number of 64 bits.
    name: [u8; 32],
    reserved: u32,
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
    assert!(size_of::<PixelFormat>() == 48);
    assert!(size_of::<V4l2Format>() == 200 + size_of::<usize>());
    assert!(size_of::<FrameSize>() == 44);
    assert!(size_of::<FrameInterval>() == 52);
    assert!(size_of::<StreamParameters>() == 204);
    assert!(size_of::<RequestBuffers>() == 20);
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
    assert!(size_of::<QueryMenu>() == 44);
    assert!(size_of::<ControlValue>() == 8);
};

nix::ioctl_read!(querycap, b'V', 0, Capability);
nix::ioctl_readwrite!(enum_fmt, b'V', 2, FormatDescription);
nix::ioctl_readwrite!(g_fmt, b'V', 4, V4l2Format);
nix::ioctl_readwrite!(s_fmt, b'V', 5, V4l2Format);
nix::ioctl_readwrite!(reqbufs, b'V', 8, RequestBuffers);
nix::ioctl_readwrite!(querybuf, b'V', 9, V4l2Buffer);
nix::ioctl_readwrite!(qbuf, b'V', 15, V4l2Buffer);
nix::ioctl_readwrite!(dqbuf, b'V', 17, V4l2Buffer);
nix::ioctl_readwrite!(g_parm, b'V', 21, StreamParameters);
nix::ioctl_readwrite!(s_parm, b'V', 22, StreamParameters);
nix::ioctl_readwrite!(s_ctrl, b'V', 28, ControlValue);
nix::ioctl_readwrite!(queryctrl, b'V', 36, QueryControl);
nix::ioctl_readwrite!(querymenu, b'V', 37, QueryMenu);
nix::ioctl_readwrite!(enum_framesizes, b'V', 74, FrameSize);
nix::ioctl_readwrite!(enum_frameintervals, b'V', 75, FrameInterval);
nix::ioctl_write_ptr!(streamon, b'V', 18, c_int);
nix::ioctl_write_ptr!(streamoff, b'V', 19, c_int);

/// An open device node.
#[derive(Debug)]
pub(super) struct Node(OwnedFd);

impl Node {
    /// Opens a device node. Whatever is asked of it later does not wait.
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

    /// The format with this number, as its four characters; `None` behind the last one.
    pub(super) fn fourcc(&self, index: u32) -> Option<u32> {
        let mut format = FormatDescription {
            index,
            kind: VIDEO_CAPTURE,
            ..FormatDescription::default()
        };
        self.ask(enum_fmt, &mut format).ok()?;
        Some(format.fourcc)
    }

    /// The size of a format with this number; `None` behind the last one.
    pub(super) fn size(&self, fourcc: u32, index: u32) -> Option<Span<(u32, u32)>> {
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

    /// The time between frames with this number, at a format and size; `None` behind the last one.
    pub(super) fn interval(
        &self,
        fourcc: u32,
        (width, height): (u32, u32),
        index: u32,
    ) -> Option<Span<Fraction>> {
        let mut interval = FrameInterval {
            index,
            fourcc,
            width,
            height,
            ..FrameInterval::default()
        };
        self.ask(enum_frameintervals, &mut interval).ok()?;
        let [min, max, step] = interval.intervals;
        Some(if interval.kind == DISCRETE {
            Span::One(min)
        } else {
            Span::Range { min, max, step }
        })
    }

    /// The format that the camera has now.
    pub(super) fn format(&self) -> io::Result<PixelFormat> {
        let mut format = V4l2Format::new(PixelFormat::default());
        self.ask(g_fmt, &mut format)?;
        Ok(format.pixels)
    }

    /// Sets format and size; gives what the camera has made of it.
    pub(super) fn set_format(
        &self,
        fourcc: u32,
        (width, height): (u32, u32),
    ) -> io::Result<PixelFormat> {
        let mut format = V4l2Format::new(PixelFormat {
            width,
            height,
            fourcc,
            ..PixelFormat::default()
        });
        self.ask(s_fmt, &mut format)?;
        Ok(format.pixels)
    }

    /// Sets the time between frames, where one is given; gives what it is. `None` where the camera
    /// does not say.
    pub(super) fn set_interval(&self, interval: Option<Fraction>) -> io::Result<Option<Fraction>> {
        let mut parameters = StreamParameters {
            kind: VIDEO_CAPTURE,
            ..StreamParameters::default()
        };
        self.ask(g_parm, &mut parameters)?;
        if parameters.capability & CAN_SET_INTERVAL != 0
            && let Some(interval) = interval
        {
            parameters.interval = interval;
            self.ask(s_parm, &mut parameters)?;
        }
        let Fraction {
            numerator,
            denominator,
        } = parameters.interval;
        Ok((numerator > 0 && denominator > 0).then_some(parameters.interval))
    }

    /// Asks for buffers; gives how many there are. With 0 the device is free for others.
    pub(super) fn request_buffers(&self, count: u32) -> io::Result<u32> {
        let mut request = RequestBuffers {
            count,
            kind: VIDEO_CAPTURE,
            memory: MEMORY_MMAP,
            ..RequestBuffers::default()
        };
        self.ask(reqbufs, &mut request)?;
        Ok(request.count)
    }

    /// Maps a buffer.
    pub(super) fn map(&self, index: u32) -> io::Result<BufferMap> {
        let mut buffer = V4l2Buffer::numbered(index);
        self.ask(querybuf, &mut buffer)?;
        BufferMap::new(self.0.as_fd(), buffer.length, buffer.offset.bytes)
    }

    /// Lets the camera fill a buffer.
    pub(super) fn queue(&self, index: u32) -> io::Result<()> {
        self.ask(qbuf, &mut V4l2Buffer::numbered(index))
    }

    /// Takes back the buffer that was filled first. `None`: the next one is not ready.
    pub(super) fn dequeue(&self) -> io::Result<Option<V4l2Buffer>> {
        let mut buffer = V4l2Buffer::numbered(0);
        match self.ask(dqbuf, &mut buffer) {
            Ok(()) => Ok(Some(buffer)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn stream_on(&self) -> io::Result<()> {
        // SAFETY: the kernel reads one int, which outlives the call.
        unsafe { streamon(self.0.as_raw_fd(), &VIDEO_CAPTURE.cast_signed()) }?;
        Ok(())
    }

    /// Stops the camera. All buffers are ours then.
    pub(super) fn stream_off(&self) -> io::Result<()> {
        // SAFETY: as above.
        unsafe { streamoff(self.0.as_raw_fd(), &VIDEO_CAPTURE.cast_signed()) }?;
        Ok(())
    }

    /// The first control with a higher number than `id`.
    pub(super) fn control_after(&self, id: u32) -> Option<QueryControl> {
        const NEXT: u32 = 0x8000_0000;
        let mut control = QueryControl {
            id: id | NEXT,
            ..QueryControl::default()
        };
        self.ask(queryctrl, &mut control).ok()?;
        // A driver that gave the same one again would be asked for ever.
        (control.id > id).then_some(control)
    }

    /// The name of a choice of a control, or the bytes of its number. `None`: there is no such
    /// choice.
    pub(super) fn menu_item(&self, id: u32, index: u32) -> Option<[u8; 32]> {
        let mut item = QueryMenu {
            id,
            index,
            ..QueryMenu::default()
        };
        self.ask(querymenu, &mut item).ok()?;
        Some(item.name)
    }

    pub(super) fn set_control(&self, id: u32, value: i32) -> io::Result<()> {
        self.ask(s_ctrl, &mut ControlValue { id, value })
    }

    fn ask<T>(
        &self,
        ioctl: unsafe fn(c_int, *mut T) -> nix::Result<c_int>,
        argument: &mut T,
    ) -> io::Result<()> {
        loop {
            // SAFETY: `ioctl` is one of those above, each of which has the size of its structure in
            // its number: the kernel reads and writes that much, and any bytes are a valid `T`.
            // None of them has the kernel follow a pointer.
            match unsafe { ioctl(self.0.as_raw_fd(), argument) } {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(_) => return Ok(()),
            }
        }
    }
}

impl AsFd for Node {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One value, or all between two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Span<T> {
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

impl V4l2Format {
    fn new(mut pixels: PixelFormat) -> Self {
        pixels.private = PRIV_MAGIC;
        Self {
            kind: VIDEO_CAPTURE,
            alignment: [],
            pixels,
            rest: [[0; 19]; 2],
        }
    }
}

/// A buffer, mapped for reading until it is dropped.
#[derive(Debug)]
pub(super) struct BufferMap {
    address: NonNull<c_void>,
    length: usize,
}

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
                // Some drivers (videobuf2 before 2019) want both.
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

    /// The bytes. To be read only while the buffer is not queued.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is that long, readable and lives as long as `self`. The camera writes
        // to it only while it is queued; the device module hands out bytes of the one buffer that
        // is not.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast(), self.length) }
    }
}

impl Drop for BufferMap {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `BufferMap::new`, and `bytes` borrows it no longer than
        // `self` lives.
        if let Err(errno) = unsafe { munmap(self.address, self.length) } {
            log::debug!("v4l2: munmap: {errno}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_says_so() {
        let node = Node::open(Path::new("/dev/null")).unwrap();
        let error = node.capability().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOTTY as i32));
        assert!(node.fourcc(0).is_none() && node.control_after(0).is_none());
        assert!(node.stream_on().is_err() && node.request_buffers(4).is_err());
    }

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
