//! Moments as `state.json` has them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment without the fractions that nobody reads in `state.json`.
pub(crate) fn in_ms(moment: SystemTime) -> SystemTime {
    let since_epoch = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    UNIX_EPOCH + Duration::from_millis(ms)
}
