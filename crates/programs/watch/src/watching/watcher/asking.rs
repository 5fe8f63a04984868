//! What is asked of the detector and of others about a picture, and what becomes of their answers.

use std::time::{Instant, SystemTime};

use super::Watcher;
use crate::asker::{AskedPicture, Due, Outcome};
use crate::judges::Judged;
use crate::machine::Told;
use crate::moment::Moment;
use crate::rules::Answer;
use crate::watching::frames::Picture;

impl Watcher {
    /// Who is to be asked now: the detector, and others.
    pub(super) fn due(&self) -> Vec<Due> {
        let (now, wall) = (Moment::now(), SystemTime::now());
        let looks_now = |rule: &str| self.hours.of_rule(&self.camera, rule, wall);
        let rules = &self.machine.rules;
        let now = (now, Instant::now());
        self.asker.due(rules, looks_now, now)
    }

    /// Asks about the frame itself, or about what there is of it.
    pub(super) async fn ask(&mut self, due: Vec<Due>, picture: &Picture) {
        if due.is_empty() {
            return;
        }
        let whole = self.whole(picture).await;
        let picture = AskedPicture {
            jpeg: whole.jpeg,
            captured: whole.captured,
        };
        for due in due {
            for rule in &due.rules {
                self.machine.rules.asked(rule, Moment::now());
            }
            let ahead_s = self.hours.ahead_of_utc_s(SystemTime::now());
            let (rules, picture) = (&self.machine.rules, picture.clone());
            let asked = (self.asker).ask(&due, rules, picture, ahead_s, Instant::now());
            if let Err(error) = asked {
                log::debug!("{}: not asked: {error:#}", due.judge);
                let missing = Judged::from(Answer::Missing);
                for rule in &due.rules {
                    self.machine.judged(rule, &missing, Moment::now());
                }
            }
        }
    }

    /// Takes what a question came to.
    pub(super) fn answered(&mut self, outcome: Outcome) {
        let now = Moment::now();
        let mut to_tell = Vec::new();
        if let Some(came_to) = outcome.came_to {
            for raise in self.machine.rules.question(outcome.judge, came_to, now) {
                to_tell.push((Told::because(raise, outcome.why.clone()), None));
            }
        }
        for (rule, wait) in &outcome.put_off {
            self.machine.rules.put_off(rule, *wait, now);
        }
        for (rule, judged) in &outcome.answers {
            let told = self.machine.judged(rule, judged, now);
            let picture = Picture {
                jpeg: outcome.picture.jpeg.clone(),
                captured: outcome.picture.captured,
                rendition: None,
                earlier: outcome.earlier.clone(),
            };
            to_tell.extend(told.map(|told| (told, Some(picture))));
        }
        self.tell(to_tell);
    }

    /// The frame itself, of about the moment of a small one; that, where it does not come.
    async fn whole(&self, small: &Picture) -> Picture {
        let whole = match &self.frames {
            Some(frames) if small.rendition.is_some() => frames.whole(small.captured).await,
            _ => None,
        };
        whole.unwrap_or_else(|| small.clone())
    }

    /// Gives the picture to all that is to be told of it: the one that it was seen in, and where
    /// that is a small one, the frame itself, if the judge finds it in that, too.
    pub(super) async fn pictured(
        &mut self,
        all: Vec<Told>,
        seen_in: &Picture,
    ) -> Vec<(Told, Option<Picture>)> {
        if all.is_empty() {
            return Vec::new();
        }
        let whole = self.whole(seen_in).await;
        let at = self.started.elapsed();
        let seen = (whole.rendition != seen_in.rendition)
            .then(|| self.machine.look_again(&whole.jpeg, at))
            .flatten();
        let pictured = all.into_iter().map(|mut told| {
            let raise = &mut told.raise;
            let again = seen
                .as_ref()
                .and_then(|seen| self.machine.find_again(&raise.rule, &raise.sightings, seen));
            if let Some(sightings) = again {
                raise.sightings = sightings;
                return (told, Some(whole.clone()));
            }
            (told, Some(seen_in.clone()))
        });
        pictured.collect()
    }
}
