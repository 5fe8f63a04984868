//! Who answers rules in words: a model, or what one has said before.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_words::{Answer as Word, NoAnswer, Pauses, Question, Verdict, Verdicts};

use super::{Answers, Whom};
use crate::judges::Judged;
use crate::judges::says::{Asked, Model, Occasion, Said};
use crate::rules::Answer;
use crate::settings::Settings;

/// How sure somebody is who does not say so.
const MAYBE: f64 = 0.5;

/// Who answers.
pub(super) enum Voice {
    Model(Box<Model>),
    /// What was said is said again, in the same pauses.
    Recorded(Rc<Answers>, Rc<RefCell<Pauses>>),
}

impl Voice {
    /// Whoever is to be asked, if anybody is. Who was asked `before` and is the same goes on.
    ///
    /// # Errors
    /// The model's key cannot be read.
    pub(super) fn new(
        settings: &Settings,
        whom: &Whom,
        before: Option<&Self>,
    ) -> anyhow::Result<Option<Self>> {
        Ok(match (whom, &settings.model) {
            (Whom::Themselves { .. }, Some(model)) => {
                let mut model = Model::new(model, &settings.state)?;
                if let Some(Self::Model(before)) = before {
                    model.go_on_after(before);
                }
                Some(Self::Model(Box::new(model)))
            }
            (Whom::Recorded(answers), _) => {
                let pauses = match before {
                    Some(Self::Recorded(_, pauses)) => pauses.clone(),
                    _ => Rc::default(),
                };
                Some(Self::Recorded(answers.clone(), pauses))
            }
            (Whom::Themselves { .. }, None) | (Whom::Nobody, _) => None,
        })
    }

    /// Says whether an answer of the one is one of the other.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Model(own), Self::Model(other)) => own.is(other),
            (Self::Recorded(own, _), Self::Recorded(other, _)) => Rc::ptr_eq(own, other),
            _ => false,
        }
    }

    /// How long to wait with a question of this camera.
    pub(super) fn wait(&self, camera: &str, occasion: Occasion, now: Instant) -> Duration {
        match (self, occasion) {
            (Self::Model(model), _) => model.wait(camera, occasion, now),
            (Self::Recorded(_, pauses), Occasion::First) => pauses.borrow().wait(camera, now),
            (Self::Recorded(..), Occasion::Confirming) => Duration::ZERO,
        }
    }

    /// Asks.
    pub(super) async fn ask(
        &self,
        camera: &str,
        occasion: Occasion,
        what: &Question,
        now: Instant,
    ) -> Asked {
        let (answers, pauses) = match self {
            Self::Model(model) => return model.ask(camera, occasion, what, now).await,
            Self::Recorded(answers, pauses) => (answers, pauses),
        };
        pauses.borrow_mut().asked(camera, now);
        let said = what.rules().iter().filter_map(|rule| {
            let judged = answers.said(&rule.name, Some(&rule.words))?;
            Some((rule.name.clone(), verdict(judged)))
        });
        let rules: Vec<_> = said.collect();
        if rules.is_empty() {
            return Asked::NotNow(Duration::ZERO);
        }
        Asked::Said(Said {
            verdicts: Verdicts {
                seen: String::new(),
                rules,
                usage: None,
            },
            took: Duration::ZERO,
        })
    }
}

fn verdict(judged: Judged) -> Result<Verdict, NoAnswer> {
    let (answer, confidence) = match judged.answer {
        Answer::Yes { confidence, .. } => (Word::Yes, confidence),
        Answer::No => (Word::No, None),
        Answer::Unsure => (Word::Unsure, None),
        Answer::Missing => return Err(NoAnswer::LeftOut),
    };
    Ok(Verdict {
        answer,
        confidence: confidence.unwrap_or(MAYBE),
        reason: judged.reason.unwrap_or_default(),
    })
}
