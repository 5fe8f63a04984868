//! What the program was told, with the defaults filled in.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use eyelid_config::{
    Address, Config, ConfigError, Dscp, Fps, HostPort, Mtu, RtpDestinationOptions, RtpOptions,
    RtpSize, Ssrc,
};
use eyelid_consumer::Configured;
use eyelid_slot::CameraName;

use crate::Arguments;
use crate::rtsp::auth::Users;
use crate::stream::Pace;

/// How many sessions are served where nothing is said. docs/eyelid.toml promises it.
const MAX_SESSIONS: usize = 100;

/// How often the log says what was sent to a destination where nothing is said.
const STATS_INTERVAL: Duration = Duration::from_secs(60);

/// Settings of the whole process.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where to serve RTSP, besides the sockets that were passed. Fixed for the life of the
    /// process.
    pub(crate) rtsp: Vec<Address>,
    /// The slots directory. Fixed for the life of the process.
    pub(crate) slots: PathBuf,
    /// Cameras that exist before their slots do.
    pub(crate) cameras: Configured,
    /// Who may look by RTSP; without any, everybody.
    pub(crate) users: Option<Rc<Users>>,
    /// How many sessions are served at once.
    pub(crate) max_sessions: usize,
    /// How often the log says what was sent to each destination.
    pub(crate) stats_interval: Duration,
    /// When to end for want of connections.
    pub(crate) idle_exit: Option<Duration>,
    /// Where cameras are sent to.
    pub(crate) destinations: Vec<DestinationSettings>,
}

/// Where a camera is sent to, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DestinationSettings {
    /// The camera.
    pub(crate) camera: CameraName,
    /// Where to.
    pub(crate) to: HostPort,
    /// The port that RTP is sent from.
    pub(crate) local_port: Option<u16>,
    /// How many bytes a packet may have.
    pub(crate) mtu: Mtu,
    /// How packets are marked.
    pub(crate) dscp: Dscp,
    /// The stream's SSRC, if it is not to be a random one.
    pub(crate) ssrc: Option<Ssrc>,
    /// How many routers packets may pass.
    pub(crate) ttl: Option<u8>,
    /// The interface that packets leave by.
    pub(crate) interface: Option<String>,
    /// How many frames a second go at most.
    pub(crate) fps: Option<Fps>,
    /// Which rendition goes.
    pub(crate) size: RtpSize,
    /// It goes although no receiver reports.
    pub(crate) always: bool,
    /// A smaller rendition goes while receivers report loss.
    pub(crate) adapt: bool,
    /// How a frame's packets follow each other.
    pub(crate) pace: Pace,
}

/// Flags that do not go together, or do not suffice.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsageError {
    /// Names and destinations cannot be paired.
    #[error("{names} --name for {destinations} --to: give one for all, or one for each")]
    Names {
        /// How many names.
        names: usize,
        /// How many destinations.
        destinations: usize,
    },
    /// Only one of them can have the port.
    #[error(
        "local-port {port}: it, or the next one, is that of two destinations: {first} and {second}"
    )]
    LocalPort {
        /// The port.
        port: u16,
        /// One of them.
        first: HostPort,
        /// The other.
        second: HostPort,
    },
    /// There is nobody to serve and nothing to send to.
    #[error(
        "nothing to do: give --rtsp ADDR or --to HOST:PORT, or rtsp in [rtp] or [[cameras.NAME.rtp]] in the configuration"
    )]
    Nothing,
}

impl Settings {
    /// Merges flags and file, flags first, and reads the passwords. The file's addresses are for
    /// who has no sockets `passed`.
    pub(crate) fn new(arguments: &Arguments, file: &Config, passed: bool) -> anyhow::Result<Self> {
        let mut own: RtpOptions = file.section()?;
        if passed {
            own.rtsp.clear();
        }
        let options = arguments.rtp.clone().or(own);
        let users = options.auth_file.as_deref().map(Users::load).transpose();
        let users = users.map_err(|error| match &arguments.config {
            Some(config) if arguments.rtp.auth_file.is_none() => {
                let message = error.to_string();
                ConfigError::section::<RtpOptions>(config, "auth-file", message).into()
            }
            _ => anyhow::Error::from(error),
        })?;
        let destinations = if arguments.to.is_empty() {
            of_file(file, arguments)?
        } else {
            of_flags(arguments)?
        };
        refuse_shared_ports(&destinations)?;
        let configured = file.cameras.iter().chain(&file.pushed_cameras);
        let configured = configured.map(|(name, camera)| (name.clone(), camera.slot.clone()));
        let mut cameras: Configured = configured.collect();
        for destination in &destinations {
            cameras.entry(destination.camera.clone()).or_default();
        }
        Ok(Self {
            rtsp: options.rtsp,
            slots: arguments.slots.clone().or(file.slots.clone()).context(
                "no slots directory: give --slots DIR, or slots in [server] of the configuration",
            )?,
            cameras,
            users: users.map(Rc::new),
            max_sessions: options
                .max_sessions
                .map_or(MAX_SESSIONS, |max| max as usize),
            stats_interval: options.stats_interval.unwrap_or(STATS_INTERVAL),
            idle_exit: options.idle_exit,
            destinations,
        })
    }
}

/// Refuses destinations that are to be sent to from one port.
fn refuse_shared_ports(destinations: &[DestinationSettings]) -> Result<(), UsageError> {
    for (number, second) in destinations.iter().enumerate() {
        let Some(port) = second.local_port else {
            continue;
        };
        let mut before = destinations[..number].iter();
        if let Some(first) = before.find(|first| {
            first
                .local_port
                .is_some_and(|other| other.abs_diff(port) <= 1)
        }) {
            return Err(UsageError::LocalPort {
                port,
                first: first.to.clone(),
                second: second.to.clone(),
            });
        }
    }
    Ok(())
}

fn of_file(file: &Config, arguments: &Arguments) -> anyhow::Result<Vec<DestinationSettings>> {
    let mut all = Vec::new();
    for name in file.cameras.keys() {
        for options in file.list_of_camera::<RtpDestinationOptions>(name)? {
            let Some(to) = options.to.clone() else {
                // Tables are in the file alone, so there is one.
                let config = arguments.config.clone().unwrap_or_default();
                let what = "to is missing: where this camera is sent, as HOST:PORT".to_owned();
                return Err(ConfigError::camera(&config, name, Some("rtp"), what).into());
            };
            all.push(DestinationSettings::new(name.clone(), to, options));
        }
    }
    Ok(all)
}

fn of_flags(arguments: &Arguments) -> anyhow::Result<Vec<DestinationSettings>> {
    let (names, to) = (&arguments.name, &arguments.to);
    if names.len() > 1 && names.len() != to.len() {
        return Err(UsageError::Names {
            names: names.len(),
            destinations: to.len(),
        }
        .into());
    }
    let destinations = to.iter().enumerate().map(|(number, to)| {
        let name = names.get(number).or(names.first()).cloned();
        let options = arguments.destination.clone();
        DestinationSettings::new(name.unwrap_or_default(), to.clone(), options)
    });
    Ok(destinations.collect())
}

impl DestinationSettings {
    fn new(camera: CameraName, to: HostPort, options: RtpDestinationOptions) -> Self {
        Self {
            camera,
            to,
            local_port: options.local_port,
            mtu: options.mtu.unwrap_or_default(),
            dscp: options.dscp.unwrap_or_default(),
            ssrc: options.ssrc,
            ttl: options.ttl,
            interface: options.interface,
            fps: options.fps,
            size: options.size.unwrap_or_default(),
            always: options.always.unwrap_or_default(),
            adapt: options.adapt.unwrap_or_default(),
            pace: match options.burst {
                Some(true) => Pace::Burst,
                Some(false) | None => Pace::Spread,
            },
        }
    }
}

/// Says which of the settings that are fixed a new file has changed.
pub(crate) fn fixed_changes(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let changes = [
        ("rtsp", before.rtsp != after.rtsp),
        ("slots", before.slots != after.slots),
    ];
    let changed = changes.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(what, _)| what).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::Parser;
    use std::fs;

    pub(crate) fn settings(text: &str, flags: &[&str]) -> Result<Settings, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eyelid.toml");
        fs::write(&path, text).unwrap();
        let config = format!("--config={}", path.display());
        let all = ["eyelid-rtp", "--slots=/s", &config];
        let arguments = Arguments::try_parse_from(all.iter().chain(flags)).unwrap();
        let file = Config::load(Some(&path)).map_err(|error| error.to_string())?;
        Settings::new(&arguments, &file, false).map_err(|error| error.to_string())
    }

    const TWO: &str = "[rtp]\nstats-interval = \"10s\"\n\
        [[cameras.door.rtp]]\nto = \"192.0.2.1:5000\"\ndscp = \"EF\"\nssrc = \"0x12345678\"\nsize = \"half\"\n\
        [[cameras.door.rtp]]\nto = \"[ff15::1]:5002\"\nttl = 3\nalways = true\n";

    #[test]
    fn a_camera_has_any_number_of_destinations() {
        let settings = settings(TWO, &[]).unwrap();
        let [first, second] = &settings.destinations[..] else {
            panic!("{settings:?}");
        };
        assert_eq!(first.to.to_string(), "192.0.2.1:5000");
        assert_eq!((first.dscp.bits(), first.size), (46, RtpSize::Half));
        assert_eq!(first.ssrc.map(Ssrc::bits), Some(0x1234_5678));
        assert_eq!((first.mtu.bytes(), first.always), (1400, false));
        assert_eq!((second.ttl, second.always), (Some(3), true));
        assert_eq!(settings.stats_interval, Duration::from_secs(10));
        let door: CameraName = "door".parse().unwrap();
        assert!(settings.cameras.contains_key(&door));
    }

    #[test]
    fn flags_suffice_and_replace_the_files_destinations() {
        let flags = [
            "--to=h:5000",
            "--mtu=900",
            "--always",
            "--size=quarter",
            "--burst",
        ];
        let settings = settings(TWO, &flags).unwrap();
        let [only] = &settings.destinations[..] else {
            panic!("{settings:?}");
        };
        assert_eq!(only.camera, CameraName::default());
        assert_eq!(
            (only.mtu.bytes(), only.always, only.size, only.pace),
            (900, true, RtpSize::Quarter, Pace::Burst)
        );
    }

    #[test]
    fn names_are_one_for_all_or_one_for_each() {
        let to = ["--to=h:2", "--to=h:4"];
        let names = |names: &[&str]| {
            let flags: Vec<&str> = to.iter().chain(names).copied().collect();
            let settings = settings("", &flags)?;
            let names = settings.destinations.into_iter();
            Ok::<_, String>(names.map(|to| to.camera.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(names(&["--name=a", "--name=b"]).unwrap(), ["a", "b"]);
        assert_eq!(names(&["--name=a"]).unwrap(), ["a", "a"]);
        let error = names(&["--name=a", "--name=b", "--name=c"]).unwrap_err();
        assert!(error.contains("3 --name for 2 --to"), "{error}");
    }

    #[test]
    fn two_destinations_have_not_one_port() {
        let flags = ["--to=h:2", "--to=i:4", "--local-port=6000"];
        let error = settings("", &flags).unwrap_err();
        assert!(error.contains("local-port 6000"), "{error}");
        assert!(error.ends_with("h:2 and i:4"), "{error}");
        // RTCP has the next one.
        let text = "[[cameras.a.rtp]]\nto = \"h:2\"\nlocal-port = 6000\n\
            [[cameras.b.rtp]]\nto = \"h:4\"\nlocal-port = ";
        assert!(settings(&format!("{text}6001\n"), &[]).is_err());
        assert!(settings(&format!("{text}6002\n"), &[]).is_ok());
    }

    #[test]
    fn what_is_wrong_has_its_line() {
        for (text, line, words) in [
            ("[rtp]\nauth-file = \"/nowhere\"\n", 2, "/nowhere"),
            ("[[cameras.a.rtp]]\nmtu = 20\n", 2, "256 to 9000"),
            ("[[cameras.a.rtp]]\nto = \"h:5001\"\n", 2, "even port"),
            ("[[cameras.a.rtp]]\nttl = 3\n", 1, "to is missing"),
            (
                "[[cameras.a.rtp]]\ndscp = \"XX\"\n",
                2,
                "use a name such as EF",
            ),
            ("[[cameras.a.rtp]]\nfsp = 3\n", 2, "did you mean `fps`"),
        ] {
            let error = settings(text, &[]).unwrap_err();
            assert!(error.contains(&format!("line {line}, key ")), "{error}");
            assert!(error.contains(words), "{error}");
        }
    }
}
