//! What a viewer's link carries, by how long pictures take to drain: for the encoder, whose bit
//! rate is to fit the slowest.
//!
//! The pacer has a figure of its own (`eyelid_pacing`), for another question: how much may be under
//! way. It trusts the kernel's rate, the highest seen, until a frame takes too long. An encoder
//! that went by that would fill a slow link again and again; this one falls at once and rises
//! slowly.

use std::time::{Duration, Instant};

/// A picture that drains within this, beside the time of the path, shows no limit: the next one is
/// not there yet.
const AT_ONCE: Duration = Duration::from_millis(25);

/// How much of a new measure is taken: a slower link at once for the most part, a faster one in
/// four pictures.
const SLOWER_SHARE: f64 = 0.7;
const FASTER_SHARE: f64 = 0.25;

/// How fast more is tried where pictures drain at once, in a second: so pictures are sharp again
/// within ten.
const GROWTH_A_SECOND: f64 = 0.2;

/// A link of more than this is no limit to any camera.
const FREE_BPS: f64 = 20e6;

/// The rate of one viewer's link.
#[derive(Debug, Default)]
pub(crate) struct LinkRate {
    /// Bits a second, where there is a limit.
    bps: Option<f64>,
    /// What was sent last, and has not drained.
    sent: Option<(Instant, u64)>,
    /// When it was looked last.
    looked: Option<Instant>,
}

impl LinkRate {
    /// So many bytes went, the first at `began`.
    pub(crate) fn on_write(&mut self, began: Instant, bytes: u64) {
        self.sent = Some((began, bytes));
    }

    /// All of it has drained, or as much as the path holds. `round_trip` asks how long that is, and
    /// only where it matters.
    pub(crate) fn on_drained(
        &mut self,
        now: Instant,
        round_trip: impl FnOnce() -> Option<Duration>,
    ) {
        let Some((began, bytes)) = self.sent.take() else {
            return;
        };
        let since = self
            .looked
            .replace(now)
            .map_or(Duration::ZERO, |at| now - at);
        let took = now - began;
        let took = if took < AT_ONCE {
            took
        } else {
            // Of what was seen at least a quarter is the link.
            let beside = round_trip().unwrap_or_default();
            took.saturating_sub(beside).max(took / 4)
        };
        if took < AT_ONCE {
            let grown = |bps| bps * (1.0 + GROWTH_A_SECOND * since.as_secs_f64().min(1.0));
            self.bps = self.bps.map(grown).filter(|bps| *bps < FREE_BPS);
            return;
        }
        let measured = bytes as f64 * 8.0 / took.as_secs_f64();
        let known = self.bps.unwrap_or(measured);
        let share = if measured < known {
            SLOWER_SHARE
        } else {
            FASTER_SHARE
        };
        self.bps = Some(known + (measured - known) * share).filter(|bps| *bps < FREE_BPS);
    }

    /// Bits a second, where the link is a limit.
    pub(crate) fn bits_per_second(&self) -> Option<u64> {
        self.bps.map(|bps| bps as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends pictures of so many bytes over a link, 30 a second and none before the last has
    /// drained; gives when the last one had, and what is known then.
    fn send(rate: &mut LinkRate, start: Instant, seconds: u32, bytes: u64, bps: f64) -> Instant {
        let mut now = start;
        while now < start + Duration::from_secs(seconds.into()) {
            rate.on_write(now, bytes);
            let drained = now + Duration::from_secs_f64(bytes as f64 * 8.0 / bps);
            rate.on_drained(drained, || None);
            now = drained.max(now + Duration::from_millis(33));
        }
        now
    }

    #[test]
    fn a_slow_link_is_known_and_so_is_one_that_has_become_fast() {
        let (start, mut rate) = (Instant::now(), LinkRate::default());
        assert_eq!(rate.bits_per_second(), None);
        let now = send(&mut rate, start, 1, 10_000, 2e6);
        let known = rate.bits_per_second().unwrap();
        assert!((1_900_000..2_100_000).contains(&known), "{known}");
        // It fades.
        let now = send(&mut rate, now, 2, 10_000, 0.5e6);
        let known = rate.bits_per_second().unwrap();
        assert!((490_000..600_000).contains(&known), "{known}");
        // And recovers: what is sent is little, and drains at once.
        let now = send(&mut rate, now, 10, 1_500, 50e6);
        let known = rate.bits_per_second().unwrap();
        assert!(known > 2_500_000, "{known}");
        send(&mut rate, now, 30, 10_000, 50e6);
        assert_eq!(rate.bits_per_second(), None);
    }

    #[test]
    fn a_long_path_is_no_slow_link() {
        let (start, mut rate) = (Instant::now(), LinkRate::default());
        rate.on_write(start, 10_000);
        let drained = start + Duration::from_millis(105);
        rate.on_drained(drained, || Some(Duration::from_millis(100)));
        assert!(rate.bits_per_second() > Some(2_500_000), "{rate:?}");
    }

    #[test]
    fn who_drains_at_once_has_no_limit() {
        let (start, mut rate) = (Instant::now(), LinkRate::default());
        send(&mut rate, start, 5, 10_000, 10e6);
        assert_eq!(rate.bits_per_second(), None);
    }
}
