//! The model among those who are asked: one question at a time, of all rules in words.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_words::{Answer as Word, RuleInWords, Verdict};

use super::voice::Voice;
use super::{AskedPicture, Asker, Done, Due, Outcome, Whom};
use crate::alert::Judge;
use crate::judges::Judged;
use crate::judges::says::{Asked, Occasion, Prepared, Said, Says};
use crate::rules::{Answer, CameraRules, Question, Rule, State};
use crate::settings::{CameraSettings, Settings};

/// The rules in words, and who is asked about them.
pub(super) struct Words {
    voice: Rc<Voice>,
    pub(super) says: Says,
    is_asking: bool,
    /// Rules where something has moved since they were asked about last. What it came to is to be
    /// seen when it moves no more: who brings a parcel is asked about before it lies there.
    moved: RefCell<HashSet<String>>,
}

impl Words {
    /// Those of a camera, if it has rules in words.
    ///
    /// # Errors
    /// The model's key cannot be read, or would go over a wire in the clear.
    pub(super) fn new(
        settings: &Settings,
        camera: &CameraSettings,
        whom: &Whom,
    ) -> anyhow::Result<Option<Self>> {
        let has_words = camera.rules.iter().any(|rule| rule.judge.is_in_words());
        let voice = Voice::new(settings, whom)?.filter(|_| has_words);
        let Some(voice) = voice else {
            return Ok(None);
        };
        Ok(Some(Self {
            voice: Rc::new(voice),
            says: Says::new(&camera.mask),
            is_asking: false,
            moved: RefCell::default(),
        }))
    }

    /// What the model is to be asked about, of rules that are due.
    pub(super) fn due<'a>(
        &self,
        due: impl Iterator<Item = &'a Rule>,
        camera: &str,
        at: Instant,
    ) -> Option<Due> {
        let due: Vec<&Rule> = due.collect();
        let is_confirming = due.iter().any(|rule| rule.state() == State::Asked);
        let occasion = match is_confirming {
            true => Occasion::Confirming,
            false => Occasion::First,
        };
        let may_ask = !self.is_asking && self.voice.wait(camera, occasion, at).is_zero();
        (may_ask && !due.is_empty()).then(|| Due {
            judge: Judge::Says,
            rules: due.iter().map(|rule| rule.name().to_owned()).collect(),
            occasion,
        })
    }

    /// Says whether something moves where a rule looks, or has since it was asked about.
    pub(super) fn moved(&self, rule: &str, moves: bool) -> bool {
        let mut moved = self.moved.borrow_mut();
        if moves {
            moved.insert(rule.to_owned());
        }
        moved.contains(rule)
    }
}

impl Asker {
    pub(super) fn ask_in_words(
        &mut self,
        due: &Due,
        rules: &CameraRules,
        picture: AskedPicture,
        clock_ahead_of_utc_s: i32,
        at: Instant,
    ) -> anyhow::Result<()> {
        let Some(words) = &mut self.words else {
            return Ok(());
        };
        words
            .moved
            .borrow_mut()
            .retain(|it| !due.rules.contains(it));
        let is_due = |rule: &&Rule| due.rules.iter().any(|name| name == rule.name());
        let asked = rules.rules().iter().filter(is_due);
        let asked = asked.map(|rule| RuleInWords {
            name: rule.name().to_owned(),
            words: rule.terms().asked.clone().unwrap_or_default(),
        });
        let prepared = words.says.prepare(
            asked.collect(),
            due.occasion,
            (&picture.jpeg, picture.captured),
            clock_ahead_of_utc_s,
            at,
        )?;
        let Some(prepared) = prepared else {
            return Ok(());
        };
        words.is_asking = true;
        let (voice, camera) = (words.voice.clone(), self.camera.clone());
        let occasion = due.occasion;
        self.under_way.spawn_local(async move {
            let asked = voice.ask(&camera, occasion, &prepared.question, at).await;
            Done::Words(Box::new((prepared, asked, picture, at)))
        });
        Ok(())
    }

    pub(super) fn words_done(
        &mut self,
        (prepared, asked, picture, at): (Prepared, Asked, AskedPicture, Instant),
    ) -> Outcome {
        if let Some(words) = &mut self.words {
            words.is_asking = false;
            if let Asked::Said(said) = &asked {
                words.says.answered(&prepared, said, at + said.took);
            }
        }
        let names = prepared.question.rules().iter().map(|rule| &rule.name);
        let missing = || {
            let names = names.clone();
            names.map(|name| (name.clone(), Judged::from(Answer::Missing)))
        };
        let (came_to, why, answers) = match asked {
            Asked::Said(said) => said_of(said),
            Asked::NotNow(_) => (None, None, Vec::new()),
            Asked::Spent(spent) => (
                Some(Question::NotAsked),
                Some(spent.to_string()),
                Vec::new(),
            ),
            Asked::Failed(why) => (Some(Question::Failed), Some(why), missing().collect()),
            Asked::Invalid(none) => (
                Some(Question::Invalid),
                Some(none.to_string()),
                missing().collect(),
            ),
        };
        if let Some(why) = &why {
            log::debug!("words: no answer: {why}");
        }
        Outcome {
            judge: Judge::Says,
            came_to,
            why,
            answers,
            picture,
        }
    }
}

type SaidOf = (Option<Question>, Option<String>, Vec<(String, Judged)>);

/// Rules of which the model says something have an answer; where that is none of them, there is
/// none at all.
fn said_of(said: Said) -> SaidOf {
    let Said { verdicts, took } = said;
    let tokens = verdicts.usage.unwrap_or_default();
    log::debug!(
        "words: answered in {} ms, {} and {} tokens",
        took.as_millis(),
        tokens.prompt_tokens,
        tokens.completion_tokens
    );
    let none = verdicts.rules.iter().find_map(|(_, it)| it.as_ref().err());
    let why = none.map(ToString::to_string);
    let is_answered = verdicts.rules.iter().any(|(_, verdict)| verdict.is_ok());
    let came_to = if is_answered {
        Question::Answered
    } else {
        Question::Invalid
    };
    let answers = verdicts.rules.into_iter();
    let answers = answers.map(|(name, verdict)| (name, judged(verdict.ok(), took)));
    (Some(came_to), why, answers.collect())
}

fn judged(verdict: Option<Verdict>, took: Duration) -> Judged {
    let answer = match &verdict {
        None => Answer::Missing,
        Some(verdict) => match verdict.answer {
            Word::Yes => Answer::Yes {
                sightings: Vec::new(),
                confidence: Some(verdict.confidence),
            },
            Word::No => Answer::No,
            Word::Unsure => Answer::Unsure,
        },
    };
    Judged {
        answer,
        reason: verdict.map(|verdict| verdict.reason),
        took: Some(took),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eyelid_words::{NoAnswer, Verdicts};

    fn of(rules: Vec<Result<Verdict, NoAnswer>>) -> SaidOf {
        let rules = rules.into_iter().enumerate();
        said_of(Said {
            verdicts: Verdicts {
                seen: String::new(),
                rules: rules.map(|(at, rule)| (at.to_string(), rule)).collect(),
                usage: None,
            },
            took: Duration::from_millis(7),
        })
    }

    fn verdict(answer: Word) -> Result<Verdict, NoAnswer> {
        Ok(Verdict {
            answer,
            confidence: 0.7,
            reason: "because".to_owned(),
        })
    }

    #[test]
    fn a_rule_that_is_left_out_has_no_answer_and_others_have_theirs() {
        let left_out = Err(NoAnswer::LeftOut);
        let (came_to, why, answers) = of(vec![left_out, verdict(Word::Yes), verdict(Word::No)]);
        assert_eq!(came_to, Some(Question::Answered));
        assert!(why.unwrap().contains("left this rule out"));
        let answers: Vec<Answer> = answers.into_iter().map(|(_, it)| it.answer).collect();
        let yes = Answer::Yes {
            sightings: Vec::new(),
            confidence: Some(0.7),
        };
        assert_eq!(answers, [Answer::Missing, yes, Answer::No]);
    }

    #[test]
    fn no_answer_to_any_rule_is_none() {
        let (came_to, _, answers) = of(vec![Err(NoAnswer::Twice), Err(NoAnswer::Confidence)]);
        assert_eq!(came_to, Some(Question::Invalid));
        assert!(answers.iter().all(|(_, it)| it.answer == Answer::Missing));
        let (came_to, why, answers) = of(vec![verdict(Word::Unsure)]);
        assert_eq!((came_to, why), (Some(Question::Answered), None));
        let (_, judged) = &answers[0];
        assert_eq!(judged.answer, Answer::Unsure);
        assert_eq!(judged.reason.as_deref(), Some("because"));
        assert_eq!(judged.took, Some(Duration::from_millis(7)));
    }
}
