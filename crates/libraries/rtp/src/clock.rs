//! The 90 kHz clock of a stream: times of capture become RTP timestamps, and a sender report says
//! which of them is which time of day.
//!
//! Receivers wait, or throw frames away, when timestamps go back or leap. The time of day does
//! both: it is set, and the first frame after a sleep may be an old one. So it is followed only as
//! far as a clock that nobody sets agrees.

use std::time::{Duration, Instant, SystemTime};

/// By how much the time of day and the clock that nobody sets may differ from one frame to the
/// next, and the former still be believed. More than a frame waits for its packets, less than what
/// a receiver sees as a leap.
const MOST_DIFFERENCE: Duration = Duration::from_secs(2);

/// Between 1900, from which NTP counts, and 1970 (RFC 868).
const SECONDS_FROM_1900: u64 = 2_208_988_800;

/// Gives frames their timestamps. One for each stream and for all its life, whatever the camera
/// does meanwhile.
#[derive(Clone, Debug)]
pub struct RtpClock {
    /// The timestamp of 1970. Another one once the time of day was set.
    of_1970: u32,
    last: Option<Last>,
}

/// The last frame.
#[derive(Clone, Copy, Debug)]
struct Last {
    captured: SystemTime,
    sent: Instant,
    timestamp: u32,
}

/// A time of day and the same time on a stream's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpTime {
    /// The time of day.
    pub ntp: Ntp,
    /// The timestamp that a frame captured then would have.
    pub rtp_90k: u32,
}

/// A time of day as NTP has it: seconds from 1900 on, in 2^-32 s, wrapping around in 2036.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ntp(pub u64);

impl RtpClock {
    /// Starts a clock; its offset should be random (RFC 3550, §5.1).
    pub fn new(offset_90k: u32) -> Self {
        Self {
            of_1970: offset_90k,
            last: None,
        }
    }

    /// The timestamp of the next frame, which was captured then and goes now. It is after that of
    /// the frame before, even if it is the same frame once more.
    pub fn stamp(&mut self, captured: SystemTime, now: Instant) -> u32 {
        self.of_1970 = self.of_1970_at(captured, now);
        let mut timestamp = self.of_1970.wrapping_add(ticks(since_1970(captured)));
        if let Some(last) = self.last {
            // Half of the range, by which timestamps are usually compared, is a sleep of 6.6 hours.
            let behind = last.timestamp.wrapping_sub(timestamp);
            if behind <= ticks(2 * MOST_DIFFERENCE) {
                timestamp = last.timestamp.wrapping_add(1);
            }
        }
        self.last = Some(Last {
            captured,
            sent: now,
            timestamp,
        });
        timestamp
    }

    /// The timestamp of this moment.
    pub fn now(&self, wall: SystemTime, now: Instant) -> RtpTime {
        let of_1970 = self.of_1970_at(wall, now);
        RtpTime {
            ntp: Ntp::from(wall),
            rtp_90k: of_1970.wrapping_add(ticks(since_1970(wall))),
        }
    }

    /// The timestamp of 1970, if what happens now has this time of day.
    fn of_1970_at(&self, wall: SystemTime, now: Instant) -> u32 {
        let Some(last) = self.last else {
            return self.of_1970;
        };
        let passed = now.saturating_duration_since(last.sent);
        let agrees = match wall.duration_since(last.captured) {
            Ok(later) => later.abs_diff(passed) <= MOST_DIFFERENCE,
            Err(_) => false,
        };
        if agrees {
            return self.of_1970;
        }
        let timestamp = last.timestamp.wrapping_add(ticks(passed));
        timestamp.wrapping_sub(ticks(since_1970(wall)))
    }
}

/// Wraps around, as RTP's timestamps do.
fn ticks(duration: Duration) -> u32 {
    (duration.as_nanos() * 9 / 100_000) as u32
}

fn since_1970(wall: SystemTime) -> Duration {
    wall.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

impl From<SystemTime> for Ntp {
    fn from(wall: SystemTime) -> Self {
        let since_1970 = since_1970(wall);
        let seconds = since_1970.as_secs().wrapping_add(SECONDS_FROM_1900);
        let fraction = (u64::from(since_1970.subsec_nanos()) << 32) / 1_000_000_000;
        Self(seconds << 32 | fraction)
    }
}

impl Ntp {
    /// The middle 32 bits, in 2^-16 s, as reports quote it (RFC 3550, §4).
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(100);
    const FRAME_TICKS: u32 = 9000;

    fn at(seconds: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(1_800_000_000.0 + seconds)
    }

    /// Rounded to a tick.
    fn is_a_frame(first: u32, second: u32) -> bool {
        second.wrapping_sub(first).abs_diff(FRAME_TICKS) <= 1
    }

    #[test]
    fn follows_the_time_of_capture() {
        let start = Instant::now();
        let mut clock = RtpClock::new(7);
        let first = clock.stamp(at(0.0), start);
        assert_eq!(
            first,
            ticks(Duration::from_secs(1_800_000_000)).wrapping_add(7)
        );
        // Captured 100 ms later, but sent 60 ms late.
        let second = clock.stamp(at(0.1), start + FRAME + Duration::from_millis(60));
        assert!(is_a_frame(first, second));
        // 20 idle minutes, and reports say the same time meanwhile.
        let idle = Duration::from_secs(1200);
        let during = clock.now(at(600.1), start + FRAME + idle / 2);
        assert!(during.rtp_90k.wrapping_sub(second).abs_diff(600 * 90_000) <= 1);
        let woken = clock.clone().stamp(at(1200.1), start + FRAME + idle);
        assert!(woken.wrapping_sub(second).abs_diff(ticks(idle)) <= 1);
        // A night of sleep.
        let night = Duration::from_secs(30_000);
        let third = clock.stamp(at(30_000.1), start + FRAME + night);
        assert!(third.wrapping_sub(second).abs_diff(ticks(night)) <= 1);
    }

    #[test]
    fn never_goes_back_or_leaps_when_the_time_of_day_is_set() {
        for set in [-86_400.0, -3.0, -0.5, 3.0, 86_400.0 * 365.0] {
            let start = Instant::now();
            let mut clock = RtpClock::new(0);
            let first = clock.stamp(at(0.0), start);
            let second = clock.stamp(at(0.1 + set), start + FRAME);
            assert!(is_a_frame(first, second), "set by {set} s");
            let third = clock.stamp(at(0.2 + set), start + 2 * FRAME);
            assert!(is_a_frame(second, third), "set by {set} s");
        }
    }

    /// Rounding must not add up: 29.97 frames a second for an hour.
    #[test]
    fn keeps_to_the_time_of_day_for_long() {
        let (start, frame) = (Instant::now(), Duration::from_nanos(33_366_667));
        let mut clock = RtpClock::new(0);
        let first = clock.stamp(at(0.0), start);
        let mut last = first;
        for count in 1..=107_892 {
            last = clock.stamp(at(0.0) + frame * count, start + frame * count);
        }
        let hour = ticks(frame * 107_892);
        assert!(last.wrapping_sub(first).abs_diff(hour) <= 1);
    }

    #[test]
    fn the_same_frame_once_more_has_a_later_time() {
        let start = Instant::now();
        let mut clock = RtpClock::new(u32::MAX);
        let first = clock.stamp(at(0.0), start);
        let second = clock.stamp(at(0.0), start);
        assert_eq!(second.wrapping_sub(first), 1);
        let third = clock.stamp(at(0.0), start + FRAME);
        assert_eq!(third.wrapping_sub(second), 1);
        let fourth = clock.stamp(at(0.1), start + 2 * FRAME);
        assert!(is_a_frame(first, fourth));
    }

    #[test]
    fn says_which_timestamp_is_which_time_of_day() {
        let start = Instant::now();
        let mut clock = RtpClock::new(3);
        let before = clock.now(at(0.0), start);
        let first = clock.stamp(at(0.0), start);
        assert_eq!(before.rtp_90k, first);
        // The time of day was set back, and no frame has come since.
        let later = clock.now(at(-50.0), start + FRAME);
        assert_eq!(later.ntp, Ntp::from(at(-50.0)));
        assert_eq!(later.rtp_90k.wrapping_sub(first), FRAME_TICKS);
        let second = clock.stamp(at(-50.0), start + FRAME);
        assert_eq!(later.rtp_90k, second);
    }

    #[test]
    fn ntp_counts_from_1900_on() {
        // RFC 868's own example is midnight of 1 January 1970.
        assert_eq!(Ntp::from(SystemTime::UNIX_EPOCH).0 >> 32, 2_208_988_800);
        let half = Ntp::from(SystemTime::UNIX_EPOCH + Duration::from_millis(1500));
        assert_eq!(half.0 as u32, 1 << 31);
        assert_eq!(half.middle(), 0x7E81_8000);
        assert_eq!((2_208_988_801_u64 & 0xFFFF) as u32, 0x7E81);
    }
}
