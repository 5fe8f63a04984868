//! `eyelid-bench`: measures what Eyelid promises, each section as a Markdown table on standard output.
//!
//! `bench/run` runs all sections and puts the tables into `docs/performance.md`, which says what they mean.

mod feeder;
mod instructions;
mod multipart;
mod picture;
mod process;
mod pump;
mod sections;
mod statistics;
mod viewers;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::feeder::Feeder;
use crate::picture::Spec;
use crate::process::{Programs, REST};
use crate::viewers::Viewers;

/// Measures what Eyelid promises.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Age of frames and CPU time of the server, beside a bare loop
    Load(Programs),
    /// CPU time of capture and server with the test source
    Capture(Programs),
    /// Wake-ups and CPU time with nobody looking
    Idle(Programs),
    /// Memory of server and capture
    Memory(Programs),
    /// Time from the first connection to the first whole frame
    Cold(Programs),
    /// What one client that wants few frames makes the camera do
    Demand(Programs),
    /// Instructions of the server for each frame, compared with a baseline
    Instructions(instructions::Arguments),
    /// Puts frames into a slot until killed
    Feed {
        /// Directory of the slot
        #[arg(long)]
        slot: PathBuf,
        /// The frames: WIDTHxHEIGHT:BYTES
        #[arg(long)]
        frames: Spec,
    },
    /// Sends frames to everybody who connects until killed: the least a server can do
    Pump {
        /// Where to listen
        #[arg(long)]
        listen: SocketAddr,
        /// The frames: WIDTHxHEIGHT:BYTES
        #[arg(long)]
        frames: Spec,
    },
    /// Looks at a stream; prints frames a second and the frames' ages in ms: p50 and p99
    Watch {
        /// Where the server listens
        server: SocketAddr,
        /// How many seconds to count
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Load(programs) => sections::load::run(&programs),
        Command::Capture(programs) => sections::capture::run(&programs),
        Command::Idle(programs) => sections::idle::run(&programs),
        Command::Memory(programs) => sections::memory::run(&programs),
        Command::Cold(programs) => sections::cold::run(&programs),
        Command::Demand(programs) => sections::demand::run(&programs),
        Command::Instructions(arguments) => instructions::run(&arguments),
        Command::Feed { slot, frames } => {
            process::pin_self(REST)?;
            Feeder::start(&slot, frames)?.wait()
        }
        Command::Pump { listen, frames } => pump::run(listen, frames),
        Command::Watch { server, seconds } => watch(server, Duration::from_secs_f64(seconds)),
    }
}

fn watch(server: SocketAddr, time: Duration) -> anyhow::Result<()> {
    process::pin_self(REST)?;
    let mut viewers = Viewers::connect(server, "/stream", 1)?;
    // A slow link needs as long to forget its slow start.
    viewers.watch(time / 4)?;
    let seen = viewers.watch(time)?;
    println!(
        "{:.2} {:.1} {:.1}",
        seen.len() as f64 / time.as_secs_f64(),
        statistics::age_ms(&seen, 50.0),
        statistics::age_ms(&seen, 99.0),
    );
    Ok(())
}
