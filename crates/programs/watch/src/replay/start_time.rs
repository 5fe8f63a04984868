//! When a recording begins.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use humantime::parse_rfc3339_weak;

use crate::schedule::WallClock;

/// A moment as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartTime {
    Utc(SystemTime),
    /// By a clock on the wall: the moment at which one of UTC shows this.
    Local(SystemTime),
}

/// A text that is no moment.
#[derive(Debug, thiserror::Error)]
#[error("use YYYY-MM-DDTHH:MM, or YYYY-MM-DDTHH:MM:SS, and a Z behind it for UTC")]
pub(super) struct StartTimeError;

impl FromStr for StartTime {
    type Err = StartTimeError;

    fn from_str(text: &str) -> Result<Self, StartTimeError> {
        let (time, make) = match text.strip_suffix(['Z', 'z']) {
            Some(time) => (time, Self::Utc as fn(SystemTime) -> Self),
            None => (text, Self::Local as fn(SystemTime) -> Self),
        };
        let has_seconds = time.matches(':').count() == 2;
        let whole = if has_seconds {
            time.to_owned()
        } else {
            format!("{time}:00")
        };
        let moment = parse_rfc3339_weak(&whole).map_err(|_| StartTimeError)?;
        Ok(make(moment))
    }
}

impl StartTime {
    /// Which moment it is. Of the hour that a wall has twice in autumn it is the second one, and of
    /// one that spring leaves out, an hour later.
    pub(super) fn at(self, clock: &impl WallClock) -> SystemTime {
        let shown = match self {
            Self::Utc(moment) => return moment,
            Self::Local(shown) => shown,
        };
        // How far the clock is ahead then is not known before: it is asked about a moment nearby.
        let minus = |ahead_s: i32| match u64::try_from(ahead_s) {
            Ok(ahead_s) => shown - Duration::from_secs(ahead_s),
            Err(_) => shown + Duration::from_secs(ahead_s.unsigned_abs().into()),
        };
        let about = minus(clock.ahead_s(shown));
        minus(clock.ahead_s(about))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central Europe at the end of summer time in 2026.
    struct Berlin;

    impl WallClock for Berlin {
        fn ahead_s(&self, at: SystemTime) -> i32 {
            let end = humantime::parse_rfc3339("2026-10-25T01:00:00Z").unwrap();
            if at < end { 7200 } else { 3600 }
        }
    }

    /// Newfoundland in winter.
    struct Newfoundland;

    impl WallClock for Newfoundland {
        fn ahead_s(&self, _: SystemTime) -> i32 {
            -12_600
        }
    }

    fn at(text: &str, clock: &impl WallClock) -> String {
        let start: StartTime = text.parse().unwrap();
        humantime::format_rfc3339(start.at(clock)).to_string()
    }

    #[test]
    fn a_moment_is_of_the_zone_unless_it_says_utc() {
        for (text, utc) in [
            ("2026-11-28T22:00", "2026-11-28T21:00:00Z"),
            ("2026-10-25 01:30:00", "2026-10-24T23:30:00Z"),
            ("2026-10-25T02:30", "2026-10-25T01:30:00Z"),
            ("2026-10-25T03:30", "2026-10-25T02:30:00Z"),
            ("2026-11-28T22:00:01Z", "2026-11-28T22:00:01Z"),
            ("2026-11-28T22:00Z", "2026-11-28T22:00:00Z"),
        ] {
            assert_eq!(at(text, &Berlin), utc, "{text}");
        }
        assert_eq!(
            at("2026-11-28T22:00", &Newfoundland),
            "2026-11-29T01:30:00Z"
        );
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "22:00", "2026-11-28", "2026-13-01T00:00", "tomorrow"] {
            assert!(text.parse::<StartTime>().is_err(), "{text}");
        }
    }
}
