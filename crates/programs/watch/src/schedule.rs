//! When a camera or a rule is watched: times of the week by the clock on the wall, which jumps
//! twice a year.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eyelid_config::WeekTimes;

/// A clock on a wall: it knows how far local time is ahead of UTC at a moment.
pub(crate) trait WallClock {
    /// Local time minus UTC, in seconds, at a moment.
    fn ahead_s(&self, at: SystemTime) -> i32;
}

const MINUTE_S: u64 = 60;

/// Says whether a moment is within the times; without any times every moment is.
pub(crate) fn is_open(times: Option<&WeekTimes>, at: SystemTime, clock: &impl WallClock) -> bool {
    times.is_none_or(|times| {
        let (day, minute) = local_minute(at, clock);
        times.contains(day, minute)
    })
}

/// Gives how long it is, from a moment, until [`is_open`] changes; nothing where it does not within
/// this time, of which each minute is looked at.
pub(crate) fn until_change(
    times: Option<&WeekTimes>,
    at: SystemTime,
    within: Duration,
    clock: &impl WallClock,
) -> Option<Duration> {
    let times = Some(times?);
    let now = is_open(times, at, clock);
    let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Zones are whole minutes ahead of UTC since 1972 (tz's Africa/Monrovia was the last).
    let next_minute_s = (since_epoch.as_secs() / MINUTE_S + 1) * MINUTE_S;
    let minutes = (0..).map(|minute| next_minute_s + minute * MINUTE_S);
    let moments = minutes.map(|second| UNIX_EPOCH + Duration::from_secs(second));
    let waits = moments.map(|moment| (moment, moment.duration_since(at).unwrap_or_default()));
    waits
        .take_while(|(_, wait)| *wait <= within)
        .find(|(moment, _)| is_open(times, *moment, clock) != now)
        .map(|(_, wait)| wait)
}

/// Gives the day of the week (0 is Monday) and the minute of the day of a moment.
fn local_minute(at: SystemTime, clock: &impl WallClock) -> (u8, u16) {
    let utc_s = at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(0));
    let local_min = (utc_s + i64::from(clock.ahead_s(at))).div_euclid(60);
    let (days, minute) = (local_min.div_euclid(1440), local_min.rem_euclid(1440));
    // 1 January 1970 was a Thursday.
    ((days + 3).rem_euclid(7) as u8, minute as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central Europe in 2026: an hour ahead, and two from 29 March to 25 October, at 01:00 UTC.
    struct Berlin;

    impl WallClock for Berlin {
        fn ahead_s(&self, at: SystemTime) -> i32 {
            let summer = utc("2026-03-29T01:00:00Z")..utc("2026-10-25T01:00:00Z");
            if summer.contains(&at) { 7200 } else { 3600 }
        }
    }

    fn utc(text: &str) -> SystemTime {
        humantime::parse_rfc3339(text).unwrap()
    }

    fn open(times: &str, at: &str) -> bool {
        is_open(Some(&times.parse().unwrap()), utc(at), &Berlin)
    }

    fn change(times: &str, at: &str) -> Option<Duration> {
        let times = times.parse().unwrap();
        until_change(Some(&times), utc(at), NINE_DAYS, &Berlin)
    }

    const MIN: Duration = Duration::from_secs(60);
    const NINE_DAYS: Duration = Duration::from_secs(9 * 24 * 3600);

    #[test]
    fn times_are_those_of_the_wall() {
        // 30 November 2026 is a Monday, and an hour behind Berlin's.
        assert!(open("Mo 8:00-9:00", "2026-11-30T07:00:00Z"));
        assert!(!open("Mo 8:00-9:00", "2026-11-30T06:59:59Z"));
        assert!(!open("Mo 8:00-9:00", "2026-11-30T08:00:00Z"));
        // In summer it is two hours.
        assert!(open("Mo 8:00-9:00", "2026-07-06T06:30:00Z"));
        assert!(open("Sa-Su 22:00-06:00", "2026-11-30T04:59:00Z"));
        assert!(is_open(None, utc("2026-11-30T04:59:00Z"), &Berlin));
    }

    #[test]
    fn the_next_change_is_found_over_the_days_on_which_clocks_are_set() {
        assert_eq!(
            change("Mo 8:00-9:00", "2026-11-30T07:59:30Z"),
            Some(MIN / 2)
        );
        assert_eq!(
            change("Mo 8:00-9:00", "2026-11-30T08:00:00Z"),
            Some(MIN * (7 * 24 - 1) * 60)
        );
        // The night of 28 March has no time from 2 to 3; that of 24 October has it twice.
        let night = "Sa 22:00-06:00";
        assert_eq!(change(night, "2026-03-28T21:00:00Z"), Some(MIN * 7 * 60));
        assert_eq!(change(night, "2026-10-24T20:00:00Z"), Some(MIN * 9 * 60));
        // What lies in the hour that is left out does not come that day.
        assert!(!open("Su 2:15-2:45", "2026-03-29T00:59:59Z"));
        assert!(!open("Su 2:15-2:45", "2026-03-29T01:00:00Z"));
        assert_eq!(
            change("Su 2:15-2:45", "2026-03-29T00:59:00Z"),
            Some(MIN * (7 * 24 * 60 - 44))
        );
        assert_eq!(change("0:00-24:00", "2026-03-29T00:59:00Z"), None);
        assert_eq!(
            until_change(None, utc("2026-03-29T00:59:00Z"), NINE_DAYS, &Berlin),
            None
        );
        // No farther is looked than somebody waits.
        let (times, now) = ("Mo 8:00-9:00".parse().unwrap(), utc("2026-11-30T07:50:00Z"));
        for (within, change) in [(9, None), (10, Some(10 * MIN))] {
            let found = until_change(Some(&times), now, within * MIN, &Berlin);
            assert_eq!(found, change);
        }
    }
}
