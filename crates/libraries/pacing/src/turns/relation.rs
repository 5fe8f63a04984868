//! What frames have shown of two groups of clients: that they share a link, or that they do not.

use std::time::{Duration, Instant};

/// How long two groups are taken not to share a link before they are tested again; each time that
/// they were found not to, this is doubled, up to the longest.
const APART_VALID: Duration = Duration::from_secs(30);
const APART_VALID_MAX: Duration = Duration::from_secs(600);

/// So many frames in a row must show the same of two groups before it is believed.
const FRAMES_BELIEVED: u8 = 2;

/// What frames have shown of two groups.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Relation {
    /// Frames in a row that showed that they share a link, or that they do not.
    pub(super) sharing: u8,
    apart: u8,
    /// When that was.
    pub(super) judged: Option<Instant>,
    /// Until when they are taken not to, and for how long that is.
    pub(super) apart_until: Option<(Instant, Duration)>,
}

/// What a frame shows of two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Share,
    Apart,
}

/// How much a frame proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It was under way beside whatever there was.
    Chance,
    /// It was arranged to be under way beside nothing else.
    Arranged,
}

impl Relation {
    /// A frame has shown something.
    pub(super) fn judge(&mut self, now: Instant, verdict: Verdict, weight: Weight) {
        self.judged = Some(now);
        let count = match verdict {
            Verdict::Share => {
                self.apart = 0;
                &mut self.sharing
            }
            Verdict::Apart => {
                self.sharing = 0;
                &mut self.apart
            }
        };
        *count = match weight {
            Weight::Arranged => FRAMES_BELIEVED,
            Weight::Chance => count.saturating_add(1).min(FRAMES_BELIEVED),
        };
        if self.apart >= FRAMES_BELIEVED {
            let valid = match self.apart_until {
                Some((until, valid)) if now >= until => (valid * 2).min(APART_VALID_MAX),
                Some((_, valid)) => valid,
                None => APART_VALID,
            };
            self.apart_until = Some((now + valid, valid));
        }
    }

    /// Says whether the two are believed to share a link.
    pub(super) fn is_shared(self) -> bool {
        self.sharing >= FRAMES_BELIEVED
    }

    /// Says whether the two may share a link.
    pub(super) fn may_share(self, now: Instant) -> bool {
        self.apart_until.is_none_or(|(until, _)| now >= until)
    }

    /// Takes it that what was found out some time ago may not be so any more. Gives whether that
    /// was the case.
    pub(super) fn forget_old(&mut self, now: Instant) -> bool {
        let is_old =
            self.apart_until.is_some() && self.may_share(now) && self.apart >= FRAMES_BELIEVED;
        if is_old {
            self.apart = 0;
        }
        is_old
    }

    /// A rate has changed: the two may share a link now.
    pub(super) fn doubt(&mut self, now: Instant) {
        if let Some((until, valid)) = &mut self.apart_until {
            // Not again right after it was found out.
            *until = (*until).min(now.max(*until + *valid / 4 - *valid));
        }
    }
}
