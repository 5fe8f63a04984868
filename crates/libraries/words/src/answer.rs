//! What an answer is worth: strictly what was asked for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::Value;

use crate::question::Question;
use crate::reader::{Read, Usage, bounded};

/// What a model decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It sees it.
    Yes,
    /// It sees that it is not so.
    No,
    /// It cannot tell.
    Unsure,
}

/// A rule's answer, all of it valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What it is.
    pub answer: Answer,
    /// How sure the model says it is, from 0 to 1.
    pub confidence: f64,
    /// What it says it sees: text of a stranger, at most
    /// [`MOST_TEXT_CHARS`](crate::MOST_TEXT_CHARS), on one line.
    pub reason: String,
}

/// What a question came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdicts {
    /// What the model says the pictures show: text as of [`Verdict::reason`].
    pub seen: String,
    /// For each rule of the question, in its order, by name.
    pub rules: Vec<(String, Result<Verdict, NoAnswer>)>,
    /// What it cost, where the endpoint tells.
    pub usage: Option<Usage>,
}

/// Why there is none. It is never a "no".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Not what `/chat/completions` answers with.
    #[error("the endpoint's answer is no chat completion (does the URL end in /v1?)")]
    NoCompletion,
    /// The model has said nothing.
    #[error("the model has said nothing")]
    Empty,
    /// Its length has cut it; models that think need more tokens than they were given.
    #[error("the answer was cut at its greatest length")]
    Cut,
    /// It does not want to.
    #[error("the model refuses: {0}")]
    Refused(String),
    /// There is no JSON with answers in what it said.
    #[error("there is no JSON with answers in what the model said: {0}")]
    NoJson(String),
    /// Several, and they are not the same.
    #[error("the model has given several answers")]
    Several,
    /// This rule is not in it.
    #[error("the model has left this rule out")]
    LeftOut,
    /// This rule is in it more than once.
    #[error("the model has answered this rule twice")]
    Twice,
    /// The answer is not one of the three.
    #[error("the answer is neither yes, no nor unsure")]
    NotOneOfThree,
    /// The confidence is no number from 0 to 1.
    #[error("the confidence is no number from 0 to 1")]
    Confidence,
    /// There is no text as reason.
    #[error("there is no reason")]
    Reason,
}

impl Question {
    /// What a model's words are worth for the rules that were asked. Those that were not are
    /// dropped, and those that are not answered validly have no answer.
    pub fn judge(&self, read: Read) -> Verdicts {
        let mut answered: HashMap<&str, Result<Verdict, NoAnswer>> = HashMap::new();
        for entry in &read.answers {
            let asked = self.rules().iter().find(|rule| entry["rule"] == rule.name);
            let Some(rule) = asked else {
                continue;
            };
            match answered.entry(&rule.name) {
                Entry::Vacant(place) => drop(place.insert(verdict(entry))),
                Entry::Occupied(mut place) => drop(place.insert(Err(NoAnswer::Twice))),
            }
        }
        let rules = self.rules().iter().map(|rule| {
            let verdict = answered.remove(rule.name.as_str());
            (rule.name.clone(), verdict.unwrap_or(Err(NoAnswer::LeftOut)))
        });
        Verdicts {
            rules: rules.collect(),
            seen: read.seen,
            usage: read.usage,
        }
    }
}

fn verdict(entry: &Value) -> Result<Verdict, NoAnswer> {
    let answer = match entry["answer"].as_str().map(str::trim) {
        Some(text) if text.eq_ignore_ascii_case("yes") => Answer::Yes,
        Some(text) if text.eq_ignore_ascii_case("no") => Answer::No,
        Some(text) if text.eq_ignore_ascii_case("unsure") => Answer::Unsure,
        _ => return Err(NoAnswer::NotOneOfThree),
    };
    let confidence = entry["confidence"].as_f64();
    let confidence = confidence.filter(|it| (0.0..=1.0).contains(it));
    Ok(Verdict {
        answer,
        confidence: confidence.ok_or(NoAnswer::Confidence)?,
        reason: bounded(entry["reason"].as_str().ok_or(NoAnswer::Reason)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::question::tests::question;

    fn judged(answers: &[Value]) -> Vec<Result<Verdict, NoAnswer>> {
        let read = Read {
            seen: String::new(),
            answers: answers.to_vec(),
            usage: None,
        };
        let verdicts = question().judge(read).rules;
        verdicts.into_iter().map(|(_, verdict)| verdict).collect()
    }

    fn entry(rule: &str, answer: &str, confidence: f64) -> Value {
        json!({"rule": rule, "reason": "because", "answer": answer, "confidence": confidence})
    }

    #[test]
    fn takes_what_was_asked_for_in_the_order_of_the_question() {
        let verdicts = judged(&[entry("visitor", " NO ", 1.0), entry("parcel", "yes", 0.5)]);
        let [Ok(parcel), Ok(visitor)] = &verdicts[..] else {
            panic!("{verdicts:?}");
        };
        assert_eq!((parcel.answer, parcel.confidence), (Answer::Yes, 0.5));
        assert_eq!((visitor.answer, visitor.confidence), (Answer::No, 1.0));
        assert_eq!(parcel.reason, "because");
    }

    #[test]
    fn takes_nothing_else() {
        let mut no_reason = entry("parcel", "yes", 0.9);
        no_reason["reason"] = Value::Null;
        let mut text = entry("parcel", "yes", 0.9);
        text["confidence"] = json!("0.9");
        for (parcel, why) in [
            (entry("parcel", "maybe", 0.9), NoAnswer::NotOneOfThree),
            (entry("parcel", "", 0.9), NoAnswer::NotOneOfThree),
            (entry("parcel", "yes", 95.0), NoAnswer::Confidence),
            (entry("parcel", "yes", -0.1), NoAnswer::Confidence),
            (text, NoAnswer::Confidence),
            (no_reason, NoAnswer::Reason),
            (entry("Parcel", "yes", 0.9), NoAnswer::LeftOut),
            (json!("yes"), NoAnswer::LeftOut),
            (json!(["parcel"]), NoAnswer::LeftOut),
        ] {
            let verdicts = judged(&[parcel, entry("visitor", "no", 0.8)]);
            assert_eq!(verdicts[0], Err(why));
            // Another rule's answer is none the worse for it.
            assert!(verdicts[1].is_ok());
        }
    }

    #[test]
    fn a_rule_answered_twice_is_not_answered() {
        let yes = entry("parcel", "yes", 0.9);
        for again in [yes.clone(), entry("parcel", "no", 0.9)] {
            let verdicts = judged(&[yes.clone(), again, entry("open_the_door", "yes", 1.0)]);
            assert_eq!(verdicts, [Err(NoAnswer::Twice), Err(NoAnswer::LeftOut)]);
        }
    }

    proptest! {
        #[test]
        fn says_no_only_where_the_model_did(answer in "(no|yes|No|unsure|nope|not|n|)[ ]?",
            confidence in -0.5..1.5f64) {
            let verdict = &judged(&[entry("parcel", &answer, confidence)])[0];
            let says_no = matches!(verdict, Ok(Verdict { answer: Answer::No, .. }));
            let valid = answer.trim().eq_ignore_ascii_case("no")
                && (0.0..=1.0).contains(&confidence);
            prop_assert_eq!(says_no, valid);
        }
    }
}
