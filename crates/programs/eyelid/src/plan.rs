//! What is to run: the command line and the configuration file, merged.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use eyelid_config::{
    Address, CameraOptions, Config, ConfigError, PASSWORD_VARIABLE, ServerOptions, SourceSpec,
    one_slot, same_slot,
};
use eyelid_slot::CameraName;

use crate::arguments::Arguments;
use crate::programs::Places;

/// After how long without a connection server and captures end: pages that ask every 10 or 20 s
/// keep them.
const IDLE_EXIT: Duration = Duration::from_secs(30);

/// What is to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where to listen.
    pub(crate) listen: Vec<Address>,
    /// Where that is written.
    pub(crate) listen_from: ListenFrom,
    /// The cameras, at least one.
    pub(crate) cameras: Vec<Camera>,
    /// The slots directory, if one was given.
    pub(crate) slots: Option<PathBuf>,
    /// The directory of the sockets at which others take connections over, if one was given.
    pub(crate) doors: Option<PathBuf>,
    /// Whether a password is asked for.
    pub(crate) has_password: bool,
    server_flags: Vec<OsString>,
    config: Option<PathBuf>,
}

/// Who said where to listen.
#[derive(Debug, PartialEq)]
pub(crate) enum ListenFrom {
    /// Flags, or nobody.
    Flags,
    /// This configuration file.
    File(PathBuf),
}

/// One camera.
#[derive(Debug)]
pub(crate) struct Camera {
    /// Its name.
    pub(crate) name: CameraName,
    flags: Vec<OsString>,
    configured: bool,
    slot: Option<PathBuf>,
}

impl Plan {
    /// Merges flags and file, flags first. Flags of a camera are the default camera's.
    ///
    /// # Errors
    /// A file that cannot be used, or a path that is not UTF-8.
    pub(crate) fn new(arguments: Arguments) -> anyhow::Result<Self> {
        let config = arguments
            .config
            .as_deref()
            .map(fs::canonicalize)
            .transpose();
        let config = config.unwrap_or_else(|_| arguments.config.clone());
        let file = Config::load(config.as_deref())?;
        let cameras = cameras(arguments.camera, &file)?;
        let in_file: ServerOptions = file.section()?;
        let mut server = arguments.server;
        let listen_from = match &config {
            Some(path) if server.listen.is_empty() && !in_file.listen.is_empty() => {
                ListenFrom::File(path.clone())
            }
            _ => ListenFrom::Flags,
        };
        let both = server.clone().or(in_file);
        // Unlike the server by itself, one that this program starts is to end when it is idle.
        server.idle_exit = Some(both.idle_exit.unwrap_or(IDLE_EXIT));
        // Both are given to it in other ways.
        server.listen.clear();
        server.slots = None;
        Ok(Self {
            listen: if both.listen.is_empty() {
                localhost()
            } else {
                both.listen
            },
            listen_from,
            cameras,
            slots: both.slots,
            doors: both.doors,
            has_password: both.auth_file.is_some()
                || both.password_file.is_some()
                || std::env::var_os(PASSWORD_VARIABLE).is_some(),
            server_flags: server.to_flags().context("cannot hand on the options")?,
            config,
        })
    }

    /// The arguments of `eyelid-server`.
    pub(crate) fn server_arguments(&self, places: &Places) -> Vec<OsString> {
        let mut arguments = vec![flag("slots", &places.slots)];
        arguments.extend(places.doors.iter().map(|doors| flag("doors", doors)));
        arguments.extend(self.server_flags.iter().cloned());
        // For the advice that it gives.
        arguments.push(flag("program", "eyelid"));
        let unheard_of = self.cameras.iter().filter(|camera| !camera.configured);
        arguments.extend(unheard_of.map(|camera| flag("name", camera.name.as_str())));
        arguments.extend(self.config_argument());
        arguments
    }

    /// The arguments of a program that has no flags here.
    pub(crate) fn common_arguments(&self, places: &Places) -> Vec<OsString> {
        let mut arguments = vec![flag("slots", &places.slots)];
        arguments.extend(self.config_argument());
        arguments
    }

    /// The arguments of `eyelid-capture` for one camera.
    pub(crate) fn capture_arguments(&self, camera: &Camera, slots: &Path) -> Vec<OsString> {
        let mut arguments = camera.flags.clone();
        // A slot that the configuration file gives is not repeated as a flag, so that an error
        // about it names its line in the file.
        if camera.slot.is_none() {
            arguments.push(flag("slot", camera.slot(slots)));
        }
        if camera.configured {
            arguments.extend(self.config_argument());
            arguments.push(flag("name", camera.name.as_str()));
        }
        arguments
    }

    /// Two cameras with one slot would mix their pictures.
    ///
    /// # Errors
    /// Names both, and the file.
    pub(crate) fn check_slots(&self, slots: &Path) -> anyhow::Result<()> {
        let theirs = self.cameras.iter();
        let theirs: Vec<_> = theirs
            .map(|camera| (&camera.name, camera.slot(slots)))
            .collect();
        let Some((name, other)) = same_slot(&theirs) else {
            return Ok(());
        };
        match &self.config {
            Some(path) => Err(ConfigError::camera(path, name, None, one_slot(other)).into()),
            None => bail!("camera {:?}: {}", name.as_str(), one_slot(other)),
        }
    }

    /// The slots directory, as far as that is known before one is made.
    pub(crate) fn likely_slots(&self) -> PathBuf {
        let slots = self.slots.clone();
        slots.unwrap_or_else(|| "/run/webcam".into())
    }

    /// A camera, and the file that describes it.
    pub(crate) fn place(&self, camera: &Camera) -> String {
        let name = camera.name.as_str();
        match &self.config {
            Some(path) if camera.configured => format!("camera {name:?} of configuration {path:?}"),
            _ => format!("camera {name:?}"),
        }
    }

    fn config_argument(&self) -> Option<OsString> {
        self.config.as_ref().map(|path| flag("config", path))
    }
}

/// The cameras of the file, and the default camera if it is there, is described by flags, or would
/// be the only one.
fn cameras(mut flags: CameraOptions, file: &Config) -> anyhow::Result<Vec<Camera>> {
    let default = CameraName::default();
    let is_in_file = file.cameras.contains_key(&default);
    let mut cameras = Vec::new();
    if is_in_file || flags != CameraOptions::default() || file.cameras.is_empty() {
        let in_file: CameraOptions = file.of_camera(&default)?;
        if flags.source.is_none() && in_file.source.is_none() {
            flags.source = Some(SourceSpec::Test);
        }
        cameras.push(Camera::new(default, flags, file)?);
    }
    for name in file.cameras.keys().filter(|name| !name.is_default()) {
        cameras.push(Camera::new(name.clone(), CameraOptions::default(), file)?);
    }
    Ok(cameras)
}

impl Camera {
    fn new(name: CameraName, flags: CameraOptions, file: &Config) -> anyhow::Result<Self> {
        let configured = file.cameras.get(&name);
        let slot = flags.slot.clone();
        Ok(Self {
            slot: slot.or_else(|| configured.and_then(|camera| camera.slot.clone())),
            configured: configured.is_some(),
            name,
            flags: flags.to_flags().context("cannot hand on the options")?,
        })
    }

    /// The directory of its slot.
    pub(crate) fn slot(&self, slots: &Path) -> PathBuf {
        self.slot
            .clone()
            .unwrap_or_else(|| self.name.directory(slots))
    }
}

/// A flag with its value in one word, so that a value that begins with a dash is no other flag.
fn flag(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value);
    flag
}

/// Where to listen unless told otherwise. Some programs take `localhost` for its IPv6 address
/// alone, which not every computer has.
fn localhost() -> Vec<Address> {
    let mut addresses = vec![Address::Tcp("127.0.0.1:8080".into())];
    if TcpListener::bind("[::1]:0").is_ok() {
        addresses.push(Address::Tcp("[::1]:8080".into()));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn plan(arguments: &[&str]) -> anyhow::Result<Plan> {
        Plan::new(Arguments::try_parse_from(
            [&["eyelid"], arguments].concat(),
        )?)
    }

    fn text(arguments: Vec<OsString>) -> String {
        arguments.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn without_arguments_there_is_a_test_picture_on_localhost() {
        let plan = plan(&[]).unwrap();
        let listen: Vec<_> = plan.listen.iter().map(ToString::to_string).collect();
        let both = ["127.0.0.1:8080", "[::1]:8080"];
        let has_v6 = TcpListener::bind("[::1]:0").is_ok();
        assert_eq!(listen, both[..1 + usize::from(has_v6)]);
        let slots = Path::new("/s");
        let places = Places {
            slots: slots.to_owned(),
            doors: None,
        };
        assert_eq!(
            text(plan.capture_arguments(&plan.cameras[0], slots)),
            "--source=test --slot=/s"
        );
        assert_eq!(
            text(plan.server_arguments(&places)),
            "--slots=/s --idle-exit=30s --program=eyelid --name=default"
        );
    }

    #[test]
    fn flags_win_over_the_file_and_every_camera_of_it_runs() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("eyelid.toml");
        fs::write(
            &file,
            "[server]\nlisten = [\"[::1]:1\"]\nidle-exit = \"90s\"\n[cameras.default]\nsource = \"test\"\nfps = 5\n\
             [cameras.back]\nsource = \"command:x\"\nslot = \"/b\"\n",
        )
        .unwrap();
        let path = file.to_str().unwrap();
        let plan = plan(&["--config", path, "--fps", "7", "--size", "320x240"]).unwrap();
        assert_eq!(plan.listen, ["[::1]:1".parse().unwrap()]);
        let slots = Path::new("/s");
        let places = Places {
            slots: slots.to_owned(),
            doors: None,
        };
        assert_eq!(
            text(plan.capture_arguments(&plan.cameras[0], slots)),
            format!("--size=320x240 --fps=7.0 --slot=/s --config={path} --name=default")
        );
        assert_eq!(
            text(plan.capture_arguments(&plan.cameras[1], slots)),
            format!("--config={path} --name=back")
        );
        assert_eq!(
            text(plan.server_arguments(&places)),
            format!("--slots=/s --idle-exit=1m30s --program=eyelid --config={path}")
        );
    }

    #[test]
    fn says_at_once_what_cannot_work() {
        let error = plan(&["--config", "/nowhere.toml"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere.toml"), "{error}");
    }
}
