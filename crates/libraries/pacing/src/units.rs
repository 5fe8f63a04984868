//! Bytes and rates, so that a formula cannot mix them up: bytes divided by a time are a rate, bytes
//! divided by a rate a time.

use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Sub};
use std::time::Duration;

/// A number of bytes that was reckoned, and so may be negative or have a fraction. Bytes that were
/// counted are a `u64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Bytes(f64);

impl Bytes {
    pub(crate) const ZERO: Self = Self(0.0);

    /// The greater of two.
    pub(crate) fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// How many times another this is.
    pub(crate) fn ratio(self, other: Self) -> f64 {
        self.0 / other.0
    }

    /// The rate of so many of them, so often a second.
    pub(crate) fn times_a_second(self, times: f64) -> BytesPerSecond {
        BytesPerSecond(self.0 * times)
    }

    /// The whole bytes of it; 0 if it is negative.
    pub(crate) fn whole(self) -> u64 {
        self.0 as u64
    }
}

impl From<u64> for Bytes {
    fn from(bytes: u64) -> Self {
        // Exact up to 2^53 bytes, which a socket at 10 Gbit/s carries in 83 days; a few bytes off
        // from then on.
        Self(bytes as f64)
    }
}

impl Add for Bytes {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Bytes {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul<f64> for Bytes {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self(self.0 * factor)
    }
}

impl Div<Duration> for Bytes {
    type Output = BytesPerSecond;
    fn div(self, time: Duration) -> BytesPerSecond {
        BytesPerSecond(self.0 / time.as_secs_f64())
    }
}

/// A rate: bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct BytesPerSecond(f64);

impl BytesPerSecond {
    /// No bytes at all.
    pub const ZERO: Self = Self(0.0);

    /// A rate of so many bytes a second.
    #[must_use]
    pub const fn new(bytes: f64) -> Self {
        Self(bytes)
    }

    /// The greater of two.
    pub(crate) fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// The lesser of two.
    pub(crate) fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// Orders rates, of which none is a number that compares to nothing.
    pub(crate) fn total_cmp(self, other: Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }

    /// This rate as a share of another.
    pub(crate) fn share_of(self, other: Self) -> f64 {
        self.0 / other.0
    }

    /// How many bytes go in a time.
    pub(crate) fn bytes_in(self, time: Duration) -> Bytes {
        Bytes(time.as_secs_f64() * self.0)
    }

    /// How long so many bytes take; no time if they are fewer than none, [`Duration::MAX`] at a
    /// rate of zero.
    pub(crate) fn time_for(self, bytes: Bytes) -> Duration {
        Duration::try_from_secs_f64((bytes.0 / self.0).max(0.0)).unwrap_or(Duration::MAX)
    }
}

impl Mul<f64> for BytesPerSecond {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self(self.0 * factor)
    }
}

impl Add for BytesPerSecond {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_time_and_rate_fit_together() {
        let (bytes, time) = (Bytes::from(3000), Duration::from_millis(1500));
        let rate = bytes / time;
        assert_eq!(rate, BytesPerSecond::new(2000.0));
        assert_eq!(rate.bytes_in(time), bytes);
        assert_eq!(rate.time_for(bytes), time);
        assert_eq!(rate.time_for(Bytes::ZERO - bytes), Duration::ZERO);
        assert_eq!(BytesPerSecond::ZERO.time_for(bytes), Duration::MAX);
        assert_eq!((Bytes::ZERO - bytes).whole(), 0);
    }
}
