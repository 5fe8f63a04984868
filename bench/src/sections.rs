//! What is measured: one section, one table.

pub(crate) mod capture;
pub(crate) mod cold;
pub(crate) mod demand;
pub(crate) mod idle;
pub(crate) mod load;
pub(crate) mod memory;

use std::time::Duration;

use anyhow::{Context, bail};

use crate::process::{Program, Usage};
use crate::statistics;
use crate::viewers::{Seen, Viewers};

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

/// What some clients saw in a short time, and what it cost the programs that served them.
struct Window {
    seen: Vec<Seen>,
    time: Duration,
    cpu: Vec<Duration>,
}

impl Window {
    fn take(viewers: &mut Viewers, time: Duration, programs: &[&Program]) -> anyhow::Result<Self> {
        let usages = || -> anyhow::Result<Vec<Usage>> {
            programs.iter().map(|program| program.usage()).collect()
        };
        let before = usages()?;
        let seen = viewers.watch(time)?;
        let after = usages()?;
        if seen.is_empty() {
            bail!("no frame in {time:?}");
        }
        let cpu = after.iter().zip(before).map(|(a, b)| a.cpu - b.cpu);
        Ok(Self {
            cpu: cpu.collect(),
            seen,
            time,
        })
    }

    fn frames_per_s(&self) -> f64 {
        self.seen.len() as f64 / self.time.as_secs_f64()
    }

    fn age_ms(&self, percent: f64) -> f64 {
        statistics::age_ms(&self.seen, percent)
    }

    /// CPU time of one of the programs for each frame that a client got.
    fn cpu_us_per_frame(&self, program: usize) -> f64 {
        self.cpu[program].as_secs_f64() * 1e6 / self.seen.len() as f64
    }
}
