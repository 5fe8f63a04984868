//! The limit: libjpeg-turbo called as its manual says, with one handle and one buffer for all
//! pictures.
#![expect(unsafe_code, reason = "C is called")]

use std::ffi::c_int;

use eyelid_picture::{SamplePlane, Yuv420};
use turbojpeg_sys as c;

pub(crate) struct Bare {
    handle: c::tjhandle,
    jpeg: Vec<u8>,
}

impl Bare {
    pub(crate) fn new(width: u32, height: u32, quality: u8) -> Option<Self> {
        let (width, height) = (c_int::try_from(width).ok()?, c_int::try_from(height).ok()?);
        // SAFETY: no pointers go in.
        let (handle, bytes) = unsafe {
            let bytes = c::tj3JPEGBufSize(width, height, c::TJSAMP_TJSAMP_420);
            (c::tj3Init(c::TJINIT_TJINIT_COMPRESS as c_int), bytes)
        };
        if handle.is_null() {
            return None;
        }
        let this = Self {
            handle,
            jpeg: vec![0; usize::try_from(bytes).ok()?],
        };
        for (parameter, value) in [
            (c::TJPARAM_TJPARAM_QUALITY, c_int::from(quality)),
            (c::TJPARAM_TJPARAM_SUBSAMP, c::TJSAMP_TJSAMP_420),
            (c::TJPARAM_TJPARAM_NOREALLOC, 1),
        ] {
            // SAFETY: the handle is one.
            let failed = unsafe { c::tj3Set(handle, parameter as c_int, value) } != 0;
            if failed {
                return None;
            }
        }
        Some(this)
    }

    /// Encodes a picture of the size that was given, with even sides and all its samples. Gives the
    /// JPEG's length.
    pub(crate) fn encode(&mut self, picture: &Yuv420<'_>) -> Result<usize, &'static str> {
        let all = [picture.y, picture.u, picture.v];
        let planes = all.map(|plane: SamplePlane<'_>| plane.bytes.as_ptr());
        let strides = all.map(|plane| plane.stride as c_int);
        let mut at = self.jpeg.as_mut_ptr();
        let mut length = self.jpeg.len() as _;
        // SAFETY: planes and strides are those of a whole picture, the buffer is as long as is
        // said, and with NOREALLOC it stays where it is.
        let failed = unsafe {
            c::tj3CompressFromYUVPlanes8(
                self.handle,
                planes.as_ptr(),
                picture.width as c_int,
                strides.as_ptr(),
                picture.height as c_int,
                &mut at,
                &mut length,
            )
        } != 0;
        if failed {
            return Err("libjpeg-turbo refuses the picture");
        }
        Ok(length as usize)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // SAFETY: the handle is one, and not used again.
        unsafe { c::tj3Destroy(self.handle) };
    }
}
