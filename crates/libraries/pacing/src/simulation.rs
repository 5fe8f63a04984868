//! Simulated links, and what a client behind one sees of a camera that a [`Pacer`] paces. No test
//! here reads a clock.

use std::time::{Duration, Instant};

use crate::pacer::Pacer;
use crate::tcp_info::TcpInfo;
use crate::units::BytesPerSecond;

mod adapted;
mod direct;
mod network;
mod proxied;
mod turns;
mod varying;

pub(crate) use network::Random;

pub(crate) const MS: Duration = Duration::from_millis(1);

/// Bytes of a full HD frame.
pub(crate) const FRAME_BYTES: u64 = 98_000;

/// How often the simulated camera has a new picture.
const FRAME_INTERVAL: Duration = Duration::from_millis(33);

pub(crate) fn mbit_per_second(mbit: f64) -> BytesPerSecond {
    BytesPerSecond::new(mbit * 125_000.0)
}

/// A link with a queue that never overflows, and what TCP would know of it.
pub(crate) struct SimulatedLink {
    pub(crate) frame_bytes: u64,
    pub(crate) mbit: f64,
    pub(crate) round_trip: Duration,
    /// What the kernel claims, as a multiple of what is so.
    pub(crate) claimed_rate_factor: f64,
    pub(crate) claimed_round_trip_factor: f64,
    /// What a proxy near the server holds; without one, nothing.
    pub(crate) proxy: SimulatedProxy,
    /// For each frame: when the link began with it, and when it was done.
    pub(crate) sent: Vec<(Instant, Instant)>,
}

/// A proxy's buffers.
#[derive(Clone, Copy)]
pub(crate) struct SimulatedProxy {
    pub(crate) send_buffer_bytes: u64,
    pub(crate) receive_buffer_bytes: u64,
    /// It reads on when its send buffer has room for this share of what that holds.
    pub(crate) gulp: f64,
    /// Bytes that it has read so far.
    read_bytes: u64,
}

impl SimulatedProxy {
    pub(crate) fn new(send_buffer_bytes: u64, receive_buffer_bytes: u64) -> Self {
        Self {
            send_buffer_bytes,
            receive_buffer_bytes,
            gulp: 1.0 / 3.0,
            read_bytes: 0,
        }
    }

    /// It reads on if its send buffer has enough room: so many bytes were written to it, and the
    /// link is done with so many of them.
    fn read(&mut self, written_bytes: u64, done_bytes: u64) {
        let few_enough = self.send_buffer_bytes as f64 * (1.0 - self.gulp);
        if self.read_bytes.saturating_sub(done_bytes) as f64 <= few_enough {
            self.read_bytes = written_bytes.min(done_bytes + self.send_buffer_bytes);
        }
    }

    /// Of what was written to it, what its receive buffer has no room for.
    fn unacknowledged_bytes(&self, written_bytes: u64) -> u64 {
        (written_bytes - self.read_bytes).saturating_sub(self.receive_buffer_bytes)
    }

    /// The room that its receive buffer has.
    fn window_bytes(&self, written_bytes: u64) -> u32 {
        let waiting_bytes = written_bytes - self.read_bytes;
        self.receive_buffer_bytes.saturating_sub(waiting_bytes) as u32
    }
}

impl SimulatedLink {
    pub(crate) fn new(mbit: f64, round_trip: Duration) -> Self {
        Self {
            frame_bytes: FRAME_BYTES,
            mbit,
            round_trip,
            claimed_rate_factor: 1.0,
            claimed_round_trip_factor: 1.0,
            proxy: SimulatedProxy::new(0, 0),
            sent: Vec::new(),
        }
    }

    /// A link behind a proxy, which the kernel takes for the client: near, and fast.
    pub(crate) fn proxied(mbit: f64, proxy: SimulatedProxy) -> Self {
        Self {
            proxy,
            claimed_rate_factor: 1000.0 / mbit,
            ..Self::new(mbit, Duration::from_micros(50))
        }
    }

    fn bytes_per_second(&self) -> f64 {
        self.mbit * 125_000.0
    }

    /// How long one frame takes on the wire.
    pub(crate) fn wire_time(&self) -> Duration {
        Duration::from_secs_f64(self.frame_bytes as f64 / self.bytes_per_second())
    }

    /// When the last frame was done.
    pub(crate) fn end(&self) -> Instant {
        let (_, end) = self.sent[self.sent.len() - 1];
        end
    }

    fn write(&mut self, now: Instant) {
        let free = self.sent.last().map_or(now, |(_, end)| now.max(*end));
        self.sent.push((free, free + self.wire_time()));
    }

    /// Bytes that the link has not done with.
    fn left_bytes(&self, now: Instant) -> u64 {
        // More are never under way.
        let frames = self.sent.iter().rev().take(1000);
        let bytes = frames.map(|(start, _)| {
            let time = now.saturating_duration_since(*start + self.round_trip);
            let done = time.as_secs_f64() * self.bytes_per_second();
            self.frame_bytes - done.min(self.frame_bytes as f64) as u64
        });
        bytes.sum()
    }

    fn written_bytes(&self) -> u64 {
        self.sent.len() as u64 * self.frame_bytes
    }

    fn let_proxy_read(&mut self, now: Instant) {
        let written = self.written_bytes();
        self.proxy.read(written, written - self.left_bytes(now));
    }

    fn unacknowledged_bytes(&self) -> u64 {
        self.proxy.unacknowledged_bytes(self.written_bytes())
    }

    fn tcp_info(&self) -> TcpInfo {
        TcpInfo {
            min_rtt: self.round_trip.mul_f64(self.claimed_round_trip_factor),
            delivery_rate: mbit_per_second(self.mbit * self.claimed_rate_factor),
            unsent_bytes: self.unacknowledged_bytes() as u32,
            window_bytes: Some(self.proxy.window_bytes(self.written_bytes())),
        }
    }

    /// How long a frame waits in a proxy that is full.
    pub(crate) fn full_proxy_delay(&self) -> Duration {
        let bytes = self.proxy.send_buffer_bytes + self.proxy.receive_buffer_bytes;
        Duration::from_secs_f64(bytes as f64 / self.bytes_per_second())
    }
}

/// What a client gets.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Frames as a share of what link and camera allow.
    pub(crate) rate_share: f64,
    /// How long frames waited before their way over the link began: the longest, and the median.
    pub(crate) longest_wait: Duration,
    pub(crate) median_wait: Duration,
    pub(crate) polls_per_frame: f64,
}

/// Sends frames from `now` on; what is seen of the first `learning` ones does not count.
pub(crate) fn watch(
    link: &mut SimulatedLink,
    pacer: &mut Pacer,
    mut now: Instant,
    learning: usize,
) -> Seen {
    const COUNTED: usize = 50;
    let (mut polls, mut next_frame, mut waits) = (0, now, Vec::new());
    let before = link.sent.len();
    for frame in 0..learning + COUNTED {
        while let Some(pause) = {
            link.let_proxy_read(now);
            pacer.delay(now, link.unacknowledged_bytes(), || Some(link.tcp_info()))
        } {
            // A timer's way of keeping time.
            now += pause + MS / 2;
            polls += 1;
        }
        now = now.max(next_frame);
        while next_frame <= now {
            next_frame += FRAME_INTERVAL;
        }
        link.write(now);
        pacer.on_write(now, link.frame_bytes);
        if frame >= learning {
            waits.push(link.sent[before + frame].0 - now);
        }
    }
    let sent = &link.sent[before + learning..];
    let (from, to) = (sent[0].0, sent[COUNTED - 1].0);
    waits.sort();
    let shortest = link.wire_time().max(FRAME_INTERVAL).as_secs_f64();
    Seen {
        rate_share: (COUNTED - 1) as f64 * shortest / (to - from).as_secs_f64(),
        longest_wait: waits[COUNTED - 1],
        median_wait: waits[COUNTED / 2],
        polls_per_frame: f64::from(polls) / (learning + COUNTED) as f64,
    }
}
