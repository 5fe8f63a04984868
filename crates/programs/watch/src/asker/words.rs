//! The model among those who are asked: one question at a time, of all rules in words.

use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_words::{Answer as Word, Moment, RuleInWords, Verdict};
use tokio::task::AbortHandle;

use super::voice::Voice;
use super::{AskedPicture, Asker, Done, Due, Outcome, Whom};
use crate::alert::Judge;
use crate::earlier::Earlier;
use crate::judges::Judged;
use crate::judges::says::{Asked, Occasion, Prepared, Said, Says};
use crate::rules::{Answer, CameraRules, Question, Rule};
use crate::settings::{CameraSettings, JudgeSettings, RuleSettings, Settings};

/// How soon it is tried again at the earliest where it was not time to ask.
const NOT_NOW: Duration = Duration::from_secs(1);

/// The rules in words, and who is asked about them.
pub(super) struct Words {
    voice: Rc<Voice>,
    pub(super) says: Says,
    /// What is asked now, and for which rules.
    question: Option<(AbortHandle, Vec<String>)>,
    rules: Vec<RuleInWords>,
}

impl Words {
    /// Those of a camera, if it has rules in words. Who was asked `before` and is the same goes on.
    ///
    /// # Errors
    /// The model's key cannot be read.
    pub(super) fn new(
        settings: &Settings,
        camera: &CameraSettings,
        whom: &Whom,
        before: Option<&Self>,
    ) -> anyhow::Result<Option<Self>> {
        if !camera.rules.iter().any(|rule| rule.judge.is_in_words()) {
            return Ok(None);
        }
        let before = before.map(|before| &*before.voice);
        let Some(voice) = Voice::new(settings, whom, before)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            voice: Rc::new(voice),
            says: Says::new(&camera.mask),
            question: None,
            rules: in_words(camera),
        }))
    }

    /// Hands its question over to the one `after`, and what it has seen and was answered, if that
    /// asks the same model about the same places. Gives the rules whose question is dropped.
    pub(super) fn hand_over(self, after: Option<&mut Self>) -> Vec<String> {
        let after = after.filter(|after| after.voice.is(&self.voice));
        let Some(after) = after else {
            let Some((question, rules)) = self.question else {
                return Vec::new();
            };
            question.abort();
            return rules;
        };
        after.question = self.question;
        if self.says.has_mask_of(&after.says) {
            after.says = self.says;
            after.forget_others(&self.rules);
        }
        Vec::new()
    }

    /// Has these rules from now on. Who is asked, how that wants to be asked, and a question that
    /// is under way stay as they are.
    pub(super) fn set_rules(&mut self, camera: &CameraSettings) {
        let before = std::mem::replace(&mut self.rules, in_words(camera));
        self.forget_others(&before);
    }

    /// What was answered for rules that are not there any more says nothing.
    fn forget_others(&mut self, before: &[RuleInWords]) {
        for rule in before.iter().filter(|rule| !self.rules.contains(rule)) {
            self.says.forget_rule(&rule.name);
        }
    }

    /// What the model is to be asked about, of rules that are due.
    pub(super) fn due<'a>(
        &self,
        due: impl Iterator<Item = &'a Rule>,
        camera: &str,
        at: Instant,
    ) -> Option<Due> {
        let due: Vec<&Rule> = due.collect();
        let occasion = occasion(&due);
        let may_ask = self.question.is_none() && self.voice.wait(camera, occasion, at).is_zero();
        (may_ask && !due.is_empty()).then(|| Due {
            judge: Judge::Says,
            rules: due.iter().map(|rule| rule.name().to_owned()).collect(),
            occasion,
        })
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
        let rules = prepared.question.rules().iter();
        let rules = rules.map(|rule| rule.name.clone()).collect();
        let (voice, camera) = (words.voice.clone(), self.camera.clone());
        let occasion = due.occasion;
        let question = self.under_way.spawn_local(async move {
            let asked = voice.ask(&camera, occasion, &prepared.question, at).await;
            Done::Words(Box::new((prepared, asked, picture, at)))
        });
        words.question = Some((question, rules));
        Ok(())
    }

    pub(super) fn words_done(
        &mut self,
        (prepared, asked, picture, at): (Prepared, Asked, AskedPicture, Instant),
    ) -> Outcome {
        let mut rules: Vec<&RuleInWords> = prepared.question.rules().iter().collect();
        if let Some(words) = &mut self.words {
            words.question = None;
            if let Asked::Said(said) = &asked {
                words.says.answered(&prepared, said, at + said.took);
            }
            // One that is gone meanwhile, or has other words, has no answer.
            let (there, gone) = rules
                .into_iter()
                .partition(|rule| words.rules.contains(rule));
            rules = there;
            let gone: Vec<&RuleInWords> = gone;
            gone.iter()
                .for_each(|rule| words.says.forget_rule(&rule.name));
        }
        let came = of_asked(asked, rules.iter().map(|rule| rule.name.clone()).collect());
        if let Some(why) = &came.why {
            log::debug!("words: no answer: {why}");
        }
        Outcome {
            judge: Judge::Says,
            came_to: came.came_to,
            why: came.why,
            put_off: came.put_off,
            answers: came.answers,
            earlier: shown_before(&prepared, &picture),
            picture,
        }
    }
}

/// What the model was shown beside the picture of now, as it was shown it.
fn shown_before(prepared: &Prepared, now: &AskedPicture) -> Vec<Earlier> {
    let pictures = prepared.question.pictures().iter();
    let earlier = pictures.filter(|picture| picture.moment != Moment::Now);
    let earlier = earlier.map(|picture| Earlier {
        before: (now.captured.duration_since(picture.captured)).unwrap_or_default(),
        jpeg: picture.jpeg.clone(),
    });
    earlier.collect()
}

/// The rules in words of a camera.
fn in_words(camera: &CameraSettings) -> Vec<RuleInWords> {
    let of = |rule: &RuleSettings| match &rule.judge {
        JudgeSettings::Says(words) => Some(RuleInWords {
            name: rule.name.clone(),
            words: words.as_str().to_owned(),
        }),
        _ => None,
    };
    camera.rules.iter().filter_map(of).collect()
}

/// Why these rules are asked about. A "no" of something that stands is to be confirmed as a "yes"
/// is: it would be believed otherwise, and what is gone would stand on.
fn occasion(due: &[&Rule]) -> Occasion {
    if due.iter().any(|rule| rule.is_confirming()) {
        Occasion::Confirming
    } else {
        Occasion::First
    }
}

/// What a question came to, as an [`Outcome`] has it.
#[derive(Debug, Default, PartialEq)]
struct CameTo {
    came_to: Option<Question>,
    why: Option<String>,
    put_off: Vec<(String, Duration)>,
    answers: Vec<(String, Judged)>,
}

/// What it came to for these rules that it was asked about them, or some more. One that had no
/// answer is to hear of that: what it was about may never move again.
fn of_asked(asked: Asked, rules: Vec<String>) -> CameTo {
    let (came_to, why) = match asked {
        Asked::Said(said) => {
            let mut came = said_of(said);
            came.answers.retain(|(name, _)| rules.contains(name));
            return came;
        }
        Asked::NotNow(wait) => {
            let wait = wait.max(NOT_NOW);
            return CameTo {
                put_off: rules.into_iter().map(|rule| (rule, wait)).collect(),
                ..CameTo::default()
            };
        }
        Asked::Spent(spent) => (Question::NotAsked, spent.to_string()),
        Asked::Failed(why) => (Question::Failed, why),
        Asked::Invalid(none) => (Question::Invalid, none.to_string()),
    };
    let missing = |rule| (rule, Judged::from(Answer::Missing));
    CameTo {
        came_to: Some(came_to),
        why: Some(why),
        put_off: Vec::new(),
        answers: rules.into_iter().map(missing).collect(),
    }
}

/// Rules of which the model says something have an answer; where that is none of them, there is
/// none at all.
fn said_of(said: Said) -> CameTo {
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
    CameTo {
        came_to: Some(came_to),
        why,
        put_off: Vec::new(),
        answers: answers.collect(),
    }
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
    use crate::moment::Moment;
    use crate::rules::Terms;
    use eyelid_words::{NoAnswer, Spent, Verdicts};

    fn of(rules: Vec<Result<Verdict, NoAnswer>>) -> CameTo {
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
        let CameTo {
            came_to,
            why,
            answers,
            ..
        } = of(vec![left_out, verdict(Word::Yes), verdict(Word::No)]);
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
        let CameTo {
            came_to, answers, ..
        } = of(vec![Err(NoAnswer::Twice), Err(NoAnswer::Confidence)]);
        assert_eq!(came_to, Some(Question::Invalid));
        assert!(answers.iter().all(|(_, it)| it.answer == Answer::Missing));
        let CameTo {
            came_to,
            why,
            answers,
            ..
        } = of(vec![verdict(Word::Unsure)]);
        assert_eq!((came_to, why), (Some(Question::Answered), None));
        let (_, judged) = &answers[0];
        assert_eq!(judged.answer, Answer::Unsure);
        assert_eq!(judged.reason.as_deref(), Some("because"));
        assert_eq!(judged.took, Some(Duration::from_millis(7)));
    }

    #[test]
    fn every_rule_hears_that_there_was_no_answer_or_no_question() {
        let rules = || vec!["parcel".to_owned(), "dog".to_owned()];
        let spent = Spent {
            limit: 20,
            period: "an hour",
            wait: Duration::from_secs(900),
        };
        for (asked, came_to) in [
            (Asked::Failed("refused".to_owned()), Question::Failed),
            (Asked::Invalid(NoAnswer::Empty), Question::Invalid),
            (Asked::Spent(spent), Question::NotAsked),
        ] {
            let came = of_asked(asked, rules());
            assert_eq!(came.came_to, Some(came_to));
            let names: Vec<_> = came.answers.iter().map(|(name, _)| &name[..]).collect();
            assert_eq!(names, ["parcel", "dog"]);
            let mut answers = came.answers.iter().map(|(_, judged)| &judged.answer);
            assert!(answers.all(|answer| *answer == Answer::Missing));
            assert!(came.why.is_some() && came.put_off.is_empty());
        }
        // Another camera's question is under way: that is no trouble, and soon over.
        let came = of_asked(Asked::NotNow(Duration::from_millis(1)), rules());
        assert_eq!((came.came_to, came.why, came.answers), (None, None, vec![]));
        assert_eq!(came.put_off[1], ("dog".to_owned(), NOT_NOW));
    }

    #[test]
    fn a_no_of_what_stands_is_confirmed_as_a_yes_is() {
        let now = Moment::now();
        let terms = vec![("parcel".to_owned(), Terms::of(Judge::Says))];
        let mut rules = CameraRules::new(terms, None, "", now);
        let yes = Answer::Yes {
            sightings: Vec::new(),
            confidence: None,
        };
        for (answer, expected) in [
            (Answer::Unsure, Occasion::First),
            (yes.clone(), Occasion::Confirming),
            (yes, Occasion::First),
            (Answer::No, Occasion::Confirming),
            (Answer::No, Occasion::First),
        ] {
            rules.look("parcel", &answer, now);
            assert_eq!(occasion(&[&rules.rules()[0]]), expected, "{answer:?}");
        }
    }

    /// Whoever answers these two: yes and no.
    fn answering(directory: &std::path::Path) -> Whom {
        let said = r#"{"at_s": 0, "rule": "parcel", "answer": "yes"}
            {"at_s": 0, "rule": "dog", "answer": "no"}"#;
        let file = directory.join("answers");
        std::fs::write(&file, said).unwrap();
        Whom::Recorded(Rc::new(super::super::Answers::read(&file).unwrap()))
    }

    fn settings() -> Settings {
        let place = crate::Place::default();
        let file = eyelid_config::Config::default();
        Settings::new(&place, &Default::default(), &file).unwrap()
    }

    fn with(rules: &[(&str, &str)]) -> CameraSettings {
        let words = |(name, words): &(&str, &str)| {
            let words = words.parse().unwrap();
            RuleSettings::words((*name).to_owned(), words, Vec::new())
        };
        CameraSettings {
            rules: rules.iter().map(words).collect(),
            ..CameraSettings::of("door")
        }
    }

    const BOTH: [(&str, &str); 2] = [("parcel", "a parcel"), ("dog", "a dog")];

    /// Asks about both rules.
    fn ask_of_both(asker: &mut Asker) {
        let terms = |(name, words): (&str, &str)| {
            let terms = Terms {
                asked: Some(words.to_owned()),
                ..Terms::of(Judge::Says)
            };
            (name.to_owned(), terms)
        };
        let now = Moment::now();
        let rules = CameraRules::new(BOTH.map(terms).to_vec(), None, "", now);
        let due = Due {
            judge: Judge::Says,
            rules: BOTH.map(|(name, _)| name.to_owned()).to_vec(),
            occasion: Occasion::First,
        };
        let mut encoder = eyelid_picture::Encoder::default();
        let jpeg = encoder.encode_rgb(&[99; 64 * 48 * 3], 64, 48, 90).unwrap();
        let picture = AskedPicture {
            jpeg: jpeg.to_vec().into(),
            captured: now.wall,
        };
        asker.ask(&due, &rules, picture, 0, Instant::now()).unwrap();
    }

    fn names(answers: &[(String, Judged)]) -> Vec<&str> {
        answers.iter().map(|(name, _)| &name[..]).collect()
    }

    #[tokio::test]
    async fn a_rule_that_is_made_meanwhile_drops_no_question_and_takes_no_other_s_answer() {
        let directory = tempfile::tempdir().unwrap();
        let (settings, whom) = (settings(), answering(directory.path()));
        let mut asker = Asker::new(&settings, &with(&BOTH), &whom).unwrap();
        let outcome = tokio::task::LocalSet::new();
        let outcome = outcome.run_until(async {
            ask_of_both(&mut asker);
            let after = with(&[("parcel", "a parcel"), ("dog", "a cat"), ("new", "a man")]);
            asker.set_made_rules(&settings, &after, &whom).unwrap();
            asker.outcome().await
        });
        assert_eq!(names(&outcome.await.answers), ["parcel"]);
    }

    #[tokio::test]
    async fn other_settings_drop_a_question_only_where_another_is_asked() {
        let directory = tempfile::tempdir().unwrap();
        let (settings, whom) = (settings(), answering(directory.path()));
        let other = answering(directory.path());
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let mut asker = Asker::new(&settings, &with(&BOTH), &whom).unwrap();
                ask_of_both(&mut asker);
                let fewer = with(&BOTH[..1]);
                let mut next = Asker::after(Some(&asker), &settings, &fewer, &whom).unwrap();
                assert_eq!(next.take_over(asker), [""; 0]);
                let asked_now = next.words.as_ref().unwrap().question.is_some();
                assert!(asked_now, "no second one beside it");
                assert_eq!(names(&next.outcome().await.answers), ["parcel"]);
                ask_of_both(&mut next);
                let mut last = Asker::after(Some(&next), &settings, &fewer, &other).unwrap();
                assert_eq!(last.take_over(next), ["parcel", "dog"]);
                let said = tokio::time::timeout(Duration::from_millis(50), last.outcome());
                assert!(said.await.is_err(), "nobody waits for that");
                ask_of_both(&mut last);
                assert_eq!(names(&last.outcome().await.answers), ["parcel"]);
            })
            .await;
    }
}
