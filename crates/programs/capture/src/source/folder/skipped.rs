//! Telling of pictures that were skipped, without filling the log: a broken writer makes thousands.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(10);

/// How many pictures were skipped, and when that was told last.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    count: u64,
    told_at: Option<Instant>,
    told_undeleted: bool,
}

impl Skipped {
    /// A picture was given up.
    pub(super) fn picture(&mut self, path: &Path, reason: &str, now: Instant) {
        self.count += 1;
        let count = self.count;
        if self
            .told_at
            .is_none_or(|at| now.duration_since(at) >= PAUSE)
        {
            self.told_at = Some(now);
            log::warn!("picture {path:?} skipped: {reason} ({count} skipped so far)");
        } else {
            log::debug!("picture {path:?} skipped: {reason} ({count} skipped so far)");
        }
    }

    /// A picture could not be deleted; usually none can.
    pub(super) fn undeleted(&mut self, path: &Path, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound && !self.told_undeleted {
            self.told_undeleted = true;
            log::warn!("picture {path:?} cannot be deleted: {error} (told once)");
        }
    }
}
