//! How many instructions `eyelid-server` needs for a frame, counted by valgrind's callgrind and
//! compared with a stored baseline: a figure that repeats on any machine of one kind, however busy,
//! where CPU time does not.
//!
//! Feeder and clients keep in step: the next frame is published when every client has the last one
//! whole, so that no frame is skipped. `bench/instructions` gives it a network in which receivers
//! acknowledge at once: then a write returns with everything acknowledged, and how often the server
//! looks again at its sockets does not depend on the clock. Of two runs only the difference counts:
//! start, connections and end are in both.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, bail, ensure};
use clap::Args;
use eyelid_bench::picture::{Picture, Spec};
use eyelid_slot::{Phase, Publisher, State};

use crate::process::Programs;
use crate::sections::slots;
use crate::viewers::Viewers;

/// Frames in the short and in the long run.
const FRAMES: [usize; 2] = [100, 600];

/// How many clients look: with one, all that is done for a frame; with ten, mostly what is done for
/// each client.
const CLIENTS: [usize; 2] = [1, 10];

/// By how much a figure may differ from the baseline. Two runs of one program differ by
/// less than 1 %.
const TOLERANCE: f64 = 0.10;

const HEADER: &str =
    "# User-space instructions of eyelid-server for each frame of 30 KB that a client gets.
# Written by `bench/instructions --renew`; see bench/README.md.
";

/// What to compare with.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// File of the baseline
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    /// Write the baseline instead of comparing with it
    #[arg(long)]
    renew: bool,
}

/// Instructions per delivered frame, for each of [`CLIENTS`].
type Figures = [f64; CLIENTS.len()];

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut figures = [0.0; CLIENTS.len()];
    for (figure, clients) in figures.iter_mut().zip(CLIENTS) {
        let [short, long] = FRAMES.map(|frames| count(&arguments.programs, clients, frames));
        let frames = (FRAMES[1] - FRAMES[0]) * clients;
        *figure = (long? - short?) as f64 / frames as f64;
        println!("clients: {clients}: {figure:.0} instructions per delivered frame");
    }
    // What a frame costs is shared by the clients; what a client's copy of it costs is not.
    let [one, many] = figures;
    let clients = CLIENTS[1] as f64;
    let client = (many * clients - one) / (clients - 1.0);
    println!(
        "that is {:.0} for a frame and {client:.0} for each client that gets it",
        one - client
    );
    if arguments.renew {
        return fs::write(&arguments.baseline, write(figures))
            .with_context(|| format!("cannot write {:?}", arguments.baseline));
    }
    let text = fs::read_to_string(&arguments.baseline)
        .with_context(|| format!("no baseline {:?} (--renew makes one)", arguments.baseline))?;
    compare(read(&text)?, figures)
}

/// Counts all that the server does from its start to its end with so many clients and frames.
fn count(programs: &Programs, clients: usize, frames: usize) -> anyhow::Result<u64> {
    let slots = slots()?;
    let counted = slots.path().join("callgrind");
    let mut publisher = Publisher::open(slots.path())?;
    let mut picture = Picture::new(Spec::SMALL)?;
    publisher.set_state(&State {
        source: Some("bench".into()),
        // A frame is taken for the newest for one interval: longer than valgrind takes to send it.
        fps: Some(0.1),
        ..State::new(Phase::Awake, SystemTime::now())
    })?;
    let mut publish = || -> anyhow::Result<()> {
        let now = SystemTime::now();
        Ok(publisher.publish(picture.stamped(now), now)?)
    };
    publish()?;
    let (server, address) = programs.counted_server(slots.path(), &counted)?;
    let mut viewers = Viewers::connect(address, "/stream", clients)?;
    viewers.watch_once()?;
    for _ in 0..frames {
        publish()?;
        viewers.watch_once()?;
    }
    drop(viewers);
    drop(server);
    total(&counted)
}

/// The sum in callgrind's file.
fn total(file: &Path) -> anyhow::Result<u64> {
    let text =
        fs::read_to_string(file).context("callgrind left no file: was the server killed?")?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals:"));
    Ok(total
        .context("no totals in callgrind's file")?
        .trim()
        .parse()?)
}

fn write(figures: Figures) -> String {
    let mut text = HEADER.to_owned();
    for (figure, clients) in figures.iter().zip(CLIENTS) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "clients {clients}: {figure:.0}");
    }
    text
}

fn read(text: &str) -> anyhow::Result<Figures> {
    let mut figures = [0.0; CLIENTS.len()];
    for (figure, clients) in figures.iter_mut().zip(CLIENTS) {
        let key = format!("clients {clients}:");
        let value = text.lines().find_map(|line| line.strip_prefix(&key));
        *figure = value
            .with_context(|| format!("no {key:?} in the baseline"))?
            .trim()
            .parse()?;
    }
    Ok(figures)
}

/// Fails if one of the figures is much above the baseline.
fn compare(baseline: Figures, figures: Figures) -> anyhow::Result<()> {
    let mut worse = String::new();
    for ((baseline, figure), clients) in baseline.into_iter().zip(figures).zip(CLIENTS) {
        ensure!(baseline > 0.0, "a baseline of {baseline}");
        let change = (figure / baseline - 1.0) * 100.0;
        println!("clients: {clients}: {change:+.1} % against the baseline of {baseline:.0}");
        if figure > baseline * (1.0 + TOLERANCE) {
            let _ = write!(
                worse,
                "; clients: {clients}: {figure:.0} instead of {baseline:.0}"
            );
        } else if figure < baseline * (1.0 - TOLERANCE) {
            println!("that is much better: `bench/instructions --renew` keeps it");
        }
    }
    if !worse.is_empty() {
        bail!(
            "a frame costs over {:.0} % more instructions than the baseline{worse}. If that has to be, \
             `bench/instructions --renew`, and say why in the commit",
            TOLERANCE * 100.0
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_reads_as_it_was_written() {
        let figures = [20_000.0, 3_000.0];
        assert_eq!(read(&write(figures)).unwrap(), figures);
        assert!(read("clients 1: 20000\n").is_err());
    }

    #[test]
    fn fails_only_when_a_figure_is_much_above_the_baseline() {
        assert!(compare([1000.0, 100.0], [1099.0, 109.0]).is_ok());
        assert!(compare([1000.0, 100.0], [500.0, 50.0]).is_ok());
        let error = compare([1000.0, 100.0], [1000.0, 111.0]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("clients: 10: 111 instead of 100")
        );
        assert!(compare([0.0, 100.0], [1000.0, 100.0]).is_err());
    }
}
