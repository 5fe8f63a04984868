//! A limit for log lines that a peer, a file or a command can cause: a few of them say as much as
//! thousands.

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

/// Says when one kind of line may be logged, and counts those that may not. It is no lock: one
/// thread uses it.
#[derive(Debug)]
pub struct LogLimit {
    lines: u32,
    period: Duration,
    /// When the current period began, and how many lines it has had.
    current: Cell<Option<(Instant, u32)>>,
    suppressed: Cell<u64>,
}

impl LogLimit {
    /// Allows this many `lines` in each `period`, which begins with the first of them.
    pub const fn new(lines: u32, period: Duration) -> Self {
        Self {
            lines,
            period,
            current: Cell::new(None),
            suppressed: Cell::new(0),
        }
    }

    /// Gives how many lines were suppressed since the last one that was not, if another may be
    /// logged now.
    pub fn allow(&self, now: Instant) -> Option<Suppressed> {
        let (began, logged) = match self.current.get() {
            Some((began, logged)) if now.duration_since(began) < self.period => (began, logged),
            _ => (now, 0),
        };
        if logged >= self.lines {
            self.suppressed.set(self.suppressed.get() + 1);
            return None;
        }
        self.current.set(Some((began, logged + 1)));
        Some(Suppressed(self.take_suppressed()))
    }

    /// Gives how many lines were suppressed and not told of yet, for who tells of them by itself.
    pub fn take_suppressed(&self) -> u64 {
        self.suppressed.take()
    }
}

/// How many lines like one that is logged were suppressed before it. That line ends with this,
/// which is empty where there were none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppressed(pub u64);

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (once more before)"),
            times => write!(f, " ({times} times more before)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    #[test]
    fn lets_so_many_through_in_each_period_and_counts_the_rest() {
        let start = Instant::now();
        let limit = LogLimit::new(2, PERIOD);
        let at = |seconds| {
            let suppressed = limit.allow(start + Duration::from_secs(seconds));
            suppressed.map(|suppressed| suppressed.0)
        };
        assert_eq!([at(0), at(9), at(9), at(9)], [Some(0), Some(0), None, None]);
        assert_eq!([at(10), at(11)], [Some(2), Some(0)]);
        assert_eq!(at(12), None);
        assert_eq!([limit.take_suppressed(), limit.take_suppressed()], [1, 0]);
        assert_eq!(at(20), Some(0));
    }

    #[test]
    fn a_line_says_what_was_suppressed_before_it_if_anything_was() {
        let lines = [0, 1, 2].map(|lines| format!("refused{}", Suppressed(lines)));
        assert_eq!(
            lines,
            [
                "refused",
                "refused (once more before)",
                "refused (2 times more before)"
            ]
        );
    }
}
