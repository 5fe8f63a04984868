//! An open device, and what is asked of it alike whatever it does.
#![expect(unsafe_code, reason = "ioctl(2) has no safe form")]

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::libc::{O_CLOEXEC, O_NONBLOCK};

/// `V4L2_MEMORY_MMAP`: buffers of the driver, mapped here.
pub(crate) const MEMORY_MMAP: u32 = 1;

/// What `struct v4l2_buffer` has, whichever the queue. Where 64 bits need no alignment there is no
/// gap before the time.
pub(crate) const BUFFER_BYTES: usize = match size_of::<usize>() {
    8 => 88,
    _ => 72 + align_of::<i64>(),
};

/// A queue of buffers (`enum v4l2_buf_type`), as the device's user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Queue {
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE`: a camera's pictures, in one plane of memory.
    Capture = 1,
    /// `V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE`: what was encoded.
    CaptureMplane = 9,
    /// `V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE`: what is to be.
    OutputMplane = 10,
}

/// `struct v4l2_capability`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Capability {
    /// What its driver is called.
    pub driver: [u8; 16],
    /// What it is called itself.
    pub card: [u8; 32],
    /// Where it is plugged in.
    pub bus_info: [u8; 32],
    version: u32,
    capabilities: u32,
    device_caps: u32,
    reserved: [u32; 3],
}

impl Capability {
    /// What this device node can do, as opposed to the whole device.
    pub fn bits(&self) -> u32 {
        const DEVICE_CAPS: u32 = 0x8000_0000;
        if self.capabilities & DEVICE_CAPS != 0 {
            self.device_caps
        } else {
            self.capabilities
        }
    }

    /// `V4L2_CAP_VIDEO_M2M_MPLANE` and `V4L2_CAP_STREAMING`, of this node.
    pub fn is_memory_to_memory(&self) -> bool {
        const NEEDED: u32 = 0x4000 | 0x0400_0000;
        self.bits() & NEEDED == NEEDED
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

const _: () = {
    assert!(size_of::<Capability>() == 104);
    assert!(size_of::<FormatDescription>() == 64);
    assert!(size_of::<RequestBuffers>() == 20);
};

nix::ioctl_read!(querycap, b'V', 0, Capability);
nix::ioctl_readwrite!(enum_fmt, b'V', 2, FormatDescription);
nix::ioctl_readwrite!(reqbufs, b'V', 8, RequestBuffers);
nix::ioctl_write_ptr!(streamon, b'V', 18, c_int);
nix::ioctl_write_ptr!(streamoff, b'V', 19, c_int);

/// An ioctl with the structure that it reads and writes. All are this crate's.
pub(crate) type Ioctl<T> = unsafe fn(c_int, *mut T) -> nix::Result<c_int>;

/// An open device node.
#[derive(Debug)]
pub struct Node(OwnedFd);

impl Node {
    /// Opens a device node. Nothing that is asked of it later waits, but `wait`.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(O_NONBLOCK | O_CLOEXEC)
            .open(path)?;
        Ok(Self(file.into()))
    }

    /// What it is, and what it can do.
    ///
    /// # Errors
    /// `ENOTTY`: it is no such device.
    pub fn capability(&self) -> io::Result<Capability> {
        let mut capability = Capability::default();
        self.ask(querycap, &mut capability)?;
        Ok(capability)
    }

    /// The formats that a queue can have, as their four characters.
    pub fn formats(&self, queue: Queue) -> impl Iterator<Item = u32> {
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

    /// Asks for buffers; gives how many there are. With 0 the queue's memory is given back, and a
    /// camera is free for others.
    ///
    /// # Errors
    /// What the driver says.
    pub fn request_buffers(&self, queue: Queue, count: u32) -> io::Result<u32> {
        let mut request = RequestBuffers {
            count,
            kind: queue as u32,
            memory: MEMORY_MMAP,
            ..RequestBuffers::default()
        };
        self.ask(reqbufs, &mut request)?;
        Ok(request.count)
    }

    /// Starts a queue.
    ///
    /// # Errors
    /// What the driver says.
    pub fn stream_on(&self, queue: Queue) -> io::Result<()> {
        // SAFETY: the kernel reads one int, which outlives the call.
        unsafe { streamon(self.0.as_raw_fd(), &(queue as c_int)) }?;
        Ok(())
    }

    /// Stops a queue. All its buffers are ours then.
    ///
    /// # Errors
    /// What the driver says.
    pub fn stream_off(&self, queue: Queue) -> io::Result<()> {
        // SAFETY: as above.
        unsafe { streamoff(self.0.as_raw_fd(), &(queue as c_int)) }?;
        Ok(())
    }

    /// Asks the driver. One that a signal has kept from it is asked again.
    pub(crate) fn ask<T>(&self, ioctl: Ioctl<T>, argument: &mut T) -> io::Result<()> {
        loop {
            // SAFETY: `ioctl` is one of this crate's, each of which has the size of its structure
            // in its number: the kernel reads and writes that much, and any bytes are a valid `T`.
            // Only those with a `V4l2BufferMplane` have the kernel follow a pointer, and all of
            // these come from `ask_buffer_mplane`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_camera_says_so() {
        let node = Node::open(Path::new("/dev/null")).unwrap();
        let error = node.capability().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOTTY as i32));
        assert!(node.formats(Queue::Capture).next().is_none() && node.control_after(0).is_none());
        assert!(node.stream_on(Queue::Capture).is_err());
        assert!(node.request_buffers(Queue::Capture, 4).is_err());
    }

    #[test]
    fn what_is_no_encoder_says_so() {
        let node = Node::open(Path::new("/dev/null")).unwrap();
        assert!(node.formats(Queue::CaptureMplane).next().is_none());
        assert!(node.control(1).is_none() && node.set_crop((32, 32)).is_err());
        assert!(node.stream_on(Queue::OutputMplane).is_err());
        assert!(node.map_mplane(Queue::OutputMplane, 0).is_err());
    }
}
