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

/// How much of the rate the pause may cost, within what is measured so roughly.
const HARMLESS: f64 = 0.93;

/// How long a verdict holds at most, as with the kernel's smallest round-trip time; and how much the rate may change.
const REMEASURE: Duration = Duration::from_secs(300);
const OTHER: f64 = 1.5;

/// What is known of the proxy, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    /// When the frame under way began.
    began: Option<Instant>,
    /// Says that it was not gone at once.
    held_up: bool,
    /// When the proxy was last full, and the bytes that it was given since.
    full: Option<(Instant, u64)>,
    /// Says that the last frame was gone at once.
    swallowed: bool,
    count: Count,
    /// The time that a frame takes by the last count.
    cycle: Option<Duration>,
    stage: Stage,
    /// When the pause ends.
    end: Option<Instant>,
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

impl Relay {
    /// So many bytes went into the socket, the first of them at `began`.
    pub(crate) fn wrote(&mut self, began: Instant, bytes: u64) {
        self.began.get_or_insert(began);
        if let Some((_, given)) = &mut self.full {
            *given += bytes;
        }
    }

    /// The socket has not drained.
    pub(crate) fn not_drained(&mut self) {
        self.held_up = true;
    }

    /// The socket has drained. Gives how long to pause, if at all.
    pub(crate) fn drained(&mut self, now: Instant, path: Option<Path>) -> Option<Duration> {
        if !self.held_up && self.full.is_none() {
            // A client that keeps up is not to pay for others.
            self.began = None;
        }
        if let Some(began) = self.began.take() {
            let held_up = std::mem::take(&mut self.held_up);
            let full = held_up && now - began > AT_ONCE && path.is_some_and(Path::is_near);
            self.end = if full { self.full(now) } else { None };
            if !full && self.swallowed {
                // Not even two frames fill it: whether the link is idle nobody knows.
                (self.full, self.count) = (None, Count::default());
            }
            self.swallowed = !full;
        }
        self.end.filter(|end| *end > now).map(|end| end - now)
    }

    /// The proxy is full. Gives when the pause ends, if there is to be one.
    fn full(&mut self, now: Instant) -> Option<Instant> {
        let (since, bytes) = self.full.replace((now, 0))?;
        let cycle = now - since;
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
