//! The clock on this machine's wall: which time zone it is in, and when that is ahead by how much.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use tz::{LocalTimeType, TimeZone};

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
                    log::warn!("no time zone to be had, times are in UTC: {error}");
                }
                Self(TimeZone::utc())
            }
        }
    }

    /// What it shows at a moment, to the second, and what people call its zone then: `15:02:40
    /// CET`.
    pub(crate) fn time_of_day(&self, at: SystemTime) -> String {
        let zone = self
            .local_type(at)
            .map(LocalTimeType::time_zone_designation);
        let zone = zone.filter(|zone| !zone.is_empty()).unwrap_or("UTC");
        let local_s = unix_s(at).saturating_add(self.ahead_s(at).into());
        let (minutes, second) = (local_s.div_euclid(60), local_s.rem_euclid(60));
        let (hour, minute) = (
            minutes.div_euclid(60).rem_euclid(24),
            minutes.rem_euclid(60),
        );
        format!("{hour:02}:{minute:02}:{second:02} {zone}")
    }

    fn local_type(&self, at: SystemTime) -> Option<&LocalTimeType> {
        self.0.find_local_time_type(unix_s(at)).ok()
    }
}

fn unix_s(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
impl LocalClock {
    /// One that is never ahead.
    pub(crate) fn utc() -> Self {
        Self(TimeZone::utc())
    }

    /// Central Europe's. POSIX's own form needs no files.
    pub(crate) fn berlin() -> Self {
        Self(TimeZone::from_posix_tz("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }
}

impl WallClock for LocalClock {
    fn ahead_s(&self, at: SystemTime) -> i32 {
        self.local_type(at).map_or(0, LocalTimeType::ut_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn summer_is_ahead_of_winter_in_berlin() {
        let clock = LocalClock::berlin();
        let ahead = |seconds| clock.ahead_s(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(ahead(1_796_000_000), 3600); // 29 November 2026
        assert_eq!(ahead(1_783_000_000), 7200); // 2 July 2026
        assert_eq!(LocalClock::utc().ahead_s(UNIX_EPOCH), 0);
    }

    #[test]
    fn it_shows_the_time_of_the_day_and_its_zone() {
        let shows = |clock: LocalClock, at| {
            let at = humantime::parse_rfc3339(at).unwrap();
            clock.time_of_day(at)
        };
        let winter = "2026-11-28T23:02:40.9Z";
        assert_eq!(shows(LocalClock::berlin(), winter), "00:02:40 CET");
        assert_eq!(
            shows(LocalClock::berlin(), "2026-07-02T07:05:09Z"),
            "09:05:09 CEST"
        );
        assert_eq!(shows(LocalClock::utc(), winter), "23:02:40 UTC");
        let newfoundland = TimeZone::from_posix_tz("NST3:30").unwrap();
        let epoch = "1970-01-01T00:00:00Z";
        assert_eq!(shows(LocalClock(newfoundland), epoch), "20:30:00 NST");
    }
}
