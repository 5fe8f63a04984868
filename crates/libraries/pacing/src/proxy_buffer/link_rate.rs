//! The rate of the link behind a proxy, by what the proxy reads between two times that its send
//! buffer is full.

use std::time::{Duration, Instant};

use super::WATCHED_AFTER_FULL;
use crate::units::{Bytes, BytesPerSecond};

/// The shortest time that a rate is taken over, because a proxy reads up to a third of what its
/// buffers hold at a time.
const MIN_RATE_SPAN: Duration = Duration::from_secs(1);

/// After this time the next rate begins.
const RATE_SPAN: Duration = Duration::from_secs(2);

/// How many rates are compared.
const RATE_SAMPLES: usize = 4;

/// How many bytes the proxy had read in all at a time when its send buffer was full.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadSample {
    pub(super) at: Instant,
    pub(super) read: Bytes,
}

impl ReadSample {
    /// How many it will have read by then if the buffer stays full and the link takes bytes at this
    /// rate.
    pub(super) fn after(self, then: Instant, rate: BytesPerSecond) -> Bytes {
        self.read + rate.bytes_in(then.saturating_duration_since(self.at))
    }
}

/// What the link takes.
#[derive(Debug, Default)]
pub(super) struct LinkRate {
    /// The sample that the rate is measured from, and the one that the next rate will be measured
    /// from.
    since: Option<[ReadSample; 2]>,
    /// The rates of late, the newest first.
    samples: [BytesPerSecond; RATE_SAMPLES],
    known: Option<BytesPerSecond>,
}

impl LinkRate {
    /// The rate, if it is known.
    pub(super) fn known(&self) -> Option<BytesPerSecond> {
        self.known
    }

    /// Takes a sample, and gives the rate if it is known.
    pub(super) fn measure(&mut self, sample: ReadSample) -> Option<BytesPerSecond> {
        let recent = |[_, next]: &[ReadSample; 2]| sample.at - next.at < WATCHED_AFTER_FULL;
        let Some([from, next]) = self.since.filter(recent) else {
            // Nobody knows for how long the buffer was not full meanwhile.
            self.since = Some([sample; 2]);
            self.samples = Default::default();
            return self.known;
        };
        let (time, bytes) = (sample.at - from.at, sample.read - from.read);
        if time >= MIN_RATE_SPAN && bytes > Bytes::ZERO {
            self.samples[0] = bytes / time;
            // A link that was idle for a part of the time makes a rate too low, and nothing makes
            // it too high.
            self.known = self.samples.into_iter().reduce(BytesPerSecond::max);
        }
        if sample.at - next.at >= RATE_SPAN {
            self.since = Some([next, sample]);
            self.samples.rotate_right(1);
        }
        self.known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_second(bytes: f64) -> Option<BytesPerSecond> {
        Some(BytesPerSecond::new(bytes))
    }

    #[test]
    fn an_idle_link_is_no_slow_one_unless_it_stays_so() {
        let start = Instant::now();
        let (mut rate, mut at, mut read) = (LinkRate::default(), start, Bytes::ZERO);
        let mut measure = |seconds: u64, bytes: u64| {
            (at, read) = (at + Duration::from_secs(seconds), read + Bytes::from(bytes));
            rate.measure(ReadSample { at, read })
        };
        assert_eq!(measure(1, 100), None);
        assert_eq!(measure(2, 200), per_second(100.0));
        assert_eq!(measure(2, 20), per_second(100.0));
        for _ in 0..RATE_SAMPLES {
            measure(2, 100);
        }
        assert_eq!(measure(2, 100), per_second(50.0));
        // What was read in an hour says nothing.
        assert_eq!(measure(3600, 1000), per_second(50.0));
        assert_eq!(measure(2, 400), per_second(200.0));
    }
}
