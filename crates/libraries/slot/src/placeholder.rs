//! What lies in the place of a frame or a rendition that nobody has wished for yet.

use std::time::{Duration, SystemTime};

/// It is dated 1 January 1970 (docs/slot.md).
const PLACEHOLDERS_END: Duration = Duration::from_secs(24 * 3600);

/// Says whether what is dated so is no picture, but lies in the place of one. Where it is still
/// 1970, nobody can tell.
pub fn is_placeholder(captured: SystemTime) -> bool {
    let end = SystemTime::UNIX_EPOCH + PLACEHOLDERS_END;
    captured < end && SystemTime::now() >= end
}
