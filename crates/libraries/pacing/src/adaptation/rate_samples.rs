//! Rates that single frames showed, and what they come to together.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::units::{Bytes, BytesPerSecond};

/// No more are kept: frames do not come more often than a display shows them, 240 a second.
const MOST_SAMPLES: usize = 1024;

/// What single frames showed.
#[derive(Debug, Default)]
pub(super) struct RateSamples(VecDeque<RateSample>);

/// So many bytes took so long.
#[derive(Clone, Copy, Debug)]
pub(super) struct RateSample {
    pub(super) at: Instant,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

impl RateSample {
    pub(super) fn rate(self) -> BytesPerSecond {
        // A frame that was gone as soon as it was looked for shows no endless rate.
        Bytes::from(self.bytes) / self.took.max(Duration::from_micros(100))
    }
}

impl RateSamples {
    pub(super) fn push(&mut self, sample: RateSample) {
        if self.0.len() == MOST_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The rate of all samples of the last `span` together; `None` if they are fewer than `least`.
    pub(super) fn mean(
        &self,
        now: Instant,
        span: Duration,
        least: usize,
    ) -> Option<BytesPerSecond> {
        let (mut bytes, mut took, mut count) = (0, Duration::ZERO, 0);
        for sample in self.since(now, span, 0) {
            (bytes, took, count) = (bytes + sample.bytes, took + sample.took, count + 1);
        }
        let took = took.max(Duration::from_micros(100));
        (count >= least).then(|| Bytes::from(bytes) / took)
    }

    /// How many bytes came in the last `span`, divided by it.
    pub(super) fn throughput(&self, now: Instant, span: Duration) -> BytesPerSecond {
        let bytes: u64 = self.since(now, span, 0).map(|sample| sample.bytes).sum();
        Bytes::from(bytes) / span
    }

    /// The rate that `share` of the samples of the last `span` reach, or of the last `least` ones
    /// if those are more; `None` if there are fewer than `least` at all.
    pub(super) fn reached_by(
        &self,
        share: f64,
        now: Instant,
        span: Duration,
        least: usize,
    ) -> Option<BytesPerSecond> {
        let mut rates: Vec<_> = self
            .since(now, span, least)
            .map(|sample| sample.rate())
            .collect();
        if rates.len() < least {
            return None;
        }
        rates.sort_by(|one, other| other.total_cmp(*one));
        let index = (rates.len() as f64 * share) as usize;
        rates.get(index.min(rates.len() - 1)).copied()
    }

    /// The samples of the last `span`, and the last `least` ones whenever they were.
    fn since(
        &self,
        now: Instant,
        span: Duration,
        least: usize,
    ) -> impl Iterator<Item = RateSample> {
        self.0
            .iter()
            .rev()
            .enumerate()
            .take_while(move |(index, sample)| *index < least || now - sample.at <= span)
            .map(|(_, sample)| *sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_mean_weighs_by_time_and_a_share_by_frames() {
        let (start, mut samples) = (Instant::now(), RateSamples::default());
        for (second, took) in [(0, 1), (1, 1), (2, 4), (3, 4)] {
            samples.push(RateSample {
                at: start + SECOND * second,
                bytes: 1000,
                took: SECOND * took,
            });
        }
        let now = start + SECOND * 3;
        let rate = |bytes| Some(BytesPerSecond::new(bytes));
        assert_eq!(samples.mean(now, SECOND * 3, 4), rate(400.0));
        assert_eq!(samples.mean(now, SECOND, 2), rate(250.0));
        assert_eq!(samples.mean(now, SECOND, 3), None);
        assert_eq!(samples.reached_by(0.3, now, SECOND * 3, 1), rate(1000.0));
        assert_eq!(samples.reached_by(0.6, now, SECOND * 3, 1), rate(250.0));
        assert_eq!(samples.reached_by(1.0, now, SECOND * 3, 1), rate(250.0));
        // Few and rare ones count, however old they are.
        assert_eq!(
            samples.reached_by(0.5, now + SECOND * 60, SECOND, 3),
            rate(250.0)
        );
        assert_eq!(samples.reached_by(0.5, now, SECOND, 5), None);
    }

    #[test]
    fn a_frame_that_took_no_time_shows_a_rate() {
        let sample = RateSample {
            at: Instant::now(),
            bytes: 1,
            took: Duration::ZERO,
        };
        assert_eq!(sample.rate(), BytesPerSecond::new(10_000.0));
    }
}
