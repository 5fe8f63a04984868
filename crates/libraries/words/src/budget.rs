//! How many questions may be asked: what was asked is written down, so that a restart gives nothing
//! back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// What is kept, whatever the limits are. A year of twenty a day is more than anybody pays for.
const MOST_KEPT: usize = 10_000;

/// What a file of that many may weigh: 14 digits and a comma each.
const MOST_FILE_BYTES: usize = 256 << 10;

/// How many questions may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLimits {
    /// In any hour.
    pub an_hour: u32,
    /// In any day, at most 10 000.
    pub a_day: u32,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self {
            an_hour: 20,
            a_day: 200,
        }
    }
}

/// When was asked, within the last day.
///
/// The times are of a clock that may be set. Put back, it neither gives questions back nor locks
/// for longer: what was asked in its future counts as asked just now. Put forward, it does give
/// back, as if that time had passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// In milliseconds since 1970, ascending.
    asked_ms: Vec<u64>,
}

/// Why nothing may be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{limit} questions {period} are spent; the next in {} s", .wait.as_secs())]
pub struct Spent {
    /// How many there are.
    pub limit: u32,
    /// `an hour` or `a day`.
    pub period: &'static str,
    /// Until the next may be asked, if none is meanwhile.
    pub wait: Duration,
}

/// Why a file says nothing of what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BudgetError {
    /// Not what [`Budget::write`] gives.
    #[error("is not what was written there: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Of another version of this program.
    #[error("is of version {0}, and only 1 is known")]
    Version(u32),
    /// More than is ever written.
    #[error("is larger than 256 KiB")]
    TooLarge,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    asked_ms: Vec<u64>,
}

impl Budget {
    /// Reads what [`Budget::write`] gave.
    ///
    /// # Errors
    /// [`BudgetError`]; [`Budget::spent_for_an_hour`] is what to go on with.
    pub fn read(bytes: &[u8]) -> Result<Self, BudgetError> {
        if bytes.len() > MOST_FILE_BYTES {
            return Err(BudgetError::TooLarge);
        }
        let mut written: Written = serde_json::from_slice(bytes)?;
        if written.version != 1 {
            return Err(BudgetError::Version(written.version));
        }
        written.asked_ms.sort_unstable();
        let superfluous = written.asked_ms.len().saturating_sub(MOST_KEPT);
        written.asked_ms.drain(..superfluous);
        Ok(Self {
            asked_ms: written.asked_ms,
        })
    }

    /// What a file says of it, to be put in place by rename before a question is sent.
    pub fn write(&self) -> Vec<u8> {
        let written = Written {
            version: 1,
            asked_ms: self.asked_ms.clone(),
        };
        // Numbers in a list: nothing of it can fail to be written.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// As if the hour's questions had just been asked: what goes where a file cannot be read, which
    /// must not be worth a whole day's questions.
    pub fn spent_for_an_hour(limits: BudgetLimits, now: SystemTime) -> Self {
        let count = usize::try_from(limits.an_hour.min(limits.a_day)).unwrap_or(MOST_KEPT);
        Self {
            asked_ms: vec![milliseconds(now); count.min(MOST_KEPT)],
        }
    }

    /// Counts a question that is to be asked.
    ///
    /// # Errors
    /// [`Spent`], and nothing is counted.
    pub fn take(&mut self, limits: BudgetLimits, now: SystemTime) -> Result<(), Spent> {
        self.follow(now);
        let now_ms = milliseconds(now);
        for (limit, period, length) in [
            (limits.a_day, "a day", DAY),
            (limits.an_hour, "an hour", HOUR),
        ] {
            let limit_within = usize::try_from(limit).unwrap_or(MOST_KEPT).min(MOST_KEPT);
            let within = self.within(length, now_ms);
            if within.len() >= limit_within {
                // The one whose leaving makes room.
                let oldest = within.len().checked_sub(limit_within);
                let oldest = oldest.and_then(|index| within.get(index));
                let wait = oldest.map_or(length, |&at| {
                    length.saturating_sub(Duration::from_millis(now_ms.saturating_sub(at)))
                });
                return Err(Spent {
                    limit,
                    period,
                    wait,
                });
            }
        }
        self.asked_ms.push(now_ms);
        Ok(())
    }

    /// Takes back what was counted last: it was not sent.
    pub fn give_back(&mut self) {
        self.asked_ms.pop();
    }

    /// Questions asked within the last hour and the last day.
    pub fn asked(&self, now: SystemTime) -> (usize, usize) {
        let mut followed = self.clone();
        followed.follow(now);
        let now_ms = milliseconds(now);
        let count = |length| followed.within(length, now_ms).len();
        (count(HOUR), count(DAY))
    }

    /// Those younger than `length`.
    fn within(&self, length: Duration, now_ms: u64) -> &[u64] {
        let length_ms = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let old = self
            .asked_ms
            .partition_point(|&at| at.saturating_add(length_ms) <= now_ms);
        &self.asked_ms[old..]
    }

    /// Goes along with a clock that was put back, and forgets what is older than a day.
    fn follow(&mut self, now: SystemTime) {
        let now_ms = milliseconds(now);
        let ahead_ms = self
            .asked_ms
            .last()
            .map_or(0, |&last| last.saturating_sub(now_ms));
        for at in &mut self.asked_ms {
            *at = at.saturating_sub(ahead_ms);
        }
        let young = self.within(DAY, now_ms).len();
        self.asked_ms.drain(..self.asked_ms.len() - young);
    }
}

/// A clock before 1970 is at 1970.
fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fuzzing;

    const LIMITS: BudgetLimits = BudgetLimits {
        an_hour: 3,
        a_day: 5,
    };

    fn at(minutes: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_795_874_560 + 60 * minutes)
    }

    /// Those of `minutes` at which a question may be asked.
    fn taken(budget: &mut Budget, minutes: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let may = |it: &u64| budget.take(LIMITS, at(*it)).is_ok();
        minutes.into_iter().filter(may).collect()
    }

    #[test]
    fn has_an_hour_s_and_a_day_s_questions() {
        let mut budget = Budget::default();
        let taken = taken(&mut budget, (0..1500).step_by(10));
        assert_eq!(taken, [0, 10, 20, 60, 70, 1440, 1450, 1460]);
    }

    #[test]
    fn says_how_long_it_takes() {
        let mut budget = Budget::default();
        taken(&mut budget, [0, 10, 20]);
        let spent = budget.take(LIMITS, at(25)).unwrap_err();
        assert_eq!(spent.wait, Duration::from_mins(35));
        assert_eq!(
            spent.to_string(),
            "3 questions an hour are spent; the next in 2100 s"
        );
        taken(&mut budget, [60, 70]);
        let spent = budget.take(LIMITS, at(200)).unwrap_err();
        assert_eq!(
            (spent.period, spent.wait),
            ("a day", Duration::from_mins(1240))
        );
        assert_eq!(budget.asked(at(75)), (3, 5));
    }

    #[test]
    fn a_restart_gives_nothing_back() {
        let mut budget = Budget::default();
        taken(&mut budget, [0, 1, 2]);
        let mut budget = Budget::read(&budget.write()).unwrap();
        assert!(budget.take(LIMITS, at(3)).is_err());
    }

    #[test]
    fn a_clock_put_back_neither_gives_back_nor_locks() {
        for back_by in [1, 300, 1_000_000] {
            let mut budget = Budget::default();
            taken(&mut budget, [back_by, back_by + 1, back_by + 2]);
            assert!(budget.take(LIMITS, at(0)).is_err());
            // By the clock as it is now they were asked at -2, -1 and 0; the day's are five.
            assert_eq!(taken(&mut budget, 57..70), [58, 59]);
            assert!(budget.take(LIMITS, at(24 * 60 + 1)).is_ok());
        }
    }

    #[test]
    fn gives_back_what_was_not_sent() {
        let mut budget = Budget::default();
        taken(&mut budget, [0, 1, 2]);
        budget.give_back();
        assert_eq!(taken(&mut budget, [3, 4]), [3]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_worth_an_hour() {
        let mut budget = Budget::spent_for_an_hour(LIMITS, at(0));
        assert!(budget.take(LIMITS, at(59)).is_err());
        assert!(budget.take(LIMITS, at(60)).is_ok());
        for bytes in [
            &b""[..],
            b"{\"version\":1,\"asked_ms\":[1,",
            b"{\"version\":2,\"asked_ms\":[]}",
        ] {
            assert!(Budget::read(bytes).is_err());
        }
    }

    #[test]
    fn nothing_is_asked_where_nothing_may_be() {
        let none = BudgetLimits {
            an_hour: 0,
            a_day: 9,
        };
        assert!(Budget::default().take(none, at(0)).is_err());
    }

    #[test]
    fn holds_for_what_fuzzing_found() {
        eyelid_replay::replay("budget", fuzzing::budget);
    }

    proptest! {
        /// Whatever the clock does but jump forward: no hour by it has more than its questions.
        #[test]
        fn never_more_than_the_limits(steps in proptest::collection::vec(-500i64..40, 1..200)) {
            let mut budget = Budget::default();
            let (mut clock, mut true_time) = (1_000_000i64, 0i64);
            let mut asked: Vec<i64> = Vec::new();
            for step in steps {
                // A step back of the clock takes no true time.
                clock = (clock + step).max(0);
                true_time += step.max(0);
                if budget.take(LIMITS, at(clock.unsigned_abs())).is_ok() {
                    asked.push(true_time);
                }
                let within = |minutes| asked.iter().filter(|&&it| it > true_time - minutes).count();
                prop_assert!(within(60) <= 3 && within(1440) <= 5);
            }
        }
    }
}
