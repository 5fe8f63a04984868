//! Pictures as cameras give them: brightness (Y) apart from colour (U and V), which has half the
//! width and, but for YUYV, half the height. They are only looked at, where they lie. Nothing is
//! trusted before `check` has passed.

use crate::error::EncodeError;

/// Rows of bytes in memory.
#[derive(Clone, Copy, Debug)]
pub struct SamplePlane<'a> {
    /// The rows. What lies behind each row's end is not looked at, and need not be there after the
    /// last one.
    pub bytes: &'a [u8],
    /// Bytes from the start of a row to the start of the next.
    pub stride: usize,
}

/// Which values a camera uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SampleRange {
    /// 0 to 255, as JFIF wants it.
    #[default]
    Full,
    /// 16 to 235 for Y, 16 to 240 for U and V, as television has it.
    Limited,
}

/// Planar 4:2:0: three planes. U and V have half the width and half the height, rounded up.
#[derive(Clone, Copy, Debug)]
pub struct Yuv420<'a> {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Brightness.
    pub y: SamplePlane<'a>,
    /// Blue difference (Cb).
    pub u: SamplePlane<'a>,
    /// Red difference (Cr).
    pub v: SamplePlane<'a>,
    /// Which values are used.
    pub range: SampleRange,
}

/// 4:2:0 in two planes: U and V take turns in the second.
#[derive(Clone, Copy, Debug)]
pub struct Nv12<'a> {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Brightness.
    pub y: SamplePlane<'a>,
    /// U, V, U, V: half the height and as many bytes as pixels in a row, both rounded up to pairs.
    pub uv: SamplePlane<'a>,
    /// Which values are used.
    pub range: SampleRange,
}

/// 4:2:2 in one plane: Y, U, Y, V for two pixels.
#[derive(Clone, Copy, Debug)]
pub struct Yuyv<'a> {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// 4 bytes for two pixels. With an odd width, the second Y of the last pair is not looked at.
    pub pixels: SamplePlane<'a>,
    /// Which values are used.
    pub range: SampleRange,
}

/// What a JPEG can hold, in samples: the size of Y, and that of U and V.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) chroma_width: usize,
    pub(crate) chroma_height: usize,
}

impl Sizes {
    pub(crate) fn of(width: u32, height: u32) -> Result<Self, EncodeError> {
        let side = |n: u32| {
            u16::try_from(n)
                .ok()
                .filter(|n| *n > 0)
                .map(usize::from)
                .ok_or(EncodeError::Size { width, height })
        };
        let (width, height) = (side(width)?, side(height)?);
        Ok(Self {
            width,
            height,
            chroma_width: width.div_ceil(2),
            chroma_height: height.div_ceil(2),
        })
    }
}

impl<'a> SamplePlane<'a> {
    /// The first `row_bytes` of a row. They have to be there.
    pub(crate) fn row(self, row: usize, row_bytes: usize) -> &'a [u8] {
        &self.bytes[row * self.stride..][..row_bytes]
    }

    /// The first `row_bytes` of each of the first `rows` rows. They have to be there.
    pub(crate) fn rows(self, row_bytes: usize, rows: usize) -> impl Iterator<Item = &'a [u8]> {
        let all = self.bytes.chunks(self.stride).take(rows);
        all.map(move |row| &row[..row_bytes])
    }

    pub(crate) fn check(
        self,
        plane: &'static str,
        row_bytes: usize,
        rows: usize,
    ) -> Result<(), EncodeError> {
        let needed = self
            .stride
            .checked_mul(rows - 1)
            .and_then(|start| start.checked_add(row_bytes));
        // libjpeg-turbo counts the stride in C's int.
        let strides = row_bytes..=i32::MAX as usize;
        if strides.contains(&self.stride) && needed.is_some_and(|n| n <= self.bytes.len()) {
            return Ok(());
        }
        Err(EncodeError::Plane {
            plane,
            bytes: self.bytes.len(),
            stride: self.stride,
            row_bytes,
            rows,
        })
    }
}

impl Yuv420<'_> {
    /// Sees whether a JPEG can have this size and all samples are there.
    ///
    /// # Errors
    /// [`EncodeError::Size`], [`EncodeError::Plane`].
    pub fn check(&self) -> Result<(), EncodeError> {
        self.sizes().map(drop)
    }

    pub(crate) fn sizes(&self) -> Result<Sizes, EncodeError> {
        let sizes = Sizes::of(self.width, self.height)?;
        self.y.check("Y", sizes.width, sizes.height)?;
        self.u.check("U", sizes.chroma_width, sizes.chroma_height)?;
        self.v.check("V", sizes.chroma_width, sizes.chroma_height)?;
        Ok(sizes)
    }
}

impl Nv12<'_> {
    pub(crate) fn sizes(&self) -> Result<Sizes, EncodeError> {
        let sizes = Sizes::of(self.width, self.height)?;
        self.y.check("Y", sizes.width, sizes.height)?;
        self.uv
            .check("UV", sizes.chroma_width * 2, sizes.chroma_height)?;
        Ok(sizes)
    }
}

impl Yuyv<'_> {
    pub(crate) fn sizes(&self) -> Result<Sizes, EncodeError> {
        let sizes = Sizes::of(self.width, self.height)?;
        self.pixels
            .check("YUYV", sizes.chroma_width * 4, sizes.height)?;
        Ok(sizes)
    }
}
