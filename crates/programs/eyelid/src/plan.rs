//! What is to run: the command line and the configuration file, merged.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use eyelid_config::{
    Address, CameraOptions, Config, ConfigError, PASSWORD_VARIABLE, RelayOptions, Section,
    ServerOptions, SourceSpec, VideoOptions, one_slot, same_slot,
};
use eyelid_slot::CameraName;

use crate::arguments::Arguments;
use crate::programs::Places;
use crate::pushed::Pushed;

/// After how long without a connection server, captures and others end: pages that ask every 10 or
/// 20 s keep them.
pub(crate) const IDLE_EXIT: Duration = Duration::from_secs(30);

/// The side of `eyelid-relay` that has cameras of other hosts here, and the one that shares.
pub(crate) const FETCH: &str = "fetch";
const SHARE: &str = "share";

/// Where clients of the server find it unless told otherwise.
const PORT: u16 = 8080;

/// What is to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where to listen for the server's clients.
    pub(crate) listen: Listen,
    /// The cameras that are driven here: at least one, if none pushes and none is fetched.
    pub(crate) cameras: Vec<Camera>,
    /// Those that push their frames.
    pub(crate) pushed: Pushed,
    /// The file has `[rtp]`: cameras are sent by RTP.
    pub(crate) has_rtp: bool,
    /// The sides of `eyelid-relay` that the file wants.
    pub(crate) relay_sides: Vec<&'static str>,
    /// The UDP port that WebRTC will have.
    pub(crate) webrtc: SocketAddr,
    /// The file does not say when the program of H.264 is to end.
    pub(crate) is_video_to_end: bool,
    /// The slots directory, if one was given.
    pub(crate) slots: Option<PathBuf>,
    /// The directory of the sockets at which others take connections over, if one was given.
    pub(crate) doors: Option<PathBuf>,
    /// Whether a password is asked for.
    pub(crate) has_password: bool,
    server_flags: Vec<OsString>,
    config: Option<PathBuf>,
}

/// Where to listen for a program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listen {
    /// The addresses.
    pub(crate) addresses: Vec<Address>,
    /// Where they are written.
    pub(crate) from: ListenFrom,
}

/// Who said where to listen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ListenFrom {
    /// Flags, or nobody.
    Flags,
    /// This configuration file, in the place of flags.
    File(PathBuf),
    /// This table of a configuration file, which no flags are for.
    Table(PathBuf, &'static str),
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
        let relay_sides = relay_sides(&file.section()?);
        let cameras = cameras(arguments.camera, &file, relay_sides.contains(&FETCH))?;
        let pushed = Pushed::new(&file, config.as_deref())?;
        let has_rtp = file.has_rtp;
        let video: VideoOptions = file.section()?;
        let in_file: ServerOptions = file.section()?;
        let mut server = arguments.server;
        let from = match &config {
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
        let addresses = match both.listen {
            none if none.is_empty() => localhost(PORT),
            some => some,
        };
        Ok(Self {
            listen: Listen { addresses, from },
            cameras,
            pushed,
            has_rtp,
            relay_sides,
            webrtc: video.udp_address(),
            is_video_to_end: video.idle_exit.is_none(),
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

    /// When a program is to end that nobody uses.
    pub(crate) fn idle_exit_argument() -> OsString {
        let after = humantime::format_duration(IDLE_EXIT);
        flag("idle-exit", after.to_string())
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
        let theirs = theirs.map(|camera| (&camera.name, camera.slot(slots)));
        let pushed = self.pushed.cameras.iter();
        let pushed = pushed.map(|camera| (&camera.name, camera.slot(slots)));
        let all: Vec<_> = theirs.chain(pushed).collect();
        let Some((name, other)) = same_slot(&all) else {
            return Ok(());
        };
        let is_pushed = self.pushed.cameras.iter().any(|it| it.name == *name);
        let wrong = one_slot(other);
        match &self.config {
            Some(path) if is_pushed => {
                Err(ConfigError::pushed_camera(path, name, "slot", wrong).into())
            }
            Some(path) => Err(ConfigError::camera(path, name, None, wrong).into()),
            None => bail!("camera {:?}: {wrong}", name.as_str()),
        }
    }

    /// The names of all cameras.
    pub(crate) fn names(&self) -> impl Iterator<Item = &CameraName> {
        let pushed = self.pushed.cameras.iter().map(|camera| &camera.name);
        self.cameras.iter().map(|camera| &camera.name).chain(pushed)
    }

    /// The slots of all cameras, in the same order.
    pub(crate) fn camera_slots<'a>(
        &'a self,
        slots: &'a Path,
    ) -> impl Iterator<Item = PathBuf> + 'a {
        let own = self.cameras.iter().map(|camera| camera.slot(slots));
        own.chain(self.pushed.slots(slots))
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

/// The sides of `eyelid-relay` that are asked for: a host shares by a name, and fetches what is
/// named.
fn relay_sides(options: &RelayOptions) -> Vec<&'static str> {
    let has_broker = options.connect.is_some();
    let wanted = [
        (SHARE, options.host.is_some()),
        (FETCH, !options.fetch.is_empty()),
    ];
    let wanted = wanted.iter().filter(|(_, wanted)| has_broker && *wanted);
    wanted.map(|(side, _)| *side).collect()
}

/// The cameras of the file that do not push, and the default camera if it is there, is described by
/// flags, or would be the only one of all.
fn cameras(
    mut flags: CameraOptions,
    file: &Config,
    has_far_cameras: bool,
) -> anyhow::Result<Vec<Camera>> {
    let default = CameraName::default();
    let is_in_file = file.cameras.contains_key(&default);
    let mut cameras = Vec::new();
    let is_described = flags != CameraOptions::default();
    if is_described && file.pushed_cameras.contains_key(&default) {
        bail!(
            "flags for a camera are the default camera's, and that pushes its frames: it is in [receive.cameras]"
        );
    }
    let is_alone = file.cameras.is_empty() && file.pushed_cameras.is_empty() && !has_far_cameras;
    if is_in_file || is_described || is_alone {
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
pub(crate) fn flag(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut flag = OsString::from(format!("--{name}="));
    flag.push(value);
    flag
}

/// Where to listen unless told otherwise. Some programs take `localhost` for its IPv6 address
/// alone, which not every computer has.
pub(crate) fn localhost(port: u16) -> Vec<Address> {
    let mut addresses = vec![Address::Tcp(format!("127.0.0.1:{port}"))];
    if TcpListener::bind("[::1]:0").is_ok() {
        addresses.push(Address::Tcp(format!("[::1]:{port}")));
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
        let listen = plan.listen.addresses.iter();
        let listen: Vec<_> = listen.map(ToString::to_string).collect();
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
        assert_eq!(plan.listen.addresses, ["[::1]:1".parse().unwrap()]);
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
    fn where_cameras_push_there_is_no_test_picture() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("eyelid.toml");
        let path = file.to_str().unwrap();
        let of_file = |text: &str, flags: &[&str]| {
            fs::write(&file, text).unwrap();
            plan(&[&["--config", path], flags].concat())
        };
        let door = of_file("[receive.cameras.door]\n", &[]).unwrap();
        assert!(door.cameras.is_empty());
        let names: Vec<_> = door.names().map(CameraName::as_str).collect();
        assert_eq!(names, ["door"]);
        let slots: Vec<_> = door.camera_slots(Path::new("/s")).collect();
        assert_eq!(slots, [Path::new("/s/door")]);
        let both = of_file("[receive.cameras.door]\n", &["--fps", "5"]).unwrap();
        assert_eq!(both.cameras[0].name.as_str(), "default");

        let default = "[receive.cameras.default]\n";
        let error = of_file(default, &["--fps", "5"]).unwrap_err().to_string();
        assert!(error.contains("[receive.cameras]"), "{error}");
        let one = "[receive.cameras.door]\nslot = \"/s\"\n[cameras.default]\n";
        let error = of_file(one, &[]).unwrap().check_slots(Path::new("/s"));
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("line 2, key \"receive.cameras.door.slot\""),
            "{error}"
        );
    }

    #[test]
    fn each_side_of_the_relay_is_started_where_it_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("eyelid.toml");
        let path = file.to_str().unwrap();
        for (keys, sides, cameras) in [
            ("connect = \"nats://h\"\nas = \"pi\"", &[SHARE][..], 1),
            ("connect = \"nats://h\"\nfetch = [\"*\"]", &[FETCH], 0),
            (
                "connect = \"nats://h\"\nas = \"pi\"\nfetch = [\"*\"]",
                &[SHARE, FETCH],
                0,
            ),
            ("as = \"pi\"\nfetch = [\"*\"]", &[], 1),
            ("connect = \"nats://h\"", &[], 1),
        ] {
            fs::write(&file, format!("[relay]\n{keys}\n")).unwrap();
            let plan = plan(&["--config", path]).unwrap();
            assert_eq!(plan.relay_sides, sides, "{keys}");
            assert_eq!(plan.cameras.len(), cameras, "{keys}");
        }
    }

    #[test]
    fn says_at_once_what_cannot_work() {
        let error = plan(&["--config", "/nowhere.toml"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere.toml"), "{error}");
    }
}
