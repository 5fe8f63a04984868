//! Moments, as all of `/status` are written.

use std::time::SystemTime;

pub(crate) use humantime_serde::deserialize;
use serde::Serializer;

/// Writes one.
pub(crate) fn serialize<S: Serializer>(moment: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339_millis(*moment))
}
