//! The detector among those who are asked: one picture at a time, for all rules that ask it.

use super::{AskedPicture, Asker, Done, Due, Occasion, Outcome};
use crate::alert::Judge;
use crate::judges::sees::Look;
use crate::rules::{Answer, Question, Rule};

impl Asker {
    /// What the detector is to be asked about, of rules that are due.
    pub(super) fn due_of_detector<'a>(&self, due: impl Iterator<Item = &'a Rule>) -> Option<Due> {
        if self.is_looking || self.sees.is_none() {
            return None;
        }
        let rules: Vec<String> = due.map(|rule| rule.name().to_owned()).collect();
        (!rules.is_empty()).then_some(Due {
            judge: Judge::Sees,
            rules,
            occasion: Occasion::First,
        })
    }

    pub(super) fn ask_detector(&mut self, due: &Due, picture: AskedPicture) {
        let Some(sees) = &self.sees else {
            return;
        };
        self.is_looking = true;
        let (rules, look) = (due.rules.clone(), sees.look(picture.jpeg.clone()));
        self.under_way
            .spawn_local(async move { Done::Seen(Box::new((rules, look.await, picture))) });
    }

    pub(super) fn detector_done(
        &mut self,
        (rules, look, picture): (Vec<String>, anyhow::Result<Look>, AskedPicture),
    ) -> Outcome {
        self.is_looking = false;
        let (came_to, why) = match &look {
            Ok(_) => (Question::Answered, None),
            Err(error) => {
                let why = format!("{error:#}");
                log::debug!("the detector says nothing: {why}");
                (Question::Failed, Some(why))
            }
        };
        let judged = |rule: &str| match (&self.sees, &look) {
            (Some(sees), Ok(look)) => sees.judge(rule, look),
            _ => Answer::Missing.into(),
        };
        let answers = rules.into_iter().map(|rule| {
            let judged = judged(&rule);
            (rule, judged)
        });
        Outcome {
            judge: Judge::Sees,
            came_to: Some(came_to),
            why,
            put_off: Vec::new(),
            answers: answers.collect(),
            picture,
            earlier: Vec::new(),
        }
    }
}
