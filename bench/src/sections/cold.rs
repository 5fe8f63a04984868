//! From the first connection, with nothing running, to the last byte of the first frame.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::process::{Program, Programs, wait_until};
use crate::sections::slots;
use crate::statistics::percentile;
use crate::viewers::{ask, read_until};

const STARTS: usize = 20;

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!(
        "| size | request | first frame: median ms | worst ms | first captured after the connection: median ms | \
         worst ms | of {STARTS} over 50 ms |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for size in ["640x480", "1920x1080"] {
        for target in ["/snapshot", "/stream"] {
            let slots = slots()?;
            let (eyelid, address) = programs.eyelid(slots.path(), size)?;
            let (mut first, mut fresh) = (Vec::new(), Vec::new());
            for _ in 0..STARTS {
                let times = start(&eyelid, address, target)?;
                first.push(times.0.as_secs_f64() * 1e3);
                fresh.push(times.1.as_secs_f64() * 1e3);
            }
            let over = fresh.iter().filter(|time| **time > 50.0).count();
            println!(
                "| {size} | `GET {target}` | {:.1} | {:.1} | {:.1} | {:.1} | {over} |",
                percentile(first.clone(), 50.0),
                percentile(first, 100.0),
                percentile(fresh.clone(), 50.0),
                percentile(fresh, 100.0),
            );
        }
    }
    Ok(())
}

/// Starts everything by connecting. Gives the time to the end of the first frame, which may lie in
/// the slot from the time before, and to that of the first one captured since.
fn start(
    eyelid: &Program,
    address: SocketAddr,
    target: &str,
) -> anyhow::Result<(Duration, Duration)> {
    wait_until("eyelid ends its children", || Ok(!eyelid.has_children()?))?;
    // Not in the moment of the end: a connection then is another case.
    std::thread::sleep(Duration::from_millis(50));
    let (since, start) = (SystemTime::now(), Instant::now());
    let first = read_until(&mut ask(address, target)?, since)?;
    Ok((first - start, start.elapsed()))
}
