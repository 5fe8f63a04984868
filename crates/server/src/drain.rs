//! When a client's next frame may be chosen: the newest-frame rule (`docs/architecture.md`), apart from the socket.
//!
//! What lies unacknowledged in the socket is older than any frame chosen now. Waiting until all of it is acknowledged
//! shows the newest picture but leaves the path idle for a round trip with every frame; waiting for as much as the path
//! itself holds (its bandwidth-delay product) keeps the path busy, and nothing waits in a queue before it.

use std::time::Duration;

use crate::kernel::Path;

/// Shortest and longest pause before the socket is looked at again. The shortest is the timer's resolution; the longest
/// bounds what a wrong prediction costs.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(20);

/// Decides for one client.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    rate: u64,
}

impl Drain {
    /// How long to wait before looking again, or `None` when the next frame may be chosen now.
    pub(crate) fn wait(&mut self, unacknowledged: u64, path: Option<Path>) -> Option<Duration> {
        let limit = path.map_or(0, |path| self.bandwidth_delay(path));
        let excess = unacknowledged.saturating_sub(limit);
        if excess == 0 {
            return None;
        }
        let predicted = match self.rate {
            0 => LONGEST / 4,
            rate => Duration::from_secs_f64(excess as f64 / rate as f64),
        };
        Some(predicted.clamp(SHORTEST, LONGEST))
    }

    /// The path's bandwidth-delay product in bytes.
    fn bandwidth_delay(&mut self, path: Path) -> u64 {
        // A rate that the sender limited says only that the path is at least as fast.
        self.rate = if path.app_limited {
            self.rate.max(path.delivery_rate)
        } else {
            path.delivery_rate
        };
        (path.min_rtt.as_secs_f64() * self.rate as f64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn path(rtt_ms: u32, delivery_rate: u64) -> Option<Path> {
        Some(Path {
            min_rtt: MS * rtt_ms,
            delivery_rate,
            app_limited: false,
        })
    }

    #[test]
    fn leaves_in_the_socket_what_the_path_holds() {
        // 10 Mbit/s and 50 ms hold 62,500 bytes.
        let mut drain = Drain::default();
        assert_eq!(drain.wait(62_500, path(50, 1_250_000)), None);
        assert_eq!(
            drain.wait(62_500 + 12_500, path(50, 1_250_000)),
            Some(MS * 10)
        );
        assert_eq!(drain.wait(10_000_000, path(50, 1_250_000)), Some(LONGEST));
        assert_eq!(drain.wait(62_501, path(50, 1_250_000)), Some(SHORTEST));
    }

    #[test]
    fn waits_for_everything_before_the_kernel_has_measured_and_on_unix_sockets() {
        let mut drain = Drain::default();
        assert_eq!(drain.wait(0, None), None);
        assert_eq!(drain.wait(1, None), Some(LONGEST / 4));
    }

    #[test]
    fn a_rate_that_the_sender_limited_does_not_shrink_the_path() {
        let mut drain = Drain::default();
        assert_eq!(drain.wait(62_500, path(50, 1_250_000)), None);
        let idle = Some(Path {
            min_rtt: MS * 50,
            delivery_rate: 1000,
            app_limited: true,
        });
        assert_eq!(drain.wait(62_500, idle), None);
        assert!(
            drain.wait(62_500, path(50, 1000)).is_some(),
            "a path that got slower does"
        );
    }
}
