//! Trouble with the slot, told once: a full tmpfs refuses every frame, and must not fill the
//! journal as well.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use eyelid_daemon::LogLimit;
use eyelid_slot::PublishError;

/// Trouble that comes and goes is told again no sooner than after this.
const PAUSE: Duration = Duration::from_secs(60);

/// What has been told already.
#[derive(Debug, Default)]
pub(crate) struct SlotLog {
    ongoing: Option<ErrorKind>,
    limits: HashMap<ErrorKind, LogLimit>,
}

impl SlotLog {
    /// Says whether this error is news.
    pub(crate) fn is_news(&mut self, error: &PublishError, now: Instant) -> bool {
        let kind = match error {
            PublishError::Slot(_) => ErrorKind::NotFound,
            PublishError::Io { reason, .. } => reason.kind(),
        };
        if self.ongoing.replace(kind) == Some(kind) {
            return false;
        }
        let limit = self.limits.entry(kind);
        let limit = limit.or_insert_with(|| LogLimit::new(1, PAUSE));
        limit.allow(now).is_some()
    }

    /// A frame was published.
    pub(crate) fn well(&mut self) {
        self.ongoing = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_once_and_again_after_a_pause() {
        let error = |kind: ErrorKind| PublishError::Io {
            path: "x".into(),
            reason: kind.into(),
        };
        let (full, denied) = (
            error(ErrorKind::StorageFull),
            error(ErrorKind::PermissionDenied),
        );
        let start = Instant::now();
        let mut log = SlotLog::default();
        assert!(log.is_news(&full, start));
        assert!(
            !log.is_news(&full, start + 2 * PAUSE),
            "still the same trouble"
        );
        assert!(log.is_news(&denied, start + 2 * PAUSE));
        log.well();
        assert!(
            !log.is_news(&denied, start + 2 * PAUSE),
            "it comes and goes"
        );
        log.well();
        assert!(log.is_news(&denied, start + 3 * PAUSE));
    }
}
