//! When a client's next frame may be chosen: the newest-frame rule (`docs/newest-frame.md`), apart from the socket.
//!
//! What lies unacknowledged in the socket is older than any frame chosen now. Waiting until all of it is acknowledged
//! shows the newest picture but leaves the path idle for a round trip with every frame; waiting for as much as the path
//! itself holds (its bandwidth-delay product) keeps the path busy, and nothing waits in a queue before it.
//!
//! The kernel measures the path, and is believed until our own frames prove it wrong: its delivery rate when they take
//! much longer than that, its smallest round-trip time when nothing comes back within it.

use std::time::{Duration, Instant};

use crate::proxy_buffer::ProxyBuffer;
use crate::tcp_info::TcpInfo;

/// Bytes that may always lie unacknowledged: two segments on Ethernet. A receiver may hold back its acknowledgement of
/// less than that for 40 ms and more (RFC 9293, section 3.8.6.3), which is not the path's doing.
const HELD_BACK: u64 = 2 * 1448;

/// Shortest and longest pause before the socket is looked at again. The shortest is the timer's resolution; the longest
/// bounds what a wrong prediction costs.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(100);

/// The longest pause with a proxy, which takes nothing for a while and then much at once.
const GULPS: Duration = Duration::from_millis(10);

/// The first pause while nothing is known of the rate.
const UNKNOWN: Duration = Duration::from_millis(5);

/// How much of the predicted time is waited: a look too early costs two system calls, one too late the path's time.
const CAUTION: f64 = 0.85;

/// Looks closer together than this say nothing of a rate: acknowledgements come in bunches.
const MEANINGFUL: Duration = Duration::from_millis(4);

/// The kernel's figures are doubted when something takes more than so many times as long as they say, and [`JITTER`].
const DOUBT: f64 = 1.5;
const JITTER: Duration = Duration::from_millis(20);

/// How much of a rate that was measured is left with the next frame that shows less.
const FADING: f64 = 0.95;

/// How long what the kernel said of the path is used without asking again, while the client keeps up.
const RECENT: Duration = Duration::from_secs(1);

/// How long a round-trip time that our own frames proved is used before the kernel's is tried again.
const REMEASURE: Duration = Duration::from_secs(30);

/// Decides for one client.
#[derive(Debug)]
pub struct Pacer {
    /// Bytes handed to the socket in all.
    written: u64,
    /// Bytes of them that were unacknowledged at the last look.
    unacknowledged: u64,
    /// The last look that says something of a rate.
    last: Mark,
    /// When a byte was last seen to have left the socket, or found none waiting.
    progress: Instant,
    /// Bytes a second that left the socket between two polls.
    draining: f64,
    /// The pause that the last look ended, if nothing had left the socket in it.
    fruitless: Duration,
    path: Option<(Instant, TcpInfo)>,
    probe: Option<Probe>,
    /// Bytes a second that the last frames were acknowledged at, where that was the path's doing.
    measured: Option<f64>,
    /// Says that a frame was late by the kernel's rate.
    doubted: bool,
    /// A round-trip time, where frames have proved the kernel's too short, and when they did.
    farther: Option<(Instant, Duration)>,
    /// What the last frame proved of the round-trip time; one alone may have met with a hiccup.
    suspected: Option<Duration>,
    proxy_buffer: ProxyBuffer,
}

/// How many bytes were acknowledged in all, and when that was so.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    acknowledged: u64,
}

/// A frame whose way is timed.
#[derive(Clone, Copy, Debug)]
struct Probe {
    start: Mark,
    /// The bytes acknowledged in all when all before the frame is, and when the frame is.
    begin: u64,
    end: u64,
    /// When the first of the frame's own acknowledgements was seen.
    heard: Option<Mark>,
    /// When the kernel's figures are in doubt, unless it is acknowledged by then.
    due: Instant,
    /// Says that the path, and not the source of frames, decides how fast it goes.
    backlog: bool,
    /// For how long nothing has come back, if nothing else was under way when it left.
    silence: Option<Duration>,
}

impl Pacer {
    /// Begins with an empty socket.
    pub fn new(now: Instant) -> Self {
        Self {
            written: 0,
            unacknowledged: 0,
            last: Mark {
                at: now,
                acknowledged: 0,
            },
            progress: now,
            draining: 0.0,
            fruitless: Duration::ZERO,
            path: None,
            probe: None,
            measured: None,
            doubted: false,
            farther: None,
            suspected: None,
            proxy_buffer: ProxyBuffer::default(),
        }
    }

    /// So many bytes went into the socket, the first of them at `began`.
    pub fn on_write(&mut self, began: Instant, bytes: u64) {
        let unacknowledged = self.unacknowledged;
        let start = Mark {
            at: began,
            acknowledged: self.written.saturating_sub(unacknowledged),
        };
        if unacknowledged == 0 {
            // Time in which there was nothing to send says nothing of the path.
            self.progress = began;
            self.last = start;
        }
        if let (None, Some((_, path))) = (self.probe, self.path) {
            let expected = self.expected(path, began, unacknowledged + bytes);
            self.probe = Some(Probe {
                start,
                begin: self.written,
                end: self.written + bytes,
                heard: None,
                due: began + expected.mul_f64(DOUBT) + JITTER,
                backlog: false,
                silence: (unacknowledged == 0).then_some(Duration::ZERO),
            });
        }
        self.written += bytes;
        self.proxy_buffer.on_write(began, bytes);
    }

    /// Says whether the next frame may be chosen, without asking the kernel what the path is like now: where that is not
    /// known well enough, it may not.
    pub fn can_send(&mut self, now: Instant, unacknowledged: u64) -> bool {
        if self.wants_tcp_info(now) {
            return false;
        }
        self.on_ack(now, unacknowledged);
        let known = self.path.is_some_and(|(asked, _)| now - asked <= RECENT);
        let drained = unacknowledged <= HELD_BACK || (known && unacknowledged <= self.limit(now));
        drained && self.proxy_buffer.delay(now, None).is_none()
    }

    /// Says whether [`delay`](Self::delay) must be told of the path even if all is acknowledged.
    pub fn wants_tcp_info(&self, now: Instant) -> bool {
        self.proxy_buffer.wants_tcp_info(now)
    }

    /// How long to wait before looking again, or `None` when the next frame may be chosen now.
    pub fn delay(
        &mut self,
        now: Instant,
        unacknowledged: u64,
        path: Option<TcpInfo>,
    ) -> Option<Duration> {
        // The path of an empty socket matters to nobody but the proxy; what was known of it still holds.
        if let Some(path) = path.filter(|_| unacknowledged > 0) {
            self.path = Some((now, path));
        }
        self.on_ack(now, unacknowledged);
        let excess = unacknowledged.saturating_sub(self.limit(now));
        if excess == 0 {
            return self.proxy_buffer.delay(now, path);
        }
        if path.is_some_and(|path| path.unsent_bytes > 0 && path.is_near()) {
            self.proxy_buffer.on_unsent(now);
        }
        if let Some(probe) = &mut self.probe {
            probe.backlog = true;
        }
        let rate = self.draining.max(path.map_or(0.0, |path| self.rate(path)));
        let predicted = if self
            .probe
            .is_some_and(|probe| probe.silence > Some(Duration::ZERO))
        {
            SHORTEST
        } else if rate > 0.0 {
            Duration::from_secs_f64((CAUTION * excess as f64 / rate).min(1.0))
        } else {
            UNKNOWN
        };
        // What comes back of a first frame is worth a closer look: it says how long the path is.
        let silence = self.probe.and_then(|probe| probe.silence);
        let patience = silence.map_or(self.fruitless * 2, |silence| silence / 8);
        let longest = if self.proxy_buffer.holds() {
            GULPS
        } else {
            LONGEST
        };
        Some(predicted.max(patience).clamp(SHORTEST, longest))
    }

    /// How long nothing has left the socket although something lay in it.
    pub fn stalled_for(&self, now: Instant) -> Duration {
        now - self.progress
    }

    /// Learns from what has left the socket.
    fn on_ack(&mut self, now: Instant, unacknowledged: u64) {
        self.unacknowledged = unacknowledged;
        let acknowledged = self.written.saturating_sub(unacknowledged);
        self.time_probe(now, acknowledged);
        let mark = Mark {
            at: now,
            acknowledged,
        };
        if acknowledged > self.last.acknowledged || unacknowledged == 0 {
            self.progress = now;
            self.fruitless = Duration::ZERO;
        } else {
            self.fruitless = now - self.last.at;
        }
        if let Some(rate) = self.last.rate_to(mark) {
            self.draining = rate;
            self.last = mark;
        }
    }

    /// Compares the way of a frame with what the kernel's figures make it.
    fn time_probe(&mut self, now: Instant, acknowledged: u64) {
        let (Some(mut probe), Some((_, path))) = (self.probe, self.path) else {
            return;
        };
        let mark = Mark {
            at: now,
            acknowledged,
        };
        if acknowledged > probe.start.acknowledged {
            if let Some(silence) = probe.silence.take() {
                self.heard_after(silence, path, now);
                // A longer way is no lower rate.
                probe.due += silence;
            }
        } else if let Some(silence) = &mut probe.silence {
            *silence = now - probe.start.at;
        }
        if acknowledged > probe.begin {
            probe.heard.get_or_insert(mark);
        }
        let done = acknowledged >= probe.end;
        let rate = probe.heard.and_then(|heard| heard.rate_to(mark));
        match rate {
            Some(rate) if now > probe.due => {
                self.measured = Some(rate);
                self.doubted = true;
            }
            Some(rate) if probe.backlog && done => {
                // Gaps between frames make a rate too low, never too high.
                let before = self.measured.unwrap_or_default();
                self.measured = Some(rate.max(before * FADING));
            }
            _ if done => {
                self.measured = None;
                self.doubted = false;
            }
            _ => {}
        }
        self.probe = (!done).then_some(probe);
    }

    /// Takes the kernel's smallest round-trip time for outdated when two frames in a row, each alone on its way, were not
    /// answered within it. (A near peer that does not answer is a proxy whose buffers are full.)
    fn heard_after(&mut self, silence: Duration, path: TcpInfo, now: Instant) {
        if path.is_near() || silence <= path.min_rtt.mul_f64(DOUBT) + JITTER {
            (self.farther, self.suspected) = (None, None);
        } else if let Some(before) = self.suspected.replace(silence) {
            self.farther = Some((now, silence.min(before)));
        }
    }

    /// The bytes that may lie unacknowledged: the path's bandwidth-delay product.
    fn limit(&self, now: Instant) -> u64 {
        let product = self.path.map_or(0.0, |(_, path)| {
            self.round_trip(path, now).as_secs_f64() * self.rate(path)
        });
        HELD_BACK.max(product as u64)
    }

    fn round_trip(&self, path: TcpInfo, now: Instant) -> Duration {
        self.farther
            .filter(|(proved, _)| now - *proved <= REMEASURE)
            .map_or(path.min_rtt, |(_, round_trip)| round_trip.max(path.min_rtt))
    }

    /// How long so many bytes take, by what is believed of the path.
    fn expected(&self, path: TcpInfo, now: Instant, bytes: u64) -> Duration {
        let wire = (bytes as f64 / self.rate(path).max(1.0)).min(60.0);
        self.round_trip(path, now) + Duration::from_secs_f64(wire)
    }

    /// The path's rate in bytes a second.
    fn rate(&self, path: TcpInfo) -> f64 {
        let said = path.delivery_rate as f64;
        match self.measured {
            Some(measured) if self.doubted => measured,
            Some(measured) => measured.max(said),
            None => said,
        }
    }
}

impl Mark {
    /// Bytes a second from here to a later mark; `None` where the time is too short to tell.
    fn rate_to(self, later: Self) -> Option<f64> {
        let (time, bytes) = (
            later.at - self.at,
            later.acknowledged.saturating_sub(self.acknowledged),
        );
        (time >= MEANINGFUL && bytes > 0).then(|| bytes as f64 / time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const FRAME: u64 = 98_000;
    const MBIT: f64 = 125_000.0;

    fn path(round_trip: Duration, rate: f64) -> Option<TcpInfo> {
        Some(TcpInfo {
            min_rtt: round_trip,
            delivery_rate: rate as u64,
            unsent_bytes: 1,
            window_bytes: None,
        })
    }

    /// A link with a queue that never overflows, and what TCP would know of it.
    struct Link {
        /// Bytes of a frame.
        frame: u64,
        rate: f64,
        round_trip: Duration,
        /// What the kernel claims, as a multiple of what is so.
        claimed_rate: f64,
        claimed_round_trip: f64,
        /// Bytes that the send buffer and the receive buffer of a proxy near the server hold.
        proxy: [u64; 2],
        /// Bytes that the proxy has read; it reads on when its send buffer has room for such a share of it.
        read: u64,
        gulp: f64,
        /// Frames: when the link began with each, and when it was done.
        sent: Vec<(Instant, Instant)>,
    }

    impl Link {
        fn new(mbit: f64, round_trip: Duration) -> Self {
            Self {
                frame: FRAME,
                rate: mbit * MBIT,
                round_trip,
                claimed_rate: 1.0,
                claimed_round_trip: 1.0,
                proxy: [0; 2],
                read: 0,
                gulp: 1.0 / 3.0,
                sent: Vec::new(),
            }
        }

        fn write(&mut self, now: Instant) {
            let free = self.sent.last().map_or(now, |(_, end)| now.max(*end));
            let end = free + Duration::from_secs_f64(self.frame as f64 / self.rate);
            self.sent.push((free, end));
        }

        /// Bytes that the link has not done with.
        fn left(&self, now: Instant) -> u64 {
            // More are never under way.
            let frames = self.sent.iter().rev().take(1000);
            let bytes = frames.map(|(start, _)| {
                let time = now.saturating_duration_since(*start + self.round_trip);
                self.frame - (time.as_secs_f64() * self.rate).min(self.frame as f64) as u64
            });
            bytes.sum()
        }

        fn written(&self) -> u64 {
            self.sent.len() as u64 * self.frame
        }

        fn gulp(&mut self, now: Instant) {
            let (written, left) = (self.written(), self.left(now));
            let done = written - left;
            let full = self.proxy[0] as f64 * (1.0 - self.gulp);
            if self.read.saturating_sub(done) as f64 <= full {
                self.read = written.min(done + self.proxy[0]);
            }
        }

        fn unacknowledged(&self) -> u64 {
            (self.written() - self.read).saturating_sub(self.proxy[1])
        }

        fn path(&self) -> Option<TcpInfo> {
            let waiting = self.written() - self.read;
            Some(TcpInfo {
                min_rtt: self.round_trip.mul_f64(self.claimed_round_trip),
                delivery_rate: (self.rate * self.claimed_rate) as u64,
                unsent_bytes: self.unacknowledged() as u32,
                window_bytes: Some(self.proxy[1].saturating_sub(waiting) as u32),
            })
        }

        /// How long a frame waits in a proxy that is full.
        fn held(&self) -> Duration {
            Duration::from_secs_f64(self.proxy.iter().sum::<u64>() as f64 / self.rate)
        }
    }

    /// What a client gets of a source with an exposure every 33 ms.
    #[derive(Debug)]
    struct Seen {
        /// Frames as a share of what link and source allow.
        share: f64,
        /// The longest wait of a frame before its way begins, and the median of them.
        waited: Duration,
        usually: Duration,
        polls_per_frame: f64,
    }

    /// Sends frames; what is seen of the first `learning` ones does not count.
    fn watch(link: &mut Link, pacer: &mut Pacer, mut now: Instant, learning: usize) -> Seen {
        const COUNTED: usize = 50;
        let interval = MS * 33;
        let (mut polls, mut exposed, mut waits) = (0, now, Vec::new());
        let before = link.sent.len();
        for frame in 0..learning + COUNTED {
            while let Some(pause) = {
                link.gulp(now);
                let unacknowledged = link.unacknowledged();
                // As a server asks.
                let wants_tcp_info = unacknowledged > 0 || pacer.wants_tcp_info(now);
                let path = link.path().filter(|_| wants_tcp_info);
                pacer.delay(now, unacknowledged, path)
            } {
                // A timer's way of keeping time.
                now += pause + MS / 2;
                polls += 1;
            }
            now = now.max(exposed);
            while exposed <= now {
                exposed += interval;
            }
            link.write(now);
            pacer.on_write(now, link.frame);
            if frame >= learning {
                waits.push(link.sent[before + frame].0 - now);
            }
        }
        let sent = &link.sent[before + learning..];
        let (from, to) = (sent[0].0, sent[COUNTED - 1].0);
        waits.sort();
        let least = (link.frame as f64 / link.rate).max(interval.as_secs_f64());
        Seen {
            share: (COUNTED - 1) as f64 * least / (to - from).as_secs_f64(),
            waited: waits[COUNTED - 1],
            usually: waits[COUNTED / 2],
            polls_per_frame: f64::from(polls) / (learning + COUNTED) as f64,
        }
    }

    const ROUND_TRIPS: [Duration; 4] = [
        Duration::from_micros(200),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_millis(400),
    ];

    #[test]
    fn keeps_every_path_busy_and_nothing_waiting_before_it() {
        for mbit in [2.0, 10.0, 100.0] {
            for round_trip in ROUND_TRIPS {
                let mut link = Link::new(mbit, round_trip);
                let start = Instant::now();
                let seen = watch(&mut link, &mut Pacer::new(start), start, 20);
                let case = format!("{mbit} Mbit/s, {round_trip:?}: {seen:?}");
                assert!(seen.share > 0.98, "{case}");
                assert!(seen.waited < MS * 13, "{case}");
                assert!(seen.polls_per_frame < 8.0, "{case}");
            }
        }
    }

    #[test]
    fn finds_out_that_the_kernel_takes_the_path_for_faster_than_it_is() {
        for mbit in [2.0, 10.0] {
            for round_trip in ROUND_TRIPS {
                let mut link = Link::new(mbit, round_trip);
                link.claimed_rate = 10.0;
                let start = Instant::now();
                let seen = watch(&mut link, &mut Pacer::new(start), start, 150);
                let case = format!("{mbit} Mbit/s, {round_trip:?}: {seen:?}");
                assert!(seen.share > 0.97, "{case}");
                assert!(seen.waited < MS * 50, "{case}");
            }
        }
    }

    #[test]
    fn finds_out_that_the_path_has_become_longer_than_the_kernel_remembers() {
        let mut link = Link::new(10.0, MS * 100);
        link.claimed_round_trip = 0.05;
        let start = Instant::now();
        let seen = watch(&mut link, &mut Pacer::new(start), start, 20);
        // With 5 ms of 100 believed, it would be 0.45.
        assert!(seen.share > 0.75, "{seen:?}");
        assert!(seen.waited < MS * 20, "{seen:?}");
    }

    #[test]
    fn follows_a_path_that_fades_and_recovers() {
        let start = Instant::now();
        let (mut link, mut pacer) = (Link::new(100.0, MS * 50), Pacer::new(start));
        watch(&mut link, &mut pacer, start, 50);
        // The kernel goes on claiming what it measured before.
        (link.rate, link.claimed_rate) = (2.0 * MBIT, 50.0);
        let seen = watch(&mut link, &mut pacer, start + MS * 10_000, 20);
        assert!(seen.share > 0.97 && seen.waited < MS * 50, "{seen:?}");
        (link.rate, link.claimed_rate) = (100.0 * MBIT, 1.0);
        let seen = watch(&mut link, &mut pacer, start + MS * 200_000, 20);
        assert!(seen.share > 0.98 && seen.waited < MS * 20, "{seen:?}");
    }

    /// A link behind a proxy, which the kernel takes for the client: near, and fast.
    fn proxied(mbit: f64, proxy: [u64; 2]) -> Link {
        let mut link = Link::new(mbit, Duration::from_micros(50));
        (link.proxy, link.claimed_rate) = (proxy, 1000.0 / mbit);
        link
    }

    #[test]
    fn lets_what_a_proxy_holds_run_low_and_never_out() {
        for (frame, proxy, most) in [
            (FRAME, [80_000, 16_000], 0.9),
            (FRAME, [90_000, 130_000], 0.85),
            (FRAME, [90_000, 350_000], 0.42),
            (FRAME, [300_000, 130_000], 0.68),
            (FRAME, [150_000, 20_000], 0.8),
            (24_000, [80_000, 16_000], 0.8),
            (24_000, [90_000, 130_000], 0.33),
            (24_000, [90_000, 350_000], 0.26),
            (24_000, [250_000, 320_000], 0.4),
            (24_000, [90_000, 1_000_000], 0.1),
        ] {
            for mbit in [2.0, 10.0] {
                let mut link = proxied(mbit, proxy);
                link.frame = frame;
                let start = Instant::now();
                let learning = 60 * FRAME / frame;
                let seen = watch(&mut link, &mut Pacer::new(start), start, learning as usize);
                let case = format!(
                    "{mbit} Mbit/s, {frame} {proxy:?}, {:?}: {seen:?}",
                    link.held()
                );
                assert!(seen.share > 0.98, "{case}");
                assert!(seen.usually < link.held().mul_f64(most), "{case}");
            }
        }
    }

    #[test]
    fn finds_out_how_much_a_proxy_holds_that_reads_little_at_a_time() {
        for mbit in [2.0, 10.0] {
            let mut link = proxied(mbit, [200_000, 100_000]);
            link.gulp = 0.05;
            link.frame = 24_000;
            let start = Instant::now();
            let seen = watch(&mut link, &mut Pacer::new(start), start, 600);
            let case = format!("{mbit} Mbit/s of {:?}: {seen:?}", link.held());
            assert!(seen.share > 0.98, "{case}");
            assert!(seen.usually < link.held().mul_f64(0.68), "{case}");
        }
    }

    #[test]
    fn follows_a_link_behind_a_proxy_that_fades_and_recovers() {
        let start = Instant::now();
        let (mut link, mut pacer) = (proxied(10.0, [200_000, 400_000]), Pacer::new(start));
        watch(&mut link, &mut pacer, start, 50);
        for mbit in [2.0, 10.0, 3.0, 100.0, 2.0] {
            let (_, end) = link.sent[link.sent.len() - 1];
            link.rate = mbit * MBIT;
            let seen = watch(&mut link, &mut pacer, end, 50);
            let case = format!("{mbit} Mbit/s of {:?}: {seen:?}", link.held());
            assert!(seen.share > 0.97, "{case}");
            assert!(seen.usually < link.held().mul_f64(0.6), "{case}");
        }
    }

    #[test]
    fn finds_out_soon_that_a_link_behind_a_proxy_is_faster() {
        let start = Instant::now();
        let (mut link, mut pacer) = (proxied(2.0, [200_000, 400_000]), Pacer::new(start));
        watch(&mut link, &mut pacer, start, 50);
        for mbit in [3.0, 4.5] {
            let (_, end) = link.sent[link.sent.len() - 1];
            link.rate = mbit * MBIT;
            let seen = watch(&mut link, &mut pacer, end, 8);
            assert!(seen.share > 0.97, "{mbit} Mbit/s: {seen:?}");
        }
    }

    #[test]
    fn a_camera_that_was_away_does_not_make_a_slow_link() {
        let start = Instant::now();
        let (mut link, mut pacer) = (proxied(2.0, [200_000, 400_000]), Pacer::new(start));
        watch(&mut link, &mut pacer, start, 50);
        for away in [3, 5, 6, 6, 6, 6, 6, 6] {
            let (_, end) = link.sent[link.sent.len() - 1];
            let seen = watch(&mut link, &mut pacer, end + MS * away * 1000, 10);
            assert!(seen.share > 0.97, "{away} s: {seen:?}");
            assert!(
                seen.usually < link.held().mul_f64(0.6),
                "{away} s: {seen:?}"
            );
        }
    }

    #[test]
    fn a_near_link_without_a_proxy_keeps_its_rate() {
        for (mbit, burst) in [(2.0, 0), (10.0, 0), (2.0, 16_000), (25.0, 16_000)] {
            let mut link = proxied(mbit, [burst, 0]);
            let start = Instant::now();
            let seen = watch(&mut link, &mut Pacer::new(start), start, 2);
            assert!(seen.share > 0.97, "{mbit} Mbit/s, {burst} bytes: {seen:?}");
        }
    }

    /// After the first frames, of which more is asked.
    fn acquainted(now: Instant, path: Option<TcpInfo>) -> Pacer {
        let mut pacer = Pacer::new(now);
        while pacer.wants_tcp_info(now) {
            assert!(!pacer.can_send(now, 0));
            assert_eq!(pacer.delay(now, 0, path), None);
            pacer.on_write(now, FRAME);
        }
        assert_eq!(pacer.delay(now, 0, None), None);
        pacer
    }

    #[test]
    fn a_near_client_that_keeps_up_is_never_paused() {
        let start = Instant::now();
        let near = path(Duration::from_micros(50), 1000.0 * MBIT);
        let (mut pacer, mut now) = (acquainted(start, near), start);
        for frame in 0..100 {
            assert!(pacer.can_send(now, 0), "frame {frame}");
            pacer.on_write(now, FRAME);
            // Every second one is not all gone when its task looks.
            if frame % 2 == 0 {
                assert!(pacer.delay(now, FRAME / 2, near).is_some());
                assert_eq!(pacer.delay(now + MS, 0, None), None);
            }
            now += MS * 33;
        }
    }

    #[test]
    fn a_far_client_that_keeps_up_is_not_held_back_by_what_is_under_way() {
        // 10 Mbit/s and 50 ms hold 62,500 bytes.
        let now = Instant::now();
        let far = path(MS * 50, 10.0 * MBIT);
        let mut pacer = acquainted(now, far);
        assert!(pacer.can_send(now, 0));
        pacer.on_write(now, FRAME);
        assert!(!pacer.can_send(now, 62_500), "nothing is known of the path");
        assert_eq!(pacer.delay(now, 62_500, far), None);
        assert!(pacer.can_send(now + MS, 62_500));
        assert!(!pacer.can_send(now + MS, 62_501));
        assert!(
            !pacer.can_send(now + RECENT * 2, 62_500),
            "that was long ago"
        );
    }

    #[test]
    fn an_unacknowledged_tail_is_not_waited_for() {
        let now = Instant::now();
        let mut pacer = acquainted(now, None);
        pacer.on_write(now, FRAME);
        assert!(pacer.can_send(now, HELD_BACK));
        assert_eq!(pacer.delay(now, HELD_BACK, None), None);
    }

    #[test]
    fn looks_ever_more_rarely_at_a_client_that_takes_nothing() {
        let start = Instant::now();
        let (mut pacer, mut now, mut polls) = (Pacer::new(start), start, 0);
        pacer.on_write(start, FRAME);
        while pacer.stalled_for(now) < MS * 10_000 {
            now += pacer.delay(now, FRAME, None).unwrap();
            polls += 1;
        }
        assert!(polls < 110, "{polls}");
        assert_eq!(pacer.delay(now, 0, None), None);
        assert_eq!(pacer.stalled_for(now), Duration::ZERO);
    }
}
