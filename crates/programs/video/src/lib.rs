//! `eyelid-video`: cameras as H.264, one encoder for each that somebody watches.
//!
//! One thread does everything but encoding, which has one for each encode. It knows cameras only by
//! their slots (`eyelid-consumer`), so that they sleep while nobody watches, and keeps no queue of
//! pictures anywhere. `docs/video.md` says what is served, `docs/architecture.md` how the modules
//! hang together.

#![cfg_attr(
    not(feature = "native"),
    allow(
        dead_code,
        reason = "without WebRTC there is no program, and all else is tested"
    )
)]

mod app;
mod coded;
mod encoders;
mod feeds;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod limits;
mod mse;
#[cfg(feature = "native")]
mod peers;
#[cfg(not(feature = "native"))]
#[path = "peers/absent.rs"]
mod peers;
mod route;
mod serve;
mod settings;
mod signalling;
mod status;
mod tap;
#[cfg(test)]
mod testing;

use std::net::UdpSocket;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use eyelid_config::{Config, ConfigError, EXIT_CONFIG, VideoOptions};
use eyelid_daemon::sockets::{self, Passed};
use eyelid_http::Sockets;
use tokio::net::UnixListener;
use tokio::runtime::{Builder, LocalOptions};

use crate::encoders::NoEncoder;
use crate::settings::Settings;

/// How the socket is called where it is passed at which readers of taps name the camera.
const TAPS_NAME: &str = "taps";

/// Shows cameras as H.264: by WebRTC and Media Source Extensions in browsers, by sockets to
/// programs.
#[derive(Clone, Debug, Parser)]
#[command(name = "eyelid-video", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    video: VideoOptions,
    /// Directory of the slots
    #[arg(long, value_name = "DIR")]
    slots: Option<PathBuf>,
    /// Read this configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Tell eyelid-server who watches, at this Unix socket [default: the socket status in the
    /// directory video-status that systemd has made, else none]
    #[arg(long, value_name = "SOCKET")]
    status: Option<PathBuf>,
    /// Say on stdout what is wrong with the options or the file, and end
    #[arg(long)]
    check: bool,
}

impl Arguments {
    /// Says whether the options are only to be checked.
    pub fn is_check(&self) -> bool {
        self.check
    }
}

/// The exit status for an error of [`run`].
pub fn exit_status(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() || error.is::<NoEncoder>() {
        EXIT_CONFIG
    } else {
        1
    }
}

/// Serves until it is told to end, or nobody has watched for long enough.
///
/// # Errors
/// Why it cannot go on; see [`exit_status`].
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let file = Config::load(arguments.config.as_deref())?;
    // Before any thread is started, for it takes what was passed out of the environment.
    let names = sockets::names();
    let passed = PassedSockets::sort(sockets::take()?, &names)?;
    let has_sockets = !passed.others.is_empty();
    let settings = Settings::new(&arguments, &file, has_sockets)?;
    let encoder = encoders::chosen(settings.encoder)?;
    if arguments.check {
        return Ok(());
    }
    let reread = move || {
        let file = Config::load(arguments.config.as_deref())?;
        Settings::new(&arguments, &file, has_sockets)
    };
    // A task like all others, and no `LocalSet`: to wake either takes system calls (tokio writes to
    // an eventfd, and reads it), many for each picture.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .context("cannot start the runtime")?;
    let serving = runtime.spawn_local(async {
        let PassedSockets { udp, taps, others } = passed;
        let passed = serve::Passed {
            sockets: Sockets::adopt(others)?,
            udp,
            taps: taps.map(UnixListener::from_std).transpose()?,
        };
        serve::run(settings, passed, encoder, reread).await
    });
    match runtime.block_on(serving) {
        Ok(ended) => ended,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// The sockets that were passed, by what they are for.
#[derive(Default)]
struct PassedSockets {
    udp: Option<UdpSocket>,
    taps: Option<std::os::unix::net::UnixListener>,
    others: Vec<Passed>,
}

impl PassedSockets {
    fn sort(all: Vec<Passed>, names: &[String]) -> anyhow::Result<Self> {
        let mut sorted = Self::default();
        for (at, passed) in all.into_iter().enumerate() {
            let is_for_taps = names.get(at).is_some_and(|name| name == TAPS_NAME);
            match passed {
                Passed::UdpSocket(socket) if sorted.udp.is_none() => sorted.udp = Some(socket),
                Passed::UdpSocket(_) => anyhow::bail!("more than one UDP socket was passed"),
                Passed::UnixListener(listener) if is_for_taps => sorted.taps = Some(listener),
                other => sorted.others.push(other),
            }
        }
        Ok(sorted)
    }
}
