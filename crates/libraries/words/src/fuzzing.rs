//! What must hold whatever an endpoint answers. The fuzz target calls this, and the tests with what
//! that found (`fuzz/README.md`).

use std::time::SystemTime;

use bytes::Bytes;

use crate::answer::{NoAnswer, Verdicts};
use crate::budget::{Budget, BudgetLimits};
use crate::dialect::Dialect;
use crate::question::{Moment, Picture, Question, RuleInWords};
use crate::reader::{MOST_TEXT_CHARS, read};

fn is_bounded(text: &str) -> bool {
    text.chars().count() <= MOST_TEXT_CHARS && !text.chars().any(char::is_control)
}

/// An answer is none, or has one verdict of each rule that was asked and of no other, with a
/// confidence from 0 to 1 and texts that are bounded, on one line. A refusal changes the dialect a
/// bounded number of times.
///
/// # Panics
/// Where that does not hold.
pub fn answer(bytes: &[u8]) {
    let picture = Picture {
        moment: Moment::Now,
        captured: SystemTime::UNIX_EPOCH,
        jpeg: Bytes::new(),
    };
    let rules = ["a", "b"].map(|name| RuleInWords {
        name: name.to_owned(),
        words: String::new(),
    });
    let Ok(question) = Question::new(vec![picture], rules.to_vec(), 0) else {
        panic!("a question of one picture and two rules");
    };
    match read(bytes) {
        Ok(read) => check(&question.judge(read)),
        Err(NoAnswer::NoJson(text) | NoAnswer::Refused(text)) => assert!(is_bounded(&text)),
        Err(_) => {}
    }
    let mut dialect = Dialect::default();
    for _ in 0..6 {
        match dialect.without(bytes) {
            Some(other) => dialect = other,
            None => return,
        }
    }
    panic!("{dialect:?} changes for ever");
}

fn check(verdicts: &Verdicts) {
    assert!(is_bounded(&verdicts.seen));
    let names: Vec<&str> = verdicts.rules.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(names, ["a", "b"]);
    for verdict in verdicts.rules.iter().flat_map(|(_, verdict)| verdict) {
        assert!((0.0..=1.0).contains(&verdict.confidence));
        assert!(is_bounded(&verdict.reason));
    }
}

/// A file of what was asked is refused, or is the same when it is written down and read again; it
/// never allows more than the limits, and never locks for longer than a day.
///
/// # Panics
/// Where that does not hold.
pub fn budget(bytes: &[u8]) {
    let limits = BudgetLimits {
        an_hour: 3,
        a_day: 5,
    };
    let Ok(budget) = Budget::read(bytes) else {
        return;
    };
    match Budget::read(&budget.write()) {
        Ok(again) => assert_eq!(again, budget),
        Err(error) => panic!("{error}"),
    }
    // 2026-11-28 14:02:40 UTC.
    let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_795_874_560);
    let mut spent = budget;
    let mut asked = 0;
    while spent.take(limits, now).is_ok() {
        asked += 1;
        assert!(asked <= limits.an_hour);
    }
    let later = now + std::time::Duration::from_hours(24);
    assert!(spent.take(limits, later).is_ok());
}
