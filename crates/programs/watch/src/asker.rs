//! Those who are asked about a camera's pictures, now and then: whom, about which rules, and what
//! came of it. While a question is under way the camera is looked at as ever.

mod looking;

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_words::{Answer as Word, RuleInWords, Verdict};
use tokio::task::JoinSet;

use crate::alert::Judge;
use crate::judges::Judged;
use crate::judges::obico::Obico;
use crate::judges::says::{Asked, Look, Model, Occasion, Prepared, Said, Says};
use crate::judges::sees::{self, Sees};
use crate::moment::Moment;
use crate::rules::{Answer, CameraRules, Question, Rule, State};
use crate::settings::{CameraSettings, JudgeSettings, Settings};

/// All of one camera. When it is dropped, so are questions under way.
pub(crate) struct Asker {
    camera: String,
    words: Option<Words>,
    /// By their rules; nothing while one is under way.
    obico: Vec<(String, Option<Obico>)>,
    sees: Option<Sees>,
    is_looking: bool,
    under_way: JoinSet<Done>,
}

/// The rules in words, and who is asked about them.
struct Words {
    model: Rc<Model>,
    says: Says,
    is_asking: bool,
    /// Rules where something has moved since they were asked about last. What it came to is to be
    /// seen when it moves no more: who brings a parcel is asked about before it lies there.
    moved: RefCell<HashSet<String>>,
}

/// Rules that are to be asked about now, all of one judge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Due {
    pub(crate) judge: Judge,
    pub(crate) rules: Vec<String>,
    occasion: Occasion,
}

/// A picture that somebody is asked about.
#[derive(Clone, Debug)]
pub(crate) struct AskedPicture {
    pub(crate) jpeg: Bytes,
    pub(crate) captured: SystemTime,
}

/// What a question came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) judge: Judge,
    /// For blindness; nothing where it was not time to ask.
    pub(crate) came_to: Option<Question>,
    /// Why there is no answer, for people.
    pub(crate) why: Option<String>,
    /// By the rules' names.
    pub(crate) answers: Vec<(String, Judged)>,
    /// What was judged.
    pub(crate) picture: AskedPicture,
}

/// What a task gives back.
enum Done {
    Words(Box<(Prepared, Asked, AskedPicture)>),
    Obico(Box<(String, Obico, anyhow::Result<Judged>, AskedPicture)>),
    Seen(Box<(Vec<String>, anyhow::Result<sees::Look>, AskedPicture)>),
}

impl Words {
    /// Says whether something moves where a rule looks, or has since it was asked about.
    fn moved(&self, rule: &str, moves: bool) -> bool {
        let mut moved = self.moved.borrow_mut();
        if moves {
            moved.insert(rule.to_owned());
        }
        moved.contains(rule)
    }
}

impl Asker {
    /// Those of a camera.
    ///
    /// # Errors
    /// A key cannot be read, or would go over a wire in the clear; or there is no detector that can
    /// be used.
    pub(crate) fn new(settings: &Settings, camera: &CameraSettings) -> anyhow::Result<Self> {
        let has_words = camera.rules.iter().any(|rule| rule.judge.is_in_words());
        let words = match &settings.model {
            Some(model) if has_words => Some(Words {
                model: Rc::new(Model::new(model, &settings.state)?),
                says: Says::new(&camera.mask),
                is_asking: false,
                moved: RefCell::default(),
            }),
            _ => None,
        };
        let mut obico = Vec::new();
        for rule in &camera.rules {
            if let JudgeSettings::Obico {
                url,
                picture,
                key_file,
            } = &rule.judge
            {
                let judge = Obico::new(url, picture, key_file.as_deref())?;
                obico.push((rule.name.clone(), Some(judge)));
            }
        }
        Ok(Self {
            camera: camera.name.to_string(),
            words,
            obico,
            sees: Sees::new(settings, camera)?,
            is_looking: false,
            under_way: JoinSet::new(),
        })
    }

    /// Takes in a picture that was looked at: one of them may be asked about, later.
    pub(crate) fn looked(&mut self, look: Look) {
        if let Some(words) = &mut self.words {
            words.says.looked(look);
        }
    }

    /// The camera was not looked at for a while.
    pub(crate) fn forget(&mut self) {
        if let Some(words) = &mut self.words {
            words.says.forget();
        }
        for (_, obico) in &mut self.obico {
            if let Some(obico) = obico {
                obico.forget();
            }
        }
    }

    /// What is to be asked now, of the rules that `looks_now`; `moves` says whether something does
    /// where a rule looks.
    pub(crate) fn due(
        &self,
        rules: &CameraRules,
        looks_now: impl Fn(&str) -> bool,
        moves: impl Fn(&str) -> bool,
        now: Moment,
    ) -> Vec<Due> {
        let is_due = |rule: &Rule, judge: Judge, moves: &dyn Fn(&str) -> bool| {
            let name = rule.name();
            rule.terms().judge == judge && looks_now(name) && rule.is_due(moves(name), now)
        };
        let in_words: Vec<&Rule> = match &self.words {
            Some(words) => {
                let moved = |name: &str| words.moved(name, moves(name));
                let rules = rules.rules().iter();
                rules
                    .filter(|rule| is_due(rule, Judge::Says, &moved))
                    .collect()
            }
            None => Vec::new(),
        };
        let is_confirming = in_words.iter().any(|rule| rule.state() == State::Asked);
        let occasion = match is_confirming {
            true => Occasion::Confirming,
            false => Occasion::First,
        };
        let may_ask = self.words.as_ref().is_some_and(|words| {
            !words.is_asking && words.model.wait(&self.camera, occasion).is_zero()
        });
        let mut due = Vec::new();
        if may_ask && !in_words.is_empty() {
            due.push(Due {
                judge: Judge::Says,
                rules: in_words.iter().map(|rule| rule.name().to_owned()).collect(),
                occasion,
            });
        }
        let of_obico = rules.rules().iter();
        let of_obico = of_obico.filter(|it| is_due(it, Judge::Obico, &moves));
        let is_free = |rule: &&Rule| {
            let known = self.obico.iter().find(|(name, _)| name == rule.name());
            known.is_some_and(|(_, obico)| obico.is_some())
        };
        due.extend(of_obico.filter(is_free).map(|rule| Due {
            judge: Judge::Obico,
            rules: vec![rule.name().to_owned()],
            occasion: Occasion::First,
        }));
        let of_detector = rules
            .rules()
            .iter()
            .filter(|it| is_due(it, Judge::Sees, &moves));
        due.extend(self.due_of_detector(of_detector));
        due
    }

    /// Asks what is due about a picture of now. What comes of it is the next [`Asker::outcome`];
    /// nothing does where the scene is one that was answered before.
    ///
    /// # Errors
    /// The picture cannot be asked about.
    pub(crate) fn ask(
        &mut self,
        due: &Due,
        rules: &CameraRules,
        picture: AskedPicture,
        clock_ahead_of_utc_s: i32,
    ) -> anyhow::Result<()> {
        match due.judge {
            Judge::Says => self.ask_in_words(due, rules, picture, clock_ahead_of_utc_s),
            Judge::Obico => self.ask_obico(due, picture),
            Judge::Sees => {
                self.ask_detector(due, picture);
                Ok(())
            }
            Judge::Motion | Judge::Left | Judge::Still => Ok(()),
        }
    }

    fn ask_in_words(
        &mut self,
        due: &Due,
        rules: &CameraRules,
        picture: AskedPicture,
        clock_ahead_of_utc_s: i32,
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
            Instant::now(),
        )?;
        let Some(prepared) = prepared else {
            return Ok(());
        };
        words.is_asking = true;
        let (model, camera) = (words.model.clone(), self.camera.clone());
        let occasion = due.occasion;
        self.under_way.spawn_local(async move {
            let asked = model.ask(&camera, occasion, &prepared.question).await;
            Done::Words(Box::new((prepared, asked, picture)))
        });
        Ok(())
    }

    fn ask_obico(&mut self, due: &Due, picture: AskedPicture) -> anyhow::Result<()> {
        let (header, _) = eyelid_jpeg::whole(&picture.jpeg)?;
        for (rule, place) in &mut self.obico {
            if !due.rules.contains(rule) {
                continue;
            }
            let Some(mut obico) = place.take() else {
                continue;
            };
            let (rule, picture) = (rule.clone(), picture.clone());
            self.under_way.spawn_local(async move {
                let judged = obico.judge((header.width, header.height)).await;
                Done::Obico(Box::new((rule, obico, judged, picture)))
            });
        }
        Ok(())
    }

    /// Waits for what the next question came to; for ever, while none is under way. May be dropped
    /// at any time.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        loop {
            match self.under_way.join_next().await {
                None => std::future::pending().await,
                Some(Ok(Done::Words(done))) => return self.words_done(*done),
                Some(Ok(Done::Obico(done))) => return self.obico_done(*done),
                Some(Ok(Done::Seen(done))) => return self.detector_done(*done),
                Some(Err(error)) => log::error!("a question has ended early: {error}"),
            }
        }
    }

    fn words_done(
        &mut self,
        (prepared, asked, picture): (Prepared, Asked, AskedPicture),
    ) -> Outcome {
        if let Some(words) = &mut self.words {
            words.is_asking = false;
            if let Asked::Said(said) = &asked {
                words.says.answered(&prepared, said, Instant::now());
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

    fn obico_done(
        &mut self,
        (rule, obico, judged, picture): (String, Obico, anyhow::Result<Judged>, AskedPicture),
    ) -> Outcome {
        if let Some((_, place)) = self.obico.iter_mut().find(|(name, _)| *name == rule) {
            *place = Some(obico);
        }
        let (came_to, why, judged) = match judged {
            Ok(judged) => (Question::Answered, None, judged),
            Err(error) => {
                let why = format!("{error:#}");
                log::debug!("obico: no answer: {why}");
                (Question::Failed, Some(why), Answer::Missing.into())
            }
        };
        Outcome {
            judge: Judge::Obico,
            came_to: Some(came_to),
            why,
            answers: vec![(rule, judged)],
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
