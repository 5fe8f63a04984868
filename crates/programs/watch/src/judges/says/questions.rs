//! What was asked, on the disk: one question at a time of all programs that share the directory,
//! and no more than may be.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eyelid_words::{Budget, BudgetLimits, Spent};

use crate::files;

/// What was asked.
const QUESTIONS: &str = "questions.json";

/// Who asks holds the lock of this file.
const LOCK: &str = "questions.lock";

/// Larger than any that is written.
const MOST_BYTES: u64 = 256 * 1024;

/// What was asked is counted here.
#[derive(Debug)]
pub(crate) struct Questions {
    file: PathBuf,
    lock: PathBuf,
    limits: BudgetLimits,
}

/// A question that may be asked, and while this is held no other.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    counted: &'a Questions,
    budget: Budget,
    _lock: File,
}

/// Why nothing may be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTurn {
    /// Another question is under way.
    #[error("another question is under way")]
    Busy,
    /// As many were as may be.
    #[error(transparent)]
    Spent(#[from] Spent),
    /// It cannot be counted, so it is not asked.
    #[error("{0:?}: {1} (questions that cannot be counted are not asked)")]
    Uncountable(PathBuf, #[source] io::Error),
}

impl Questions {
    /// Counts in this directory.
    pub(crate) fn new(state: &Path, limits: BudgetLimits) -> Self {
        Self {
            file: state.join(QUESTIONS),
            lock: state.join(LOCK),
            limits,
        }
    }

    /// Counts a question, which is on the disk before it is asked.
    pub(crate) fn turn(&self, now: SystemTime) -> Result<Turn<'_>, NoTurn> {
        let failed = |path: &Path, error| NoTurn::Uncountable(path.to_owned(), error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let lock = options
            .open(&self.lock)
            .map_err(|error| failed(&self.lock, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(NoTurn::Busy),
            Err(TryLockError::Error(error)) => return Err(failed(&self.lock, error)),
        }
        let read = self.budget()?;
        let is_broken = read.is_none();
        let mut turn = Turn {
            counted: self,
            budget: read.unwrap_or_else(|| Budget::spent_for_an_hour(self.limits, now)),
            _lock: lock,
        };
        if is_broken {
            // An hour from now, not from whenever it is read.
            turn.write()?;
        }
        turn.count(now)?;
        Ok(turn)
    }

    /// Questions asked within the last hour and the last day.
    pub(crate) fn asked(&self, now: SystemTime) -> (usize, usize) {
        let budget = self.budget().ok().flatten();
        budget.unwrap_or_default().asked(now)
    }

    /// What was asked; `None` where the file cannot be understood.
    fn budget(&self) -> Result<Option<Budget>, NoTurn> {
        let path = &self.file;
        let bytes = match files::read(path, MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Some(Budget::default()));
            }
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
            Err(error) => return Err(NoTurn::Uncountable(path.clone(), error)),
        };
        let read = Budget::read(&bytes);
        if let Err(error) = &read {
            log::warn!("{path:?}: {error}; counted as an hour's questions asked");
        }
        Ok(read.ok())
    }
}

impl Turn<'_> {
    /// Counts one more: the same question, asked again.
    pub(crate) fn count(&mut self, now: SystemTime) -> Result<(), NoTurn> {
        let before = self.budget.clone();
        let taken = self.budget.take(self.counted.limits, now);
        // Where the clock was put back, that is written down once, also if nothing may be asked:
        // else all that was asked would be as of now again and again.
        if self.budget != before {
            self.write()?;
        }
        Ok(taken?)
    }

    /// What was counted last was not sent.
    pub(crate) fn give_back(&mut self) {
        self.budget.give_back();
        // One too many is counted where it cannot be written.
        let _ = self.write();
    }

    fn write(&self) -> Result<(), NoTurn> {
        let path = &self.counted.file;
        files::replace(path, &self.budget.write())
            .map_err(|error| NoTurn::Uncountable(path.clone(), error))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    const LIMITS: BudgetLimits = BudgetLimits {
        an_hour: 2,
        a_day: 3,
    };

    #[test]
    fn counts_over_restarts() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for _ in 0..2 {
            drop(Questions::new(directory.path(), LIMITS).turn(now).unwrap());
        }
        let questions = Questions::new(directory.path(), LIMITS);
        assert!(matches!(questions.turn(now), Err(NoTurn::Spent(_))));
        assert_eq!(questions.asked(now), (2, 2));
        // The clock is put back by hours: nothing is given back.
        let before = now - Duration::from_hours(5);
        assert!(matches!(questions.turn(before), Err(NoTurn::Spent(_))));
        assert!(questions.turn(before + Duration::from_hours(1)).is_ok());
    }

    #[test]
    fn one_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let questions = Questions::new(directory.path(), LIMITS);
        let now = SystemTime::now();
        let mut turn = questions.turn(now).unwrap();
        let other = Questions::new(directory.path(), LIMITS);
        assert!(matches!(other.turn(now), Err(NoTurn::Busy)));
        turn.give_back();
        drop(turn);
        assert_eq!(other.asked(now), (0, 0));
        assert!(other.turn(now).is_ok());
    }

    #[test]
    fn what_cannot_be_counted_is_not_asked() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        let nowhere = Questions::new(&directory.path().join("no"), LIMITS);
        assert!(matches!(nowhere.turn(now), Err(NoTurn::Uncountable(..))));
        // A directory lies where the file belongs.
        fs::create_dir(directory.path().join(QUESTIONS)).unwrap();
        let questions = Questions::new(directory.path(), LIMITS);
        assert!(matches!(questions.turn(now), Err(NoTurn::Uncountable(..))));
    }

    #[test]
    fn a_broken_file_is_worth_an_hour() {
        let directory = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        fs::write(directory.path().join(QUESTIONS), "{\"version\":1,").unwrap();
        let questions = Questions::new(directory.path(), LIMITS);
        assert!(matches!(questions.turn(now), Err(NoTurn::Spent(_))));
        // It is whole again: an hour later may be asked.
        let later = now + Duration::from_mins(30);
        assert!(matches!(questions.turn(later), Err(NoTurn::Spent(_))));
        assert!(questions.turn(now + Duration::from_hours(1)).is_ok());
    }
}
