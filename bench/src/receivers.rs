//! Programs that receive what cameras push, and put it into slots: `eyelid-receive`, and those that
//! it is measured beside.

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::process::{Program, Programs, SERVER, own};
use crate::sections::slots;

/// The reference project's way (`bench/peers`), where it is installed.
const PYTHON: &str = "python-websockets";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    Eyelid,
    /// The least that can be done: `sink.rs`.
    Bare,
    /// The same, and it hears of each reader.
    BareHearing,
    /// PyPI's `websockets`.
    Python,
}

/// Some cameras and their slots.
pub(crate) struct Site {
    /// The names of the cameras.
    pub(crate) names: Vec<String>,
    slots: TempDir,
    /// The configuration, and tokens if there are any.
    files: TempDir,
}

impl Receiver {
    /// What tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Eyelid => "eyelid-receive",
            Self::Bare => "bare loop",
            Self::BareHearing => "bare loop that hears readers",
            Self::Python => PYTHON,
        }
    }

    /// Those that can be measured here.
    pub(crate) fn all(programs: &Programs) -> Vec<Self> {
        let mut all = vec![Self::Eyelid, Self::Bare, Self::BareHearing];
        all.extend(programs.path(PYTHON).exists().then_some(Self::Python));
        all
    }

    /// Starts it on a port of its own, and a core for itself.
    pub(crate) fn start(
        self,
        programs: &Programs,
        site: &Site,
        listen: IpAddr,
    ) -> anyhow::Result<(Program, SocketAddr)> {
        let any = SocketAddr::from((listen, 0)).to_string();
        let mut command = match self {
            Self::Eyelid => {
                let mut command = Command::new(programs.path("eyelid-receive"));
                command
                    .args(["--listen", &any, "--slots"])
                    .arg(site.slots());
                command.arg("--config").arg(site.config());
                command
            }
            Self::Bare | Self::BareHearing => {
                let mut command = own(&["sink", "--listen", &any, "--slots"])?;
                command.arg(site.slots());
                if self == Self::BareHearing {
                    command.arg("--hear-readers");
                }
                command
            }
            Self::Python => {
                // As for other peers: nobody else is in this network namespace.
                let address = TcpListener::bind((listen, 0))?.local_addr()?;
                let mut command = Command::new(programs.path(PYTHON));
                command.arg(address.to_string()).arg(site.slots());
                command
            }
        };
        Program::listening(&mut command, SERVER)
    }

    /// The same, for cameras on this machine.
    pub(crate) fn start_here(
        self,
        programs: &Programs,
        site: &Site,
    ) -> anyhow::Result<(Program, SocketAddr)> {
        self.start(programs, site, Ipv4Addr::LOCALHOST.into())
    }
}

impl Site {
    /// Makes empty slots for so many cameras. `settings` are lines of each in the configuration.
    pub(crate) fn new(cameras: usize, settings: &str) -> anyhow::Result<Self> {
        let site = Self {
            names: (0..cameras)
                .map(|number| format!("camera{number}"))
                .collect(),
            slots: slots()?,
            files: tempfile::tempdir()?,
        };
        for slot in site.each_slot() {
            fs::create_dir(slot)?;
        }
        site.configure(settings)?;
        Ok(site)
    }

    /// The same for one camera that is not on this machine. Gives its token, too.
    pub(crate) fn with_token(programs: &Programs) -> anyhow::Result<(Self, String)> {
        let site = Self::new(1, "")?;
        let tokens = site.files.path().join("tokens");
        let made = Command::new(programs.path("eyelid-receive"))
            .args(["--new-token", &site.names[0]])
            .stdout(File::create(&tokens)?)
            .stderr(Stdio::piped())
            .output()?;
        ensure!(made.status.success(), "eyelid-receive makes no token");
        site.configure(&format!("token-file = {tokens:?}"))?;
        let said = String::from_utf8(made.stderr)?;
        let token = said.split_whitespace().last().context("no token")?;
        Ok((site, token.to_owned()))
    }

    fn configure(&self, settings: &str) -> anyhow::Result<()> {
        let section = |name: &String| format!("[receive.cameras.{name}]\n{settings}\n");
        let file: String = self.names.iter().map(section).collect();
        Ok(fs::write(self.config(), file)?)
    }

    /// Where the slots are.
    pub(crate) fn slots(&self) -> &Path {
        self.slots.path()
    }

    /// Each of them.
    pub(crate) fn each_slot(&self) -> impl Iterator<Item = PathBuf> {
        self.names.iter().map(|name| self.slots().join(name))
    }

    fn config(&self) -> PathBuf {
        self.files.path().join("eyelid.toml")
    }
}
