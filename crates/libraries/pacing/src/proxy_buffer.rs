//! What a proxy near the server keeps between it and the viewer, and how to keep that little.
//!
//! A proxy's kernel takes what its buffers hold as fast as we send it, and acknowledges that: the socket is empty while a
//! good part of a frame, or many frames, have not begun their way. A frame chosen then waits behind all of it.
//!
//! What waits in the proxy's receive buffer shows: it is missing from the window that its kernel advertises. The proxy
//! leaves it there only while its send buffer is full. What that one holds does not show. But from one time that it is
//! full to the next, the proxy reads what the link takes; so the link's rate is known, and with it how much room there was
//! in between. The buffer holds at least so much. A pause that lets less go than that leaves the link busy, and costs no
//! rate.

use std::time::{Duration, Instant};

use crate::tcp_info::TcpInfo;

/// A frame that had not all been sent when somebody looked, and stayed for longer than this, met full buffers. (One that
/// was sent, and is not acknowledged, did not: the peer's kernel may hold back its acknowledgement for 40 ms and more.)
const UNSENT_WHEN_FULL: Duration = Duration::from_millis(10);

/// The send buffer is full when more than this share of a frame waits in the receive buffer, or of its window if that is
/// smaller. Less may be the window's own ups and downs.
const WAITING_WHEN_FULL: f64 = 0.5;

/// For how long after its buffers were full a proxy is watched; and for how many frames at first, to see how wide its
/// window is before they are.
const WATCHED_AFTER_FULL: Duration = Duration::from_secs(10);
const FRAMES_WATCHED_FIRST: u32 = 3;

/// How long the widest window that was seen counts, for the kernel may make it smaller.
const WINDOW_PERIOD: Duration = Duration::from_secs(10);

/// A rate is that of so long at least, and of this long when the next one begins: a proxy reads a third of what its
/// buffers hold at a time.
const MIN_RATE_SPAN: Duration = Duration::from_secs(1);
const RATE_SPAN: Duration = Duration::from_secs(2);

/// So many rates are compared.
const RATE_SAMPLES: usize = 4;

/// How much of the room that there has been is let become free. The rest keeps the link busy when something comes late.
const ROOM_USED: f64 = 0.75;

/// What becomes of that room after a time that all of it was filled again, but for this share; and after any other, as
/// long as less was seen.
const ROOM_GROWTH: f64 = 1.1;
const ROOM_DECAY: f64 = 0.97;
const ROOM_REFILLED: f64 = 0.03;

/// Room for less than this share of a frame may as well be what a link may burst.
const MIN_ROOM: f64 = 0.15;

/// By how much frames follow each other faster than the link takes them; twice as much with each second, for then the
/// rate is not right.
const PROBING_GAIN: f64 = 0.1;

/// A rate at which the buffers do not become full for so long is that of another link.
const RATE_OUTDATED: Duration = Duration::from_secs(3);

/// The longest pause: a link that has become faster is idle for the rest of it.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What is known of the proxy, if there is one.
#[derive(Debug, Default)]
pub(crate) struct ProxyBuffer {
    frame: Option<FrameInFlight>,
    /// Frames before it, and bytes that went into the socket in all.
    frames: u32,
    written: u64,
    /// When its buffers were last seen to be full.
    full: Option<Instant>,
    window: ReceiveWindow,
    rate: LinkRate,
    cycle: Option<FillCycle>,
    /// Bytes that its send buffer has had room for of late; says that this is more than a link may burst.
    room: f64,
    holds: bool,
    /// When the pause ends.
    end: Option<Instant>,
}

/// The frame under way.
#[derive(Debug)]
struct FrameInFlight {
    began: Instant,
    bytes: u64,
    /// Says that it met full buffers.
    stuck: bool,
}

impl ProxyBuffer {
    /// So many bytes went into the socket, the first of them at `began`.
    pub(crate) fn on_write(&mut self, began: Instant, bytes: u64) {
        self.written += bytes;
        let frame = self.frame.get_or_insert(FrameInFlight {
            began,
            bytes: 0,
            stuck: false,
        });
        frame.bytes += bytes;
    }

    /// The socket has not drained, as some of it is not even sent.
    pub(crate) fn on_unsent(&mut self, now: Instant) {
        if let Some(frame) = &mut self.frame
            && now - frame.began > UNSENT_WHEN_FULL
        {
            frame.stuck = true;
            self.full = Some(now);
        }
    }

    /// Says whether [`delay`](Self::delay) must be told what the path is like now.
    pub(crate) fn wants_tcp_info(&self, now: Instant) -> bool {
        self.frames < FRAMES_WATCHED_FIRST
            || self
                .full
                .is_some_and(|full| now - full < WATCHED_AFTER_FULL)
    }

    /// Says whether there is a proxy that holds a good part of a frame.
    pub(crate) fn holds(&self) -> bool {
        self.holds
    }

    /// The socket has drained. Gives how long to pause, if at all.
    pub(crate) fn delay(&mut self, now: Instant, path: Option<TcpInfo>) -> Option<Duration> {
        if let Some(frame) = self.frame.take() {
            self.end = path
                .filter(|path| path.is_near() && self.wants_tcp_info(now))
                .and_then(|path| self.next(now, &frame, path.window_bytes));
            self.frames = self.frames.saturating_add(1);
        }
        self.end.filter(|end| *end > now).map(|end| end - now)
    }

    /// When the frame after this one may be chosen, if not at once.
    fn next(
        &mut self,
        now: Instant,
        frame: &FrameInFlight,
        window: Option<u32>,
    ) -> Option<Instant> {
        let (waiting, widest) = self.window.of(now, window);
        if let (Some(cycle), Some(rate)) = (&mut self.cycle, self.rate.rate) {
            let before = (self.written - frame.bytes) as f64;
            cycle.had_room(cycle.filled.after(frame.began, rate) - before);
        }
        if frame.stuck || waiting as f64 > WAITING_WHEN_FULL * frame.bytes.min(widest) as f64 {
            self.after_full(now, frame, waiting)
        } else {
            self.after_room(now, frame)
        }
    }

    /// The same when the send buffer is full and so many bytes wait in the receive buffer: when enough of it has gone.
    fn after_full(&mut self, now: Instant, frame: &FrameInFlight, waiting: u64) -> Option<Instant> {
        self.full = Some(now);
        let mark = ReadSample {
            at: now,
            read: self.written as f64 - waiting as f64,
        };
        let rate = self.rate.count(mark)?;
        let cycle = self.cycle.get_or_insert(FillCycle::new(mark));
        let age = now - cycle.filled.at;
        let room = cycle.filled.after(now, rate) - mark.read;
        if cycle.took_frame || frame.stuck || room < 0.0 || age > RATE_SPAN {
            let harmless = (0.0..ROOM_REFILLED * cycle.most_room).contains(&room);
            self.room *= if harmless { ROOM_GROWTH } else { ROOM_DECAY };
            self.room = self.room.max(cycle.most_room - room);
            *cycle = FillCycle::new(mark);
        } else {
            cycle.had_room(room);
        }
        self.holds = self.room > MIN_ROOM * frame.bytes as f64;
        let let_go = if self.holds {
            ROOM_USED * self.room
        } else {
            0.0
        };
        let excess = self.written as f64 - cycle.filled.after(now, rate);
        let pause = Duration::from_secs_f64((excess + let_go).max(0.0) / rate);
        Some(now + pause.min(MAX_PAUSE))
    }

    /// The same when the send buffer has room: as the link takes frames, so that there goes on to be room.
    fn after_room(&mut self, now: Instant, frame: &FrameInFlight) -> Option<Instant> {
        if let Some(cycle) = &mut self.cycle {
            cycle.took_frame = true;
        }
        let since_full = now - self.full?;
        if since_full > RATE_OUTDATED {
            self.rate = LinkRate::default();
        }
        let faster = 1.0 + PROBING_GAIN * since_full.as_secs_f64().exp2();
        let time = frame.bytes as f64 / (self.rate.rate? * faster);
        Some(frame.began + Duration::from_secs_f64(time))
    }
}

/// From one time that the proxy's send buffer was full to the next.
#[derive(Debug)]
struct FillCycle {
    filled: ReadSample,
    /// Bytes that it has had room for since, at most.
    most_room: f64,
    /// Says that a frame did not have to wait since.
    took_frame: bool,
}

impl FillCycle {
    fn new(filled: ReadSample) -> Self {
        Self {
            filled,
            most_room: 0.0,
            took_frame: false,
        }
    }

    fn had_room(&mut self, room: f64) {
        self.most_room = self.most_room.max(room);
    }
}

/// How many bytes the proxy had read in all by a time when its send buffer was full.
#[derive(Clone, Copy, Debug)]
struct ReadSample {
    at: Instant,
    read: f64,
}

impl ReadSample {
    /// How many it will have read by then if the buffer stays full and the link takes so many bytes a second.
    fn after(self, then: Instant, rate: f64) -> f64 {
        self.read + then.saturating_duration_since(self.at).as_secs_f64() * rate
    }
}

/// The window that the proxy's kernel advertises.
#[derive(Debug, Default)]
struct ReceiveWindow {
    /// The widest of this period, and of the one before.
    widest: [u64; 2],
    /// When this period began.
    began: Option<Instant>,
}

impl ReceiveWindow {
    /// Gives the bytes that are missing from the widest window of late, which is that of an empty buffer, and that one.
    fn of(&mut self, now: Instant, window: Option<u32>) -> (u64, u64) {
        let Some(window) = window.map(u64::from) else {
            return (0, 0);
        };
        if self.began.is_none_or(|began| now - began > WINDOW_PERIOD) {
            self.began = Some(now);
            self.widest = [0, self.widest[0]];
        }
        self.widest[0] = self.widest[0].max(window);
        let widest = self.widest[0].max(self.widest[1]);
        (widest - window, widest)
    }
}

/// What the link takes in a second.
#[derive(Debug, Default)]
struct LinkRate {
    /// What the rate is counted from; what the next one will be.
    marks: Option<[ReadSample; 2]>,
    /// Bytes a second of late, the newest first. An idle link makes one too low, so the highest is right.
    rates: [f64; RATE_SAMPLES],
    rate: Option<f64>,
}

impl LinkRate {
    /// Gives bytes a second, if they are known.
    fn count(&mut self, mark: ReadSample) -> Option<f64> {
        let recent = |[_, next]: &[ReadSample; 2]| mark.at - next.at < WATCHED_AFTER_FULL;
        let Some([from, next]) = self.marks.filter(recent) else {
            self.marks = Some([mark; 2]);
            self.rates = [0.0; RATE_SAMPLES];
            return self.rate;
        };
        let (time, bytes) = (mark.at - from.at, mark.read - from.read);
        if time >= MIN_RATE_SPAN && bytes > 0.0 {
            self.rates[0] = bytes / time.as_secs_f64();
            self.rate = self.rates.into_iter().reduce(f64::max);
        }
        if mark.at - next.at >= RATE_SPAN {
            self.marks = Some([next, mark]);
            self.rates.rotate_right(1);
        }
        self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: u64 = 1_000_000;

    /// So many seconds after the start, one after the frame began, so much of it waits in the receive buffer.
    fn drained(
        proxy: &mut ProxyBuffer,
        start: Instant,
        seconds: u64,
        bytes: u64,
        waiting: u64,
    ) -> Option<Duration> {
        let now = start + Duration::from_secs(seconds);
        let path = TcpInfo {
            min_rtt: Duration::ZERO,
            delivery_rate: 0,
            unsent_bytes: 0,
            window_bytes: Some((WIDE - waiting) as u32),
        };
        proxy.on_write(now - Duration::from_secs(1), bytes);
        proxy.delay(now, Some(path))
    }

    #[test]
    fn pauses_until_the_link_took_what_waits_but_no_second_more() {
        for (bytes, pause) in [(2_000_000, 0.6), (3_000_000, 0.4), (400_000, 1.0)] {
            let (mut proxy, start) = (ProxyBuffer::default(), Instant::now());
            let mut drained =
                |seconds, bytes, waiting| drained(&mut proxy, start, seconds, bytes, waiting);
            assert_eq!(drained(1, 1, 0), None);
            assert_eq!(drained(2, 600_000, 600_000), None, "the rate is not known");
            let seen = drained(4, bytes, 600_000);
            assert_eq!(seen, Some(Duration::from_secs_f64(pause)));
        }
    }

    #[test]
    fn a_link_that_has_become_faster_is_reckoned_with_from_then_on() {
        let (mut proxy, start) = (ProxyBuffer::default(), Instant::now());
        let mut drained =
            |seconds, bytes, waiting| drained(&mut proxy, start, seconds, bytes, waiting);
        drained(1, 1, 0);
        drained(2, 600_000, 600_000);
        drained(4, 2_000_000, 600_000);
        // 3.2 MB in 3 s, of which 1.2 MB in the last: more than reckoned from the time before.
        let seen = drained(5, 1_200_000, 600_000);
        assert_eq!(seen, Some(Duration::from_secs_f64(0.6 * 3.0 / 3.2)));
    }

    #[test]
    fn an_idle_link_is_no_slow_one_unless_it_stays_so() {
        let start = Instant::now();
        let (mut rate, mut at, mut read) = (LinkRate::default(), start, 0.0);
        let mut count = |time: u64, bytes: f64| {
            (at, read) = (at + Duration::from_secs(time), read + bytes);
            rate.count(ReadSample { at, read })
        };
        assert_eq!(count(1, 100.0), None);
        assert_eq!(count(2, 200.0), Some(100.0));
        assert_eq!(count(2, 20.0), Some(100.0));
        for _ in 0..RATE_SAMPLES {
            count(2, 100.0);
        }
        assert_eq!(count(2, 100.0), Some(50.0));
        // What was read in an hour says nothing.
        assert_eq!(count(3600, 1000.0), Some(50.0));
        assert_eq!(count(2, 400.0), Some(200.0));
    }
}
