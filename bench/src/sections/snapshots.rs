//! Many clients that ask for snapshots again and again, each on one connection: how long an answer
//! takes, whether it is fresh, and how many frames the camera made for all of them.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use eyelid_bench::picture::{FPS, Spec};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::feeder::Feeder;
use crate::multipart::{Parser, Part};
use crate::process::{Cores, Programs, REST, pin_self};
use crate::sections::demand::count_frames;
use crate::sections::{SETTLING, slots};
use crate::statistics::percentile;
use crate::viewers::{ask, receive};

const POLLERS: usize = 50;

/// How often each asks.
const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / 15);

const TIME: Duration = Duration::from_secs(10);

/// As much of an answer as is read at once.
const BUFFER_BYTES: usize = 1 << 18;

/// `X-Timestamp` cuts off what is less.
const RESOLUTION: Duration = Duration::from_micros(1);

/// A client of snapshots.
struct Poller {
    socket: TcpStream,
    parser: Parser,
    /// When it may ask again.
    due: Instant,
    /// When it asked, if it waits.
    asked: Option<(Instant, SystemTime)>,
}

/// An answer.
struct Answer {
    latency: Duration,
    /// Whether the frame was captured after the request had left.
    fresh: bool,
}

pub(crate) fn run(programs: &Programs) -> anyhow::Result<()> {
    pin_self(REST)?;
    println!(
        "| source | size | answers per second | p50 ms | p99 ms | worst ms | p99 in source intervals | stale answers | \
         frames published per second |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for size in [Spec::SMALL, Spec::LARGE].map(Spec::size) {
        let slots = slots()?;
        let arguments = ["--size", size.as_str(), "--fps", "30"];
        let _capture = programs.capture(slots.path(), &arguments)?;
        measure(programs, slots.path(), "eyelid-capture", &size)?;
    }
    let slots = slots()?;
    let _feeder = Feeder::start(slots.path(), Spec::SMALL)?;
    measure(programs, slots.path(), "feeder", &Spec::SMALL.size())
}

fn measure(programs: &Programs, slot: &Path, source: &str, size: &str) -> anyhow::Result<()> {
    let (_server, address) = programs.server(slot, Cores::All)?;
    let mut pollers = Pollers::connect(address)?;
    pollers.poll(SETTLING)?;
    let published = count_frames(slot)?;
    let answers = pollers.poll(TIME)?;
    let published = published.load(Ordering::Relaxed);
    let ms = |percent| {
        let all = answers.iter().map(|answer| answer.latency);
        percentile(
            all.map(|latency| latency.as_secs_f64() * 1e3).collect(),
            percent,
        )
    };
    let stale = answers.iter().filter(|answer| !answer.fresh).count();
    println!(
        "| {source} | {size} | {:.0} | {:.1} | {:.1} | {:.1} | {:.2} | {stale} | {:.1} |",
        answers.len() as f64 / TIME.as_secs_f64(),
        ms(50.0),
        ms(99.0),
        ms(100.0),
        ms(99.0) / 1e3 * FPS,
        published as f64 / TIME.as_secs_f64(),
    );
    Ok(())
}

struct Pollers {
    server: SocketAddr,
    epoll: Epoll,
    pollers: Vec<Poller>,
    buffer: Vec<u8>,
}

impl Pollers {
    fn connect(server: SocketAddr) -> anyhow::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let start = Instant::now();
        let mut pollers = Vec::new();
        for number in 0..POLLERS {
            let asked = (Instant::now(), SystemTime::now());
            let socket = ask(server, "/snapshot")?;
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, number as u64))?;
            pollers.push(Poller {
                socket,
                parser: Parser::default(),
                // Spread over the interval, as clients are that know nothing of each other.
                due: start + INTERVAL + INTERVAL * number as u32 / POLLERS as u32,
                asked: Some(asked),
            });
        }
        Ok(Self {
            server,
            epoll,
            pollers,
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    /// Lets all of them ask for some time. Gives the answers that came in it.
    ///
    /// # Errors
    /// A client that was refused, lost its connection, or got anything but whole frames.
    fn poll(&mut self, time: Duration) -> anyhow::Result<Vec<Answer>> {
        let end = Instant::now() + time;
        let mut answers = Vec::new();
        let mut events = [EpollEvent::empty(); POLLERS];
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(answers);
            }
            let idle = self.pollers.iter_mut();
            for poller in idle.filter(|poller| poller.asked.is_none() && poller.due <= now) {
                poller.ask(self.server)?;
            }
            let idle = self.pollers.iter().filter(|poller| poller.asked.is_none());
            let next = idle.map(|poller| poller.due).min().unwrap_or(end).min(end);
            // Rounded up: a wait of 0 ms would spin.
            let left = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            let ready = match self.epoll.wait(&mut events, EpollTimeout::try_from(left)?) {
                Err(Errno::EINTR) => 0,
                result => result?,
            };
            for event in &events[..ready] {
                let number = event.data() as usize;
                let answer = self.pollers[number].receive(&mut self.buffer);
                answers.extend(answer.with_context(|| format!("client {number}"))?);
            }
        }
    }
}

impl Poller {
    fn ask(&mut self, server: SocketAddr) -> anyhow::Result<()> {
        let asked = (Instant::now(), SystemTime::now());
        write!(
            self.socket,
            "GET /snapshot HTTP/1.1\r\nHost: {server}\r\n\r\n"
        )?;
        self.asked = Some(asked);
        // One that was late does not catch up.
        self.due = (self.due + INTERVAL).max(asked.0);
        Ok(())
    }

    /// Takes what came; gives the answer if it is whole.
    fn receive(&mut self, buffer: &mut [u8]) -> anyhow::Result<Option<Answer>> {
        let mut whole = None;
        receive(&self.socket, &mut self.parser, buffer, &mut |part: Part| {
            whole = Some(part);
        })?;
        let Some(part) = whole else {
            return Ok(None);
        };
        let (at, time) = self.asked.take().context("an answer to nothing")?;
        Ok(Some(Answer {
            latency: at.elapsed(),
            fresh: part.captured + RESOLUTION > time,
        }))
    }
}
