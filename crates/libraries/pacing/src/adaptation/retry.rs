//! When a larger rendition may be tried again that the link did not carry.
//!
//! The numbers are in the table of [`adaptation`](super).

use std::time::{Duration, Instant};

use super::Rung;

/// A rung that has been kept for so long did not fail.
const PROVEN_AFTER: Duration = Duration::from_secs(10);

/// The pause after the first failure. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(8);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(64);

/// What has become of the attempts so far.
#[derive(Debug, Default)]
pub(super) struct Retries {
    of: [Retry; 4],
    /// The rung that was taken last in place of a smaller one, and when.
    raised: Option<(Instant, Rung)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Retry {
    not_before: Option<Instant>,
    pause: Option<Duration>,
}

impl Retries {
    /// This rung is taken in place of a smaller one.
    pub(super) fn on_raised(&mut self, now: Instant, rung: Rung) {
        self.raised = Some((now, rung));
    }

    /// This rung is left for a smaller one.
    pub(super) fn on_lowered(&mut self, now: Instant, rung: Rung) {
        let Some((raised, _)) = self.raised.take().filter(|(_, raised)| *raised == rung) else {
            return;
        };
        if now - raised >= PROVEN_AFTER {
            self.of[rung.index()] = Retry::default();
            return;
        }
        self.fail(now, rung);
    }

    /// The same where nothing tells what a link carries before it is tried.
    pub(super) fn on_failed(&mut self, now: Instant, rung: Rung) {
        let raised = self.raised.take().filter(|(_, raised)| *raised == rung);
        if raised.is_none_or(|(raised, _)| now - raised >= PROVEN_AFTER) {
            self.of[rung.index()] = Retry::default();
        }
        self.fail(now, rung);
    }

    fn fail(&mut self, now: Instant, rung: Rung) {
        let retry = &mut self.of[rung.index()];
        let pause = retry
            .pause
            .map_or(FIRST_PAUSE, |pause| (pause * 2).min(MAX_PAUSE));
        *retry = Retry {
            not_before: Some(now + pause),
            pause: Some(pause),
        };
    }

    /// Says whether a rung may be taken in place of this smaller one. What is larger than one that
    /// failed may not either.
    pub(super) fn may_try(&self, now: Instant, rung: Rung, smaller: Rung) -> bool {
        let between = &self.of[rung.index()..smaller.index()];
        let may = |retry: &Retry| retry.not_before.is_none_or(|then| now >= then);
        between.iter().all(may)
    }
}
