//! Those who look at prints: each rule of `obico` has its own, and asks one question at a time.

use std::path::Path;
use std::rc::Rc;

use tokio::task::AbortHandle;

use super::{Answers, AskedPicture, Asker, Done, Due, Outcome, Whom};
use crate::alert::Judge;
use crate::judges::Judged;
use crate::judges::obico::Obico;
use crate::rules::{Answer, Question};
use crate::settings::{CameraSettings, JudgeSettings, Settings};

/// Who looks at prints for a rule.
pub(super) struct OfPrint {
    pub(super) rule: String,
    ml_api: Rc<MlApi>,
    /// What is asked now.
    question: Option<AbortHandle>,
}

enum MlApi {
    Itself(Box<Obico>),
    Recorded(Rc<Answers>),
}

/// Of a rule; no answer where nothing is said of it.
pub(super) type PrintDone = (String, Option<anyhow::Result<Judged>>, AskedPicture);

impl OfPrint {
    /// Those of a camera's rules. One that was there `before`, at the same URL and with the same
    /// picture, goes on as it was.
    ///
    /// # Errors
    /// A key cannot be read.
    pub(super) fn all(
        settings: &Settings,
        camera: &CameraSettings,
        whom: &Whom,
        before: &[Self],
    ) -> anyhow::Result<Vec<Self>> {
        let mut all = Vec::new();
        for rule in &camera.rules {
            let before = before.iter().find(|before| before.rule == rule.name);
            let before = before.map(|before| &*before.ml_api);
            let ca_file = settings.ca_file.as_deref();
            if let Some(ml_api) = MlApi::of(&rule.judge, whom, ca_file, before)? {
                all.push(Self {
                    rule: rule.name.clone(),
                    ml_api: Rc::new(ml_api),
                    question: None,
                });
            }
        }
        Ok(all)
    }

    /// Takes over the questions of those that were there `before`. Gives the rules whose questions
    /// are dropped.
    pub(super) fn take_over(all: &mut [Self], before: Vec<Self>) -> Vec<String> {
        let mut dropped = Vec::new();
        for before in before {
            let Some(question) = before.question else {
                continue;
            };
            let same = all
                .iter_mut()
                .find(|own| own.rule == before.rule && own.ml_api.is_that_of(&before.ml_api));
            match same {
                Some(own) => own.question = Some(question),
                None => {
                    question.abort();
                    dropped.push(before.rule);
                }
            }
        }
        dropped
    }

    /// Says whether nothing is asked now.
    pub(super) fn is_free(&self) -> bool {
        self.question.is_none()
    }

    /// A print has ended, or was paused.
    pub(super) fn forget(&self) {
        if let MlApi::Itself(obico) = &*self.ml_api {
            obico.forget();
        }
    }
}

impl MlApi {
    /// Who looks for a rule, if anybody does.
    fn of(
        judge: &JudgeSettings,
        whom: &Whom,
        ca_file: Option<&Path>,
        before: Option<&Self>,
    ) -> anyhow::Result<Option<Self>> {
        let JudgeSettings::Obico {
            url,
            picture,
            key_file,
        } = judge
        else {
            return Ok(None);
        };
        Ok(match whom {
            Whom::Themselves { picture: lent } => {
                let picture = lent.as_ref().unwrap_or(picture);
                let mut obico = Obico::new(url, picture, key_file.as_deref(), ca_file)?;
                if let Some(Self::Itself(before)) = before {
                    obico.go_on_after(before);
                }
                Some(Self::Itself(Box::new(obico)))
            }
            Whom::Recorded(answers) => Some(Self::Recorded(answers.clone())),
            Whom::Nobody => None,
        })
    }

    /// Says whether an answer of the one is one of the other.
    fn is_that_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Itself(own), Self::Itself(other)) => own.is_at(other),
            (Self::Recorded(own), Self::Recorded(other)) => Rc::ptr_eq(own, other),
            _ => false,
        }
    }

    async fn judge(&self, rule: &str, frame: (u32, u32)) -> Option<anyhow::Result<Judged>> {
        match self {
            Self::Itself(obico) => Some(obico.judge(frame).await),
            Self::Recorded(answers) => answers.said(rule, None).map(Ok),
        }
    }
}

impl Asker {
    pub(super) fn ask_of_prints(&mut self, due: &Due, picture: AskedPicture) -> anyhow::Result<()> {
        let (header, _) = eyelid_jpeg::whole(&picture.jpeg)?;
        let frame = (header.width, header.height);
        for of_print in &mut self.prints {
            if !due.rules.contains(&of_print.rule) || !of_print.is_free() {
                continue;
            }
            let (rule, picture) = (of_print.rule.clone(), picture.clone());
            let ml_api = of_print.ml_api.clone();
            let question = self.under_way.spawn_local(async move {
                let judged = ml_api.judge(&rule, frame).await;
                Done::Print(Box::new((rule, judged, picture)))
            });
            of_print.question = Some(question);
        }
        Ok(())
    }

    pub(super) fn print_done(&mut self, (rule, judged, picture): PrintDone) -> Outcome {
        if let Some(of_print) = self.prints.iter_mut().find(|it| it.rule == rule) {
            of_print.question = None;
        }
        let (came_to, why, judged) = match judged {
            None => (None, None, None),
            Some(Ok(judged)) => (Some(Question::Answered), None, Some(judged)),
            Some(Err(error)) => {
                let why = format!("{error:#}");
                log::debug!("obico: no answer: {why}");
                let missing = Some(Answer::Missing.into());
                (Some(Question::Failed), Some(why), missing)
            }
        };
        Outcome {
            judge: Judge::Obico,
            came_to,
            why,
            put_off: Vec::new(),
            answers: judged.map(|judged| (rule, judged)).into_iter().collect(),
            picture,
            earlier: Vec::new(),
        }
    }
}
