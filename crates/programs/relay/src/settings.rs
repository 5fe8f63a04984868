//! What the program was told, with the defaults filled in.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use eyelid_config::{Config, ConfigError, RelayOptions};
use eyelid_slot::CameraName;

use crate::pattern::Pattern;
use crate::wire::{HostName, MAX_CAMERAS};
use crate::{BrokerFlags, FetchFlags, ShareFlags};

/// How long a far camera is asked for after the last look where nothing is said, as those of
/// eyelid-capture are awake. docs/eyelid.toml promises it, and the other two.
const LINGER: Duration = Duration::from_secs(15);

/// How many cameras are shared, or fetched, where nothing is said: those of a whole directory.
const DEFAULT_CAMERAS: usize = MAX_CAMERAS;

/// How many may be fetched, of however many hosts: each slot takes some 10 KB of memory, and up to
/// 40 KB of the tmpfs.
pub(crate) const MAX_FETCHED: u32 = 20_000;

/// How large a far camera's frame may be: a frame of full HD has 300 KB.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// Which broker, and how to get there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerSettings {
    /// One URL, or several with commas between them.
    pub connect: String,
    /// The file that shows the broker who this is.
    pub creds: Option<PathBuf>,
    /// Authorities that are believed, in the place of the system's.
    pub ca: Option<PathBuf>,
}

/// What the side that shares was told.
#[derive(Clone, Debug)]
pub struct ShareSettings {
    /// The broker.
    pub broker: BrokerSettings,
    /// The slots directory.
    pub slots: PathBuf,
    /// This host's name.
    pub host: HostName,
    /// The cameras that are shared; all where there is none.
    pub only: Vec<CameraName>,
    /// How many cameras are shared at most.
    pub max_cameras: usize,
}

/// What the side that fetches was told.
#[derive(Clone, Debug)]
pub struct FetchSettings {
    /// The broker.
    pub broker: BrokerSettings,
    /// The directory in which there is a slot for each far camera.
    pub slots: PathBuf,
    /// The cameras that are fetched: those that one of these fits.
    pub only: Vec<Pattern>,
    /// How long a far camera is asked for after the last look.
    pub linger: Duration,
    /// How many cameras are fetched at most.
    pub max_cameras: usize,
    /// How large a frame may be.
    pub max_frame_bytes: u32,
}

/// The configuration file, and where it is.
struct File<'a> {
    path: Option<&'a Path>,
    config: Config,
    options: RelayOptions,
}

impl<'a> File<'a> {
    fn load(path: Option<&'a Path>) -> anyhow::Result<Self> {
        let config = Config::load(path)?;
        let options = config.section()?;
        Ok(Self {
            path,
            config,
            options,
        })
    }

    /// Says that the value of a key is wrong, with its line.
    fn wrong(&self, key: &str, why: impl ToString) -> anyhow::Error {
        // What it says was read from a file.
        let path = self.path.unwrap_or(Path::new(""));
        ConfigError::section::<RelayOptions>(path, key, why.to_string()).into()
    }

    /// Gives a flag's value, or else that of a key, read as what it is to be.
    fn one<T>(
        &self,
        flag: Option<T>,
        key: &str,
        value: Option<&String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<Option<T>> {
        let parsed = || value.map(|text| parse(text).map_err(|why| self.wrong(key, why)));
        flag.map_or_else(|| parsed().transpose(), |flag| Ok(Some(flag)))
    }

    fn all<T>(
        &self,
        flags: Vec<T>,
        key: &str,
        values: &[String],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<Vec<T>> {
        if !flags.is_empty() {
            return Ok(flags);
        }
        let parsed = values.iter().map(|text| parse(text));
        let parsed = parsed.collect::<Result<_, _>>();
        parsed.map_err(|why| self.wrong(key, why))
    }

    fn broker(&self, flags: &BrokerFlags) -> anyhow::Result<BrokerSettings> {
        let connect = flags.connect.clone().or(self.options.connect.clone());
        Ok(BrokerSettings {
            connect: connect.context(
                "no broker: give --connect URL, or connect in [relay] of the configuration",
            )?,
            creds: flags.creds.clone().or(self.options.creds.clone()),
            ca: flags.ca.clone().or(self.options.ca.clone()),
        })
    }

    fn max_cameras(&self, flags: &BrokerFlags) -> anyhow::Result<usize> {
        let of_file = self.options.max_cameras;
        if of_file.is_some_and(|told| told > MAX_FETCHED) {
            return Err(self.wrong("max-cameras", format!("{MAX_FETCHED} at most")));
        }
        let told = flags.max_cameras.or(of_file);
        Ok(told.map_or(DEFAULT_CAMERAS, |told| told as usize))
    }
}

impl ShareSettings {
    /// Merges flags and file, flags first.
    ///
    /// # Errors
    /// What is missing, or wrong in the file.
    pub(crate) fn new(flags: &ShareFlags) -> anyhow::Result<Self> {
        let file = File::load(flags.broker.config.as_deref())?;
        let options = &file.options;
        let host = file.one(flags.host.clone(), "as", options.host.as_ref(), host)?;
        let slots = flags.broker.slots.clone().or(file.config.slots.clone());
        Ok(Self {
            broker: file.broker(&flags.broker)?,
            slots: slots.context(
                "no slots directory: give --slots DIR, or slots in [server] of the configuration",
            )?,
            host: host.context(
                "no name for this host: give --as HOST, or as in [relay] of the configuration",
            )?,
            only: file.all(flags.only.clone(), "share", &options.share, camera)?,
            // A directory has no room for more.
            max_cameras: file.max_cameras(&flags.broker)?.min(MAX_CAMERAS),
        })
    }
}

impl FetchSettings {
    /// Merges flags and file, flags first.
    ///
    /// # Errors
    /// What is missing, or wrong in the file.
    pub(crate) fn new(flags: &FetchFlags) -> anyhow::Result<Self> {
        let file = File::load(flags.broker.config.as_deref())?;
        let options = &file.options;
        let max_frame = flags.max_frame.or(options.max_frame);
        let only = file.all(flags.only.clone(), "fetch", &options.fetch, pattern)?;
        let slots = flags.broker.slots.clone().or(file.config.slots.clone());
        Ok(Self {
            broker: file.broker(&flags.broker)?,
            slots: slots.context(
                "no slots directory: give --slots DIR, or slots in [server] of the configuration",
            )?,
            only: if only.is_empty() {
                vec![Pattern::all()]
            } else {
                only
            },
            linger: flags.linger.or(options.linger).unwrap_or(LINGER),
            max_cameras: file.max_cameras(&flags.broker)?,
            // It has 32 MiB at most.
            max_frame_bytes: max_frame.map_or(MAX_FRAME_BYTES, |max| max.bytes()) as u32,
        })
    }
}

/// Reads a host's name.
pub(crate) fn host(text: &str) -> Result<HostName, String> {
    text.parse::<HostName>().map_err(|error| error.to_string())
}

/// Reads a camera's name.
pub(crate) fn camera(text: &str) -> Result<CameraName, String> {
    text.parse::<CameraName>()
        .map_err(|error| error.to_string())
}

/// Reads which cameras of which hosts.
pub(crate) fn pattern(text: &str) -> Result<Pattern, String> {
    text.parse::<Pattern>().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
