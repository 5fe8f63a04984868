//! What a proxy near the server keeps between it and the viewer, and how to let that run low.
//!
//! A proxy takes what its buffers hold as fast as we send it, and its kernel acknowledges that: the socket is empty while
//! a good part of a frame has not begun its way. A frame chosen then waits behind all of it. But what the proxy gives away
//! during a pause costs nothing, as long as its buffers never run empty: it takes as much faster afterwards. How much
//! they hold nobody says, so a pause is tried, and kept if the frames go no slower with it.
//!
//! The pause is half of the time that a frame takes. So one that is too long leaves the link idle, but cannot feed on
//! itself: the next is shorter.

use std::time::{Duration, Instant};

use crate::kernel::Path;

/// A frame that was still in the socket when somebody looked, and for longer than this, met full buffers.
const AT_ONCE: Duration = Duration::from_millis(10);

/// So many frames make a rate, for a proxy's buffers take a third of what they hold at a time.
const COUNTED: u32 = 8;

/// A proxy takes half a frame at once after a pause, for that is what it gave away meanwhile; a link that may burst takes
/// little. Where even less than this share is taken so many times in a row, there is no proxy.
const GULP: f64 = 0.25;
const WITHOUT_GULP: u32 = 2;

/// How much of the rate the pause may cost, within what is measured so roughly.
const HARMLESS: f64 = 0.93;

/// How long a verdict holds at most, as with the kernel's smallest round-trip time; and how much the rate may change.
const REMEASURE: Duration = Duration::from_secs(300);
const OTHER: f64 = 1.5;

/// What is known of the proxy, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Proxy {
    frame: Option<Frame>,
    /// When the proxy was last full, and the bytes that it was given since.
    full: Option<(Instant, u64)>,
    /// Says that the last frame was gone at once.
    swallowed: bool,
    count: Count,
    /// The time that a frame takes by the last count.
    cycle: Option<Duration>,
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
    /// Says that it was not gone at once.
    held_up: bool,
    /// Bytes that had gone by the first look that was late enough to tell, and when that was.
    looked: Option<(Duration, u64)>,
}

/// Frames that went from one moment when the proxy was full to another.
#[derive(Debug, Default)]
struct Count {
    frames: u32,
    bytes: u64,
    time: Duration,
}

#[derive(Debug, Default)]
enum Stage {
    /// Pauses on trial.
    #[default]
    Trial,
    /// No pauses, for comparison; with them it was so many bytes a second.
    Plain(f64),
    /// The verdict.
    Settled(Verdict),
}

#[derive(Debug)]
struct Verdict {
    at: Instant,
    /// Bytes a second then.
    rate: f64,
    pauses: bool,
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
        if let Some((_, given)) = &mut self.full {
            *given += bytes;
        }
    }

    /// The socket has not drained: so much is left.
    pub(crate) fn not_drained(&mut self, now: Instant, unacknowledged: u64) {
        if let Some(frame) = &mut self.frame {
            frame.held_up = true;
            let time = now - frame.began;
            if time > AT_ONCE {
                let gone = frame.bytes.saturating_sub(unacknowledged);
                frame.looked.get_or_insert((time, gone));
            }
        }
    }

    /// The socket has drained. Gives how long to pause, if at all.
    pub(crate) fn drained(&mut self, now: Instant, path: Option<Path>) -> Option<Duration> {
        // A client that keeps up is not to pay for others.
        let concerned = |frame: &Frame| frame.held_up || self.full.is_some();
        if let Some(frame) = self.frame.take().filter(concerned) {
            let slow = frame.held_up && now - frame.began > AT_ONCE;
            let full = slow && path.is_some_and(Path::is_near);
            self.end = if full { self.full(now, &frame) } else { None };
            if !full && self.swallowed {
                // Not even two frames fill it: whether the link is idle nobody knows.
                (self.full, self.count) = (None, Count::default());
            }
            self.swallowed = !full;
        }
        self.end.filter(|end| *end > now).map(|end| end - now)
    }

    /// The proxy is full. Gives when the pause ends, if there is to be one.
    fn full(&mut self, now: Instant, frame: &Frame) -> Option<Instant> {
        let (since, bytes) = self.full.replace((now, 0))?;
        let cycle = now - since;
        if self.end.is_none() {
            self.plain = bytes as f64 / cycle.as_secs_f64();
        } else if matches!(self.stage, Stage::Trial) {
            self.expect_gulp(now, frame);
        }
        self.count.frames += 1;
        self.count.bytes += bytes;
        self.count.time += cycle;
        if self.count.frames == COUNTED {
            let count = std::mem::take(&mut self.count);
            self.cycle = Some(count.time / COUNTED);
            self.judge(now, count.bytes as f64 / count.time.as_secs_f64());
        }
        let pauses = match &self.stage {
            Stage::Trial => true,
            Stage::Plain(_) => false,
            Stage::Settled(verdict) => verdict.pauses,
        };
        let usual = self.cycle.unwrap_or(cycle);
        pauses.then(|| now + usual.min(cycle * 3 / 2) / 2)
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
            self.stage = Stage::Settled(Verdict {
                at: now,
                rate: self.plain,
                pauses: false,
            });
        }
    }

    /// Goes on to the next stage, given the rate in this one.
    fn judge(&mut self, now: Instant, rate: f64) {
        self.stage = match &self.stage {
            Stage::Trial => Stage::Plain(rate),
            Stage::Plain(paused) => Stage::Settled(Verdict {
                at: now,
                rate,
                pauses: *paused > rate * HARMLESS,
            }),
            Stage::Settled(verdict) if verdict.holds(now, rate) => return,
            Stage::Settled(_) => Stage::Trial,
        };
    }
}

impl Verdict {
    /// Says whether it holds for the rate seen now.
    fn holds(&self, now: Instant, rate: f64) -> bool {
        let change = rate / self.rate;
        now - self.at < REMEASURE && (1.0 / OTHER..OTHER).contains(&change)
    }
}
