//! Whether a client keeps up with its source: who does not takes turns, and who does leaves again.

use std::time::{Duration, Instant};

/// So many frames in a row that took longer than until the next one was captured make a client take
/// part. One alone may be a hiccup.
const LATE_FRAMES: u32 = 2;

/// So many frames in a row that it was done with in time show that it keeps up: a second, as a
/// rule.
pub(super) const FRAMES_IN_TIME: u32 = 30;

/// A source's next frame may come so much later than it should.
const JITTER: Duration = Duration::from_millis(10);

/// Follows the frames of one client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Punctuality {
    late_frames: u32,
    frames_in_time: u32,
    frame: Frame,
}

/// Where a client's last frame is.
#[derive(Clone, Copy, Debug, Default)]
enum Frame {
    #[default]
    None,
    /// It began at this time.
    Written(Instant),
    /// It took so long until it had drained, if that had to be waited for, at a time.
    Drained { took: Duration, at: Instant },
}

/// Whether it had to be waited for that a frame has drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// It may have drained long before.
    No,
    /// It drained when that was seen.
    Yes,
}

/// What a client's last frames show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It does not keep up.
    Slow,
    /// It may keep up or not.
    Unclear,
    /// It keeps up.
    KeepsUp,
}

impl Punctuality {
    /// A frame begins.
    pub fn on_write(&mut self, began: Instant) {
        self.frame = Frame::Written(began);
    }

    /// A frame begins of a client that had drained when the frame came: it was in time with the one
    /// before.
    pub fn on_write_in_passing(&mut self, began: Instant) {
        self.late_frames = 0;
        self.frame = Frame::Written(began);
    }

    /// No more of the last frame is under way than the path holds. Gives whether that is news.
    pub fn on_drained(&mut self, now: Instant, waited: Waited) -> bool {
        let Frame::Written(began) = self.frame else {
            return false;
        };
        let took = match waited {
            Waited::No => Duration::ZERO,
            Waited::Yes => now - began,
        };
        self.frame = Frame::Drained { took, at: now };
        true
    }

    /// There is a next frame, of a source that has one each `interval`. Gives what is known now.
    pub fn on_next_frame(&mut self, now: Instant, interval: Duration) -> Pace {
        let Frame::Drained { took, at } = std::mem::take(&mut self.frame) else {
            return Pace::Unclear;
        };
        // A source that rests between frames is no slow link.
        if took > interval && now - at < interval + JITTER {
            self.frames_in_time = 0;
            self.late_frames += 1;
            return match self.late_frames >= LATE_FRAMES {
                true => Pace::Slow,
                false => Pace::Unclear,
            };
        }
        self.late_frames = 0;
        self.frames_in_time += 1;
        match self.frames_in_time >= FRAMES_IN_TIME {
            true => Pace::KeepsUp,
            false => Pace::Unclear,
        }
    }
}
