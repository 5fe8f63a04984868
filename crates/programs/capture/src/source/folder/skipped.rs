//! What the log says of pictures that were skipped, without filling the log: a broken writer makes
//! thousands.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_daemon::LogLimit;

/// How often it is said at most.
const PAUSE: Duration = Duration::from_secs(10);

/// How many pictures were skipped, and what was said of it.
#[derive(Debug)]
pub(super) struct Skipped {
    count: u64,
    limit: LogLimit,
    undeleted_was_said: bool,
}

impl Default for Skipped {
    fn default() -> Self {
        Self {
            count: 0,
            limit: LogLimit::new(1, PAUSE),
            undeleted_was_said: false,
        }
    }
}

impl Skipped {
    /// A picture was given up.
    pub(super) fn picture(&mut self, path: &Path, reason: &str, now: Instant) {
        self.count += 1;
        let count = self.count;
        if self.limit.allow(now).is_some() {
            log::warn!("picture {path:?} skipped: {reason} ({count} skipped so far)");
        } else {
            log::debug!("picture {path:?} skipped: {reason} ({count} skipped so far)");
        }
    }

    /// A picture could not be deleted; usually none can.
    pub(super) fn undeleted(&mut self, path: &Path, error: &io::Error) {
        if error.kind() != io::ErrorKind::NotFound && !self.undeleted_was_said {
            self.undeleted_was_said = true;
            log::warn!("picture {path:?} cannot be deleted: {error} (told once)");
        }
    }
}
