//! The limit: libjpeg-turbo called as its manual says, with one handle and one buffer for all
//! pictures, either way.
#![expect(unsafe_code, reason = "C is called")]

use std::ffi::c_int;

use eyelid_picture::{SamplePlane, SampleRange, Yuv420};
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

/// The way back, to planes at the JPEG's size or smaller.
pub(crate) struct BareDecoder {
    handle: c::tjhandle,
    width: u32,
    height: u32,
    planes: [Vec<u8>; 3],
}

impl BareDecoder {
    /// For 4:2:0 of this size; what it gives has one `divisor`th of both sides, even ones.
    pub(crate) fn new(width: u32, height: u32, divisor: u32) -> Option<Self> {
        // SAFETY: no pointers go in.
        let handle = unsafe { c::tj3Init(c::TJINIT_TJINIT_DECOMPRESS as c_int) };
        if handle.is_null() {
            return None;
        }
        let (width, height) = (width.div_ceil(divisor), height.div_ceil(divisor));
        let plane =
            |divisor: u32| vec![0; (width.div_ceil(divisor) * height.div_ceil(divisor)) as usize];
        let this = Self {
            handle,
            width,
            height,
            planes: [plane(1), plane(2), plane(2)],
        };
        let factor = c::tjscalingfactor {
            num: 1,
            denom: c_int::try_from(divisor).ok()?,
        };
        // SAFETY: the handle is one.
        (unsafe { c::tj3SetScalingFactor(handle, factor) } == 0).then_some(this)
    }

    /// Decodes a JPEG of the size that was given.
    pub(crate) fn decode(&mut self, jpeg: &[u8]) -> Result<Yuv420<'_>, &'static str> {
        let half = self.width.div_ceil(2) as c_int;
        let mut strides = [self.width as c_int, half, half];
        let mut planes = self.planes.each_mut().map(Vec::as_mut_ptr);
        // SAFETY: the planes are those of the picture that the benchmark decodes, scaled.
        let failed = unsafe {
            c::tj3DecompressToYUVPlanes8(
                self.handle,
                jpeg.as_ptr(),
                jpeg.len() as _,
                planes.as_mut_ptr(),
                strides.as_mut_ptr(),
            )
        } != 0;
        if failed {
            return Err("libjpeg-turbo refuses the JPEG");
        }
        let plane = |index: usize| SamplePlane {
            bytes: &self.planes[index],
            stride: strides[index] as usize,
        };
        Ok(Yuv420 {
            width: self.width,
            height: self.height,
            y: plane(0),
            u: plane(1),
            v: plane(2),
            range: SampleRange::Full,
        })
    }
}

impl Drop for BareDecoder {
    fn drop(&mut self) {
        // SAFETY: the handle is one, and not used again.
        unsafe { c::tj3Destroy(self.handle) };
    }
}
