//! A link whose rate changes with time, and that carries frames of any size.

use std::collections::VecDeque;

use super::*;

/// Bytes that TCP sends before the first acknowledgement (RFC 6928).
const INITIAL_WINDOW_BYTES: f64 = 14_600.0;

/// How finely the link's rate is followed.
const STEP: Duration = MS;

/// Megabits a second at a time after the start.
pub(crate) type Rate = Box<dyn Fn(Duration) -> f64>;

/// A link with a queue that never overflows, behind TCP's window, and behind a proxy if there is
/// one.
pub(crate) struct VaryingLink {
    rate: Rate,
    round_trip: Duration,
    proxy: Option<SimulatedProxy>,
    /// What it carries at once after having been idle, and how much of that is left.
    burst_bytes: f64,
    burst_left: f64,
    start: Instant,
    now: Instant,
    written_bytes: u64,
    /// Bytes that the link was done with, now and before.
    done: VecDeque<(Instant, f64)>,
    window_bytes: f64,
    /// The highest rate that TCP has seen.
    claimed: BytesPerSecond,
    /// For each frame, the bytes written in all with it, and when it had arrived.
    ends: Vec<(u64, Option<Instant>)>,
    /// How many of them have arrived.
    arrived: usize,
}

impl VaryingLink {
    pub(crate) fn new(start: Instant, round_trip: Duration, rate: Rate) -> Self {
        Self {
            rate,
            round_trip,
            proxy: None,
            burst_bytes: 0.0,
            burst_left: 0.0,
            start,
            now: start,
            written_bytes: 0,
            done: VecDeque::from([(start, 0.0)]),
            window_bytes: INITIAL_WINDOW_BYTES,
            claimed: BytesPerSecond::ZERO,
            ends: Vec::new(),
            arrived: 0,
        }
    }

    /// The same behind a proxy near the server.
    pub(crate) fn proxied(start: Instant, proxy: SimulatedProxy, rate: Rate) -> Self {
        Self {
            proxy: Some(proxy),
            ..Self::new(start, Duration::from_micros(50), rate)
        }
    }

    /// The same with a router that lets so many bytes through at once, as token buckets do.
    pub(crate) fn with_burst(self, bytes: u64) -> Self {
        Self {
            burst_bytes: bytes as f64,
            burst_left: bytes as f64,
            ..self
        }
    }

    pub(crate) fn write(&mut self, now: Instant, bytes: u64) {
        self.advance(now);
        self.written_bytes += bytes;
        self.ends.push((self.written_bytes, None));
        self.let_proxy_read();
    }

    /// When each frame had arrived, as far as they have.
    pub(crate) fn arrivals(&self) -> impl Iterator<Item = Option<Instant>> {
        self.ends.iter().map(|(_, arrived)| *arrived)
    }

    /// Lets time pass until `now`.
    pub(crate) fn advance(&mut self, now: Instant) {
        while self.now < now {
            let next = now.min(self.now + STEP);
            let rate = mbit_per_second((self.rate)(self.now - self.start));
            let done = self.done_bytes(self.now);
            let there = self.reached_bytes();
            let tokens = self.burst_left + rate.bytes_in(next - self.now).whole() as f64;
            let carried = tokens.min(there - done);
            self.burst_left = self.burst_bytes.min(tokens - carried);
            self.done.push_back((next, done + carried));
            self.note_arrivals(next);
            self.open_window(next);
            self.now = next;
            self.let_proxy_read();
            while self.done.len() > 2 && self.done[1].0 + self.round_trip + MS * 10 < next {
                self.done.pop_front();
            }
        }
    }

    /// Bytes that have come as far as the link.
    fn reached_bytes(&self) -> f64 {
        match &self.proxy {
            Some(proxy) => proxy.read_bytes as f64,
            None => (self.written_bytes as f64)
                .min(self.done_bytes(self.acked_at()) + self.window_bytes),
        }
    }

    fn acked_at(&self) -> Instant {
        self.now.checked_sub(self.round_trip).unwrap_or(self.start)
    }

    fn done_bytes(&self, at: Instant) -> f64 {
        let after = self.done.partition_point(|(when, _)| *when <= at);
        let before = after.checked_sub(1).map(|before| self.done[before]);
        before.map_or(0.0, |(_, bytes)| bytes)
    }

    fn note_arrivals(&mut self, now: Instant) {
        let done = self.done_bytes(now);
        while let Some((end, arrived)) = self.ends.get_mut(self.arrived)
            && *end as f64 <= done
        {
            *arrived = Some(now + self.round_trip / 2);
            self.arrived += 1;
        }
    }

    /// What slow start does, and what TCP learns of the rate: the highest over a round trip.
    fn open_window(&mut self, now: Instant) {
        let acked = self.done_bytes(self.acked_at());
        let before = self.done_bytes(self.acked_at().checked_sub(STEP).unwrap_or(self.start));
        let is_limited = self.written_bytes as f64 > acked + self.window_bytes;
        if is_limited {
            self.window_bytes += acked - before;
        }
        let span = self.round_trip.max(MS * 5);
        let then = now.checked_sub(span).unwrap_or(self.start);
        let bytes = self.done_bytes(now) - self.done_bytes(then);
        self.claimed = self
            .claimed
            .max(BytesPerSecond::new(bytes / span.as_secs_f64()));
    }

    fn let_proxy_read(&mut self) {
        let done = self.done_bytes(self.now) as u64;
        if let Some(proxy) = &mut self.proxy {
            proxy.read(self.written_bytes, done);
        }
    }

    pub(crate) fn unacknowledged_bytes(&self) -> u64 {
        match &self.proxy {
            Some(proxy) => proxy.unacknowledged_bytes(self.written_bytes),
            None => self.written_bytes - self.done_bytes(self.acked_at()) as u64,
        }
    }

    pub(crate) fn tcp_info(&self) -> Option<TcpInfo> {
        let written = self.written_bytes;
        let (delivery_rate, unsent_bytes, window_bytes) = match &self.proxy {
            Some(proxy) => (
                mbit_per_second(1000.0),
                proxy.unacknowledged_bytes(written),
                proxy.window_bytes(written),
            ),
            None => (
                self.claimed,
                written - self.reached_bytes() as u64,
                1_000_000,
            ),
        };
        Some(TcpInfo {
            min_rtt: self.round_trip,
            delivery_rate,
            unsent_bytes: unsent_bytes as u32,
            window_bytes: Some(window_bytes),
        })
        .filter(|info| info.delivery_rate > BytesPerSecond::ZERO)
    }
}
