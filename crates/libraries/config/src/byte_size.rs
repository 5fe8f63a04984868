//! Numbers of bytes as options and keys have them: with their units.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What it looks like.
pub(crate) const FORM: &str =
    "a number with its unit, for example \"1MiB\" or \"200kB\", from 1KiB to 32MiB";

/// The units, the longer names first.
const UNITS: [(&str, u64); 5] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("kB", 1000),
    ("MB", 1_000_000),
    ("B", 1),
];

/// Reads a number with one of these units, the longer names first.
pub(crate) fn bytes(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, bytes)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*bytes)
    })
}

/// How many bytes one frame may have: 1 KiB to 32 MiB, which is the most that a slot takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct FrameBytes(u32);

/// A text that is no number of bytes that a frame may have.
#[derive(Debug, thiserror::Error)]
#[error("frame of {0:?}: use {FORM}")]
pub struct FrameBytesError(String);

impl FrameBytes {
    /// Gives the number.
    pub fn bytes(self) -> usize {
        self.0 as usize
    }
}

impl FromStr for FrameBytes {
    type Err = FrameBytesError;

    fn from_str(text: &str) -> Result<Self, FrameBytesError> {
        let wrong = || FrameBytesError(text.to_owned());
        match bytes(text, &UNITS).map(u32::try_from) {
            Some(Ok(bytes)) if (1 << 10..=32 << 20).contains(&bytes) => Ok(Self(bytes)),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for FrameBytes {
    type Error = FrameBytesError;

    fn try_from(text: String) -> Result<Self, FrameBytesError> {
        text.parse()
    }
}

impl From<FrameBytes> for String {
    fn from(bytes: FrameBytes) -> Self {
        bytes.to_string()
    }
}

impl fmt::Display for FrameBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_unit_and_fits_into_a_slot() {
        for (text, bytes) in [
            ("1MiB", 1 << 20),
            ("200 kB", 200_000),
            ("32MiB", 32 << 20),
            ("1024B", 1024),
            ("2MB", 2_000_000),
        ] {
            let size: FrameBytes = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes);
            assert_eq!(size.to_string().parse::<FrameBytes>().unwrap(), size);
        }
        for wrong in [
            "",
            "1",
            "33MiB",
            "1000B",
            "-1MiB",
            "1.5MiB",
            "MiB",
            "99999999999999MiB",
        ] {
            let error = wrong.parse::<FrameBytes>().unwrap_err().to_string();
            assert_eq!(error, format!("frame of {wrong:?}: use {FORM}"));
        }
    }
}
