//! When a larger rendition may be tried again that the link did not carry.
//!
//! The numbers are in the table of [`adaptation`](super).

use std::time::{Duration, Instant};

use super::Rung;
use crate::units::BytesPerSecond;

/// A rung that has been kept for so long did not fail.
const PROVEN_AFTER: Duration = Duration::from_secs(10);

/// The pause after the first failure. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(8);

/// The longest pause.
const MAX_PAUSE: Duration = Duration::from_secs(64);

/// A link that carries so many times what it did when a rung failed is another link: what failed
/// then may hold now.
const RECOVERED_FACTOR: f64 = 1.25;

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
    /// What the link carried when it failed last, where that is known.
    carried: Option<BytesPerSecond>,
}

impl Retries {
    /// This rung is taken in place of a smaller one.
    pub(super) fn on_raised(&mut self, now: Instant, rung: Rung) {
        self.raised = Some((now, rung));
    }

    /// This rung is left for a smaller one: the link carries so much.
    pub(super) fn on_lowered(&mut self, now: Instant, rung: Rung, carried: Option<BytesPerSecond>) {
        let Some((raised, _)) = self.raised.take().filter(|(_, raised)| *raised == rung) else {
            return;
        };
        if now - raised >= PROVEN_AFTER {
            self.of[rung.index()] = Retry::default();
            return;
        }
        self.fail(now, rung, carried);
    }

    /// The same where nothing tells what a link carries before it is tried.
    pub(super) fn on_failed(&mut self, now: Instant, rung: Rung) {
        let raised = self.raised.take().filter(|(_, raised)| *raised == rung);
        if raised.is_none_or(|(raised, _)| now - raised >= PROVEN_AFTER) {
            self.of[rung.index()] = Retry::default();
        }
        self.fail(now, rung, None);
    }

    fn fail(&mut self, now: Instant, rung: Rung, carried: Option<BytesPerSecond>) {
        let retry = &mut self.of[rung.index()];
        let pause = retry
            .pause
            .map_or(FIRST_PAUSE, |pause| (pause * 2).min(MAX_PAUSE));
        *retry = Retry {
            not_before: Some(now + pause),
            pause: Some(pause),
            carried,
        };
    }

    /// The link carries so much, seen for a while.
    pub(super) fn on_carried(&mut self, carries: BytesPerSecond) {
        for retry in &mut self.of {
            if retry
                .carried
                .is_some_and(|then| carries > then * RECOVERED_FACTOR)
            {
                *retry = Retry::default();
            }
        }
    }

    /// Says whether a rung may be taken in place of this smaller one. What is larger than one that
    /// failed may not either.
    pub(super) fn may_try(&self, now: Instant, rung: Rung, smaller: Rung) -> bool {
        let between = &self.of[rung.index()..smaller.index()];
        let may = |retry: &Retry| retry.not_before.is_none_or(|then| now >= then);
        between.iter().all(may)
    }
}
