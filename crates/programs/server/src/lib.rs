//! `eyelid-server`: gives every HTTP client the newest frame of a slot, as a snapshot or as an
//! MJPEG stream.
//!
//! One thread does everything. It knows cameras only by their slots (`eyelid-slot`), keeps no queue
//! of frames anywhere, and does nothing at all while nobody is connected. `docs/architecture.md`
//! shows how the modules hang together, `docs/http.md` what is answered.

mod adapter;
mod app;
mod clients;
mod figure_source;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod handler;
mod metrics;
mod part;
mod problem;
mod respond;
mod route;
mod serve;
mod settings;
mod shared_answer;
mod status;
mod stream;
mod stream_head;
#[cfg(test)]
mod testing;
mod turn;
mod viewer;
mod watchers;
mod writer;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use eyelid_config::{Config, ConfigError, EXIT_CONFIG, Section, ServerOptions, camera_name};
use eyelid_daemon::apart;
use eyelid_daemon::sockets::{self, Passed};
use eyelid_http::{AuthError, LiveConfig, Sockets};
use eyelid_slot::CameraName;
use tokio::task::LocalSet;

use crate::settings::Settings;

/// Gives every HTTP client the newest frame of a slot.
#[derive(Clone, Debug, Parser)]
#[command(name = "eyelid-server", version, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,
    /// Read this configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say on stdout what is wrong with the options, the file or the passwords, and end
    #[arg(long)]
    check: bool,
    /// Serve this camera even before it has a slot, as those of the configuration file; may be
    /// repeated
    #[arg(long, value_name = "NAME", value_parser = camera_name)]
    name: Vec<CameraName>,
    /// The program that people start, where that is not this one: advice names it.
    #[arg(
        long,
        value_name = "NAME",
        hide = true,
        default_value = "eyelid-server"
    )]
    program: String,
}

impl Arguments {
    /// Says whether the options are only to be checked.
    pub fn is_check(&self) -> bool {
        self.check
    }
}

/// The exit status for an error of [`run`].
pub fn exit_status(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() || error.is::<AuthError>() {
        EXIT_CONFIG
    } else {
        1
    }
}

/// Runs the server until it is told to end or has nothing to do.
///
/// # Errors
/// Why it cannot go on; see [`exit_status`].
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let (flags, config) = (arguments.server.clone(), arguments.config.clone());
    start(arguments).map_err(|error| placed(error, &flags, config.as_deref()))
}

/// Names the place in the configuration file where a file of passwords is that was no flag.
fn placed(error: anyhow::Error, flags: &ServerOptions, config: Option<&Path>) -> anyhow::Error {
    let auth = error.downcast_ref::<AuthError>();
    match (config, auth.and_then(|auth| auth.option)) {
        (Some(path), Some(option)) if !flags.is_set(option) => {
            ConfigError::section::<ServerOptions>(path, option, error.to_string()).into()
        }
        _ => error,
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    let file = Config::load(arguments.config.as_deref())?;
    // Before any thread is started, for it takes what was passed out of the environment.
    let passed = sockets::take()?;
    if passed
        .iter()
        .any(|socket| matches!(socket, Passed::SeqpacketListener(_)))
    {
        anyhow::bail!(
            "a socket for messages was passed: connections are handed over by this program, not to it"
        );
    }
    let has_sockets = !passed.is_empty();
    let settings = Settings::new(arguments.clone(), file, has_sockets)?;
    if arguments.check {
        LiveConfig::read(settings.serve)?;
        return Ok(());
    }
    let reread = move || {
        let file = Config::load(arguments.config.as_deref())?;
        Settings::new(arguments.clone(), file, has_sockets)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    LocalSet::new().block_on(&runtime, async {
        apart(serve::run(settings, Sockets::adopt(passed)?, reread)).await
    })
}
