//! What the program was told, with the defaults filled in.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use eyelid_config::{Address, Config, ConfigError, PushedCameraOptions, ReceiveOptions};
use eyelid_slot::{CameraName, lock_file};
use indexmap::IndexMap;

use crate::Arguments;
use crate::tokens::Tokens;

/// How many cameras there may be where nothing is said: each holds a few frames. docs/eyelid.toml
/// promises it.
const MAX_CAMERAS: usize = 32;

/// How many connections there may be for each camera: one that has started anew comes before its
/// old connection is known to be dead.
const CONNECTIONS_EACH: usize = 4;

/// How long a camera stays awake where nothing is said, as those of eyelid-capture.
const LINGER: Duration = Duration::from_secs(15);

/// How large a frame may be where nothing is said: ESP32 cameras send 200 KB at most.
const MAX_BYTES: usize = 1 << 20;

/// Settings of the whole process.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where to listen, besides the sockets that were passed. Fixed for the life of the process.
    pub(crate) listen: Vec<Address>,
    /// The slots directory, if there is one. Fixed as well.
    pub(crate) slots: Option<PathBuf>,
    /// The cameras, in the order of the file.
    pub(crate) cameras: IndexMap<CameraName, CameraSettings>,
    /// How many connections are served at once.
    pub(crate) max_connections: usize,
    /// When to end for want of connections.
    pub(crate) idle_exit: Option<Duration>,
}

/// Settings of one camera.
#[derive(Clone, Debug)]
pub(crate) struct CameraSettings {
    /// The directory of its slot.
    pub(crate) slot: PathBuf,
    /// What says that the slot is this process's.
    pub(crate) lock: PathBuf,
    /// The tokens, one of which it has to show; without any, only this machine may push.
    pub(crate) tokens: Option<Rc<Tokens>>,
    /// How long it stays awake after the last look.
    pub(crate) linger: Duration,
    /// How many bytes a frame may have.
    pub(crate) max_bytes: usize,
}

impl CameraSettings {
    /// Says whether somebody who was let in by these would not be by `new`.
    pub(crate) fn revokes(&self, new: &Self, camera: &CameraName) -> bool {
        match (&self.tokens, &new.tokens) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(old), Some(new)) => !old.are_all_in(new, camera),
        }
    }
}

impl Settings {
    /// Merges flags and file, flags first, and reads the tokens. The file's addresses are for who
    /// has no sockets `passed`.
    pub(crate) fn new(arguments: &Arguments, file: &Config, passed: bool) -> anyhow::Result<Self> {
        let mut own: ReceiveOptions = file.section()?;
        if passed {
            own.listen.clear();
        }
        let options = arguments.receive.clone().or(own);
        let reading = Reading {
            file,
            config: arguments.config.as_deref(),
            slots: arguments.slots.as_deref().or(file.slots.as_deref()),
            is_flag: arguments.receive.token_file.is_some(),
        };
        let tokens = options.token_file.as_deref();
        let tokens = tokens.map(|path| reading.of_all(path)).transpose()?;
        let max_cameras = options.max_cameras.map_or(MAX_CAMERAS, |max| max as usize);
        let count = file.pushed_cameras.len();
        if count > max_cameras {
            let what = format!(
                "{count} cameras are in [receive.cameras], more than {max_cameras}; set it in [receive]"
            );
            // Cameras are in the file alone, so there is one.
            let config = arguments.config.as_deref().unwrap_or(Path::new(""));
            return Err(ConfigError::section::<ReceiveOptions>(config, "max-cameras", what).into());
        }
        let cameras = file.pushed_cameras.keys().map(|name| {
            let camera = reading.camera(name, tokens.clone())?;
            Ok((name.clone(), camera))
        });
        Ok(Self {
            cameras: cameras.collect::<anyhow::Result<_>>()?,
            slots: reading.slots.map(Path::to_owned),
            max_connections: max_cameras * CONNECTIONS_EACH,
            idle_exit: options.idle_exit,
            listen: options.listen,
        })
    }
}

/// What cameras' settings are read from.
struct Reading<'a> {
    file: &'a Config,
    config: Option<&'a Path>,
    slots: Option<&'a Path>,
    /// The token file of all cameras is a flag's.
    is_flag: bool,
}

impl Reading<'_> {
    fn of_all(&self, path: &Path) -> anyhow::Result<Rc<Tokens>> {
        let tokens = Tokens::load(path).map_err(|error| match self.config {
            Some(config) if !self.is_flag => {
                let message = error.to_string();
                ConfigError::section::<ReceiveOptions>(config, "token-file", message).into()
            }
            _ => anyhow::Error::from(error),
        })?;
        Ok(Rc::new(tokens))
    }

    fn camera(
        &self,
        name: &CameraName,
        tokens: Option<Rc<Tokens>>,
    ) -> anyhow::Result<CameraSettings> {
        let options: PushedCameraOptions = self.file.of_camera(name)?;
        let own = options.token_file.as_deref().map(Tokens::load).transpose();
        let own = own.map_err(|error| self.wrong_tokens(name, error.to_string()))?;
        let tokens = own.map(Rc::new).or(tokens);
        if tokens.as_ref().is_some_and(|tokens| !tokens.has(name)) {
            let what = format!(
                "the token file has no line of camera {:?} (make one with: eyelid-receive --new-token {name} >> FILE)",
                name.as_str()
            );
            return Err(self.wrong_tokens(name, what).into());
        }
        let usual = || self.slots.map(|slots| name.directory(slots));
        let slot = options.slot.or_else(usual).context(
            "no slots directory: give --slots DIR, or slots in [server] of the configuration",
        )?;
        Ok(CameraSettings {
            lock: lock_file(&slot, self.slots),
            slot,
            tokens,
            linger: options.linger.unwrap_or(LINGER),
            max_bytes: options.max_bytes.map_or(MAX_BYTES, |bytes| bytes.bytes()),
        })
    }

    fn wrong_tokens(&self, name: &CameraName, message: String) -> ConfigError {
        // Cameras are in the file alone, so there is one.
        let config = self.config.unwrap_or(Path::new(""));
        ConfigError::pushed_camera(config, name, "token-file", message)
    }
}

/// Says which of the settings that are fixed a new file has changed.
pub(crate) fn fixed_changes(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let changes = [
        ("listen", before.listen != after.listen),
        (
            "max-cameras",
            before.max_connections != after.max_connections,
        ),
        ("idle-exit", before.idle_exit != after.idle_exit),
    ];
    let changed = changes.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(what, _)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::fs;

    fn settings(text: &str) -> Result<Settings, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eyelid.toml");
        let text = text.replace("@", directory.path().to_str().unwrap());
        fs::write(&path, text).unwrap();
        fs::write(
            directory.path().join("tokens"),
            format!("door:{}\n", "0".repeat(64)),
        )
        .unwrap();
        let flag = format!("--config={}", path.display());
        let arguments = Arguments::try_parse_from(["eyelid-receive", "--slots=/s", &flag]).unwrap();
        let file = Config::load(Some(&path)).map_err(|error| error.to_string())?;
        let settings = Settings::new(&arguments, &file, false);
        let error = |error: anyhow::Error| {
            error
                .to_string()
                .replace(directory.path().to_str().unwrap(), "@")
        };
        settings.map_err(error)
    }

    #[test]
    fn a_camera_has_the_slot_of_its_name_and_the_common_tokens() {
        let settings = settings(
            "[receive]\ntoken-file = \"@/tokens\"\n[receive.cameras.door]\nmax-bytes = \"64KiB\"\nlinger = \"2s\"\n",
        );
        let settings = settings.unwrap();
        let door = &settings.cameras[&"door".parse::<CameraName>().unwrap()];
        assert_eq!(door.slot, Path::new("/s/door"));
        assert_eq!(
            (door.max_bytes, door.linger),
            (64 << 10, Duration::from_secs(2))
        );
        assert!(door.tokens.is_some());
        assert_eq!(settings.max_connections, 128);
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        for (text, line, words) in [
            (
                "[receive]\ntoken-file = \"@/nowhere\"\n[receive.cameras.door]\n",
                2,
                "nowhere",
            ),
            (
                "[receive.cameras.bed]\ntoken-file = \"@/tokens\"\n",
                2,
                "--new-token bed",
            ),
            (
                "[receive.cameras.bed]\ntoken-file = \"@/nowhere\"\n",
                2,
                "nowhere",
            ),
            (
                "[receive.cameras.bed]\nmax-bytes = \"1\"\n",
                2,
                "number with its unit",
            ),
            ("[receive.cameras.bed]\nfps = 3\n", 2, "unknown field `fps`"),
        ] {
            let error = settings(text).unwrap_err();
            assert!(error.contains(&format!("line {line}, key ")), "{error}");
            assert!(error.contains(words), "{error}");
        }
        let many = "[receive]\nmax-cameras = 1\n[receive.cameras.a]\n[receive.cameras.b]\n";
        assert!(settings(many).unwrap_err().contains("max-cameras"));
    }
}
