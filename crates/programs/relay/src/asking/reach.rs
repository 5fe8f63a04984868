//! Whether the other side answers, and how soon it is asked again where it does not.

use std::time::{Duration, Instant};

use eyelid_daemon::backoff::Backoff;

use super::path::Path;

/// The pauses after an answer that would be the same again: a camera that is back is to be seen
/// within 3 s, with a quarter of jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How much later than its hold a request is given up the first time; doubled with each one that is
/// lost. What is given up too soon is answered nonetheless, and that answer keeps the link from the
/// next one's.
const FIRST_GRACE: Duration = Duration::from_secs(1);
const MOST_DOUBLINGS: u32 = 3;

/// So many times the usual response are waited for, too, where that is longer.
const RESPONSES: u32 = 4;

/// One request may get lost; two in a row are silence.
const SILENCE: u32 = 2;

/// Whether the other side answers.
#[derive(Debug)]
pub(super) struct Reach {
    backoff: Backoff,
    paused_until: Option<Instant>,
    is_connected: bool,
    /// How many requests in a row went unanswered.
    lost: u32,
    /// When the first of them was asked.
    silent_since: Option<Instant>,
    unreachable_since: Option<Instant>,
}

impl Default for Reach {
    fn default() -> Self {
        Self {
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            paused_until: None,
            is_connected: true,
            lost: 0,
            silent_since: None,
            unreachable_since: None,
        }
    }
}

impl Reach {
    pub(super) fn unreachable_since(&self) -> Option<Instant> {
        self.unreachable_since
    }

    /// Gives the moment from which what is `due` may be asked; `None` while nothing can be.
    pub(super) fn not_before(&self, due: Instant) -> Option<Instant> {
        let paused_until = self.paused_until.unwrap_or(due);
        self.is_connected.then_some(due.max(paused_until))
    }

    /// How much longer than the other side holds it a request may go unanswered.
    pub(super) fn grace(&self, path: &Path) -> Duration {
        let grace = FIRST_GRACE * (1 << self.lost.min(MOST_DOUBLINGS));
        grace.max(path.usual_response() * RESPONSES)
    }

    /// The last request went unanswered.
    pub(super) fn has_lost(&self) -> bool {
        self.lost > 0
    }

    /// The other side has said something.
    pub(super) fn answered(&mut self) {
        self.lost = 0;
        self.silent_since = None;
        self.unreachable_since = None;
    }

    /// It has sent a whole frame, which was taken.
    pub(super) fn gave_a_frame(&mut self) {
        self.backoff.succeeded();
        self.paused_until = None;
    }

    /// What it said would be the same again at once.
    pub(super) fn pause(&mut self, now: Instant, jitter: f64) {
        self.paused_until = Some(now + self.backoff.failed(jitter));
    }

    /// A request that was `asked` then has been waited for long enough. That was a pause by itself.
    pub(super) fn timed_out(&mut self, asked: Instant) {
        self.lost = self.lost.saturating_add(1);
        let since = *self.silent_since.get_or_insert(asked);
        if self.lost >= SILENCE {
            self.unreachable_since.get_or_insert(since);
        }
    }

    /// Nobody hears what was `asked` then.
    pub(super) fn nobody_answers(&mut self, now: Instant, asked: Instant, jitter: f64) {
        let since = *self.silent_since.get_or_insert(asked);
        self.unreachable_since.get_or_insert(since);
        self.pause(now, jitter);
    }

    pub(super) fn disconnected(&mut self, now: Instant) {
        self.is_connected = false;
        let since = *self.silent_since.get_or_insert(now);
        self.unreachable_since.get_or_insert(since);
    }

    /// Whatever was waited for may be different now.
    pub(super) fn connected(&mut self) {
        self.is_connected = true;
        self.backoff.succeeded();
        self.paused_until = None;
        self.lost = 0;
    }
}
