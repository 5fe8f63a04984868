//! Names of hosts, of their cameras, and of the slots in which these are seen elsewhere.

use std::fmt;
use std::str::FromStr;

use eyelid_slot::{CameraName, NameError};
use serde::{Deserialize, Serialize};

/// As long as a label of DNS (RFC 1035, §2.3.4): many a host is called by its own.
const MAX_HOST_BYTES: usize = 63;

/// What the names of a slot's own files begin with: `current.door` is no slot.
const FILES: &str = "current";

/// The name by which a host shares its cameras: 1 to 63 of `A-Z a-z 0-9 _ -`.
///
/// It has no `.`, for the first one of a slot `HOST.NAME` ends it: with `a.b` for a host, two
/// cameras could have the same slot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

/// A text that cannot be a host's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "host name {0:?}: use 1 to 63 letters, digits, '_' or '-', and not {FILES:?}, with which the \
     names of a slot's files begin"
)]
pub struct HostError(String);

impl HostName {
    /// Gives the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_name = (1..=MAX_HOST_BYTES).contains(&text.len())
            && text.bytes().all(allowed)
            && text != FILES;
        if is_name {
            Ok(Self(text.to_owned()))
        } else {
            // A stranger's: what is said of it is bounded.
            Err(HostError(text.chars().take(MAX_HOST_BYTES + 1).collect()))
        }
    }
}

impl TryFrom<String> for HostName {
    type Error = HostError;

    fn try_from(text: String) -> Result<Self, HostError> {
        text.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A camera of another host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FarCamera {
    /// The host that shares it.
    pub host: HostName,
    /// Its name there.
    pub camera: CameraName,
}

/// A camera that can have no slot here.
#[derive(Debug, thiserror::Error)]
#[error(
    "camera \"{host}.{camera}\" can have no slot here: its host's name and its own are to have 63 \
     characters together"
)]
pub struct SlotNameError {
    host: HostName,
    camera: CameraName,
    source: NameError,
}

impl FarCamera {
    /// Gives the name `HOST.NAME` of the slot in which it is seen here. No other camera has it.
    ///
    /// # Errors
    /// The name would be too long for a slot.
    pub fn slot_name(&self) -> Result<CameraName, SlotNameError> {
        let name = format!("{}.{}", self.host, self.camera);
        name.parse().map_err(|source| SlotNameError {
            host: self.host.clone(),
            camera: self.camera.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn far(host: &str, camera: &str) -> FarCamera {
        FarCamera {
            host: host.parse().unwrap(),
            camera: camera.parse().unwrap(),
        }
    }

    #[test]
    fn a_host_is_one_word() {
        for good in ["pi", "pi-door_2", "7", "currents", &"x".repeat(63)] {
            assert_eq!(good.parse::<HostName>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "pi.lan",
            "a b",
            "*",
            ">",
            "a/b",
            "ä",
            "current",
            &"x".repeat(64),
        ] {
            assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
        }
        let long = "\u{1}".repeat(10_000).parse::<HostName>().unwrap_err();
        assert!(long.to_string().len() < 1000, "an error is bounded");
    }

    #[test]
    fn a_far_camera_has_a_slot_of_its_own() {
        let name = |host, camera| far(host, camera).slot_name().unwrap().to_string();
        assert_eq!(name("near", "default"), "near.default");
        assert_eq!(name("a", "b.c"), "a.b.c");
        let long = "x".repeat(40);
        let error = far(&long[..25], &long).slot_name().unwrap_err().to_string();
        assert!(error.contains("can have no slot here"), "{error}");
        assert_eq!(
            far(&long[..23], &long).slot_name().unwrap().as_str().len(),
            64
        );
    }
}
