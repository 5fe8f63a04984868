//! What a host shares.

use std::collections::BTreeSet;

use eyelid_slot::CameraName;
use serde::{Deserialize, Serialize};

use super::fields::Fields;
use super::message::{self, FormatError, RequestId};
use super::name::HostName;

/// How many cameras a host shares at most.
pub const MAX_CAMERAS: usize = 5_000;

/// How large a directory may be: [`MAX_CAMERAS`] with the longest names have 335,000 bytes, and the
/// broker takes messages of 1 MiB if nobody has set it otherwise.
pub const MAX_DIRECTORY_BYTES: usize = 512 << 10;

/// The answer to a request of a host: which program shares cameras in its name, and which.
///
/// Its message is version 1, kind 6, two bytes that are zero, the request (24 bytes), and JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// The request that this answers.
    pub id: RequestId,
    /// The host.
    pub host: HostName,
    /// The run of the program.
    pub instance: u64,
    /// For how long that has been running, in milliseconds.
    pub up_ms: u64,
    /// The cameras, by their names there.
    pub cameras: BTreeSet<CameraName>,
}

/// A message that is no host's directory.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The message is none of version 1.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// It is too large.
    #[error("directory of {0} bytes: {MAX_DIRECTORY_BYTES} at most")]
    TooLarge(usize),
    /// It has too many cameras.
    #[error("directory of {0} cameras: {MAX_CAMERAS} at most")]
    TooMany(usize),
    /// It cannot be read.
    #[error("directory cannot be read")]
    Json(#[source] serde_json::Error),
    /// No run of a program has such a number.
    #[error("directory whose instance is not of 16 hexadecimal digits")]
    Instance,
}

/// The JSON. Keys that are not known are no error: later programs may say more.
#[derive(Serialize, Deserialize)]
struct Said {
    host: HostName,
    /// In hexadecimal: numbers of JSON lose their last digits in many a tool.
    instance: String,
    up_ms: u64,
    cameras: BTreeSet<CameraName>,
}

impl Directory {
    /// Says whether this program keeps the host's name, and the other one is to give it up: two
    /// that answer for one host would share each other's cameras by turns. The one that has run for
    /// longer keeps it; of two that started together, that with the smaller number.
    pub fn keeps_name_against(&self, other: &Self) -> bool {
        self.host == other.host
            && (other.up_ms, self.instance) < (self.up_ms, other.instance)
            && self.instance != other.instance
    }

    /// Writes it down.
    ///
    /// # Errors
    /// [`DirectoryError::TooMany`]
    pub fn to_bytes(&self) -> Result<Vec<u8>, DirectoryError> {
        if self.cameras.len() > MAX_CAMERAS {
            return Err(DirectoryError::TooMany(self.cameras.len()));
        }
        let said = Said {
            host: self.host.clone(),
            instance: format!("{:016x}", self.instance),
            up_ms: self.up_ms,
            cameras: self.cameras.clone(),
        };
        let mut message = Vec::new();
        message::write_start(message::DIRECTORY, self.id, &mut message);
        serde_json::to_writer(&mut message, &said).map_err(DirectoryError::Json)?;
        Ok(message)
    }

    /// Reads one.
    ///
    /// # Errors
    /// See [`DirectoryError`].
    pub fn parse(message: &[u8]) -> Result<Self, DirectoryError> {
        if message.len() > MAX_DIRECTORY_BYTES {
            return Err(DirectoryError::TooLarge(message.len()));
        }
        let mut fields = Fields(message);
        let id = message::read_start(message::DIRECTORY, &mut fields)?;
        let said: Said = serde_json::from_slice(fields.0).map_err(DirectoryError::Json)?;
        if said.cameras.len() > MAX_CAMERAS {
            return Err(DirectoryError::TooMany(said.cameras.len()));
        }
        let is_hex =
            said.instance.len() == 16 && said.instance.bytes().all(|byte| byte.is_ascii_hexdigit());
        let instance = u64::from_str_radix(&said.instance, 16).ok();
        Ok(Self {
            id,
            host: said.host,
            instance: instance
                .filter(|_| is_hex)
                .ok_or(DirectoryError::Instance)?,
            up_ms: said.up_ms,
            cameras: said.cameras,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{Asker, Subject, SubjectTag};

    fn directory(instance: u64, up_ms: u64) -> Directory {
        let host: HostName = "pi".parse().unwrap();
        Directory {
            id: RequestId {
                asker: Asker(1),
                subject: SubjectTag::of(&Subject::Host(host.clone())),
                number: 2,
            },
            host,
            instance,
            up_ms,
            cameras: ["door", "default"].map(|name| name.parse().unwrap()).into(),
        }
    }

    #[test]
    fn a_directory_can_be_read_by_eye() {
        let bytes = directory(255, 1500).to_bytes().unwrap();
        assert_eq!(
            std::str::from_utf8(&bytes[28..]).unwrap(),
            r#"{"host":"pi","instance":"00000000000000ff","up_ms":1500,"cameras":["default","door"]}"#
        );
        assert_eq!(Directory::parse(&bytes).unwrap(), directory(255, 1500));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let whole = directory(1, 1).to_bytes().unwrap();
        let with = |from: &str, to: &str| {
            let json = std::str::from_utf8(&whole[28..]).unwrap().replace(from, to);
            Directory::parse(&[&whole[..28], json.as_bytes()].concat())
        };
        assert!(with("door", "porch").is_ok());
        assert!(with("}", r#","more":1}"#).is_ok());
        for bad in ["../door", "a/b", "", ".x"] {
            assert!(
                matches!(with("door", bad), Err(DirectoryError::Json(_))),
                "{bad}"
            );
        }
        assert!(matches!(
            with("\"pi\"", "\"p.i\""),
            Err(DirectoryError::Json(_))
        ));
        for bad in [
            "1",
            "+000000000000001",
            "00000000000000000",
            "ä00000000000000",
        ] {
            let read = with("0000000000000001", bad);
            assert!(matches!(read, Err(DirectoryError::Instance)), "{bad}");
        }
    }

    #[test]
    fn the_largest_fits_and_no_larger_one() {
        let mut largest = directory(1, 1);
        let name = |index: usize| format!("{index:064}").parse().unwrap();
        largest.cameras = (0..MAX_CAMERAS).map(name).collect();
        let bytes = largest.to_bytes().unwrap();
        assert_eq!(Directory::parse(&bytes).unwrap(), largest);
        largest.cameras.insert(name(MAX_CAMERAS));
        assert!(matches!(
            largest.to_bytes(),
            Err(DirectoryError::TooMany(_))
        ));
        let padded = [bytes, vec![b' '; MAX_DIRECTORY_BYTES]].concat();
        assert!(matches!(
            Directory::parse(&padded),
            Err(DirectoryError::TooLarge(_))
        ));
    }

    proptest! {
        #[test]
        fn one_of_two_keeps_the_name(
            (one, other) in any::<(u64, u64)>(),
            (one_up, other_up) in (0_u64..3, 0_u64..3),
        ) {
            let (one, other) = (directory(one, one_up), directory(other, other_up));
            let keeps = one.keeps_name_against(&other);
            if one.instance == other.instance {
                prop_assert!(!keeps);
            } else {
                prop_assert_ne!(keeps, other.keeps_name_against(&one));
                prop_assert!(one_up == other_up || keeps == (one_up > other_up));
            }
        }
    }
}
