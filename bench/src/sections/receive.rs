//! `eyelid-receive`, beside a bare loop that takes the same frames from the same sockets into the
//! same files, and beside the reference project's way.

mod age;
mod asleep;
mod cost;
mod memory;
mod stall;

use clap::{Args, ValueEnum};

use crate::process::{Programs, REST, pin_self};
use crate::pusher::Library;
use crate::readers::Readers;
use crate::receivers::Site;
use crate::sections::each_table;

/// What to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// Only these tables
    #[arg(long, value_delimiter = ',', value_name = "TABLE")]
    only: Vec<Table>,
    /// In the table of CPU time, only so many cameras
    #[arg(long, value_name = "COUNT")]
    cameras: Option<usize>,
}

/// A table of this section.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Table {
    /// CPU time of a frame
    Cost,
    /// Age of frames, from the camera to the viewer
    Age,
    /// Age of the first picture after the link was down
    Stall,
    /// Memory of a camera, and of a connection
    Memory,
    /// CPU time and wake-ups with nobody looking
    Asleep,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    pin_self(REST)?;
    let programs = &arguments.programs;
    each_table(&arguments.only, |table| match table {
        Table::Cost => cost::run(programs, arguments.cameras),
        Table::Age => age::run(programs),
        Table::Stall => stall::run(programs),
        Table::Memory => memory::run(programs),
        Table::Asleep => asleep::run(programs),
    })
}

/// Readers of a site's slots.
fn readers(site: &Site) -> anyhow::Result<Readers> {
    let slots: Vec<_> = site.each_slot().collect();
    Readers::new(slots.iter().map(AsRef::as_ref))
}

/// What tables call the messages of a library.
fn messages(library: Library) -> &'static str {
    match library {
        Library::Arduino => "whole",
        Library::Espressif => "fragments of 1 KB",
    }
}
