//! The options of the program that takes slots across hosts: `[relay]` in the file.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::byte_size::FrameBytes;
use crate::{Section, duration};

/// Options of `eyelid-relay`, of both its sides; its flags say those of one. What is not given is
/// `None` (or empty). What names and patterns may be is the program's to say.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a table, [relay]")]
pub struct RelayOptions {
    /// The broker: one URL, or several with commas between them.
    pub connect: Option<String>,
    /// What shows the broker who this is: a file of credentials, or of an nkey's seed.
    pub creds: Option<PathBuf>,
    /// Certificates in PEM of the authorities that are believed, in the place of the system's.
    pub ca: Option<PathBuf>,
    /// The name by which this host shares its cameras.
    #[serde(rename = "as")]
    pub host: Option<String>,
    /// Cameras that are shared; all, where none is named.
    pub share: Vec<String>,
    /// Cameras of other hosts that are fetched: `HOST.NAME`, in which `*` stands for any letters.
    pub fetch: Vec<String>,
    /// How long a far camera is asked for after the last look.
    #[serde(with = "duration")]
    pub linger: Option<Duration>,
    /// How many cameras are shared, or fetched, at most.
    #[serde(deserialize_with = "crate::server::at_least_one")]
    pub max_cameras: Option<u32>,
    /// How large a far camera's frame may be.
    pub max_frame: Option<FrameBytes>,
}

impl Section for RelayOptions {
    const PLACE: &'static [&'static str] = &["relay"];
}
