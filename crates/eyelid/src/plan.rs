//! What is to run: the command line and the configuration file, merged.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use eyelid_config::{Address, CameraOptions, Config, Fps, Size, SourceSpec};
use eyelid_slot::{CameraName, FRAME_FILE, STATE_FILE};
use nix::unistd::{AccessFlags, access};

/// A camera that opens only while someone looks: server and capture without systemd.
#[derive(Debug, Parser)]
#[command(name = "eyelid", version, max_term_width = 100)]
pub struct Arguments {
    /// Where to listen.
    #[arg(
        long,
        value_name = "ADDR",
        help = "Listen here: HOST:PORT, [V6]:PORT or unix:PATH; may be repeated [default: 127.0.0.1:8080 and [::1]:8080]"
    )]
    listen: Vec<Address>,
    /// Directory of the slots [default: /run/webcam, or a private one where that cannot be written]
    #[arg(long, value_name = "DIR")]
    slots: Option<PathBuf>,
    /// Read this configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where frames come from: test, folder:PATH or command:SHELL COMMAND [default: test]
    #[arg(long, value_name = "SPEC")]
    source: Option<SourceSpec>,
    /// Size of the picture in pixels
    #[arg(long, value_name = "WxH")]
    size: Option<Size>,
    /// Frames per second at most
    #[arg(long, value_name = "N")]
    fps: Option<Fps>,
    /// End server and capture after this long without a connection [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    idle_exit: Option<Duration>,
    /// Ask the eyelid that has the slots directory whether it is well, start nothing, and end with 0 if it is
    #[arg(long)]
    pub(crate) healthcheck: bool,
}

impl Arguments {
    /// The slots directory of an `eyelid` that was started with these.
    pub(crate) fn slots(&self) -> anyhow::Result<PathBuf> {
        let file = Config::load(self.config.as_deref())?;
        if let Some(slots) = self.slots.clone().or(file.server.slots) {
            return Ok(slots);
        }
        shared_parents()
            .map(|parent| parent.join("webcam"))
            .find(|slots| slots.is_dir())
            .context("it is not clear which slots directory is meant: name it with --slots DIR")
    }
}

/// What is to run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Where to listen.
    pub(crate) listen: Vec<Address>,
    /// The cameras, at least one.
    pub(crate) cameras: Vec<Camera>,
    slots: Option<PathBuf>,
    idle_exit: Duration,
    config: Option<PathBuf>,
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
    pub(crate) fn new(arguments: Arguments) -> anyhow::Result<Self> {
        let config = arguments
            .config
            .as_deref()
            .map(fs::canonicalize)
            .transpose();
        let config = config.unwrap_or_else(|_| arguments.config.clone());
        let file = Config::load(config.as_deref())?;
        let flags = CameraOptions {
            source: arguments.source,
            size: arguments.size,
            fps: arguments.fps,
            ..CameraOptions::default()
        };
        let default = CameraName::default();
        let mut cameras = Vec::new();
        if flags != CameraOptions::default()
            || file.cameras.is_empty()
            || file.cameras.contains_key(&default)
        {
            cameras.push(Camera::new(default, flags, &file)?);
        }
        for name in file.cameras.keys().filter(|name| !name.is_default()) {
            cameras.push(Camera::new(name.clone(), CameraOptions::default(), &file)?);
        }
        let listen = if arguments.listen.is_empty() {
            file.server.listen
        } else {
            arguments.listen
        };
        Ok(Self {
            listen: if listen.is_empty() {
                localhost()
            } else {
                listen
            },
            cameras,
            slots: arguments.slots.or(file.server.slots),
            idle_exit: arguments
                .idle_exit
                .or(file.server.idle_exit)
                .unwrap_or(Duration::from_secs(30)),
            config,
        })
    }

    /// Makes the slots directory ready, for this process alone.
    pub(crate) fn claim_slots(&self) -> anyhow::Result<Slots> {
        let (path, mut made) = match &self.slots {
            Some(path) => (path.clone(), Vec::new()),
            None => default_slots()?,
        };
        if !path.is_dir() {
            made.push(path.clone());
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&path)
                .with_context(|| {
                    format!(
                        "cannot make the slots directory {path:?}; give another with --slots DIR"
                    )
                })?;
        }
        if !writable(&path) {
            bail!("cannot write the slots directory {path:?}; give another with --slots DIR");
        }
        let path = fs::canonicalize(&path).with_context(|| format!("slots directory {path:?}"))?;
        let claim = claim(&path).with_context(|| {
            format!(
                "another eyelid uses the slots directory {path:?}; give another with --slots DIR"
            )
        })?;
        let mut slots = Slots {
            path,
            directories: Vec::new(),
            made,
            claim,
        };
        for camera in &self.cameras {
            let slot = camera.slot(&slots.path);
            if !slot.is_dir() {
                fs::create_dir_all(&slot)
                    .with_context(|| format!("cannot make the slot {slot:?}"))?;
                slots.made.push(slot.clone());
            }
            slots.directories.push(slot);
        }
        Ok(slots)
    }

    /// The arguments of `eyelid-server`.
    pub(crate) fn server_arguments(&self, slots: &Path) -> Vec<OsString> {
        let mut arguments = vec![
            "--slots".into(),
            slots.into(),
            "--idle-exit".into(),
            humantime::format_duration(self.idle_exit)
                .to_string()
                .replace(' ', "")
                .into(),
        ];
        arguments.extend(self.config_arguments());
        arguments
    }

    /// The arguments of `eyelid-capture` for one camera.
    pub(crate) fn capture_arguments(&self, camera: &Camera, slots: &Path) -> Vec<OsString> {
        let mut arguments = vec!["--slot".into(), camera.slot(slots).into()];
        arguments.extend(camera.flags.iter().cloned());
        if camera.configured {
            arguments.extend(self.config_arguments());
            arguments.extend(["--name".into(), camera.name.as_str().into()]);
        }
        arguments
    }

    fn config_arguments(&self) -> impl Iterator<Item = OsString> {
        self.config
            .iter()
            .flat_map(|path| ["--config".into(), path.into()])
    }
}

impl Camera {
    fn new(name: CameraName, flags: CameraOptions, file: &Config) -> anyhow::Result<Self> {
        let configured = file.cameras.get(&name);
        let options = flags.clone().or(configured.cloned().unwrap_or_default());
        let source = match options.source {
            Some(source) => source,
            None if name.is_default() => SourceSpec::Test,
            None => bail!(
                "camera {:?} has no source: give one in the configuration",
                name.as_str()
            ),
        };
        if let SourceSpec::Folder(path) = &source
            && !path.is_dir()
        {
            bail!("source folder {path:?} is not a directory; make it first");
        }
        let mut arguments: Vec<OsString> = vec!["--source".into(), source.to_string().into()];
        if let Some(size) = flags.size {
            arguments.extend(["--size".into(), size.to_string().into()]);
        }
        if let Some(fps) = flags.fps {
            arguments.extend(["--fps".into(), fps.to_string().into()]);
        }
        Ok(Self {
            name,
            flags: arguments,
            configured: configured.is_some(),
            slot: options.slot,
        })
    }

    fn slot(&self, slots: &Path) -> PathBuf {
        self.slot
            .clone()
            .unwrap_or_else(|| self.name.directory(slots))
    }
}

/// The slots directory while this process has it. What was made for it is removed at the end, and the frames with it.
#[derive(Debug)]
pub(crate) struct Slots {
    path: PathBuf,
    directories: Vec<PathBuf>,
    made: Vec<PathBuf>,
    claim: UnixListener,
}

impl Slots {
    /// The socket that says that the slots are taken.
    pub(crate) fn claim(&self) -> &UnixListener {
        &self.claim
    }

    /// Where the slots are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // What is not there, or is in use by something of the user's, stays as it is.
        for directory in &self.directories {
            for file in [FRAME_FILE, STATE_FILE] {
                let _ = fs::remove_file(directory.join(file));
            }
        }
        for directory in self.made.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

/// `/run/webcam`, else the user's own runtime directory, else a private directory in memory. Also gives what was made.
fn default_slots() -> anyhow::Result<(PathBuf, Vec<PathBuf>)> {
    for parent in shared_parents() {
        let slots = parent.join("webcam");
        if if slots.exists() {
            slots.is_dir() && writable(&slots)
        } else {
            writable(&parent)
        } {
            return Ok((slots, Vec::new()));
        }
    }
    let slots = PathBuf::from(format!("/dev/shm/eyelid-{}", std::process::id()));
    let made = DirBuilder::new().mode(0o700).create(&slots);
    made.with_context(|| {
        format!("cannot make the slots directory {slots:?}; give another with --slots DIR")
    })?;
    Ok((slots.clone(), vec![slots]))
}

/// Where directories of slots are looked for: the system's runtime directory, and the user's own.
fn shared_parents() -> impl Iterator<Item = PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    [Some(PathBuf::from("/run")), runtime].into_iter().flatten()
}

fn writable(directory: &Path) -> bool {
    access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok()
}

/// An abstract socket (unix(7)) says that the directory is taken: it ends with the process, and unlike a lock it holds
/// no file open in the directory, which would keep inotify(7) from telling of the directory's loss.
fn claim(directory: &Path) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&claim_name(directory)?)
}

/// The name of a directory's socket. Containers that share a network share these names, and mean different directories
/// by the same path.
pub(crate) fn claim_name(directory: &Path) -> io::Result<SocketAddr> {
    let directory = fs::metadata(directory)?;
    let name = format!("eyelid:{}:{}", directory.dev(), directory.ino());
    SocketAddr::from_abstract_name(name)
}

/// Where to listen unless told otherwise. Some programs take `localhost` for its IPv6 address alone, which not every
/// computer has.
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
        assert_eq!(
            text(plan.capture_arguments(&plan.cameras[0], slots)),
            "--slot /s --source test"
        );
        assert_eq!(
            text(plan.server_arguments(slots)),
            "--slots /s --idle-exit 30s"
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
        assert_eq!(
            text(plan.capture_arguments(&plan.cameras[0], slots)),
            format!(
                "--slot /s --source test --size 320x240 --fps 7 --config {path} --name default"
            )
        );
        assert_eq!(
            text(plan.capture_arguments(&plan.cameras[1], slots)),
            format!("--slot /b --source command:x --config {path} --name back")
        );
        assert_eq!(
            text(plan.server_arguments(slots)),
            format!("--slots /s --idle-exit 1m30s --config {path}")
        );
    }

    #[test]
    fn says_at_once_what_cannot_work() {
        let error = plan(&["--source", "folder:/nowhere"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere"), "{error}");
        let error = plan(&["--config", "/nowhere.toml"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("/nowhere.toml"), "{error}");
    }

    #[test]
    fn slots_are_one_launchers_and_leave_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("webcam");
        let plan = plan(&["--slots", path.to_str().unwrap()]).unwrap();
        let slots = plan.claim_slots().unwrap();
        let error = plan.claim_slots().unwrap_err().to_string();
        assert!(error.contains("another eyelid"), "{error}");
        fs::write(slots.path().join(FRAME_FILE), "").unwrap();
        drop(slots);
        assert!(!path.exists());
        fs::create_dir(&path).unwrap();
        drop(plan.claim_slots().unwrap());
        assert!(path.exists(), "what was there before stays");
    }
}
