//! Names of cameras, which are names of directories. They need no escaping in a URL either.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const DEFAULT: &str = "default";

/// What the names of a slot's own files begin with (docs/slot.md), and those of no camera.
const FILES: &str = "current.";

/// The name of a camera: 1 to 64 of `A-Z a-z 0-9 _ -` and, not first, `.`; but not one of a slot's
/// files. The camera called `default` owns the slots directory itself; every other one a
/// subdirectory with its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CameraName(String);

/// A name that cannot be a camera's.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    /// The name is empty, too long, or has a character that a URL or a file name would have to
    /// escape.
    #[error(
        "camera name {0:?}: use 1 to 64 letters, digits, '_', '-' or '.', the first of them not '.'"
    )]
    Malformed(String),
    /// A slot has files with such names.
    #[error(
        "camera name {0:?}: names that begin with {FILES:?} are those of a slot's files; choose another"
    )]
    File(String),
}

impl CameraName {
    /// Gives the directory of this camera's slot below the slots directory.
    pub fn directory(&self, slots: &Path) -> PathBuf {
        if self.is_default() {
            slots.to_owned()
        } else {
            slots.join(&self.0)
        }
    }

    /// Says whether this is the camera shown where no name is given.
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT
    }

    /// Gives the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for CameraName {
    fn default() -> Self {
        Self(DEFAULT.to_owned())
    }
}

impl FromStr for CameraName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        if text.is_empty() || text.len() > 64 || text.starts_with('.') || !text.bytes().all(allowed)
        {
            return Err(NameError::Malformed(text.to_owned()));
        }
        if text.starts_with(FILES) {
            return Err(NameError::File(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for CameraName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<CameraName> for String {
    fn from(name: CameraName) -> Self {
        name.0
    }
}

impl fmt::Display for CameraName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_plain_names_and_nothing_that_could_leave_the_directory() {
        for good in [
            "default",
            "front",
            "Bed_2",
            "a.b",
            "x-1",
            "current",
            "currents.1",
        ] {
            assert_eq!(good.parse::<CameraName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            ".hidden",
            "a/b",
            "a b",
            "ä",
            "a\0",
            "a%2f",
            "current.low",
            "current.jpg",
            &"x".repeat(65),
        ] {
            assert!(bad.parse::<CameraName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_default_camera_owns_the_slots_directory() {
        let slots = Path::new("/run/webcam");
        assert_eq!(CameraName::default().directory(slots), slots);
        assert_eq!(
            "front".parse::<CameraName>().unwrap().directory(slots),
            Path::new("/run/webcam/front")
        );
    }
}
