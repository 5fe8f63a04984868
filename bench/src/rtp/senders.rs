//! Programs that send a slot's frames to a UDP port: `eyelid-rtp`, and those that it is measured
//! beside.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use eyelid_bench::picture::Spec;

use crate::network::Host;
use crate::process::{Program, Programs, SERVER};

/// Peers (`bench/peers`), where they are installed.
const GSTREAMER: &str = "gstreamer-rtp";
const FFMPEG: &str = "ffmpeg-rtp";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// As it is: a frame is spread.
    Eyelid,
    /// With `--burst`.
    EyelidBurst,
    /// The least that can be done: `bare.rs`.
    Bare,
    /// The same, and it spreads a frame.
    BareSpread,
    /// The same at once, without a slot.
    BareReadingNothing,
    /// `multifilesrc ! rtpjpegpay ! udpsink`.
    GStreamer,
    /// Its muxer `rtp`.
    Ffmpeg,
}

impl Sender {
    /// All that there may be.
    pub(crate) const ALL: [Self; 7] = [
        Self::EyelidBurst,
        Self::Bare,
        Self::BareReadingNothing,
        Self::Eyelid,
        Self::BareSpread,
        Self::GStreamer,
        Self::Ffmpeg,
    ];

    /// What tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Eyelid => "eyelid-rtp",
            Self::EyelidBurst => "eyelid-rtp, burst",
            Self::Bare => "bare loop",
            Self::BareSpread => "bare loop that spreads",
            Self::BareReadingNothing => "bare loop that reads nothing",
            Self::GStreamer => "GStreamer, multifilesrc ! rtpjpegpay ! udpsink",
            Self::Ffmpeg => "ffmpeg, -c copy -f rtp",
        }
    }

    /// Says whether it can be measured here.
    pub(crate) fn is_here(self, programs: &Programs) -> bool {
        self.peer().is_none_or(|peer| programs.path(peer).exists())
    }

    fn peer(self) -> Option<&'static str> {
        match self {
            Self::GStreamer => Some(GSTREAMER),
            Self::Ffmpeg => Some(FFMPEG),
            _ => None,
        }
    }

    /// The one that it is compared with: the bare loop of the same pace.
    pub(crate) fn bare(self) -> Self {
        match self {
            Self::Eyelid | Self::BareSpread => Self::BareSpread,
            _ => Self::Bare,
        }
    }

    /// Starts it on a host, and a core for itself. Frames come from this slot, or are such.
    pub(crate) fn start(
        self,
        programs: &Programs,
        host: &Host,
        slot: &Path,
        spec: Spec,
        to: SocketAddr,
    ) -> anyhow::Result<Program> {
        let place = to.to_string();
        let mut command = match self {
            Self::Eyelid | Self::EyelidBurst => {
                let mut command = host.command(programs.path("eyelid-rtp"));
                command.env("EYELID_LOG", "warn");
                command.args(["--always", "--to", &place, "--slots"]);
                command.arg(slot);
                command
            }
            Self::Bare | Self::BareSpread | Self::BareReadingNothing => {
                host.own(&["gso", "--to", &place])?
            }
            Self::GStreamer => peer(host, programs, GSTREAMER, slot, &place),
            Self::Ffmpeg => peer(host, programs, FFMPEG, slot, &place),
        };
        match self {
            Self::EyelidBurst => command.arg("--burst"),
            Self::Bare => command.arg("--slot").arg(slot),
            Self::BareSpread => command.arg("--spread").arg("--slot").arg(slot),
            Self::BareReadingNothing => {
                command.args(["--frames", &format!("{}:{}", spec.size(), spec.bytes)])
            }
            Self::Eyelid | Self::GStreamer | Self::Ffmpeg => &mut command,
        };
        Program::start(&mut command, SERVER)
    }
}

fn peer(host: &Host, programs: &Programs, name: &str, slot: &Path, to: &str) -> Command {
    let mut command = host.command(programs.path(name));
    command.arg(slot).arg(to);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}
