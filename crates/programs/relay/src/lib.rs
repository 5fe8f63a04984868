//! `eyelid-relay`: slots across hosts. A host *shares* its cameras, another one *fetches* them and
//! has them as slots of its own; between them is a message broker.
//!
//! Whoever pushes frames over a hop drops the wrong ones, or sends the past. So they are pulled: a
//! request that is held is the wish for the next frame, as closing the file is in a slot, and each
//! hop is a slot again. What decides takes values and a time: [`wire`] are the bytes and names that
//! travel, [`asking`] is the side that fetches, [`answering`] the one that shares; none of these
//! knows a broker, a socket, a file or a clock. [`engine`] is the broker, `share` and `fetch` do
//! what they decide. `docs/relay.md` is for users.

pub mod answering;
pub mod asking;
pub mod engine;
mod fetch;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod pattern;
mod reload;
mod settings;
mod share;
pub mod wire;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use eyelid_config::{ConfigError, EXIT_CONFIG, FrameBytes};
use eyelid_slot::CameraName;
use nkeys::KeyPair;
use tokio::task::LocalSet;

use crate::engine::nats::{Connection, CredentialsError, Nats, UrlError};
pub use crate::pattern::{Pattern, PatternError};
pub use crate::settings::{BrokerSettings, FetchSettings, ShareSettings};
use crate::share::NameTaken;
use crate::wire::HostName;

/// What the source of a far camera's slot begins with.
const FETCHED: &str = "relay:";

/// Shares cameras with other hosts, and fetches theirs, by way of a NATS server.
#[derive(Clone, Debug, Parser)]
#[command(name = "eyelid-relay", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    side: Side,
}

/// Which side this is.
#[derive(Clone, Debug, Subcommand)]
enum Side {
    /// Let other hosts look at the cameras of this one
    Share(ShareFlags),
    /// Have the cameras of other hosts as slots of this one
    Fetch(FetchFlags),
    /// Make a key: print its secret half, for --creds, and on stderr the public one, for the server
    NewKey,
}

/// What both sides are told.
#[derive(Args, Clone, Debug)]
struct BrokerFlags {
    /// Directory of the slots
    #[arg(long, value_name = "DIR")]
    slots: Option<PathBuf>,
    /// The NATS server: tls://HOST:PORT or nats://HOST:PORT; several with commas between them
    #[arg(long, value_name = "URL")]
    connect: Option<String>,
    /// Show the server who this is: a file of credentials (JWT), or of an nkey's seed
    #[arg(long, value_name = "FILE")]
    creds: Option<PathBuf>,
    /// Believe the certificate authorities in this file (PEM), and no others [default: the
    /// system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Share (5000 at most), or fetch (20000), so many cameras [default: 5000]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(settings::MAX_FETCHED)),
        allow_negative_numbers = true
    )]
    max_cameras: Option<u32>,
    /// Read this configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say on stdout what is wrong with the options, the file or the credentials, and end
    #[arg(long)]
    check: bool,
}

/// What the side that shares is told.
#[derive(Args, Clone, Debug)]
struct ShareFlags {
    #[command(flatten)]
    broker: BrokerFlags,
    /// The name by which this host shares its cameras: letters, digits, _ and -
    #[arg(long = "as", value_name = "HOST", value_parser = settings::host)]
    host: Option<HostName>,
    /// Share these cameras alone, with commas between them [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = settings::camera)]
    only: Vec<CameraName>,
}

/// What the side that fetches is told.
#[derive(Args, Clone, Debug)]
struct FetchFlags {
    #[command(flatten)]
    broker: BrokerFlags,
    /// Fetch these cameras alone: HOST.NAME, in which * stands for any letters; several with
    /// commas between them [default: all]
    #[arg(long, value_name = "CAMERAS", value_delimiter = ',', value_parser = settings::pattern)]
    only: Vec<Pattern>,
    /// Ask for a camera for this long after the last look [default: 15s]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = eyelid_config::parse_duration,
        allow_hyphen_values = true
    )]
    linger: Option<Duration>,
    /// Take no frame larger than this, 1KiB to 32MiB [default: 1MiB]
    #[arg(long, value_name = "BYTES", allow_hyphen_values = true)]
    max_frame: Option<FrameBytes>,
}

impl Arguments {
    /// Says whether the options are only to be checked.
    pub fn is_check(&self) -> bool {
        match &self.side {
            Side::Share(flags) => flags.broker.check,
            Side::Fetch(flags) => flags.broker.check,
            Side::NewKey => false,
        }
    }
}

/// The exit status for an error of [`run`].
pub fn exit_status(error: &anyhow::Error) -> u8 {
    let is_configuration = error.is::<ConfigError>()
        || error.is::<NameTaken>()
        || error.is::<CredentialsError>()
        || error.is::<UrlError>();
    if is_configuration { EXIT_CONFIG } else { 1 }
}

/// Shares, or fetches, until it is told to end.
///
/// # Errors
/// Why it cannot go on; see [`exit_status`].
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    let is_check = arguments.is_check();
    match arguments.side {
        Side::Share(flags) => {
            let settings = ShareSettings::new(&flags)?;
            let host = Some(settings.host.clone());
            let (engine, events, connection) = Nats::new(&settings.broker, host)?;
            if is_check {
                return Ok(());
            }
            let read = || ShareSettings::new(&flags);
            beside(connection, share::run(settings, read, engine, events))
        }
        Side::Fetch(flags) => {
            let settings = FetchSettings::new(&flags)?;
            let (engine, events, connection) = Nats::new(&settings.broker, None)?;
            if is_check {
                return Ok(());
            }
            let read = || FetchSettings::new(&flags);
            beside(connection, fetch::run(settings, read, engine, events))
        }
        Side::NewKey => print_key(),
    }
}

/// Writes a new key's secret half to stdout, and tells the terminal the public one.
fn print_key() -> anyhow::Result<()> {
    let key = KeyPair::new_user();
    let secret = key.seed().context("cannot make a key")?;
    writeln!(io::stdout(), "{secret}").context("cannot write the key")?;
    eprintln!("the public key, for the hub: {}", key.public_key());
    Ok(())
}

/// Runs one side, beside what makes its connections.
fn beside(
    connection: Connection,
    side: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let both = async {
        tokio::select! {
            ended = side => ended,
            never = connection.run() => match never {},
        }
    };
    LocalSet::new().block_on(&runtime, both)
}
