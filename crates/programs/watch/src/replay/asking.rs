//! Who is asked while recorded pictures are looked at: nobody, unless the user says so, for it
//! costs money and shows pictures to others.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::time::sleep;

use super::lent::Lent;
use super::{ReplayArguments, rounded_s};
use crate::UnaskableError;
use crate::alert::Judge;
use crate::asker::{AnswerLog, Answers, AskedPicture, Asker, Due, Outcome, Whom};
use crate::rules::{CameraRules, Question};
use crate::settings::{CameraSettings, JudgeSettings, Settings};

/// How often, and after how long, it is tried again to ask a model that another program asks: a
/// question takes a minute at most.
const TRIES: usize = 90;
const BUSY: Duration = Duration::from_secs(1);

/// Who is asked, and what is remembered of it.
pub(super) struct Asking {
    pub(super) asker: Asker,
    answers: Option<Rc<Answers>>,
    log: Option<AnswerLog>,
    lent: Option<Lent>,
}

impl Asking {
    /// As the user says.
    ///
    /// # Errors
    /// What cannot be read, written, or listened at; a key that cannot be used.
    pub(super) async fn new(
        arguments: &ReplayArguments,
        settings: &Settings,
        camera: &CameraSettings,
    ) -> anyhow::Result<Self> {
        let file = arguments.answers.as_deref();
        let is_obico = |judge: &JudgeSettings| judge.name() == Judge::Obico;
        let asks_obico = camera.rules.iter().any(|rule| is_obico(&rule.judge));
        if arguments.ask && asks_obico && arguments.lend.is_none() {
            bail!(
                "ml_api gets pictures itself: give --lend ADDR:PORT, an address of this machine \
                 that it reaches, for example 127.0.0.1:0 where it runs here"
            );
        }
        let lent = match arguments.lend {
            Some(address) => Some(Lent::at(address).await?),
            None => None,
        };
        let answers = match file {
            Some(file) if !arguments.ask => Some(Rc::new(Answers::read(file)?)),
            _ => None,
        };
        let whom = match &answers {
            Some(answers) => Whom::Recorded(answers.clone()),
            None if arguments.ask => Whom::Themselves {
                picture: lent.as_ref().map(|lent| lent.url.clone()),
            },
            None => {
                say_who_is_not_judged(camera);
                Whom::Nobody
            }
        };
        let asker = Asker::new(settings, camera, &whom)
            .with_context(|| UnaskableError(camera.name.clone()))?;
        let log = match file {
            Some(file) if arguments.ask => Some(AnswerLog::create(file)?),
            _ => None,
        };
        Ok(Self {
            asker,
            answers,
            log,
            lent,
        })
    }

    /// Asks about a picture of that moment, and waits for what it comes to; nothing where it looks
    /// as it did when the answer was no.
    ///
    /// # Errors
    /// There is no answer to be had: what follows could not be judged.
    pub(super) async fn ask(
        &mut self,
        due: &Due,
        rules: &CameraRules,
        picture: AskedPicture,
        ahead_s: i32,
        (at, instant): (Duration, Instant),
    ) -> anyhow::Result<Option<Outcome>> {
        if let Some(lent) = &self.lent {
            lent.set(picture.jpeg.clone());
        }
        if let Some(answers) = &self.answers {
            answers.look_at(at);
        }
        for _ in 0..TRIES {
            let picture = picture.clone();
            self.asker.ask(due, rules, picture, ahead_s, instant)?;
            if !self.asker.is_asking() {
                return Ok(None);
            }
            let outcome = self.asker.outcome().await;
            if let Some(Question::Failed | Question::NotAsked) = outcome.came_to {
                let why = outcome.why.unwrap_or_default();
                bail!("at {} s: no answer: {why}", rounded_s(at));
            }
            // Where somebody else asks just now, the turn comes.
            if outcome.came_to.is_none() && self.answers.is_none() {
                sleep(BUSY).await;
                continue;
            }
            self.write_down(&outcome, rules, at)?;
            return Ok(Some(outcome));
        }
        bail!("at {} s: another program asks all the time", rounded_s(at));
    }

    fn write_down(
        &mut self,
        outcome: &Outcome,
        rules: &CameraRules,
        at: Duration,
    ) -> anyhow::Result<()> {
        let Some(log) = self.log.as_mut().filter(|_| outcome.judge != Judge::Sees) else {
            return Ok(());
        };
        for (name, judged) in &outcome.answers {
            let rule = rules.rules().iter().find(|rule| rule.name() == name);
            let words = rule.and_then(|rule| rule.terms().asked.as_deref());
            log.add(rounded_s(at), (name, outcome.judge, words), judged)?;
        }
        Ok(())
    }

    /// Says at the end what could not be judged.
    pub(super) fn sum_up(&self, file: Option<&Path>) {
        let missing = self.answers.as_ref().map_or(0, |answers| answers.missing());
        if let Some(file) = file.filter(|_| missing > 0) {
            log::warn!("{missing} times no answer in {file:?} was to be had: nothing was judged");
        }
    }
}

fn say_who_is_not_judged(camera: &CameraSettings) {
    let asks = |judge: Judge| matches!(judge, Judge::Says | Judge::Obico);
    let rules = camera.rules.iter().filter(|rule| asks(rule.judge.name()));
    let names: Vec<&str> = rules.map(|rule| rule.name.as_str()).collect();
    if !names.is_empty() {
        log::warn!(
            "not judged: {}; --ask asks about them, --answers FILE takes what was answered before",
            names.join(", ")
        );
    }
}
