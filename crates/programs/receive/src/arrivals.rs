//! Whether a frame that comes is news, or lay in buffers while the link was down.
//!
//! A camera has a frame in its socket and another in its hand. When a link that was down comes back
//! they arrive first, and each is as old as the silence was long. On a link that is quicker than
//! the camera they come one close behind the other, and what comes at the camera's pace again is
//! new. On a link that is the bound all frames come alike: there the one that went out behind the
//! silence frees the camera's hand for a new one, so what follows the next is new. A camera that
//! tells when each was taken needs no guess. What decides reads no clock.

use std::time::{Duration, Instant, SystemTime};

/// The shortest silence that counts as one: Wi-Fi repeats what was lost within it.
const SHORTEST_SILENCE: Duration = Duration::from_secs(1);

/// How many usual intervals are a silence.
const SILENT_INTERVALS: u32 = 4;

/// For how long frames that come too quickly may be thrown away after a silence: as long as a slow
/// link takes for what fits into a camera's buffers and ours. A camera that has become quicker is
/// shown after it.
const STALE_FOR: Duration = Duration::from_secs(1);

/// The link is the bound where a frame takes this part of the usual interval to come. Where it is
/// less, what was held comes so close behind the other that its pace tells.
const BOUND_PART: u32 = 3;

/// A frame of which the link has carried this part since the silence was in the camera's hand then,
/// not in its socket: that has 5.7 KB (lwIP's TCP_SND_BUF), and a frame some 30.
const CARRIED_PART: u32 = 4;

/// How many frames at the link's pace may be thrown away: one that lay with its beginning in the
/// socket, and that in the camera's hand (`fb_count = 2`).
const MOST_HELD: u32 = 2;

/// How much later than before the silence, by the camera's own clock, a frame may be.
const LATE_MS: f64 = 100.0;

/// When bytes come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    last: Instant,
    resumed: Instant,
}

impl Flow {
    /// The connection has begun.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            last: now,
            resumed: now,
        }
    }

    /// Some have come.
    pub(crate) fn came(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last) > SHORTEST_SILENCE {
            self.resumed = now;
        }
        self.last = now;
    }

    /// When some came last.
    pub(crate) fn last(&self) -> Instant {
        self.last
    }

    /// When they came again after the last silence.
    pub(crate) fn resumed(&self) -> Instant {
        self.resumed
    }
}

/// How a frame has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameArrival {
    /// When its first byte came.
    pub(crate) began: Instant,
    /// When it was whole.
    pub(crate) whole: Instant,
    /// [`Flow::resumed`] then.
    pub(crate) resumed: Instant,
    /// When it was taken by the camera's clock, in milliseconds, where it tells.
    pub(crate) told_ms: Option<f64>,
}

impl FrameArrival {
    /// A frame is whole now, and its first byte came at this moment of the wall clock.
    pub(crate) fn of_now(came: SystemTime, resumed: Instant, told_ms: Option<f64>) -> Self {
        let whole = Instant::now();
        let transfer = came.elapsed().unwrap_or_default();
        Self {
            began: whole.checked_sub(transfer).unwrap_or(whole),
            whole,
            resumed,
            told_ms,
        }
    }
}

/// The arrivals of one connection. The next one of the camera begins anew: it may be of a camera
/// that was started again and has nothing in its hand, and what it brings may be all there is.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    last: Option<FrameArrival>,
    usual: Option<Usual>,
    /// There after a silence, while frames may be thrown away.
    silence: Option<Silence>,
}

/// How frames usually come.
#[derive(Clone, Copy, Debug)]
struct Usual {
    /// From one to the next.
    interval: Duration,
    /// From the first byte of one to its last.
    transfer: Duration,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As new as the link lets it be.
    Current,
    /// From before a silence.
    Stale,
}

impl Arrivals {
    /// A whole frame has come.
    pub(crate) fn arrived(&mut self, frame: FrameArrival) -> Verdict {
        let Some(last) = self.last.replace(frame) else {
            return Verdict::Current;
        };
        let step = Step::between(&last, &frame);
        let Some(usual) = self.usual else {
            self.usual = Some(Usual {
                interval: step.gap,
                transfer: step.transfer,
            });
            return Verdict::Current;
        };
        if step.gap > SHORTEST_SILENCE.max(usual.interval * SILENT_INTERVALS) {
            self.silence = Some(match self.silence.take() {
                None => Silence::new(last, &frame),
                Some(silence) => silence.renewed(last, &frame),
            });
        }
        if let Some(silence) = &mut self.silence {
            if silence.holds_back(&frame, step, usual) {
                return Verdict::Stale;
            }
            let is_first = silence.is_at_first(&frame);
            self.silence = None;
            // One that has become slower is not silent each time.
            if !is_first {
                let interval = usual.interval.max(step.gap);
                self.usual = Some(Usual { interval, ..usual });
            }
            return Verdict::Current;
        }
        // Means that forget within some ten frames.
        self.usual = Some(Usual {
            interval: (usual.interval * 7 + step.gap) / 8,
            transfer: (usual.transfer * 7 + step.transfer) / 8,
        });
        Verdict::Current
    }

    /// The camera was asked to be silent: what comes next is no leftover.
    pub(crate) fn expect_silence(&mut self) {
        self.last = None;
        self.silence = None;
    }
}

/// From one frame to the next.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// From the end of the one to the end of the other.
    gap: Duration,
    /// For how long the other came, without what was before a silence.
    transfer: Duration,
}

impl Step {
    fn between(last: &FrameArrival, frame: &FrameArrival) -> Self {
        let began = frame.began.max(frame.resumed).max(last.whole);
        Self {
            gap: frame.whole.saturating_duration_since(last.whole),
            transfer: frame.whole.saturating_duration_since(began),
        }
    }
}

/// After a silence.
#[derive(Debug)]
struct Silence {
    /// The last frame before it.
    before: FrameArrival,
    /// When the first after it was whole.
    first: Instant,
    is_renewal: bool,
    /// The link has carried the last frame, and one before that.
    carried_last: bool,
    carried_before: bool,
    held: u32,
}

impl Silence {
    fn new(before: FrameArrival, first: &FrameArrival) -> Self {
        Self {
            before,
            first: first.whole,
            is_renewal: false,
            carried_last: false,
            carried_before: false,
            held: 0,
        }
    }

    fn is_at_first(&self, frame: &FrameArrival) -> bool {
        self.first == frame.whole
    }

    /// Another silence, if a frame began before one and ended behind it: then the link was down
    /// again. Once, for one that is so each time is to be seen all the same.
    fn renewed(self, last: FrameArrival, frame: &FrameArrival) -> Self {
        let was_down = frame.began < frame.resumed && frame.resumed > last.whole;
        if self.is_renewal || !was_down {
            return self;
        }
        Self {
            is_renewal: true,
            ..Self::new(last, frame)
        }
    }

    /// A frame has come; says whether it is from before the silence.
    fn holds_back(&mut self, frame: &FrameArrival, step: Step, usual: Usual) -> bool {
        let is_carried = step.transfer >= usual.transfer / CARRIED_PART;
        let was_freed = self.carried_before;
        self.carried_before |= self.carried_last;
        self.carried_last = is_carried;
        let since = frame.whole.saturating_duration_since(self.first);
        if let Some(late_ms) = late_ms(&self.before, frame) {
            return late_ms > LATE_MS && since < STALE_FOR.max(usual.interval * SILENT_INTERVALS);
        }
        if self.is_at_first(frame) || (step.gap < usual.interval / 2 && since < STALE_FOR) {
            return true;
        }
        let is_bound = usual.transfer * BOUND_PART >= usual.interval;
        let waited = step.gap.saturating_sub(step.transfer);
        let is_held = is_bound && !was_freed && waited < usual.interval / 2;
        self.held += u32::from(is_held);
        is_held && self.held <= MOST_HELD
    }
}

/// How much longer a frame was under way than the one before the silence, by the camera's own
/// clock. None where it does not tell, or was set back.
fn late_ms(before: &FrameArrival, frame: &FrameArrival) -> Option<f64> {
    let told = frame.told_ms? - before.told_ms?;
    let came = frame.whole.saturating_duration_since(before.whole);
    (told >= 0.0).then_some(came.as_secs_f64() * 1000.0 - told)
}

#[cfg(test)]
mod tests;
