//! How many lines there may be, whoever causes them: many at once, and a few a minute from then on.

use std::time::{Duration, Instant};

/// So many at once: a page of 64 cameras, which is as many as it shows at a time, that is opened
/// and left twice.
const AT_ONCE: u32 = 256;

/// How long each takes to come back: strangers without end make 43,200 lines a day, which are some
/// 40 MB of journal.
const EACH: Duration = Duration::from_secs(2);

/// Says when a line may be written, and counts those that may not.
#[derive(Debug, Default)]
pub(crate) struct LineBudget {
    /// When all that was written has come back.
    spent_until: Option<Instant>,
    left_out: u64,
}

impl LineBudget {
    /// Gives how many lines were left out since the last one, if one may be written now.
    pub(crate) fn take(&mut self, now: Instant) -> Option<u64> {
        let spent_until = self.spent_until.map_or(now, |until| until.max(now));
        if spent_until.duration_since(now) > EACH * (AT_ONCE - 1) {
            self.left_out += 1;
            return None;
        }
        self.spent_until = Some(spent_until + EACH);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lines_come_at_once_and_then_one_each_two_seconds() {
        let (mut budget, start) = (LineBudget::default(), Instant::now());
        let written = |budget: &mut LineBudget, tries: u32, now| {
            let tries = (0..tries).filter_map(|_| budget.take(now));
            tries.collect::<Vec<_>>()
        };
        let first = written(&mut budget, AT_ONCE + 10, start);
        assert_eq!(first, vec![0; AT_ONCE as usize]);
        // The next one says how many were left out.
        assert_eq!(written(&mut budget, 3, start + EACH), [10]);
        let later = start + EACH * 3;
        assert_eq!(written(&mut budget, 3, later), [2, 0]);
        // After a rest there are as many as at first, and no more.
        let rested = start + EACH * AT_ONCE * 10;
        let again = written(&mut budget, AT_ONCE + 1, rested);
        assert_eq!((again.len(), again[0]), (AT_ONCE as usize, 1));
    }

    #[test]
    fn a_day_of_strangers_is_bounded() {
        let (mut budget, start) = (LineBudget::default(), Instant::now());
        let tries = (0..24 * 60 * 60 * 10).map(|n| start + Duration::from_millis(100) * n);
        let lines = tries.filter_map(|now| budget.take(now)).count();
        assert!((43_200..44_000).contains(&lines), "{lines}");
    }
}
