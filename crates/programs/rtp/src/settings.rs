//! What the program was told, with the defaults filled in.

use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use eyelid_config::{
    Address, Config, ConfigError, Dscp, HostPort, RtpCodec, RtpOptions, Section, SessionTimeout,
    VideoOptions,
};
use eyelid_consumer::Configured;
use eyelid_daemon::manager;

use crate::Arguments;
use crate::destinations::{self, DestinationError, DestinationSettings};
use crate::rtsp::auth::Users;

/// How many sessions are served where nothing is said. docs/eyelid.toml promises it.
const MAX_SESSIONS: usize = 100;

/// After how long sessions end where nothing is said: what RFC 2326 (section 12.37) has for those
/// that say nothing of it.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);

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
    /// Where the server asks what is sent. Fixed for the life of the process.
    pub(crate) status: Option<PathBuf>,
    /// Where cameras are to be had as H.264. Fixed for the life of the process.
    pub(crate) taps: Option<PathBuf>,
    /// Cameras that exist before their slots do.
    pub(crate) cameras: Configured,
    /// Who may look by RTSP; without any, everybody.
    pub(crate) users: Option<Rc<Users>>,
    /// How many sessions are served at once.
    pub(crate) max_sessions: usize,
    /// How packets of RTSP sessions are marked.
    pub(crate) rtsp_dscp: Dscp,
    /// After how long without a word a client is told that its session ends.
    pub(crate) session_timeout: Duration,
    /// How often the log says what was sent to each destination.
    pub(crate) stats_interval: Duration,
    /// When to end for want of connections.
    pub(crate) idle_exit: Option<Duration>,
    /// Where cameras are sent to.
    pub(crate) destinations: Vec<DestinationSettings>,
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
    /// No receiver would tell their streams apart.
    #[error(
        "to {to}: two streams would go there, of camera {first:?} and {second:?}; give each a port of its own"
    )]
    Twice {
        /// Where to.
        to: HostPort,
        /// The camera of the one.
        first: String,
        /// The camera of the other.
        second: String,
    },
    /// Options of one destination do not go together.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A flag is for destinations, and there is no flag that is one.
    #[error(
        "--{key} is for the destinations of --to: give --to HOST:PORT, too, or write {key} into [[cameras.NAME.rtp]] of the configuration"
    )]
    NoDestination {
        /// The flag, and the key that it is in the file.
        key: String,
    },
    /// A flag is for something that is not done.
    #[error("{flag} does nothing without {lacks}: give that, too, or leave it out")]
    Idle {
        /// The flag.
        flag: &'static str,
        /// What it needs.
        lacks: &'static str,
    },
    /// What sends to destinations has something to do.
    #[error("--idle-exit does nothing with --to: what is sent to a destination never ends")]
    NeverIdle,
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
        let video: VideoOptions = file.section()?;
        let options = arguments.rtp.clone().or(own);
        let users = options.auth_file.as_deref().map(Users::load).transpose();
        let users = users.map_err(|error| match &arguments.config {
            Some(config) if arguments.rtp.auth_file.is_none() => {
                let message = error.to_string();
                ConfigError::section::<RtpOptions>(config, "auth-file", message).into()
            }
            _ => anyhow::Error::from(error),
        })?;
        refuse_idle_flags(arguments, passed || !options.rtsp.is_empty())?;
        let destinations = destinations::all(file, arguments)?;
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
            status: arguments.status.clone().or_else(status_of_unit),
            taps: arguments.taps.clone().or(video.taps),
            cameras,
            users: users.map(Rc::new),
            max_sessions: options
                .max_sessions
                .map_or(MAX_SESSIONS, |max| max as usize),
            rtsp_dscp: options.rtsp_dscp.unwrap_or_default(),
            session_timeout: options
                .session_timeout
                .map_or(SESSION_TIMEOUT, SessionTimeout::duration),
            stats_interval: options.stats_interval.unwrap_or(STATS_INTERVAL),
            idle_exit: options.idle_exit,
            destinations,
        })
    }

    /// Warns of destinations that nothing can be sent to. It is no error: eyelid-rtp.service gives
    /// `--taps`, which whoever checks the configuration alone does not.
    pub(crate) fn warning(&self) -> Option<String> {
        let of_h264 = self.destinations.iter();
        let of_h264 = of_h264.filter(|destination| destination.codec == RtpCodec::H264);
        let to: Vec<_> = of_h264
            .map(|destination| destination.to.to_string())
            .collect();
        (self.taps.is_none() && !to.is_empty()).then(|| {
            format!(
                "nothing is sent to {}: codec h264 needs a directory of taps; give taps in [video] of the configuration, or --taps DIR",
                to.join(", ")
            )
        })
    }
}

/// Refuses flags that nothing would come of.
fn refuse_idle_flags(arguments: &Arguments, has_rtsp: bool) -> Result<(), UsageError> {
    let (rtp, has_to) = (&arguments.rtp, !arguments.to.is_empty());
    if !has_to {
        let flags = arguments.destination.to_flags().unwrap_or_default();
        if let Some(flag) = flags.first() {
            let flag = flag.to_string_lossy();
            let key = flag.split_once('=').map_or(&*flag, |(key, _)| key);
            let key = key.trim_start_matches('-').to_owned();
            return Err(UsageError::NoDestination { key });
        }
    }
    let lacks = |flag, lacks| Err(UsageError::Idle { flag, lacks });
    let may_have_destinations = has_to || arguments.config.is_some();
    if !may_have_destinations && rtp.stats_interval.is_some() {
        return lacks("--stats-interval", "--to HOST:PORT");
    }
    // Those of a file may be for another start of the program, as the sockets of systemd are.
    let of_rtsp = [
        ("--auth-file", rtp.auth_file.is_some()),
        ("--max-sessions", rtp.max_sessions.is_some()),
        ("--rtsp-dscp", rtp.rtsp_dscp.is_some()),
        ("--session-timeout", rtp.session_timeout.is_some()),
    ];
    if has_to
        && !has_rtsp
        && let Some((flag, _)) = of_rtsp.iter().find(|(_, is_given)| *is_given)
    {
        return lacks(flag, "--rtsp ADDR");
    }
    if has_to && rtp.idle_exit.is_some() {
        return Err(UsageError::NeverIdle);
    }
    Ok(())
}

/// The socket in the directory that systemd has made for this program alone.
fn status_of_unit() -> Option<PathBuf> {
    let directories = manager::runtime_directories();
    directories.first().map(|made| made.join("status"))
}

/// Says which of the settings that are fixed a new file has changed.
pub(crate) fn fixed_changes(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let changes = [
        ("rtsp", before.rtsp != after.rtsp),
        ("slots", before.slots != after.slots),
        ("taps", before.taps != after.taps),
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

    #[test]
    fn flags_are_merged_with_the_file() {
        let text = "[rtp]\nstats-interval = \"10s\"\nrtsp = [\"[::1]:0\"]\n";
        let merged = settings(text, &["--max-sessions=3"]).unwrap();
        assert_eq!(merged.stats_interval, Duration::from_secs(10));
        assert_eq!((merged.max_sessions, merged.rtsp.len()), (3, 1));
        let error = settings("[rtp]\nauth-file = \"/nowhere\"\n", &[]).unwrap_err();
        assert!(
            error.contains("line 2, key ") && error.contains("/nowhere"),
            "{error}"
        );
    }

    #[test]
    fn flags_that_do_nothing_are_refused() {
        const RTSP: &str = "--rtsp=127.0.0.1:0";
        for flag in [
            "--local-port=6000",
            "--mtu=900",
            "--dscp=EF",
            "--ssrc=7",
            "--ttl=7",
            "--interface=lo",
            "--fps=1",
            "--size=half",
            "--always",
            "--adapt=false",
            "--burst",
        ] {
            let error = settings("", &[RTSP, flag]).unwrap_err();
            let (name, _) = flag.split_once('=').unwrap_or((flag, ""));
            let start = format!("{name} is for the destinations of --to: give --to HOST:PORT");
            assert!(error.starts_with(&start), "{error}");
            // Nor are they for destinations of the file.
            let file = "[[cameras.a.rtp]]\nto = \"h:2\"\n";
            assert!(settings(file, &[flag]).is_err(), "{flag}");
            assert!(settings("", &["--to=h:2", flag]).is_ok(), "{flag}");
        }
        for (flag, words) in [
            ("--max-sessions=3", "without --rtsp ADDR"),
            ("--rtsp-dscp=EF", "without --rtsp ADDR"),
            ("--session-timeout=9s", "without --rtsp ADDR"),
            ("--idle-exit=3s", "with --to"),
        ] {
            let error = settings("", &["--to=h:2", flag]).unwrap_err();
            assert!(error.contains(words), "{error}");
            assert!(settings("", &[RTSP, flag]).is_ok(), "{flag}");
        }
    }

    #[test]
    fn destinations_of_h264_without_taps_are_told_at_once() {
        let h264 = "[[cameras.a.rtp]]\nto = \"h:2\"\ncodec = \"h264\"\n";
        let jpeg = "[[cameras.a.rtp]]\nto = \"h:4\"\n";
        let warning = |text: &str, flags| settings(text, flags).unwrap().warning();
        let told = warning(&[h264, jpeg].concat(), &[]).unwrap();
        assert!(
            told.starts_with("nothing is sent to h:2: codec h264"),
            "{told}"
        );
        assert_eq!(warning(jpeg, &[]), None);
        assert_eq!(warning(h264, &["--taps=/t"]), None);
        assert_eq!(
            warning(&["[video]\ntaps = \"/t\"\n", h264].concat(), &[]),
            None
        );
    }

    #[test]
    fn a_stats_interval_needs_destinations() {
        let of = |flags: &[&str]| {
            let all = ["eyelid-rtp", "--slots=/s", "--stats-interval=1s"];
            let arguments = Arguments::try_parse_from(all.iter().chain(flags)).unwrap();
            let settings = Settings::new(&arguments, &Config::default(), false);
            settings.map(drop).map_err(|error| error.to_string())
        };
        let error = of(&["--rtsp=127.0.0.1:0"]).unwrap_err();
        assert!(
            error.starts_with("--stats-interval does nothing"),
            "{error}"
        );
        assert_eq!(of(&["--to=h:2"]), Ok(()));
    }
}
