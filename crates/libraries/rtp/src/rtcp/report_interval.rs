//! How often reports are sent: so that all of a session together take no more than a twentieth of
//! its bandwidth, and everyone at a moment of its own (RFC 3550, §6.2, §6.3.1 and A.7).
//!
//! Without the reconsideration of A.7: it is for sessions that thousands join at once, of which
//! this sender is one.

use std::time::Duration;

/// Of the session's bandwidth, all reports together (§6.2).
const RTCP_SHARE: f64 = 0.05;

/// Of that, those of senders, where these are fewer than a quarter of all (§6.2).
const SENDERS_SHARE: f64 = 0.25;

/// Seconds between two reports at least (§6.2); half of it before the first one.
const LEAST_S: f64 = 5.0;

/// However little is sent: receivers and we forget each other after less than half a minute.
const LONGEST_S: f64 = 10.0;

/// Makes up for what reconsideration does to the mean, e - 3/2 (§6.3.1). Receivers count on it.
const COMPENSATION: f64 = std::f64::consts::E - 1.5;

/// By how much one packet counts in the mean size of all (§6.3.3).
const SIZE_WEIGHT: f64 = 1.0 / 16.0;

/// Says when the next report is due.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportInterval {
    /// `None` before the first packet.
    mean_bytes: Option<f64>,
    reported: bool,
}

impl ReportInterval {
    /// A report was sent or received; its bytes with the headers of UDP and IP.
    pub fn on_packet(&mut self, bytes: usize) {
        let bytes = bytes as f64;
        self.mean_bytes = Some(match self.mean_bytes {
            Some(mean) => mean + SIZE_WEIGHT * (bytes - mean),
            None => bytes,
        });
    }

    /// The time to the next report, for a sender and so many receivers, who send so many bytes a
    /// second together. `random` is between 0 and 1, anew each time.
    pub fn next(&mut self, receivers: usize, bytes_per_second: f64, random: f64) -> Duration {
        let members = receivers as f64 + 1.0;
        // We are the one sender.
        let (share, reporters) = if 1.0 <= members * SENDERS_SHARE {
            (RTCP_SHARE * SENDERS_SHARE, 1.0)
        } else {
            (RTCP_SHARE, members)
        };
        let least = if self.reported {
            LEAST_S
        } else {
            LEAST_S / 2.0
        };
        let mean_bytes = self.mean_bytes.unwrap_or_default();
        let seconds = if self.reported {
            mean_bytes * reporters / (bytes_per_second * share)
        } else {
            // Nothing may have been sent so far, and that tells nothing of the bandwidth.
            least
        };
        self.reported = true;
        // `max` also takes `least` where nothing was sent: 0 / 0.
        let seconds = seconds.max(least).min(LONGEST_S);
        Duration::from_secs_f64(seconds * (random.clamp(0.0, 1.0) + 0.5) / COMPENSATION)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(interval: &mut ReportInterval, receivers: usize, rate: f64, random: f64) -> f64 {
        interval.next(receivers, rate, random).as_secs_f64()
    }

    #[test]
    fn a_session_of_two_reports_every_five_seconds() {
        let mut interval = ReportInterval::default();
        interval.on_packet(100);
        let first = seconds(&mut interval, 1, 1e6, 0.5);
        assert!((first - 2.5 / COMPENSATION).abs() < 1e-6, "{first}");
        for (random, expected) in [(0.0, 2.5), (0.5, 5.0), (1.0, 7.5)] {
            let next = seconds(&mut interval, 1, 1e6, random);
            assert!((next - expected / COMPENSATION).abs() < 1e-6, "{next}");
        }
    }

    #[test]
    fn the_second_report_does_not_wait_for_a_rate() {
        let mut interval = ReportInterval::default();
        interval.on_packet(100);
        let first = seconds(&mut interval, 1, 0.0, 1.0);
        assert!((first - 2.5 * 1.5 / COMPENSATION).abs() < 1e-6, "{first}");
    }

    #[test]
    fn reports_take_no_more_than_their_share() {
        let mut interval = ReportInterval::default();
        interval.on_packet(100);
        seconds(&mut interval, 1, 1e6, 0.5);
        // 2 members, 100 bytes each, of 5 % of 500 bytes a second: every 8 seconds.
        let two = seconds(&mut interval, 1, 500.0, 0.5);
        assert!((two - 8.0 / COMPENSATION).abs() < 1e-6, "{two}");
        // 10 members: the sender alone has a quarter of that.
        let ten = seconds(&mut interval, 9, 1000.0, 0.5);
        assert!((ten - 8.0 / COMPENSATION).abs() < 1e-6, "{ten}");
    }

    #[test]
    fn is_bounded_where_little_is_sent() {
        let mut interval = ReportInterval::default();
        for rate in [0.0, 1e-9, f64::NAN] {
            let next = seconds(&mut interval, 3, rate, 2.0);
            assert!((1.0..=LONGEST_S * 1.5).contains(&next), "{next}");
            interval.on_packet(1500);
        }
    }

    #[test]
    fn the_mean_size_follows_slowly() {
        let mut interval = ReportInterval::default();
        interval.on_packet(100);
        interval.on_packet(260);
        assert_eq!(interval.mean_bytes, Some(110.0));
    }

    /// As a receiver sees it: 300 s of a stream, again and again. Nothing is by chance here but
    /// that the moments are even.
    #[test]
    fn for_300_seconds_no_report_is_early_or_late() {
        let (mut all, mut moments) = (Vec::new(), (0_u32..).map(|n| f64::from(n * 379 % 1000)));
        for _ in 0..20 {
            let mut interval = ReportInterval::default();
            let mut next = |interval: &mut ReportInterval| {
                interval.on_packet(84);
                let random = moments.next().unwrap_or_default() / 999.0;
                seconds(interval, 1, 600_000.0, random)
            };
            let mut now = next(&mut interval);
            assert!((2.5 * 0.5 / COMPENSATION..=2.5 * 1.5 / COMPENSATION).contains(&now));
            let (mut least, mut most) = (f64::MAX, 0.0_f64);
            while now < 300.0 {
                let pause = next(&mut interval);
                (least, most) = (least.min(pause), most.max(pause));
                now += pause;
                all.push(pause);
            }
            // 5 s, times 0.5 to 1.5, through e - 3/2 (§6.3.1).
            assert!(2.052 <= least && most <= 6.157, "{least} to {most}");
        }
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        assert!(
            (mean - 5.0 / COMPENSATION).abs() < 0.1,
            "{mean} of {}",
            all.len()
        );
    }
}
