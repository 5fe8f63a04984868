//! WebRTC: who watches, by str0m, and the least that a server can do for them.

pub(crate) mod bare;
mod http;
mod janus;
mod receiver;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::viewers::{Seen, Watch};
use http::Request;
use receiver::Receiver;

/// More than any handshake takes, also of a hundred at once.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server lets one address open no more sessions in a second (docs/security.md).
const BETWEEN: Duration = Duration::from_millis(60);

/// Who gives the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// `eyelid-video`, by WHEP.
    Eyelid,
    /// Janus, of which one mountpoint is watched.
    Janus,
    /// The bare loop, which sends to whom it is told.
    Bare,
}

/// Receivers of one camera's pictures, all in one thread. They are connected.
pub(crate) struct Receivers {
    epoll: Epoll,
    receivers: Vec<Receiver>,
}

impl Receivers {
    /// Connects so many to a server, from these addresses in turn.
    ///
    /// # Errors
    /// One is refused, or does not get connected.
    pub(crate) fn connect(
        gateway: Gateway,
        server: SocketAddr,
        addresses: &[IpAddr],
        count: usize,
    ) -> anyhow::Result<Self> {
        let mut this = Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            receivers: Vec::new(),
        };
        for (number, from) in addresses.iter().cycle().take(count).enumerate() {
            let receiver = match gateway {
                Gateway::Eyelid => Receiver::offer(*from, |offer| {
                    let request = Request::post("/film/whep", "application/sdp", offer);
                    let answer = http::ask(server, *from, &request)?;
                    ensure!(answer.status == 201, "{}: {}", answer.status, answer.body);
                    Ok(answer.body)
                })?,
                Gateway::Janus => janus::connect(server, *from)?,
                Gateway::Bare => Receiver::bare(*from)?,
            };
            let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
            this.epoll.add(receiver.socket(), event)?;
            this.receivers.push(receiver);
            if gateway != Gateway::Bare {
                this.watch(BETWEEN)?;
            }
        }
        Ok(this)
    }

    /// Where they receive.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.receivers.iter().map(Receiver::address)
    }

    /// Receives until each has got a picture, and pictures have come to be as large as they are to
    /// be: those of a second have so many bytes, and what is encoded with does not change any more.
    ///
    /// # Errors
    /// That does not happen.
    pub(crate) fn settle(&mut self, least_bits_per_second: f64) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = self.watch(Duration::from_secs(1))?;
            let mut bits = vec![0.0; self.count()];
            for seen in &seen {
                bits[seen.client] += seen.bytes as f64 * 8.0;
            }
            let least = bits.iter().copied().fold(f64::INFINITY, f64::min);
            if least >= least_bits_per_second {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "the slowest of {} gets {least:.0} bits a second",
                self.count()
            );
        }
    }
}

impl Watch for Receivers {
    fn count(&self) -> usize {
        self.receivers.len()
    }

    /// What is seen are pictures of which all packets came; of their age nothing is known.
    fn receive(
        &mut self,
        time: Duration,
        start: Instant,
        seen: &mut Vec<Seen>,
    ) -> anyhow::Result<()> {
        let now = Instant::now();
        for receiver in &mut self.receivers {
            receiver.drive(now)?;
        }
        let due = self.receivers.iter().filter_map(Receiver::due).min();
        let left = due.map_or(time, |due| due.saturating_duration_since(now).min(time));
        let mut events = [EpollEvent::empty(); 128];
        // Rounded up: a wait of 0 ms would spin.
        let wait = EpollTimeout::try_from(left + Duration::from_millis(1))?;
        let ready = match self.epoll.wait(&mut events, wait) {
            Err(nix::errno::Errno::EINTR) => 0,
            ready => ready?,
        };
        for event in &events[..ready] {
            let client = event.data() as usize;
            let receiver = &mut self.receivers[client];
            let mut see = |bytes| {
                seen.push(Seen {
                    client,
                    after: start.elapsed(),
                    age: Duration::ZERO,
                    bytes,
                });
            };
            let received = receiver.receive(&mut see);
            received.with_context(|| format!("receiver {client}"))?;
        }
        Ok(())
    }
}
