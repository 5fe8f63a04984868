//! The clock on this machine's wall: which time zone it is in, and when that is ahead by how much.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use tz::TimeZone;

use crate::schedule::WallClock;

/// The time zone that this machine is in.
#[derive(Debug)]
pub(crate) struct LocalClock(TimeZone);

impl LocalClock {
    /// That of the variable TZ, else of /etc/localtime (localtime(5)); UTC where neither says one.
    pub(crate) fn new() -> Self {
        let said = env::var("TZ").ok().filter(|zone| !zone.is_empty());
        let zone = match &said {
            Some(zone) => TimeZone::from_posix_tz(zone),
            None => TimeZone::local(),
        };
        match zone {
            Ok(zone) => Self(zone),
            Err(error) => {
                if said.is_some() || std::path::Path::new("/etc/localtime").exists() {
                    log::warn!("no time zone to be had, schedules are in UTC: {error}");
                }
                Self(TimeZone::utc())
            }
        }
    }
}

#[cfg(test)]
impl LocalClock {
    /// One that is never ahead.
    pub(crate) fn utc() -> Self {
        Self(TimeZone::utc())
    }
}

impl WallClock for LocalClock {
    fn ahead_s(&self, at: SystemTime) -> i32 {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        let found = self.0.find_local_time_type(seconds);
        found.map_or(0, |local| local.ut_offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn summer_is_ahead_of_winter_in_berlin() {
        // POSIX's own form needs no files.
        let berlin = TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let clock = LocalClock(berlin);
        let ahead = |seconds| clock.ahead_s(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(ahead(1_796_000_000), 3600); // 29 November 2026
        assert_eq!(ahead(1_783_000_000), 7200); // 2 July 2026
        assert_eq!(LocalClock(TimeZone::utc()).ahead_s(UNIX_EPOCH), 0);
    }
}
