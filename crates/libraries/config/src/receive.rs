//! The options of the program that takes the frames which cameras push: `[receive]` in the file,
//! and `[receive.cameras.NAME]` for each of these cameras.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::byte_size::FrameBytes;
use crate::section::CAMERA;
use crate::title::Title;
use crate::{Address, Section, duration};

/// Options of `eyelid-receive`. What is not given is `None` (or empty).
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a table, [receive]")]
pub struct ReceiveOptions {
    /// Where to listen, besides sockets that were passed.
    #[arg(
        long,
        value_name = "ADDR",
        help = "Listen here: HOST:PORT, [V6]:PORT or unix:PATH; may be repeated [default: sockets passed by systemd]"
    )]
    pub listen: Vec<Address>,
    /// The tokens of cameras that have no token-file of their own: lines NAME:HASH, as --new-token
    /// prints them
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Take so many cameras at most [default: 32]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        allow_negative_numbers = true
    )]
    #[serde(deserialize_with = "crate::server::at_least_one")]
    pub max_cameras: Option<u32>,
    /// End after this long without a connection [default: never]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub idle_exit: Option<Duration>,
}

impl Section for ReceiveOptions {
    const PLACE: &'static [&'static str] = &["receive"];
}

impl ReceiveOptions {
    /// Fills what is not given here from `file`.
    pub fn or(self, file: Self) -> Self {
        Self {
            listen: crate::server::given(self.listen, file.listen),
            token_file: self.token_file.or(file.token_file),
            max_cameras: self.max_cameras.or(file.max_cameras),
            idle_exit: self.idle_exit.or(file.idle_exit),
        }
    }
}

/// Options of a camera that pushes its frames; keys of the file alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    rename_all = "kebab-case",
    default,
    expecting = "a table, [receive.cameras.NAME]"
)]
pub struct PushedCameraOptions {
    /// How the viewer page calls the camera.
    pub title: Option<Title>,
    /// Directory of its slot.
    pub slot: Option<PathBuf>,
    /// Where the tokens are, one of which it has to show.
    pub token_file: Option<PathBuf>,
    /// How long it stays awake after the last look.
    #[serde(with = "duration")]
    pub linger: Option<Duration>,
    /// How large one of its frames may be.
    pub max_bytes: Option<FrameBytes>,
}

impl Section for PushedCameraOptions {
    const PLACE: &'static [&'static str] = &["receive", "cameras", CAMERA];
}
