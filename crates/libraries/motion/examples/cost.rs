//! Says what a picture costs: to decode, and to look at. Counted is the thread's CPU time, the
//! median of pictures.
//!
//!     cargo run --release -p eyelid-motion --features eyelid-jpeg/turbojpeg --example cost -- DIR

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use eyelid_jpeg::LumaDecoder;
use eyelid_motion::{Luma, Motion, Zones};
use nix::time::{ClockId, clock_gettime};

fn main() -> anyhow::Result<()> {
    let directory = std::env::args().nth(1).context("usage: cost DIRECTORY")?;
    let mut files: Vec<PathBuf> = std::fs::read_dir(&directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let jpegs: Vec<Vec<u8>> = files.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    for (name, mut decoder) in [
        ("as built", LumaDecoder::default()),
        ("in Rust", LumaDecoder::pure_rust()),
    ] {
        let mut motion = Motion::new(Zones::default());
        let (mut decoding, mut looking) = (Vec::new(), Vec::new());
        let mut size = (0, 0);
        for (number, jpeg) in jpegs.iter().enumerate() {
            let begin = cpu_time()?;
            let cells = decoder.decode(jpeg)?;
            let decoded = cpu_time()?;
            let luma = Luma {
                width: cells.width,
                height: cells.height,
                samples: cells.samples,
            };
            size = (luma.width, luma.height);
            let look = motion.look(&luma, Duration::from_millis(100 * number as u64));
            drop(look);
            looking.push(cpu_time()? - decoded);
            decoding.push(decoded - begin);
        }
        let bytes = jpegs.iter().map(Vec::len).sum::<usize>() / jpegs.len().max(1);
        println!(
            "{name}: {size:?} cells, {bytes} bytes, decode {:.2} ms, look {:.2} ms",
            median_ms(decoding),
            median_ms(looking)
        );
    }
    Ok(())
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort();
    let median = times.get(times.len() / 2);
    median.map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

fn cpu_time() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}
