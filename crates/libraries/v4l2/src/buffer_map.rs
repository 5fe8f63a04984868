//! A device's buffers in this process's memory.
#![expect(
    unsafe_code,
    reason = "mmap(2) has no safe form, and a mapping goes to another thread"
)]

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use nix::libc::c_void;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// A buffer, mapped until it is dropped.
#[derive(Debug)]
pub struct BufferMap {
    address: NonNull<c_void>,
    length: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread, and nobody else has its address.
unsafe impl Send for BufferMap {}

impl BufferMap {
    pub(crate) fn new(fd: BorrowedFd<'_>, length: u32, offset: u32) -> io::Result<Self> {
        let length = NonZeroUsize::new(length as usize)
            .ok_or_else(|| io::Error::other("it has buffers of no bytes"))?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in
        // use.
        let address = unsafe {
            mmap(
                None,
                length,
                // For reading, too, some drivers (videobuf2 before 2019) want both.
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
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is that long, readable and lives as long as `self`. The device writes
        // to it only while it is queued; who has it hands out bytes of one that is not.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast(), self.length) }
    }

    /// The bytes, to be written only while the device has not got the buffer.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and writable; `self` is borrowed for as long as they are.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr().cast(), self.length) }
    }
}

impl Drop for BufferMap {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `BufferMap::new`, and its bytes are borrowed no longer
        // than `self` lives.
        if let Err(errno) = unsafe { munmap(self.address, self.length) } {
            log::debug!("v4l2: munmap: {errno}");
        }
    }
}
