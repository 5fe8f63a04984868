//! The options of the program that sends cameras by RTP: `[rtp]` in the file, and
//! `[[cameras.NAME.rtp]]` for each place that a camera is sent to.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::rtp_values::{Dscp, HostPort, Mtu, RtpCodec, RtpSize, SessionTimeout, Ssrc};
use crate::section::CAMERA;
use crate::{Address, Fps, Section, duration};

/// Options of `eyelid-rtp`. What is not given is `None` (or empty).
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a table, [rtp]")]
pub struct RtpOptions {
    /// Where to serve RTSP, besides sockets that were passed.
    #[arg(
        long,
        value_name = "ADDR",
        help = "Serve RTSP here: HOST:PORT or [V6]:PORT; may be repeated [default: sockets passed by systemd, else none]"
    )]
    pub rtsp: Vec<Address>,
    /// Ask for a user and password out of this file (htdigest FILE Eyelid USER)
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Serve at most this many RTSP sessions at once [default: 100]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        allow_negative_numbers = true
    )]
    #[serde(deserialize_with = "crate::server::at_least_one")]
    pub max_sessions: Option<u32>,
    /// Mark packets of RTSP sessions with this DSCP: EF, AF41, CS5, ... or a number [default: 0]
    #[arg(long, value_name = "DSCP", allow_negative_numbers = true)]
    pub rtsp_dscp: Option<Dscp>,
    /// End RTSP sessions that have been silent for a quarter longer than this [default: 60s]
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub session_timeout: Option<SessionTimeout>,
    /// Log this often what was sent to each destination [default: 1min]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub stats_interval: Option<Duration>,
    /// End after this long without a connection, where no destination is configured [default:
    /// never]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub idle_exit: Option<Duration>,
}

impl Section for RtpOptions {
    const PLACE: &'static [&'static str] = &["rtp"];
}

impl RtpOptions {
    /// Fills what is not given here from `file`.
    pub fn or(self, file: Self) -> Self {
        Self {
            rtsp: crate::server::given(self.rtsp, file.rtsp),
            auth_file: self.auth_file.or(file.auth_file),
            max_sessions: self.max_sessions.or(file.max_sessions),
            rtsp_dscp: self.rtsp_dscp.or(file.rtsp_dscp),
            session_timeout: self.session_timeout.or(file.session_timeout),
            stats_interval: self.stats_interval.or(file.stats_interval),
            idle_exit: self.idle_exit.or(file.idle_exit),
        }
    }
}

/// A place that a camera is sent to, and how: one table of the file, or flags for those of the
/// command line.
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    rename_all = "kebab-case",
    default,
    expecting = "a table, [[cameras.NAME.rtp]]"
)]
pub struct RtpDestinationOptions {
    /// Where to; in the file alone, for there may be several flags.
    #[arg(skip)]
    pub to: Option<HostPort>,
    /// Send it as jpeg or h264 [default: jpeg]
    #[arg(long, value_name = "CODEC", hide_possible_values = true)]
    pub codec: Option<RtpCodec>,
    /// Send from this UDP port, and RTCP from the next one [default: any]
    #[arg(
        long,
        value_name = "PORT",
        value_parser = clap::value_parser!(u16).range(1..=65534),
        allow_negative_numbers = true
    )]
    pub local_port: Option<u16>,
    /// How many bytes an RTP packet may have, headers of UDP and IP not counted [default: 1400]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    pub mtu: Option<Mtu>,
    /// Mark packets with this DSCP: EF, AF41, CS5, ... or a number [default: 0]
    #[arg(long, value_name = "DSCP", allow_negative_numbers = true)]
    pub dscp: Option<Dscp>,
    /// Send with this SSRC, hexadecimal (0x...) or decimal [default: a random one]
    #[arg(long, value_name = "SSRC", allow_negative_numbers = true)]
    pub ssrc: Option<Ssrc>,
    /// How many routers packets may pass [default: 64; multicast: 1]
    #[arg(
        long,
        value_name = "HOPS",
        value_parser = clap::value_parser!(u8).range(1..),
        allow_negative_numbers = true
    )]
    pub ttl: Option<u8>,
    /// Send from this network interface
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,
    /// Send at most so many frames a second [default: all]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub fps: Option<Fps>,
    /// Send this rendition [default: current, the frame as configured]
    #[arg(long, value_name = "SIZE")]
    pub size: Option<RtpSize>,
    /// Keep the camera awake although no receiver reports
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    pub always: Option<bool>,
    /// Send a smaller rendition while receivers report loss
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    pub adapt: Option<bool>,
    /// Send the packets of a frame all at once: sooner, and more than small switches hold
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    pub burst: Option<bool>,
}

impl Section for RtpDestinationOptions {
    const PLACE: &'static [&'static str] = &["cameras", CAMERA, "rtp"];
}

/// The same of a camera that pushes its frames: it has its tables elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PushedRtpDestinationOptions(pub RtpDestinationOptions);

impl Section for PushedRtpDestinationOptions {
    const PLACE: &'static [&'static str] = &["receive", "cameras", CAMERA, "rtp"];
}
