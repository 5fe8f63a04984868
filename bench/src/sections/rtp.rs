//! `eyelid-rtp`, beside a bare loop that sends the same packets, and beside peers.

mod cost;
mod door;
mod port;
mod sessions;
mod slow;
mod wake;

use clap::{Args, ValueEnum};

use crate::process::{Programs, REST, pin_self};
use crate::rtp::{Sender, Server};
use crate::sections::each_table;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// Only these tables
    #[arg(long, value_delimiter = ',', value_name = "TABLE")]
    only: Vec<Table>,
}

/// A table of this section.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Table {
    /// CPU time of a frame that is sent, and memory
    Cost,
    /// Frames that arrive whole through a port with a small queue
    Port,
    /// CPU time of a frame for each session, and memory
    Sessions,
    /// Age of frames by TCP behind slow links
    Slow,
    /// From DESCRIBE to the first frame of a camera that sleeps
    Wake,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    pin_self(REST)?;
    let programs = &arguments.programs;
    each_table(&arguments.only, |table| match table {
        Table::Cost => cost::run(programs),
        Table::Port => port::run(programs),
        Table::Sessions => sessions::run(programs),
        Table::Slow => slow::run(programs),
        Table::Wake => wake::run(programs),
    })?;
    let senders = Sender::ALL.into_iter();
    let senders = senders.filter(|sender| !sender.is_here(programs));
    let servers = Server::ALL.into_iter();
    let servers = servers.filter(|server| !server.is_here(programs));
    for absent in senders.map(Sender::name).chain(servers.map(Server::name)) {
        println!("\nNot measured: {absent}, which was not installed.");
    }
    Ok(())
}
