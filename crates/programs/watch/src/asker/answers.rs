//! What was answered once, to be taken again: pictures that are replayed cost nothing then.
//!
//! A file has a line of JSON for each answer, with the moment in the recording at which it was
//! given. An answer holds until the next one of its rule, so that a file may be written by hand.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::alert::{Judge, Sighting};
use crate::files;
use crate::judges::Judged;
use crate::rules::Answer;

/// A day of answers, one in ten seconds, of 500 characters.
const MOST_BYTES: u64 = 16 << 20;

/// Moments are written to the millisecond: the answer to a picture is one that holds for it.
const ROUNDED_S: f64 = 0.000_5;

/// What a file says.
#[derive(Debug)]
pub(crate) struct Answers {
    /// In the order of their moments.
    given: Vec<Given>,
    /// The moment in the recording that is looked at.
    now_s: Cell<f64>,
    missing: Cell<usize>,
}

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// Seconds after the first picture.
    at_s: f64,
    rule: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    judge: Option<Judge>,
    /// The rule's words: to other words it is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<String>,
    answer: Said,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    boxes: Vec<Sighting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Yes,
    No,
    Unsure,
    /// What was said is no answer.
    None,
}

impl Answers {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or which line is wrong.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes = files::read(path, MOST_BYTES).with_context(|| format!("answers {path:?}"))?;
        let lines = bytes.split(|byte| *byte == b'\n').enumerate();
        let mut given = Vec::new();
        for (number, line) in lines {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let place = || format!("answers {path:?}, line {}", number + 1);
            let line: Given = serde_json::from_slice(line).with_context(place)?;
            if line.confidence.is_some_and(|it| !(0.0..=1.0).contains(&it)) {
                bail!("{}: confidence: use 0 to 1", place());
            }
            given.push(line);
        }
        given.sort_by(|one, other| one.at_s.total_cmp(&other.at_s));
        Ok(Self {
            given,
            now_s: Cell::new(0.0),
            missing: Cell::new(0),
        })
    }

    /// From now on it is that moment in the recording.
    pub(crate) fn look_at(&self, at: Duration) {
        self.now_s.set(at.as_secs_f64());
    }

    /// What is said of a rule now, with these words if it has any.
    pub(crate) fn said(&self, rule: &str, words: Option<&str>) -> Option<Judged> {
        let now_s = self.now_s.get() + ROUNDED_S;
        let is_it = |given: &&Given| {
            let asked = given.asked.as_deref();
            given.rule == rule && given.at_s <= now_s && asked.is_none_or(|it| Some(it) == words)
        };
        let found = self.given.iter().rev().find(is_it);
        if found.is_none() {
            self.missing.set(self.missing.get() + 1);
        }
        found.map(|given| Judged {
            answer: given.answer(),
            reason: given.reason.clone(),
            took: given.took_ms.map(Duration::from_millis),
        })
    }

    /// How many questions had no answer.
    pub(crate) fn missing(&self) -> usize {
        self.missing.get()
    }
}

impl Given {
    fn answer(&self) -> Answer {
        match self.answer {
            Said::Yes => Answer::Yes {
                sightings: self.boxes.clone(),
                confidence: self.confidence,
            },
            Said::No => Answer::No,
            Said::Unsure => Answer::Unsure,
            Said::None => Answer::Missing,
        }
    }
}

/// Writes answers into a file, each at once: they may have cost something.
#[derive(Debug)]
pub(crate) struct AnswerLog(File);

impl AnswerLog {
    /// A new file.
    ///
    /// # Errors
    /// There is one already, or the system refuses.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => anyhow::anyhow!(
                "answers {path:?}: is there already, and what was asked is not asked again: leave \
                 --ask out, or give another file"
            ),
            _ => anyhow::Error::from(error).context(format!("answers {path:?}")),
        });
        Ok(Self(file?))
    }

    /// Writes what a judge has said of a rule, which has these words if it has any.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn add(
        &mut self,
        at_s: f64,
        rule: (&str, Judge, Option<&str>),
        judged: &Judged,
    ) -> io::Result<()> {
        let (name, judge, asked) = rule;
        let (answer, confidence, boxes) = match &judged.answer {
            Answer::Yes {
                sightings,
                confidence,
            } => (Said::Yes, *confidence, sightings.clone()),
            Answer::No => (Said::No, None, Vec::new()),
            Answer::Unsure => (Said::Unsure, None, Vec::new()),
            Answer::Missing => (Said::None, None, Vec::new()),
        };
        let mut line = serde_json::to_vec(&Given {
            at_s,
            rule: name.to_owned(),
            judge: Some(judge),
            asked: asked.map(str::to_owned),
            answer,
            confidence,
            reason: judged.reason.clone(),
            took_ms: judged.took.map(|took| took.as_millis() as u64),
            boxes,
        })?;
        line.push(b'\n');
        self.0.write_all(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Answers> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Answers::read(file.path())
    }

    #[test]
    fn an_answer_holds_until_the_next_one_of_its_rule() {
        let answers = read(
            r#"{"at_s": 20, "rule": "parcel", "answer": "no"}
            {"at_s": 0.333, "rule": "parcel", "answer": "yes", "confidence": 0.9}

            {"at_s": 5, "rule": "jam", "answer": "unsure"}"#,
        )
        .unwrap();
        let said = |at_s: f64, rule| {
            answers.look_at(Duration::from_secs_f64(at_s));
            answers.said(rule, Some("words")).map(|it| it.answer)
        };
        let yes = Answer::Yes {
            sightings: Vec::new(),
            confidence: Some(0.9),
        };
        assert_eq!(said(0.3, "parcel"), None);
        assert_eq!(said(1.0 / 3.0, "parcel"), Some(yes.clone()));
        assert_eq!(said(19.0, "parcel"), Some(yes));
        assert_eq!(said(20.0, "parcel"), Some(Answer::No));
        assert_eq!(said(19.0, "jam"), Some(Answer::Unsure));
        assert_eq!(answers.missing(), 1);
    }

    #[test]
    fn what_is_written_is_read_and_is_of_those_words_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("answers");
        let mut log = AnswerLog::create(&path).unwrap();
        let mut judged = Judged::from(Answer::Missing);
        log.add(0.0, ("parcel", Judge::Says, Some("a parcel")), &judged)
            .unwrap();
        judged = Judged {
            answer: Answer::Yes {
                sightings: Vec::new(),
                confidence: Some(0.7),
            },
            reason: Some("a box".to_owned()),
            took: Some(Duration::from_millis(8)),
        };
        log.add(1.5, ("parcel", Judge::Says, Some("a parcel")), &judged)
            .unwrap();
        let answers = Answers::read(&path).unwrap();
        let missing = answers.said("parcel", Some("a parcel")).unwrap();
        assert_eq!(missing.answer, Answer::Missing);
        answers.look_at(Duration::from_secs(2));
        assert_eq!(answers.said("parcel", Some("a parcel")), Some(judged));
        assert_eq!(answers.said("parcel", Some("a dog")), None);
        // It was paid for.
        let again = AnswerLog::create(&path).unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        for wrong in [
            r#"{"at_s": 1, "rule": "a", "answer": "maybe"}"#,
            r#"{"at_s": 1, "rule": "a", "answer": "yes", "confidence": 7}"#,
            r#"{"at_s": 1, "rule": "a", "answer": "yes", "sure": 1}"#,
            "nonsense",
        ] {
            let error = read(&format!("\n{wrong}\n")).unwrap_err();
            assert!(error.to_string().contains("line 2"), "{error}");
        }
    }
}
