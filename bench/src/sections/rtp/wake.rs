//! From DESCRIBE to the first whole frame of a camera that sleeps, over TCP.

use std::time::{Duration, Instant};

use super::door::Door;
use crate::network::Host;
use crate::process::Programs;
use crate::rtp::{Player, Server, Source, Transport};
use crate::sections::idle::wait_asleep;
use crate::sections::slots;
use crate::statistics::percentile;
use crate::viewers::look_once;

const STARTS: usize = 10;

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!("| 1920x1080, asleep | first frame: median ms | worst ms |");
    println!("| --- | --- | --- |");
    let host = Host::new("server", 1)?;
    for server in Server::ALL {
        if server.is_here(programs) {
            measure(programs, &host, server)?;
        }
    }
    Ok(())
}

fn measure(programs: &Programs, host: &Host, server: Server) -> anyhow::Result<()> {
    let slots = slots()?;
    let _capture = programs.capture(slots.path(), &["--size", "1920x1080", "--linger", "500ms"])?;
    let (_door, door) = Door::Http.start(programs, host, slots.path())?;
    // What has never run does not sleep.
    look_once(door, "/stream")?;
    let url = format!("http://{door}/stream");
    let source = Source::OnDemand(slots.path(), &url);
    let (_program, address) = server.start(programs, host, source)?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        wait_asleep(slots.path())?;
        // Not in the moment of the end: that is another case.
        std::thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        Player::play(address, server.path(), Transport::Tcp)?.first()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    println!(
        "| {} | {:.0} | {:.0} |",
        server.name(),
        percentile(times.clone(), 50.0),
        percentile(times, 100.0),
    );
    Ok(())
}
