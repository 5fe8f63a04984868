//! CPU time of a frame for each session of RTSP, and memory, beside `eyelid-server`'s for as many
//! clients of `/stream`.

use std::time::Duration;

use eyelid_bench::picture::Spec;

use super::door::Door;
use crate::feeder::Feeder;
use crate::network::Host;
use crate::process::Programs;
use crate::rtp::{Server, Transport};
use crate::sections::{SETTLING, Window, slots};
use crate::statistics::median;

const POINTS: [(Transport, usize); 4] = [
    (Transport::Tcp, 1),
    (Transport::Tcp, 100),
    (Transport::Udp, 1),
    (Transport::Udp, 100),
];

const ROUNDS: usize = 3;
const WINDOW: Duration = Duration::from_secs(2);

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!(
        "| transport | sessions | | frames/s | slowest / median client | CPU µs per frame | age p50 ms | age p99 ms | \
         anonymous memory KiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let host = Host::new("server", 1)?;
    for (transport, count) in POINTS {
        measure(programs, &host, transport, count)?;
    }
    Ok(())
}

fn measure(
    programs: &Programs,
    host: &Host,
    transport: Transport,
    count: usize,
) -> anyhow::Result<()> {
    let servers = Server::ALL.into_iter();
    let servers = servers.filter(|server| server.is_here(programs) && server.serves(transport));
    let mut doors: Vec<_> = servers.map(Door::Rtsp).collect();
    doors.extend((transport == Transport::Tcp).then_some(Door::Http));
    let mut rounds: Vec<Vec<(Window, u64)>> = Vec::new();
    for _ in 0..ROUNDS {
        let windows = doors.iter();
        let windows = windows.map(|door| window(programs, host, *door, transport, count));
        rounds.push(windows.collect::<anyhow::Result<_>>()?);
    }
    let name = match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    for (index, door) in doors.iter().enumerate() {
        let of = |value: &dyn Fn(&Window) -> f64| {
            median(rounds.iter().map(|round| value(&round[index].0)))
        };
        println!(
            "| {name} | {count} | {} | {:.0} | {:.2} | {:.1} | {:.2} | {:.2} | {:.0} |",
            door.name(),
            of(&Window::frames_per_s),
            of(&Window::slowest_per_median),
            of(&|window| window.cpu_us_per_frame(0)),
            of(&|window| window.age_ms(50.0)),
            of(&|window| window.age_ms(99.0)),
            median(rounds.iter().map(|round| round[index].1 as f64)),
        );
    }
    Ok(())
}

/// What the sessions saw, and the memory that the server had then.
fn window(
    programs: &Programs,
    host: &Host,
    door: Door,
    transport: Transport,
    count: usize,
) -> anyhow::Result<(Window, u64)> {
    let slots = slots()?;
    let _feeder = Feeder::start_for_rtp(slots.path(), Spec::SMALL)?;
    let (program, address) = door.start(programs, host, slots.path())?;
    let mut watchers = door.connect(address, transport, count)?;
    watchers.watch(SETTLING)?;
    let window = Window::take(&mut *watchers, WINDOW, &[&program])?;
    Ok((window, program.anonymous_kib()?))
}
