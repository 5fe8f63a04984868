//! The options of the program that shows cameras as H.264: `[video]` in the file, and a few keys of
//! each camera.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::section::CAMERA;
use crate::video_values::{Bitrate, Candidate, EncoderChoice, UdpAddress};
use crate::{Address, Section, duration};

/// Options of `eyelid-video`. What is not given is `None` (or empty).
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a table, [video]")]
pub struct VideoOptions {
    /// Where to listen for HTTP, besides sockets that were passed.
    #[arg(
        long,
        value_name = "ADDR",
        help = "Serve HTTP here, without eyelid-server: HOST:PORT, [V6]:PORT or unix:PATH; may be repeated [default: sockets passed by systemd]"
    )]
    pub listen: Vec<Address>,
    /// Where WebRTC comes and goes, unless a socket was passed.
    #[arg(
        long,
        value_name = "ADDR",
        help = "The UDP port of WebRTC, also as IP:PORT or [V6]:PORT [default: the socket passed by systemd, else 8189]"
    )]
    pub udp: Option<UdpAddress>,
    /// Bits a second of a camera at most, 0 for none: 800k, 2.5M [default: 2.5M]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    pub bitrate: Option<Bitrate>,
    /// What encodes: openh264; v4l2, the machine's own; or auto, that where it has one, else
    /// openh264 [default: auto]
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    pub encoder: Option<EncoderChoice>,
    /// Another address by which this machine is reached, such as a router's or a container's host;
    /// may be repeated
    #[arg(long = "candidate", alias = "candidates", value_name = "IP")]
    pub candidates: Vec<Candidate>,
    /// Have a socket of H.264 for each camera in this directory [default: none]
    #[arg(long, value_name = "DIR")]
    pub taps: Option<PathBuf>,
    /// Let no more come by WebRTC and MSE while so many watch, readers of taps among them
    /// [default: 100]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        allow_negative_numbers = true
    )]
    #[serde(deserialize_with = "crate::server::at_least_one")]
    pub max_viewers: Option<u32>,
    /// End a session of WebRTC after this long; OctoPrint's page does not ask anew [default: never]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse_lasting,
        allow_hyphen_values = true
    )]
    #[serde(
        serialize_with = "duration::serialize",
        deserialize_with = "duration::deserialize_lasting"
    )]
    pub max_session: Option<Duration>,
    /// End after this long without a viewer [default: never]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub idle_exit: Option<Duration>,
}

impl Section for VideoOptions {
    const PLACE: &'static [&'static str] = &["video"];
}

/// The port of WebRTC where nothing is said. docs/eyelid.toml promises it.
const UDP_PORT: u16 = 8189;

impl VideoOptions {
    /// Gives the port of WebRTC where no socket is passed.
    pub fn udp_address(&self) -> SocketAddr {
        self.udp.unwrap_or(UdpAddress::port(UDP_PORT)).address()
    }

    /// Fills what is not given here from `file`.
    pub fn or(self, file: Self) -> Self {
        Self {
            listen: crate::server::given(self.listen, file.listen),
            udp: self.udp.or(file.udp),
            bitrate: self.bitrate.or(file.bitrate),
            encoder: self.encoder.or(file.encoder),
            candidates: crate::server::given(self.candidates, file.candidates),
            taps: self.taps.or(file.taps),
            max_viewers: self.max_viewers.or(file.max_viewers),
            max_session: self.max_session.or(file.max_session),
            idle_exit: self.idle_exit.or(file.idle_exit),
        }
    }
}

/// Options of one camera as H.264; keys of the file alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    rename_all = "kebab-case",
    default,
    expecting = "a table, [cameras.NAME]"
)]
pub struct VideoCameraOptions {
    /// Bits a second at most; 0 for no H.264.
    pub bitrate: Option<Bitrate>,
    /// How far keyframes are apart at most while a program reads the camera's tap.
    #[serde(
        serialize_with = "duration::serialize",
        deserialize_with = "duration::deserialize_gop"
    )]
    pub gop: Option<Duration>,
}

impl Section for VideoCameraOptions {
    const PLACE: &'static [&'static str] = &["cameras", CAMERA];
}

/// The same of a camera that pushes its frames: it has its table elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PushedVideoCameraOptions(pub VideoCameraOptions);

impl Section for PushedVideoCameraOptions {
    const PLACE: &'static [&'static str] = &["receive", "cameras", CAMERA];
}
