//! A camera's buffers, seen from the CPU: the only unsafe code of this source.
//!
//! Buffers are dma-bufs (kernel: driver-api/dma-buf). What a device has written to one may not be
//! what the CPU's caches hold, so each read stands between `DMA_BUF_SYNC_START` and
//! `DMA_BUF_SYNC_END`.
#![expect(unsafe_code, reason = "mmap(2) and ioctl(2) have no safe form")]

use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;

use libcamera::framebuffer_allocator::FrameBuffer;
use nix::errno::Errno;
use nix::libc::c_void;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// `struct dma_buf_sync` (linux/dma-buf.h).
#[repr(C)]
struct DmaBufSync {
    flags: u64,
}

const SYNC_READ: u64 = 1;
const SYNC_START: u64 = 0;
const SYNC_END: u64 = 1 << 2;

nix::ioctl_write_ptr!(dma_buf_sync, b'b', 0, DmaBufSync);

/// Where one plane of a buffer lies.
pub(super) struct Plane<'a> {
    pub(super) fd: BorrowedFd<'a>,
    /// Bytes from the start of the dma-buf.
    pub(super) offset: usize,
    /// Bytes.
    pub(super) length: usize,
}

/// Lends a descriptor that libcamera owns.
pub(super) fn borrow<'a>(fd: i32, _owner: &'a FrameBuffer) -> BorrowedFd<'a> {
    // SAFETY: the frame buffer owns the descriptor and keeps it open as long as it lives, which is
    // as long as the borrow.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// A buffer, mapped for reading until it is dropped.
pub(super) struct DmaBuffer {
    maps: Vec<Map>,
    planes: Vec<(usize, Range<usize>)>,
    reading: bool,
}

struct Map {
    fd: OwnedFd,
    address: NonNull<c_void>,
    length: usize,
}

impl DmaBuffer {
    /// Maps a buffer.
    ///
    /// # Errors
    /// mmap(2)'s.
    pub(super) fn map(planes: &[Plane<'_>]) -> io::Result<Self> {
        let mut fds: Vec<i32> = planes.iter().map(|plane| plane.fd.as_raw_fd()).collect();
        fds.sort_unstable();
        fds.dedup();
        let maps = fds
            .iter()
            .filter_map(|fd| {
                let same = || planes.iter().filter(|plane| plane.fd.as_raw_fd() == *fd);
                let length = same().map(|plane| plane.offset + plane.length).max()?;
                Some((same().next()?.fd, NonZeroUsize::new(length)?))
            })
            .map(|(fd, length)| Map::new(fd, length))
            .collect::<io::Result<Vec<Map>>>()?;
        let planes = planes
            .iter()
            .filter_map(|plane| {
                let index = fds.iter().position(|fd| *fd == plane.fd.as_raw_fd())?;
                (index < maps.len()).then(|| (index, plane.offset..plane.offset + plane.length))
            })
            .collect();
        Ok(Self {
            maps,
            planes,
            reading: false,
        })
    }

    /// Lets the CPU read what the device has written. Does nothing where that is so already.
    pub(super) fn begin_read(&mut self) {
        if !self.reading {
            self.reading = true;
            self.sync(SYNC_READ | SYNC_START);
        }
    }

    /// Hands the buffer back to the device.
    pub(super) fn end_read(&mut self) {
        if self.reading {
            self.reading = false;
            self.sync(SYNC_READ | SYNC_END);
        }
    }

    /// Gives a plane's bytes. To be read between [`DmaBuffer::begin_read`] and
    /// [`DmaBuffer::end_read`] only.
    pub(super) fn plane(&self, index: usize) -> Option<&[u8]> {
        let (map, range) = self.planes.get(index)?;
        self.maps.get(*map)?.bytes().get(range.clone())
    }

    fn sync(&self, flags: u64) {
        for map in &self.maps {
            loop {
                // SAFETY: the descriptor is open, and the kernel only reads the structure, which
                // outlives the call.
                let result = unsafe { dma_buf_sync(map.fd.as_raw_fd(), &DmaBufSync { flags }) };
                match result {
                    Err(Errno::EINTR | Errno::EAGAIN) => {}
                    Err(errno) => {
                        log::debug!("libcamera: DMA_BUF_IOCTL_SYNC: {errno}");
                        break;
                    }
                    Ok(_) => break,
                }
            }
        }
    }
}

impl Map {
    fn new(fd: BorrowedFd<'_>, length: NonZeroUsize) -> io::Result<Self> {
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in
        // use.
        let address = unsafe {
            mmap(
                None,
                length,
                ProtFlags::PROT_READ,
                MapFlags::MAP_SHARED,
                fd,
                0,
            )
        }?;
        Ok(Self {
            fd: fd.try_clone_to_owned()?,
            address,
            length: length.get(),
        })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is that long, readable and lives as long as `self`. The device writes
        // to it only while its request is queued; the device module hands out bytes of buffers that
        // are not.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast(), self.length) }
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `Map::new`, and `bytes` borrows it no longer than `self`
        // lives.
        if let Err(errno) = unsafe { munmap(self.address, self.length) } {
            log::debug!("libcamera: munmap: {errno}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn planes_lie_where_they_are_said_to() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&(0..=255).collect::<Vec<u8>>()).unwrap();
        let other = tempfile::tempfile().unwrap();
        (&other).write_all(b"other").unwrap();
        let plane = |file: &'static std::fs::File, offset, length| Plane {
            fd: file.as_fd(),
            offset,
            length,
        };
        let (file, other) = (Box::leak(Box::new(file)), Box::leak(Box::new(other)));
        let planes = [
            plane(file, 0, 100),
            plane(other, 1, 4),
            plane(file, 100, 56),
        ];
        let mut buffer = DmaBuffer::map(&planes).unwrap();
        buffer.begin_read();
        assert_eq!(buffer.plane(0).unwrap(), (0..100).collect::<Vec<u8>>());
        assert_eq!(buffer.plane(1).unwrap(), b"ther");
        assert_eq!(buffer.plane(2).unwrap(), (100..156).collect::<Vec<u8>>());
        assert!(buffer.plane(3).is_none());
        buffer.end_read();
    }
}
