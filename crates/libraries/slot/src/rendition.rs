//! Further files of the same exposure, beside the frame as configured.

use std::fmt;
use std::str::FromStr;

/// Another file of the exposure that `current.jpg` is of.
///
/// Each is renamed into place as the frame is and has demand of its own: it is made only when it
/// was wished for, and has the frame's mtime where both are of one exposure (`docs/slot.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rendition {
    /// The frame's size in about a third of its bytes.
    Low,
    /// Half the width and half the height.
    Half,
    /// A quarter of the width and a quarter of the height.
    Quarter,
    /// The largest still picture that the camera takes, as soon as it can.
    Full,
    /// The picture before it was encoded: a YUV4MPEG2 file of one frame.
    Y4m,
}

/// A text that is no rendition's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such rendition: use low, half, quarter, full or y4m")]
pub struct RenditionError;

impl Rendition {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Low, Self::Half, Self::Quarter, Self::Full, Self::Y4m];

    /// Its file in the slot.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Low => "current.low.jpg",
            Self::Half => "current.half.jpg",
            Self::Quarter => "current.quarter.jpg",
            Self::Full => "current.full.jpg",
            Self::Y4m => "current.y4m",
        }
    }

    /// Its name, as in `state.json` and in URLs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Half => "half",
            Self::Quarter => "quarter",
            Self::Full => "full",
            Self::Y4m => "y4m",
        }
    }

    /// Its width and height where the frame has these, each rounded up; `None` where only the
    /// camera knows.
    pub const fn size(self, width: u32, height: u32) -> Option<(u32, u32)> {
        match self {
            Self::Low | Self::Y4m => Some((width, height)),
            Self::Half => Some((width.div_ceil(2), height.div_ceil(2))),
            Self::Quarter => Some((width.div_ceil(4), height.div_ceil(4))),
            Self::Full => None,
        }
    }

    /// The rendition that has this file, if it is one's.
    pub fn of_file(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|rendition| rendition.file().as_bytes() == name)
    }
}

impl fmt::Display for Rendition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Rendition {
    type Err = RenditionError;

    fn from_str(text: &str) -> Result<Self, RenditionError> {
        let mut all = Self::ALL.into_iter();
        all.find(|rendition| rendition.name() == text)
            .ok_or(RenditionError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_files_lead_back() {
        for rendition in Rendition::ALL {
            assert_eq!(rendition.name().parse(), Ok(rendition));
            let file = rendition.file();
            assert_eq!(Rendition::of_file(file.as_bytes()), Some(rendition));
            assert!(file.starts_with("current.") && file != crate::FRAME_FILE);
        }
        assert_eq!(Rendition::of_file(crate::FRAME_FILE.as_bytes()), None);
        assert_eq!("eighth".parse::<Rendition>(), Err(RenditionError));
    }
}
