//! How old frames are that come by RTSP over TCP behind a slow link, beside HTTP. Each client has a
//! link, and each server a slot, of its own; all look at the same time.

use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use eyelid_bench::picture::Spec;

use super::door::Door;
use crate::feeder::Feeder;
use crate::network::Host;
use crate::process::{Program, Programs};
use crate::rtp::{Server, Transport};
use crate::sections::slots;
use crate::statistics::{age_ms, frames_per_s, median};
use crate::viewers::Seen;

/// Rate and queue of the links, and for how long each is looked at: at 2 Mbit/s there are two
/// frames and a half in a second.
const LINKS: [(&str, &str, Duration); 4] = [
    ("2 Mbit/s", "50 ms", Duration::from_secs(12)),
    ("2 Mbit/s", "400 ms", Duration::from_secs(12)),
    ("10 Mbit/s", "50 ms", Duration::from_secs(6)),
    ("10 Mbit/s", "400 ms", Duration::from_secs(6)),
];

const ROUNDS: usize = 5;
const SETTLING: Duration = Duration::from_secs(2);

const SPEC: Spec = Spec {
    width: 1920,
    height: 1080,
    bytes: 98_000,
};

/// A server, and a client of its behind a link.
struct Pair {
    door: Door,
    address: SocketAddr,
    client: Host,
    _program: Program,
    _feeder: Feeder,
    _slots: tempfile::TempDir,
    _host: Host,
}

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    println!("| link | queue | | frames/s | age p50 ms | of HTTP's | age p99 ms | of HTTP's |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let servers = Server::ALL.into_iter();
    let servers = servers.filter(|server| server.is_here(programs));
    let doors = std::iter::once(Door::Http).chain(servers.map(Door::Rtsp));
    let pairs = doors.zip(1..);
    let pairs = pairs.map(|(door, number)| Pair::start(programs, door, number));
    let pairs: Vec<_> = pairs.collect::<anyhow::Result<_>>()?;
    for (rate, queue, time) in LINKS {
        for pair in &pairs {
            let (rate, queue) = (rate.replace(" Mbit/s", "mbit"), queue.replace(' ', ""));
            let tbf = format!("rate {rate} burst 15k latency {queue}");
            pair.client.shape(&tbf)?;
        }
        let rounds = (0..ROUNDS).map(|_| look(&pairs, time));
        let rounds: Vec<_> = rounds.collect::<anyhow::Result<_>>()?;
        for (index, pair) in pairs.iter().enumerate() {
            print(rate, queue, pair.door.name(), &rounds, index);
        }
    }
    Ok(())
}

/// All clients look at once.
fn look(pairs: &[Pair], time: Duration) -> anyhow::Result<Vec<Vec<Seen>>> {
    thread::scope(|scope| {
        let looks: Vec<_> = pairs
            .iter()
            .map(|pair| scope.spawn(|| pair.look(time)))
            .collect();
        let seen = looks.into_iter().map(|look| {
            let seen = look.join();
            seen.map_err(|_| anyhow!("a client panicked"))?
        });
        seen.collect()
    })
}

/// The first pair is HTTP's.
fn print(rate: &str, queue: &str, name: &str, rounds: &[Vec<Vec<Seen>>], index: usize) {
    let of =
        |value: &dyn Fn(&[Seen]) -> f64| median(rounds.iter().map(|round| value(&round[index])));
    let of_http = |percent| {
        let ratios = rounds.iter();
        median(ratios.map(|round| age_ms(&round[index], percent) / age_ms(&round[0], percent)))
    };
    println!(
        "| {rate} | {queue} | {name} | {:.1} | {:.0} | {:.2} | {:.0} | {:.2} |",
        of(&frames_per_s),
        of(&|seen| age_ms(seen, 50.0)),
        of_http(50.0),
        of(&|seen| age_ms(seen, 99.0)),
        of_http(99.0),
    );
}

impl Pair {
    fn start(programs: &Programs, door: Door, number: u8) -> anyhow::Result<Self> {
        let host = Host::new(&format!("server{number}"), number)?;
        let client = Host::new(&format!("client{number}"), 100 + number)?;
        let slots = slots()?;
        let feeder = Feeder::start_for_rtp(slots.path(), SPEC)?;
        let (program, address) = door.start(programs, &host, slots.path())?;
        Ok(Self {
            door,
            address,
            client,
            _program: program,
            _feeder: feeder,
            _slots: slots,
            _host: host,
        })
    }

    fn look(&self, time: Duration) -> anyhow::Result<Vec<Seen>> {
        let connect = || self.door.connect(self.address, Transport::Tcp, 1);
        let mut client = self.client.within(connect)?;
        client.watch(SETTLING)?;
        client.watch(time)
    }
}
