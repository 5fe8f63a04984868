//! From the sensor's clock to the wall clock.
//!
//! libcamera documents `SensorTimestamp` as nanoseconds of CLOCK_BOOTTIME. What it passes on is
//! what a driver has put into its buffers, and most drivers take CLOCK_MONOTONIC (V4L2:
//! `V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC`), which stands still while the machine is suspended.
//! uvcvideo can be told to take CLOCK_REALTIME. These differ by far more than a frame is old, so
//! only one of them makes sense of a timestamp.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// A timestamp from further back is no moment of capture, whatever clock it is of.
const OLDEST: Duration = Duration::from_secs(600);

/// The same moment on three clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    /// CLOCK_BOOTTIME.
    pub(crate) boot: Duration,
    /// CLOCK_MONOTONIC.
    pub(crate) monotonic: Duration,
    /// CLOCK_REALTIME.
    pub(crate) real: SystemTime,
}

impl Clocks {
    /// Reads all three.
    pub(crate) fn now() -> Self {
        let read = |clock| clock_gettime(clock).map_or(Duration::ZERO, Duration::from);
        Self {
            boot: read(ClockId::CLOCK_BOOTTIME),
            monotonic: read(ClockId::CLOCK_MONOTONIC),
            real: UNIX_EPOCH + read(ClockId::CLOCK_REALTIME),
        }
    }

    /// Converts a sensor timestamp that was taken a short while ago; `None` if it cannot be one.
    pub(crate) fn captured(&self, sensor_ns: u64) -> Option<SystemTime> {
        let sensor = Duration::from_nanos(sensor_ns);
        // On the wrong clock it lies in the future, or further back by all the time the machine has
        // slept or was off.
        let real = self.real.duration_since(UNIX_EPOCH).unwrap_or_default();
        [self.boot, self.monotonic, real]
            .into_iter()
            .filter_map(|clock| clock.checked_sub(sensor))
            .min()
            .filter(|age| *age <= OLDEST)
            .and_then(|age| self.real.checked_sub(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn all_clocks_lead_to_the_same_moment_however_long_the_machine_slept() {
        let real = UNIX_EPOCH + s(1_800_000_000);
        for slept in [0, 1, 3600, 86400 * 365] {
            let clocks = Clocks {
                boot: s(5000 + slept),
                monotonic: s(5000),
                real,
            };
            let age = Duration::from_millis(40);
            for clock in [clocks.boot, clocks.monotonic, s(1_800_000_000)] {
                let sensor_ns = (clock - age).as_nanos() as u64;
                assert_eq!(clocks.captured(sensor_ns), Some(real - age), "{slept}");
            }
        }
    }

    #[test]
    fn what_is_no_recent_moment_is_refused() {
        let clocks = Clocks {
            boot: s(5000),
            monotonic: s(4000),
            real: UNIX_EPOCH + s(1_800_000_000),
        };
        assert_eq!(clocks.captured(0), None);
        for never in [s(5001), s(1_800_000_001), s(1_799_999_000)] {
            assert_eq!(clocks.captured(never.as_nanos() as u64), None, "{never:?}");
        }
        assert_eq!(clocks.captured(u64::MAX), None);
        let now = Clocks::now();
        assert_eq!(
            now.captured(now.boot.as_nanos() as u64),
            Some(now.real),
            "the clocks are read"
        );
    }
}
