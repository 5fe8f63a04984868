//! `eyelid-rtp`: sends cameras by RTP, to where it is told, and by RTSP to whoever asks.
//!
//! One thread does everything. It knows cameras only by their slots (`eyelid-consumer`), so that
//! they sleep while nobody plays, and keeps no queue of frames anywhere. What goes over the wire is
//! made by `eyelid-rtp-wire`, which knows neither socket nor clock. `docs/rtp.md` says what is sent
//! and answered, `docs/architecture.md` how the modules hang together.

mod addresses;
mod app;
mod connection;
mod connection_writer;
mod delivery;
mod demand;
mod destinations;
mod dscp;
mod frames;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod key_asks;
mod loss_adaptation;
mod members;
mod payload;
mod push;
mod push_socket;
mod pushes;
mod quiet_socket;
mod random;
mod reach;
mod recoding;
mod refusals;
mod rtsp;
mod serve;
mod sessions;
mod settings;
mod shares;
mod stand_in;
mod status;
mod step_timer;
mod stream;
mod tap;
mod udp;
mod video;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use eyelid_config::{
    Config, ConfigError, EXIT_CONFIG, HostPort, RtpDestinationOptions, RtpOptions, camera_name,
};
use eyelid_daemon::apart;
use eyelid_daemon::sockets::{self, Passed};
use eyelid_http::Sockets;
use eyelid_slot::CameraName;
use tokio::task::LocalSet;

use crate::rtsp::auth::UsersError;
use crate::settings::{Settings, UsageError};

/// Sends cameras by RTP, to where it is told, and by RTSP to whoever asks.
#[derive(Clone, Debug, Parser)]
#[command(name = "eyelid-rtp", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    rtp: RtpOptions,
    /// Directory of the slots
    #[arg(long, value_name = "DIR")]
    slots: Option<PathBuf>,
    /// Read this configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Tell eyelid-server what is sent, at this Unix socket [default: the socket status in the
    /// runtime directory that systemd has made, else none]
    #[arg(long, value_name = "SOCKET")]
    status: Option<PathBuf>,
    /// Find the sockets of H.264 in this directory [default: taps in [video] of the configuration]
    #[arg(long, value_name = "DIR")]
    taps: Option<PathBuf>,
    /// Say on stdout what is wrong with the options, the file or the passwords, and end
    #[arg(long)]
    check: bool,
    /// Send a camera to this host and port, and to no destination of the configuration file; may be
    /// repeated
    #[arg(long, value_name = "HOST:PORT")]
    to: Vec<HostPort>,
    /// Send this camera: one for all --to, or as many as there are of these [default: default]
    #[arg(long, value_name = "NAME", value_parser = camera_name, requires = "to")]
    name: Vec<CameraName>,
    #[command(flatten)]
    destination: RtpDestinationOptions,
}

impl Arguments {
    /// Says whether the options are only to be checked.
    pub fn is_check(&self) -> bool {
        self.check
    }
}

/// The exit status for an error of [`run`].
pub fn exit_status(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() || error.is::<UsersError>() {
        EXIT_CONFIG
    } else if error.is::<UsageError>() {
        2
    } else {
        1
    }
}

/// Sends until it is told to end or has nothing to do.
///
/// # Errors
/// Why it cannot go on; see [`exit_status`].
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let file = Config::load(arguments.config.as_deref())?;
    // Before any thread is started, for it takes what was passed out of the environment.
    let passed = sockets::take()?;
    if passed
        .iter()
        .any(|socket| matches!(socket, Passed::SeqpacketListener(_)))
    {
        anyhow::bail!("a socket for messages was passed: nothing is handed over to this program");
    }
    let has_sockets = !passed.is_empty();
    let settings = Settings::new(&arguments, &file, has_sockets)?;
    if let Some(warning) = settings.warning() {
        log::warn!("{warning}");
    }
    if arguments.check {
        return Ok(());
    }
    let reread = move || {
        let file = Config::load(arguments.config.as_deref())?;
        Settings::new(&arguments, &file, has_sockets)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = LocalSet::new().block_on(&runtime, async {
        apart(serve::run(settings, Sockets::adopt(passed)?, reread)).await
    });
    // The thread of a name that is being looked up waits for a dead name server, and nobody for it.
    runtime.shutdown_background();
    ended
}
