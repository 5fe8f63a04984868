//! How old frames are that come by RTSP over TCP behind a slow link, beside HTTP. Each client has a
//! link, and each server a slot, of its own; all look at the same time.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;

use super::sessions::http;
use crate::feeder::Feeder;
use crate::network::Host;
use crate::picture::Spec;
use crate::process::{Program, Programs};
use crate::rtp::{Players, Server, Source, Transport};
use crate::sections::slots;
use crate::statistics::{age_ms, frames_per_s, median};
use crate::viewers::{Seen, Viewers, Watch};

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
    name: &'static str,
    /// `None` is HTTP's.
    server: Option<Server>,
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
    let servers = servers.filter(|server| server.is_here(programs)).map(Some);
    let all = std::iter::once(None).chain(servers).zip(1..);
    let pairs = all.map(|(server, number)| Pair::start(programs, server, number));
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
            print(rate, queue, pair.name, &rounds, index);
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
    fn start(programs: &Programs, server: Option<Server>, number: u8) -> anyhow::Result<Self> {
        let host = Host::new(&format!("server{number}"), number)?;
        let client = Host::new(&format!("client{number}"), 100 + number)?;
        let slots = slots()?;
        let feeder = Feeder::start_for_rtp(slots.path(), SPEC)?;
        let slot: &Path = slots.path();
        let (program, address) = match server {
            Some(server) => server.start(programs, &host, Source::Slot(slot))?,
            None => http(programs, &host, slot)?,
        };
        Ok(Self {
            name: server.map_or("eyelid-server, HTTP", Server::name),
            server,
            address,
            client,
            _program: program,
            _feeder: feeder,
            _slots: slots,
            _host: host,
        })
    }

    fn look(&self, time: Duration) -> anyhow::Result<Vec<Seen>> {
        let connect = || -> anyhow::Result<Box<dyn Watch + Send>> {
            Ok(match self.server {
                Some(server) => Box::new(Players::connect(
                    self.address,
                    server.path(),
                    Transport::Tcp,
                    1,
                )?),
                None => Box::new(Viewers::connect(self.address, "/stream", 1)?),
            })
        };
        let mut client = self.client.within(connect)?;
        client.watch(SETTLING)?;
        client.watch(time)
    }
}
