//! What the program was told, with the defaults filled in.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use eyelid_config::{
    Address, Candidate, Config, EncoderChoice, PushedVideoCameraOptions, VideoCameraOptions,
    VideoOptions,
};
use eyelid_consumer::Configured;
use eyelid_daemon::manager;
use eyelid_slot::CameraName;
use indexmap::IndexMap;

use crate::Arguments;
use crate::feeds::EncodeLimits;

/// Bits a second of a camera where nothing is said: 720p that moves, without a flaw to be seen.
const BITRATE_BPS: u32 = 2_500_000;

/// How many viewers are served where nothing is said.
const MAX_VIEWERS: usize = 100;

/// Settings of the whole process.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where to serve HTTP, besides the sockets that were passed. Fixed for the life of the
    /// process, as the next four are.
    pub(crate) listen: Vec<Address>,
    /// Where WebRTC comes and goes, unless a socket was passed.
    pub(crate) udp: SocketAddr,
    /// The slots directory.
    pub(crate) slots: PathBuf,
    /// The directory of taps.
    pub(crate) taps: Option<PathBuf>,
    /// Where the server asks who watches.
    pub(crate) status: Option<PathBuf>,
    /// What encodes.
    pub(crate) encoder: EncoderChoice,
    /// Cameras that exist before their slots do.
    pub(crate) cameras: Configured,
    /// What holds for each camera.
    pub(crate) limits: CameraLimits,
    /// More addresses that lead here.
    pub(crate) candidates: Vec<IpAddr>,
    /// How many viewers are served at once.
    pub(crate) max_viewers: usize,
    /// How long a session of WebRTC lasts at most.
    pub(crate) max_session: Option<Duration>,
    /// When to end for want of viewers.
    pub(crate) idle_exit: Option<Duration>,
}

/// What holds for each camera.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CameraLimits {
    bitrate_bps: u32,
    cameras: IndexMap<CameraName, VideoCameraOptions>,
}

impl CameraLimits {
    /// What holds for this one, if there is to be H.264 of it.
    pub(crate) fn of(&self, camera: &CameraName) -> Option<EncodeLimits> {
        let own = self.cameras.get(camera);
        let bitrate = own.and_then(|own| own.bitrate);
        let most_bps = bitrate.map_or(self.bitrate_bps, |bitrate| bitrate.bits_per_second());
        let gop = own.and_then(|own| own.gop);
        (most_bps > 0).then_some(EncodeLimits { most_bps, gop })
    }
}

impl Settings {
    /// Merges flags and file, flags first. The file's addresses are for who has no sockets
    /// `passed`.
    pub(crate) fn new(arguments: &Arguments, file: &Config, passed: bool) -> anyhow::Result<Self> {
        let mut own: VideoOptions = file.section()?;
        if passed {
            own.listen.clear();
        }
        let options = arguments.video.clone().or(own);
        let configured = file.cameras.iter().chain(&file.pushed_cameras);
        let configured = configured.map(|(name, camera)| (name.clone(), camera.slot.clone()));
        let mut cameras = IndexMap::new();
        for name in file.cameras.keys() {
            cameras.insert(name.clone(), file.of_camera(name)?);
        }
        for name in file.pushed_cameras.keys() {
            let PushedVideoCameraOptions(options) = file.of_camera(name)?;
            cameras.insert(name.clone(), options);
        }
        let bitrate = options.bitrate;
        Ok(Self {
            udp: options.udp_address(),
            listen: options.listen,
            slots: arguments.slots.clone().or(file.slots.clone()).context(
                "no slots directory: give --slots DIR, or slots in [server] of the configuration",
            )?,
            taps: options.taps.or_else(|| of_unit("eyelid-video", "taps")),
            status: (arguments.status.clone()).or_else(|| of_unit("video-status", "status")),
            encoder: options.encoder.unwrap_or_default(),
            cameras: configured.collect(),
            limits: CameraLimits {
                bitrate_bps: bitrate.map_or(BITRATE_BPS, |bitrate| bitrate.bits_per_second()),
                cameras,
            },
            candidates: addresses(options.candidates),
            max_viewers: options.max_viewers.map_or(MAX_VIEWERS, |max| max as usize),
            max_session: options.max_session,
            idle_exit: options.idle_exit,
        })
    }
}

fn addresses(candidates: Vec<Candidate>) -> Vec<IpAddr> {
    candidates.into_iter().map(Candidate::address).collect()
}

/// A file in the directory of this name that systemd has made for the unit.
fn of_unit(directory: &str, file: &str) -> Option<PathBuf> {
    let directories = manager::runtime_directories().into_iter();
    let mut named = directories.filter(|made| made.ends_with(directory));
    named.next().map(|made| made.join(file))
}

/// Says which of the settings that are fixed a new file has changed.
pub(crate) fn fixed_changes(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let changes = [
        ("listen", before.listen != after.listen),
        ("udp", before.udp != after.udp),
        ("slots", before.slots != after.slots),
        ("taps", before.taps != after.taps),
        ("encoder", before.encoder != after.encoder),
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

    fn settings(text: &str, flags: &[&str]) -> Result<Settings, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eyelid.toml");
        fs::write(&path, text).unwrap();
        let config = format!("--config={}", path.display());
        let all = ["eyelid-video", "--slots=/s", &config];
        let arguments = Arguments::try_parse_from(all.iter().chain(flags)).unwrap();
        let file = Config::load(Some(&path)).map_err(|error| error.to_string())?;
        Settings::new(&arguments, &file, false).map_err(|error| error.to_string())
    }

    #[test]
    fn a_camera_has_its_own_bitrate_or_that_of_all() {
        let text = "[video]\nbitrate = \"1M\"\n[cameras.a]\nbitrate = \"800k\"\ngop = \"4s\"\n\
                    [cameras.b]\nbitrate = 0\n[receive.cameras.c]\nbitrate = \"500k\"\n";
        let limits = settings(text, &[]).unwrap().limits;
        let of = |name: &str| limits.of(&name.parse().unwrap());
        let limits_of = |most_bps, gop| Some(EncodeLimits { most_bps, gop });
        assert_eq!(of("a"), limits_of(800_000, Some(Duration::from_secs(4))));
        assert_eq!(of("b"), None, "none at all");
        assert_eq!(of("c"), limits_of(500_000, None));
        assert_eq!(of("elsewhere"), limits_of(1_000_000, None));
    }

    #[test]
    fn flags_come_before_the_file() {
        let text = "[video]\nbitrate = \"1M\"\nudp = 5000\ncandidates = [\"192.0.2.1\"]\n";
        let flags = ["--bitrate=3M", "--candidate=192.0.2.2", "--candidate=::1"];
        let merged = settings(text, &flags).unwrap();
        let limits = merged.limits.of(&CameraName::default()).unwrap();
        assert_eq!(
            (limits.most_bps, merged.udp),
            (3_000_000, "[::]:5000".parse().unwrap())
        );
        assert_eq!(merged.candidates.len(), 2);
        let error = settings("[video]\nencoder = \"x264\"\n", &[]).unwrap_err();
        assert!(error.contains("line 2, key \"encoder\""), "{error}");
        let error = settings("[video]\nmax-session = \"0s\"\n", &[]).unwrap_err();
        assert!(error.contains("line 2, key \"max-session\""), "{error}");
        assert!(error.contains("at least 1s"), "{error}");
        for table in ["[cameras.a]", "[receive.cameras.a]"] {
            let error = settings(&format!("{table}\ngop = \"0s\"\n"), &[]).unwrap_err();
            assert!(error.contains("line 2, key \"gop\""), "{error}");
            assert!(error.contains("leave gop out"), "{error}");
        }
        let error = settings("[cameras.a]\nbitrate = \"1\"\n", &[]).unwrap_err();
        assert!(error.contains("line 2, key \"bitrate\""), "{error}");
    }
}
