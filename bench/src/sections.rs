//! What is measured: one section, one table.

pub(crate) mod camera;
pub(crate) mod capture;
pub(crate) mod cold;
pub(crate) mod demand;
pub(crate) mod idle;
pub(crate) mod load;
pub(crate) mod memory;
pub(crate) mod receive;
pub(crate) mod rtp;
pub(crate) mod snapshots;
#[cfg(feature = "video")]
pub(crate) mod video;

use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use nix::time::{ClockId, clock_gettime};

use crate::process::{Program, Usage};
use crate::statistics::{self, median, percentile};
use crate::viewers::{Seen, Watch};

/// How many clients look.
const CLIENTS: [usize; 3] = [1, 10, 100];

/// How long connections and caches get to settle before anything is counted.
const SETTLING: Duration = Duration::from_secs(1);

/// A directory for slots, in memory as the slot wants it.
pub(crate) fn slots() -> anyhow::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix("eyelid-bench-")
        .tempdir_in("/dev/shm")
        .context("no memory file system in /dev/shm")
}

/// Measures the tables of a section that were asked for, or all of them; a line is between two.
fn each_table<T: ValueEnum + PartialEq>(
    only: &[T],
    measure: impl Fn(&T) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let tables = T::value_variants().iter();
    let asked = tables.filter(|table| only.is_empty() || only.contains(table));
    for (index, table) in asked.enumerate() {
        if index > 0 {
            println!();
        }
        measure(table)?;
    }
    Ok(())
}

/// What some clients saw in a short time, and what it cost the programs that served them.
struct Window {
    clients: usize,
    seen: Vec<Seen>,
    time: Duration,
    cpu: Vec<Duration>,
    /// CPU time of this program: the clients', and the feeder's where there is one.
    own_cpu: Duration,
}

impl Window {
    fn take(
        viewers: &mut (impl Watch + ?Sized),
        time: Duration,
        programs: &[&Program],
    ) -> anyhow::Result<Self> {
        let usages = || -> anyhow::Result<Vec<Usage>> {
            programs.iter().map(|program| program.usage()).collect()
        };
        let own_cpu = || clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map(Duration::from);
        let (before, own_before) = (usages()?, own_cpu()?);
        let seen = viewers.watch(time)?;
        let (after, own_after) = (usages()?, own_cpu()?);
        if seen.is_empty() {
            bail!("no frame in {time:?}");
        }
        let cpu = after.iter().zip(before).map(|(a, b)| a.cpu - b.cpu);
        Ok(Self {
            clients: viewers.count(),
            cpu: cpu.collect(),
            own_cpu: own_after - own_before,
            seen,
            time,
        })
    }

    fn frames_per_s(&self) -> f64 {
        self.seen.len() as f64 / self.time.as_secs_f64()
    }

    /// The frames of the client that got the fewest, for each frame of the median client.
    fn slowest_per_median(&self) -> f64 {
        let mut frames = vec![0.0; self.clients];
        for seen in &self.seen {
            frames[seen.client] += 1.0;
        }
        percentile(frames.clone(), 0.0) / median(frames)
    }

    fn age_ms(&self, percent: f64) -> f64 {
        statistics::age_ms(&self.seen, percent)
    }

    /// How much of its core this program took: near 100 %, it is the clients that are measured.
    fn own_cpu_percent(&self) -> f64 {
        self.own_cpu.as_secs_f64() / self.time.as_secs_f64() * 100.0
    }

    /// CPU time of all programs for each frame that a client got.
    fn all_cpu_us_per_frame(&self) -> f64 {
        let programs = 0..self.cpu.len();
        programs.map(|program| self.cpu_us_per_frame(program)).sum()
    }

    /// CPU time of one of the programs for each frame that a client got.
    fn cpu_us_per_frame(&self, program: usize) -> f64 {
        self.cpu[program].as_secs_f64() * 1e6 / self.seen.len() as f64
    }
}
