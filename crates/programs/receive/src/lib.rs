//! `eyelid-receive`: takes the frames that cameras push, and puts them into slots while somebody
//! looks.
//!
//! ESP32 cameras and scripts do not wait to be asked: they push JPEGs, in WebSocket messages or in
//! the body of a POST. What comes is always read, and dropped where nobody wishes for it: a camera
//! that is made to wait sends the past. One thread does everything. Each frame is walked before it
//! counts as one (`eyelid-jpeg`), and published by the rules that hold for all cameras
//! (`eyelid-producer`). `docs/esp32.md` says what is answered, `docs/architecture.md` how the
//! modules hang together.

mod access;
mod app;
mod arrivals;
mod buffers;
mod camera;
mod cameras;
mod decoding;
mod frame_header;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod intake;
mod judge;
mod parted_socket;
mod parting;
mod post;
mod prepare;
mod rate;
mod refusals;
mod route;
mod serve;
mod session;
mod settings;
mod slots;
mod source;
mod status;
mod taking;
mod tokens;
pub mod websocket;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use eyelid_config::{Config, ConfigError, EXIT_CONFIG, ReceiveOptions, camera_name};
use eyelid_daemon::{apart, sockets};
use eyelid_http::Sockets;
use eyelid_slot::CameraName;
use tokio::task::LocalSet;

use crate::settings::Settings;
use crate::tokens::TokenError;

/// Takes the frames that cameras push, and puts them into slots while somebody looks.
#[derive(Clone, Debug, Parser)]
#[command(name = "eyelid-receive", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    receive: ReceiveOptions,
    /// Directory of the slots
    #[arg(long, value_name = "DIR")]
    slots: Option<PathBuf>,
    /// Read this configuration file, which names the cameras; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say on stdout what is wrong with the options, the file or the tokens, and end
    #[arg(long)]
    check: bool,
    /// Make a token for this camera, and end: on stdout the line for token-file, on stderr the
    /// token, which is written nowhere else
    #[arg(long, value_name = "NAME", value_parser = camera_name, conflicts_with = "check")]
    new_token: Option<CameraName>,
}

impl Arguments {
    /// Says whether the options are only to be checked.
    pub fn is_check(&self) -> bool {
        self.check
    }
}

/// The exit status for an error of [`run`].
pub fn exit_status(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() || error.is::<TokenError>() {
        EXIT_CONFIG
    } else {
        1
    }
}

/// Receives until it is told to end, or nobody has been connected for long enough.
///
/// # Errors
/// Why it cannot go on; see [`exit_status`].
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    if let Some(name) = &arguments.new_token {
        return print_token(name);
    }
    let file = Config::load(arguments.config.as_deref())?;
    // Before any thread is started, for it takes what was passed out of the environment.
    let passed = sockets::take()?;
    let has_sockets = !passed.is_empty();
    let settings = Settings::new(&arguments, &file, has_sockets)?;
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
    LocalSet::new().block_on(&runtime, async {
        apart(serve::run(settings, Sockets::adopt(passed)?, reread)).await
    })
}

fn print_token(name: &CameraName) -> anyhow::Result<()> {
    let (token, line) = tokens::new_token(name).context("cannot make a token")?;
    writeln!(io::stdout(), "{line}").context("cannot write the line")?;
    eprintln!(
        "the token of camera {:?}, shown only now: {token}",
        name.as_str()
    );
    Ok(())
}
