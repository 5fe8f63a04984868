//! What is shown first after a camera's link was down. The camera is in a network namespace of its
//! own, and keeps trying: it sends to its end what it has begun, and then exposes anew.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use eyelid_bench::picture::Spec;

use super::readers;
use crate::network::ip;
use crate::process::{Program, Programs, REST, own};
use crate::receivers::{Receiver, Site};
use crate::statistics::percentile;
use crate::viewers::{Seen, Watch};

const ROUNDS: usize = 5;

/// How long the link works before.
const BEFORE: Duration = Duration::from_secs(2);

/// How long it is down then.
const STALL: Duration = Duration::from_secs(5);

/// TCP doubles the time after which it tries again (RFC 6298): in the worst case it has tried just
/// before the link is back, and waits for as long as the link was down.
const PATIENCE: Duration = Duration::from_secs(15);

/// `TCP_SND_BUF` of lwIP as the ESP32's SDK has it.
const SEND_BUFFER_BYTES: usize = 5744;

const RECEIVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 11, 0, 1));

const RECEIVERS: [Receiver; 2] = [Receiver::Eyelid, Receiver::Bare];

/// A link between the receiver and a namespace called `camera`.
struct Link;

/// Whether it carries anything.
#[derive(Clone, Copy)]
enum Carrier {
    Up,
    Down,
}

pub(super) fn run(programs: &Programs) -> anyhow::Result<()> {
    let link = Link::make()?;
    let mut firsts = RECEIVERS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (receiver, firsts) in RECEIVERS.iter().zip(&mut firsts) {
            firsts.push(first_after_stall(programs, &link, *receiver)?);
        }
    }
    println!(
        "| after {STALL:?} without a link | age of the first picture: median ms | worst ms | it came after the link: \
         median ms |"
    );
    println!("| --- | --- | --- | --- |");
    for (receiver, firsts) in RECEIVERS.iter().zip(firsts) {
        let ms = |value: fn(&Seen) -> Duration, percent| {
            let values = firsts.iter().map(|first| value(first).as_secs_f64() * 1e3);
            percentile(values.collect(), percent)
        };
        println!(
            "| {} | {:.0} | {:.0} | {:.0} |",
            receiver.name(),
            ms(|first| first.age, 50.0),
            ms(|first| first.age, 100.0),
            ms(|first| first.after, 50.0),
        );
    }
    Ok(())
}

/// Gives the first picture that is published after the link is back.
fn first_after_stall(programs: &Programs, link: &Link, receiver: Receiver) -> anyhow::Result<Seen> {
    let (site, token) = Site::with_token(programs)?;
    let (_program, address) = receiver.start(programs, &site, RECEIVER)?;
    let mut readers = readers(&site)?;
    let mut command = Command::new("ip");
    let arguments = [
        "push",
        "--to",
        &address.to_string(),
        "--camera",
        &site.names[0],
    ];
    let pusher = own(&arguments)?;
    command.args(["netns", "exec", "camera"]);
    command.arg(pusher.get_program()).args(pusher.get_args());
    let frames = format!("{}:{}", Spec::SMALL.size(), Spec::SMALL.bytes);
    let buffer = SEND_BUFFER_BYTES.to_string();
    command.args([
        "--frames",
        &frames,
        "--send-buffer-bytes",
        &buffer,
        "--token",
        &token,
    ]);
    let _pusher = Program::start(&mut command, REST)?;
    let seen = readers.watch(BEFORE)?;
    ensure!(
        !seen.is_empty(),
        "{}: no frame before the stall",
        receiver.name()
    );
    link.set(Carrier::Down)?;
    let during = readers.watch(STALL)?;
    ensure!(during.len() < seen.len() / 2, "the link was not down");
    let back = Instant::now();
    link.set(Carrier::Up)?;
    let first = readers.next(PATIENCE)?;
    let first = first.with_context(|| format!("{}: no frame after the stall", receiver.name()))?;
    Ok(Seen {
        after: back.elapsed(),
        ..first
    })
}

impl Link {
    fn make() -> anyhow::Result<Self> {
        ip("netns add camera")?;
        let link = Self;
        ip("link add receiver type veth peer name camera netns camera")?;
        ip(&format!("addr add {RECEIVER}/24 dev receiver"))?;
        ip("-n camera addr add 10.11.0.2/24 dev camera")?;
        ip("-n camera link set camera up")?;
        link.set(Carrier::Up)?;
        Ok(link)
    }

    fn set(&self, carrier: Carrier) -> anyhow::Result<()> {
        ip(match carrier {
            Carrier::Up => "link set receiver up",
            Carrier::Down => "link set receiver down",
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The link goes with it.
        if let Err(error) = ip("netns del camera") {
            eprintln!("{error}");
        }
    }
}
