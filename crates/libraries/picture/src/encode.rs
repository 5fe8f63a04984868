//! From pictures to JPEGs: one function for each kind of picture, and a choice of encoder when
//! Eyelid is built.
//!
//! `turbo` is libjpeg-turbo, behind the feature `turbojpeg`: it needs cmake (and nasm on x86) to be
//! built, and a third of the time. `pure` is Rust and always there. Both give baseline JPEGs with
//! JFIF first, 4:2:0, no thumbnail and, unless told otherwise, the standard Huffman tables, which
//! RFC 2435 and many cameras take for granted.

mod pure;
#[cfg(feature = "turbojpeg")]
mod turbo;

use crate::error::EncodeError;
use crate::planes::Planes;
use crate::yuv::{Nv12, Sizes, Yuv420, Yuyv};
use pure::Pure;
#[cfg(feature = "turbojpeg")]
use turbo::Turbo;

/// Makes JPEGs. Reuses its memory from one to the next.
#[derive(Debug, Default)]
pub struct Encoder {
    backend: Backend,
    tables: Tables,
    planes: Planes,
}

/// Which Huffman tables a JPEG has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tables {
    /// Those of ITU-T T.81, annex K.3, as RFC 2435 wants them.
    #[default]
    Standard,
    /// The best ones for each picture: a few percent smaller, slower, and no longer fit for RFC
    /// 2435. The encoder in Rust keeps to the standard ones.
    Optimised,
}

#[derive(Debug)]
enum Backend {
    #[cfg(feature = "turbojpeg")]
    Turbo(Turbo),
    Pure(Pure),
}

impl Default for Backend {
    #[cfg(feature = "turbojpeg")]
    fn default() -> Self {
        Self::Turbo(Turbo::default())
    }

    #[cfg(not(feature = "turbojpeg"))]
    fn default() -> Self {
        Self::Pure(Pure::default())
    }
}

impl Encoder {
    /// Makes an encoder in Rust, whatever the features are: to compare with.
    pub fn pure_rust() -> Self {
        Self {
            backend: Backend::Pure(Pure::default()),
            ..Self::default()
        }
    }

    /// Chooses the Huffman tables of the JPEGs from now on; the standard ones at first.
    pub fn set_tables(&mut self, tables: Tables) {
        self.tables = tables;
    }

    /// Encodes planar 4:2:0. The planes are taken as they lie. `quality` is libjpeg's, 1 to 100,
    /// here and below.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn encode_yuv420(
        &mut self,
        picture: &Yuv420<'_>,
        quality: u8,
    ) -> Result<&[u8], EncodeError> {
        let picture = self.planes.full_range(picture)?;
        self.backend.encode_planes(picture, quality, self.tables)
    }

    /// Encodes NV12. Y is taken as it lies.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn encode_nv12(&mut self, picture: &Nv12<'_>, quality: u8) -> Result<&[u8], EncodeError> {
        let picture = self.planes.from_nv12(picture)?;
        self.backend.encode_planes(picture, quality, self.tables)
    }

    /// Encodes YUYV.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn encode_yuyv(&mut self, picture: &Yuyv<'_>, quality: u8) -> Result<&[u8], EncodeError> {
        let picture = self.planes.from_yuyv(picture)?;
        self.backend.encode_planes(picture, quality, self.tables)
    }

    /// Encodes `width * height` pixels of 3 bytes: red, green and blue.
    ///
    /// # Errors
    /// See [`EncodeError`].
    pub fn encode_rgb(
        &mut self,
        rgb: &[u8],
        width: u32,
        height: u32,
        quality: u8,
    ) -> Result<&[u8], EncodeError> {
        let sizes = Sizes::of(width, height)?;
        let row_bytes = sizes.width * 3;
        let Some(rgb) = rgb.get(..row_bytes * sizes.height) else {
            return Err(EncodeError::Plane {
                plane: "RGB",
                bytes: rgb.len(),
                stride: row_bytes,
                row_bytes,
                rows: sizes.height,
            });
        };
        self.backend.encode_rgb(rgb, sizes, quality, self.tables)
    }
}

impl Backend {
    /// Encodes a picture that has been checked and has the full range.
    fn encode_planes(
        &mut self,
        picture: Yuv420<'_>,
        quality: u8,
        tables: Tables,
    ) -> Result<&[u8], EncodeError> {
        let quality = quality.clamp(1, 100);
        match self {
            #[cfg(feature = "turbojpeg")]
            Self::Turbo(turbo) => turbo.encode_planes(picture, quality, tables),
            Self::Pure(pure) => pure.encode_planes(picture, quality, tables),
        }
    }

    fn encode_rgb(
        &mut self,
        rgb: &[u8],
        sizes: Sizes,
        quality: u8,
        tables: Tables,
    ) -> Result<&[u8], EncodeError> {
        let quality = quality.clamp(1, 100);
        match self {
            #[cfg(feature = "turbojpeg")]
            Self::Turbo(turbo) => turbo.encode_rgb(rgb, sizes, quality, tables),
            Self::Pure(pure) => pure.encode_rgb(rgb, sizes, quality, tables),
        }
    }
}

#[cfg(test)]
mod tests;
