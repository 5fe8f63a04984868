//! What a proxy near the server keeps between it and the viewer, and how to let that run low.
//!
//! A proxy takes what its buffers hold as fast as we send it, and its kernel acknowledges that: the socket is empty while
//! a good part of a frame, or many frames, have not begun their way. A frame chosen then waits behind all of it. But what
//! the proxy gives away during a pause costs nothing, as long as its buffers never run empty: it takes as much faster
//! afterwards. So a pause is tried, and kept if the frames go no slower with it.
//!
//! How much the buffers hold shows when they fill for the first time: it is what went in and has not come out. If that is
//! several frames, one pause lets most of it go, and from then on frames follow each other as the link takes them, a
//! little faster and faster, until the buffers are full again and say what the link's rate is now. If it is less, there is
//! a pause after each frame for half of the time that it takes.

use std::time::{Duration, Instant};

use crate::kernel::Path;

/// A frame that had not all been sent when somebody looked, and stayed for longer than this, met full buffers. (One that
/// was sent, and is not acknowledged, did not: the peer's kernel may hold back its acknowledgement for 40 ms and more.)
const AT_ONCE: Duration = Duration::from_millis(10);

/// So many cycles, from full to full, make a rate, for a proxy's buffers take a third of what they hold at a time; or so
/// many times the bytes that a pause lets go.
const COUNTED: usize = 8;

/// So many cycles are enough when they took this long.
const FEW: usize = 3;
const LONG: Duration = Duration::from_secs(3);

/// A proxy takes half a frame at once after a pause, for that is what it gave away meanwhile; a link that may burst takes
/// little. Where even less than this share is taken so many times in a row, there is no proxy.
const GULP: f64 = 0.25;
const WITHOUT_GULP: u32 = 2;

/// How much of the rate the pause may cost, within what is measured so roughly.
const HARMLESS: f64 = 0.93;

/// How long a verdict holds at most, as with the kernel's smallest round-trip time; and how much the rate may change.
const REMEASURE: Duration = Duration::from_secs(300);
const OTHER: f64 = 1.5;

/// How far back it matters how the buffers filled: the longer it took, the more an error of the rate counts.
const FILLING: Duration = Duration::from_secs(5);

/// How much of what the buffers hold beside a frame is let go. The rest keeps the link busy when something comes late.
const LET_GO: f64 = 0.6;

/// What the buffers are taken to hold in the next trial, after one that did no harm and one that did.
const MORE: f64 = 1.1;
const LESS: f64 = 0.75;

/// The longest pause: a link that has become faster is idle for the rest of it.
const LONGEST: Duration = Duration::from_secs(2);

/// By how much frames follow each other faster than the link takes them after a pause, at first and more every second. It
/// grows faster yet when the buffers should be full again and are not, for then the rate is not right.
const FASTER: f64 = 0.04;

/// A source that lets the client wait for the time of so many frames may have left the link idle.
const LATE_FRAMES: f64 = 2.0;

/// What is known of the proxy, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Proxy {
    frame: Option<Frame>,
    /// When the next frame could have been chosen.
    ready: Option<Instant>,
    /// Since the proxy was last full.
    since_full: Option<Span>,
    /// Since it was empty or not long ago, if it has not been full since; then, until it was full.
    filling: Option<Span>,
    filled: Option<Sum>,
    /// Bytes that it holds at least, by what it took at once.
    holds: f64,
    /// From full to full, so often.
    cycles: Vec<Sum>,
    /// Bytes a second when they were counted last.
    rate: Option<f64>,
    stage: Stage,
    /// Bytes a second in the last cycle without a pause.
    plain: f64,
    /// How many frames of the trial in a row were not taken with a gulp.
    without_gulp: u32,
    /// When the pause ends.
    end: Option<Instant>,
}

/// The frame under way.
#[derive(Debug)]
struct Frame {
    began: Instant,
    bytes: u64,
    /// Says that not all of it was sent at once.
    held_up: bool,
    /// Bytes that had gone by the first look that was late enough to tell, and when that was.
    looked: Option<(Duration, u64)>,
}

/// Bytes since a moment.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: Instant,
    bytes: u64,
}

/// Bytes and the time they took.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    bytes: u64,
    time: Duration,
}

#[derive(Debug, Default)]
enum Stage {
    /// No pauses, for comparison.
    #[default]
    Plain,
    /// Pauses on trial; without them it was so many bytes a second.
    Trial(Pause, f64),
    /// The verdict.
    Settled(Pause, Verdict),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Pause {
    None,
    /// Half of the time that a frame takes, after each. So one that is too long leaves the link idle, but cannot feed on
    /// itself: the next is shorter.
    HalfFrame,
    /// As long as so many bytes take, when the buffers are full.
    LetGo(f64),
}

#[derive(Debug)]
struct Verdict {
    at: Instant,
    /// Bytes a second then.
    rate: f64,
}

impl Proxy {
    /// So many bytes went into the socket, the first of them at `began`.
    pub(crate) fn wrote(&mut self, began: Instant, bytes: u64) {
        let frame = self.frame.get_or_insert(Frame {
            began,
            bytes: 0,
            held_up: false,
            looked: None,
        });
        frame.bytes += bytes;
    }

    /// The socket has not drained: so much is left, of which some is not even sent.
    pub(crate) fn not_drained(&mut self, now: Instant, unacknowledged: u64, unsent: bool) {
        if let Some(frame) = &mut self.frame {
            frame.held_up |= unsent;
            let time = now - frame.began;
            if time > AT_ONCE {
                let gone = frame.bytes.saturating_sub(unacknowledged);
                frame.looked.get_or_insert((time, gone));
            }
        }
    }

    /// The socket has drained. Gives how long to pause, if at all.
    pub(crate) fn drained(&mut self, now: Instant, path: Option<Path>) -> Option<Duration> {
        if let Some(frame) = self.frame.take() {
            self.count_in(&frame);
            let slow = frame.held_up && now - frame.began > AT_ONCE;
            self.end = if slow && path.is_some_and(Path::is_near) {
                self.full(now, &frame)
            } else {
                self.not_full(now, &frame)
            };
            self.ready = self.end.or(Some(now));
        }
        self.end.filter(|end| *end > now).map(|end| end - now)
    }

    /// Adds a frame to what the proxy was given.
    fn count_in(&mut self, frame: &Frame) {
        let late = |rate: f64| {
            let wait = self.ready.map(|ready| frame.began - ready);
            wait.is_some_and(|wait| wait > frame.time(rate).mul_f64(LATE_FRAMES))
        };
        if self.rate.is_some_and(late) {
            self.forget();
            self.filling = Some(Span::new(frame.began));
        } else if self.since_full.is_none() && self.filling.is_none() {
            self.filling = Some(Span::new(frame.began));
        }
        if let Some(filling) = &mut self.filling {
            if frame.began - filling.start > FILLING {
                *filling = Span::new(frame.began);
            }
            filling.bytes += frame.bytes;
        }
        if let Some(since_full) = &mut self.since_full {
            since_full.bytes += frame.bytes;
        }
    }

    /// The proxy is full. Gives when the pause ends, if there is to be one.
    fn full(&mut self, now: Instant, frame: &Frame) -> Option<Instant> {
        if let Some(filling) = self.filling.take() {
            self.filled = Some(filling.until(now));
        }
        let Some(since_full) = self.since_full.replace(Span::new(now)) else {
            return self.pause_end(now, frame, Duration::ZERO);
        };
        let cycle = since_full.until(now);
        if self.pause() == Pause::None {
            self.plain = cycle.rate();
        } else if matches!(self.stage, Stage::Trial(Pause::HalfFrame, _)) && self.end.is_some() {
            self.expect_gulp(now, frame);
        }
        self.cycles.push(cycle);
        let count = Sum {
            bytes: self.cycles.iter().map(|cycle| cycle.bytes).sum(),
            time: self.cycles.iter().map(|cycle| cycle.time).sum(),
        };
        let cycles = self.cycles.len();
        let enough = match self.pause() {
            Pause::LetGo(bytes) => count.bytes as f64 > bytes * COUNTED as f64,
            _ => cycles == COUNTED || cycles >= FEW && count.time > LONG,
        };
        if enough {
            let rate = count.rate();
            self.judge(now, rate, frame.bytes);
            self.cycles.clear();
            // Frames that follow each other too slowly would make the rate ever lower.
            self.rate = Some(match self.stage {
                Stage::Trial(Pause::LetGo(_), most)
                | Stage::Settled(Pause::LetGo(_), Verdict { rate: most, .. }) => rate.max(most),
                _ => rate,
            });
        }
        self.pause_end(now, frame, cycle.time)
    }

    /// When the pause ends that begins now, after a frame and a cycle of so much.
    fn pause_end(&self, now: Instant, frame: &Frame, cycle: Duration) -> Option<Instant> {
        let rate = self.rate?;
        let pause = match self.pause() {
            Pause::None => return None,
            Pause::HalfFrame => frame.time(rate).min(cycle * 3 / 2) / 2,
            Pause::LetGo(bytes) => pause_time(bytes, rate),
        };
        Some(now + pause)
    }

    /// The proxy took the frame and is not full. Gives when the next may follow, if not at once.
    fn not_full(&mut self, now: Instant, frame: &Frame) -> Option<Instant> {
        let (rate, span) = (self.rate?, self.since_full?);
        let Pause::LetGo(bytes) = self.pause() else {
            return None;
        };
        let paused = pause_time(bytes, rate);
        let time = (now - span.start).saturating_sub(paused).as_secs_f64();
        let surplus = span.bytes as f64 - time * rate;
        let due = surplus / (paused.as_secs_f64() * rate);
        let faster = 1.0 + FASTER * (1.0 + time) * due.max(1.0);
        Some(frame.began + frame.time(rate * faster))
    }

    /// Ends a count during which the link was idle.
    fn forget(&mut self) {
        self.since_full = None;
        self.cycles.clear();
    }

    /// Ends a trial that meets no proxy. With one that is slow to tell what it holds, the rate decides.
    fn expect_gulp(&mut self, now: Instant, frame: &Frame) {
        let took = now - frame.began;
        let gulp = |gone: u64, time: Duration, rate: f64| {
            gone as f64 - time.as_secs_f64() * rate > frame.bytes as f64 * GULP
        };
        // By the rate of the last cycle, or by that of the frame itself after the first look.
        let gulped = gulp(frame.bytes, took, self.plain)
            || frame.looked.is_some_and(|(time, gone)| {
                let afterwards =
                    (frame.bytes - gone) as f64 / took.saturating_sub(time).as_secs_f64();
                gulp(gone, time, afterwards)
            });
        self.without_gulp = if gulped { 0 } else { self.without_gulp + 1 };
        if self.without_gulp == WITHOUT_GULP {
            self.without_gulp = 0;
            self.settle(Pause::None, now, self.plain);
        }
    }

    /// Goes on to the next stage, given the rate in this one and the bytes of a frame.
    fn judge(&mut self, now: Instant, rate: f64, frame: u64) {
        match self.stage {
            Stage::Plain => {
                let filled = self.filled.take();
                let took_at_once = self
                    .cycles
                    .iter()
                    .chain(&filled)
                    .map(|sum| sum.beyond(rate));
                self.holds = took_at_once.fold(self.holds, f64::max);
                self.stage = Stage::Trial(Pause::within(self.holds, frame), rate);
            }
            Stage::Trial(pause, plain) if rate > plain * HARMLESS => {
                self.holds *= MORE;
                self.settle(pause, now, rate.max(plain));
            }
            Stage::Trial(Pause::LetGo(_), _) => {
                self.holds *= LESS;
                self.stage = Stage::Plain;
            }
            Stage::Trial(_, plain) => self.settle(Pause::None, now, plain),
            Stage::Settled(_, ref verdict) if verdict.holds(now, rate) => {}
            Stage::Settled(..) => self.stage = Stage::Plain,
        }
    }

    fn settle(&mut self, pause: Pause, at: Instant, rate: f64) {
        self.stage = Stage::Settled(pause, Verdict { at, rate });
    }

    fn pause(&self) -> Pause {
        match self.stage {
            Stage::Plain => Pause::None,
            Stage::Trial(pause, _) | Stage::Settled(pause, _) => pause,
        }
    }
}

impl Pause {
    /// The pause to try with a proxy that holds so many bytes, given the bytes of a frame.
    fn within(holds: f64, frame: u64) -> Self {
        let frame = frame as f64;
        let let_go = LET_GO * (holds - frame);
        if let_go > frame {
            Self::LetGo(let_go)
        } else {
            Self::HalfFrame
        }
    }
}

impl Frame {
    /// How long it takes at so many bytes a second.
    fn time(&self, rate: f64) -> Duration {
        Duration::from_secs_f64(self.bytes as f64 / rate)
    }
}

/// How long to pause for the link to take so many bytes at this rate.
fn pause_time(bytes: f64, rate: f64) -> Duration {
    Duration::from_secs_f64(bytes / rate).min(LONGEST)
}

impl Span {
    fn new(start: Instant) -> Self {
        Self { start, bytes: 0 }
    }

    fn until(self, end: Instant) -> Sum {
        Sum {
            bytes: self.bytes,
            time: end - self.start,
        }
    }
}

impl Sum {
    /// Bytes a second.
    fn rate(self) -> f64 {
        self.bytes as f64 / self.time.as_secs_f64()
    }

    /// Bytes that have not gone, if so many go in a second.
    fn beyond(self, rate: f64) -> f64 {
        self.bytes as f64 - self.time.as_secs_f64() * rate
    }
}

impl Verdict {
    /// Says whether it holds for the rate seen now.
    fn holds(&self, now: Instant, rate: f64) -> bool {
        let change = rate / self.rate;
        now - self.at < REMEASURE && (1.0 / OTHER..OTHER).contains(&change)
    }
}
