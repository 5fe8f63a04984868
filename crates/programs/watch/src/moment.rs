//! Times of this program: a clock that nobody sets for all that is decided, and the wall's for what
//! is told. Clocks of small machines are set by hours and by years after their start; what was
//! told is to be neither told again nor kept silent for that.

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A moment in milliseconds since this machine was started, its sleep included (CLOCK_BOOTTIME);
/// what was before that is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Monotonic(i64);

impl Monotonic {
    /// The moment so many milliseconds after the machine's start.
    #[cfg(any(test, fuzzing))]
    pub(crate) const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// How long it is since `earlier`; nothing, if that is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// The moment so much later.
    #[must_use]
    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(time)))
    }

    /// The moment so much earlier.
    #[must_use]
    pub(crate) fn minus(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(whole_millis(time)))
    }
}

fn whole_millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// One moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// By this, what is to be done is decided.
    pub(crate) monotonic: Monotonic,
    /// By this, people are told.
    pub(crate) wall: SystemTime,
}

impl Moment {
    /// Reads both clocks.
    pub(crate) fn now() -> Self {
        // It cannot fail on a Linux that has this clock, which is any since 2.6.39.
        let since_boot =
            clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from);
        Self {
            monotonic: Monotonic::default().plus(since_boot),
            wall: SystemTime::now(),
        }
    }

    /// The moment so much later, as long as nobody sets the wall's clock.
    #[must_use]
    pub(crate) fn plus(self, time: Duration) -> Self {
        Self {
            monotonic: self.monotonic.plus(time),
            wall: self.wall.checked_add(time).unwrap_or(self.wall),
        }
    }
}

/// A moment as it is written down: readable after the next start of this program, and of the
/// machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// The kernel's name for the time from one start of the machine to the next.
    pub(crate) boot: String,
    /// Milliseconds from that start.
    pub(crate) boot_ms: i64,
    /// What the wall's clock said.
    #[serde(with = "crate::moment::rfc3339")]
    pub(crate) wall: SystemTime,
}

impl Stamp {
    /// Writes `now` down; `boot` is [`boot_id`].
    pub(crate) fn new(now: Moment, boot: &str) -> Self {
        Self {
            boot: boot.to_owned(),
            boot_ms: now.monotonic.0,
            wall: now.wall,
        }
    }

    /// How long it is since then. The wall's clock is asked only where the machine was started anew
    /// in between, and where it was set back meanwhile, no time has passed.
    pub(crate) fn elapsed(&self, now: Moment, boot: &str) -> Duration {
        if !boot.is_empty() && self.boot == boot {
            return now.monotonic.since(Monotonic(self.boot_ms));
        }
        now.wall.duration_since(self.wall).unwrap_or_default()
    }
}

/// The environment variable that has the kernel's [`boot_id`] where `/proc` is not to be had: the
/// unit's sandbox shows processes alone, and systemd knows it as `%b` (systemd.unit(5)).
const BOOT_ID: &str = "EYELID_BOOT_ID";

/// What the kernel calls the time since the machine's last start (random(4)); nothing where nobody
/// says so.
pub(crate) fn boot_id() -> String {
    let read = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    plain_boot_id(
        &std::env::var(BOOT_ID)
            .ok()
            .or_else(read)
            .unwrap_or_default(),
    )
}

/// The kernel writes it with hyphens, systemd without.
fn plain_boot_id(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_hexdigit);
    digits.take(32).collect()
}

/// Moments as RFC 3339 in UTC, to the millisecond.
pub(crate) mod rfc3339 {
    use std::time::{SystemTime, UNIX_EPOCH};

    use serde::Serializer;

    pub(crate) use humantime_serde::deserialize;

    /// Writes one.
    ///
    /// # Errors
    /// Those of the serializer.
    pub(crate) fn serialize<S: Serializer>(moment: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        // Years after 9999 have no such form; no clock that is set at all says so.
        let moment = (*moment).clamp(UNIX_EPOCH, UNIX_EPOCH + super::LAST_SECOND);
        to.collect_str(&humantime::format_rfc3339_millis(moment))
    }
}

/// The last second that [`rfc3339`] can write, 9999-12-31T23:59:59Z, since 1970.
pub(crate) const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    fn moment(monotonic_s: i64, wall_s: u64) -> Moment {
        Moment {
            monotonic: Monotonic(monotonic_s * 1000),
            wall: UNIX_EPOCH + Duration::from_secs(wall_s),
        }
    }

    #[test]
    fn a_clock_set_back_changes_nothing_while_the_machine_runs() {
        let stamp = Stamp::new(moment(100, 50_000), "a");
        assert_eq!(stamp.elapsed(moment(130, 10), "a"), Duration::from_secs(30));
        assert_eq!(stamp.elapsed(moment(50, 90_000), "a"), Duration::ZERO);
    }

    #[test]
    fn the_kernel_and_systemd_call_a_boot_the_same() {
        let kernels = "0b9d33c5-7d5b-4a3e-8f43-1d2f0e6a9c11\n";
        assert_eq!(plain_boot_id(kernels), "0b9d33c57d5b4a3e8f431d2f0e6a9c11");
        assert_eq!(
            plain_boot_id(kernels),
            plain_boot_id("0b9d33c57d5b4a3e8f431d2f0e6a9c11")
        );
        assert_eq!(boot_id().len(), 32);
    }

    #[test]
    fn after_the_machines_start_the_walls_clock_counts_but_never_backwards() {
        let stamp = Stamp::new(moment(100, 50_000), "a");
        assert_eq!(
            stamp.elapsed(moment(5, 50_070), "b"),
            Duration::from_secs(70)
        );
        assert_eq!(stamp.elapsed(moment(5, 40_000), "b"), Duration::ZERO);
        // Where the kernel does not say which start this is.
        let unnamed = Stamp::new(moment(100, 50_000), "");
        assert_eq!(
            unnamed.elapsed(moment(130, 50_070), ""),
            Duration::from_secs(70)
        );
    }

    #[test]
    fn clocks_are_read() {
        let (first, boot) = (Moment::now(), boot_id());
        assert!(first.monotonic > Monotonic::default() && !boot.is_empty());
        assert!(Moment::now().monotonic >= first.monotonic);
    }
}
