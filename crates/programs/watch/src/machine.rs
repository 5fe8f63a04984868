//! The whole machine but for its hands: the eye, the judges of every picture, and the rules. What
//! it is given are pictures and times, so that it does with recorded ones what it does with a
//! camera's.

use std::time::Duration;

use eyelid_jpeg::PictureError;

use crate::alert::Sighting;
use crate::area::Area;
use crate::eye::{Eye, Seen};
use crate::judges::{EveryPicture, Judged};
use crate::moment::Moment;
use crate::rules::{CameraRules, Raise, Saved, Terms};
use crate::settings::{CameraSettings, JudgeSettings, RuleSettings};

/// Eye, judges and rules of one camera.
#[derive(Debug)]
pub(crate) struct Machine {
    eye: Eye,
    judges: Vec<(String, EveryPicture)>,
    /// Where rules look.
    areas: Vec<(String, Area)>,
    pub(crate) rules: CameraRules,
}

/// What a look at a picture came to.
#[derive(Debug)]
pub(crate) struct Looked {
    pub(crate) seen: Seen,
    /// What is to be told.
    pub(crate) told: Vec<Told>,
}

/// What is to be told, and why.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) raise: Raise,
    /// In the judge's words.
    pub(crate) reason: Option<String>,
    /// How long the judge took.
    pub(crate) took: Option<Duration>,
}

impl Machine {
    /// That of a camera; what an earlier run of the program has `saved` goes on.
    ///
    /// # Errors
    /// More polygons than can be watched.
    pub(crate) fn new(
        camera: &CameraSettings,
        saved: Option<Saved>,
        boot: &str,
        now: Moment,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            eye: Eye::new(camera)?,
            judges: judges(camera),
            areas: areas(camera),
            rules: CameraRules::new(terms(camera), saved, boot, now),
        })
    }

    /// Says whether a camera can be looked at as its settings want it.
    ///
    /// # Errors
    /// More polygons than can be watched.
    pub(crate) fn check(camera: &CameraSettings) -> anyhow::Result<()> {
        Eye::new(camera).map(drop)
    }

    /// Takes other settings. Rules that are as they were go on as they were.
    ///
    /// # Errors
    /// More polygons than can be watched; nothing has changed then.
    pub(crate) fn reconfigure(&mut self, camera: &CameraSettings) -> anyhow::Result<()> {
        self.eye.reconfigure(camera)?;
        let before = std::mem::replace(&mut self.judges, judges(camera));
        for (name, judge) in &mut self.judges {
            let same = before.iter().find(|(other, _)| other == name);
            same.into_iter()
                .for_each(|(_, before)| judge.take_over(before));
        }
        self.areas = areas(camera);
        self.rules.set_rules(terms(camera));
        Ok(())
    }

    /// Looks at a picture of that moment (`at` counts from any start and never goes back), for the
    /// rules that look now.
    ///
    /// # Errors
    /// Why it cannot be decoded. That is no frame, then.
    pub(crate) fn look(
        &mut self,
        jpeg: &[u8],
        at: Duration,
        now: Moment,
        looks_now: impl Fn(&str) -> bool,
    ) -> Result<Looked, PictureError> {
        let seen = self.eye.look(jpeg, at)?;
        let mut told: Vec<Told> = self.rules.frame(now).into_iter().map(Told::from).collect();
        for (name, area) in &self.areas {
            if looks_now(name) {
                let is_moving = seen.moving.iter().any(|region| area.has(*region));
                self.rules.looked(name, is_moving);
            } else {
                self.rules.looks_away(name);
            }
        }
        for (name, judge) in &mut self.judges {
            if !looks_now(name) {
                judge.forget();
                continue;
            }
            let judged = judge.judge(&seen, at);
            told.extend(take(&mut self.rules, name, &judged, now));
        }
        Ok(Looked { seen, told })
    }

    /// Looks once more, at another picture of about that moment; nothing where that cannot be
    /// compared with the last one.
    pub(crate) fn look_again(&mut self, jpeg: &[u8], at: Duration) -> Option<Seen> {
        self.eye.look_again(jpeg, at).ok()?
    }

    /// Gives the places of what a rule has told (`sightings`) as they are in that, where its judge
    /// finds it there, too; nothing where the rule asks somebody else.
    pub(crate) fn find_again(
        &self,
        rule: &str,
        sightings: &[Sighting],
        seen: &Seen,
    ) -> Option<Vec<Sighting>> {
        let (_, judge) = self.judges.iter().find(|(name, _)| name == rule)?;
        judge.find_again(sightings, seen)
    }

    /// Takes what a judge says who was asked.
    pub(crate) fn judged(&mut self, rule: &str, judged: &Judged, now: Moment) -> Option<Told> {
        take(&mut self.rules, rule, judged, now)
    }

    /// The camera was not looked at for a while.
    pub(crate) fn forget(&mut self) {
        self.eye.forget();
        for (_, judge) in &mut self.judges {
            judge.forget();
        }
    }
}

fn take(rules: &mut CameraRules, name: &str, judged: &Judged, now: Moment) -> Option<Told> {
    let raise = rules.look(name, &judged.answer, now)?;
    Some(Told {
        took: judged.took,
        ..Told::because(raise, judged.reason.clone())
    })
}

impl Told {
    /// That, for this reason.
    pub(crate) fn because(raise: Raise, reason: Option<String>) -> Self {
        Self {
            raise,
            reason,
            took: None,
        }
    }
}

impl From<Raise> for Told {
    fn from(raise: Raise) -> Self {
        Self::because(raise, None)
    }
}

fn judges(camera: &CameraSettings) -> Vec<(String, EveryPicture)> {
    let of = |rule: &RuleSettings| Some((rule.name.clone(), EveryPicture::of(rule)?));
    camera.rules.iter().filter_map(of).collect()
}

fn areas(camera: &CameraSettings) -> Vec<(String, Area)> {
    let rules = camera.rules.iter();
    rules
        .map(|rule| (rule.name.clone(), Area::new(&rule.area)))
        .collect()
}

fn terms(camera: &CameraSettings) -> Vec<(String, Terms)> {
    let terms = camera.rules.iter().map(|rule| {
        let terms = Terms {
            judge: rule.judge.name(),
            asked: match &rule.judge {
                JudgeSettings::Says(words) => Some(words.as_str().to_owned()),
                _ => None,
            },
            yes: usize::from(rule.votes.yes),
            of: usize::from(rule.votes.of),
            confidence: rule.confidence,
            cool_down: rule.cool_down,
            an_hour: rule.an_hour as usize,
            every: rule.every,
        };
        (rule.name.clone(), terms)
    });
    terms.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Monotonic;
    use std::time::UNIX_EPOCH;

    const MINUTE: Duration = Duration::from_secs(60);

    fn camera(rules: Vec<RuleSettings>) -> CameraSettings {
        CameraSettings {
            rules,
            ..CameraSettings::of("door")
        }
    }

    fn jpeg() -> Vec<u8> {
        let mut encoder = eyelid_picture::Encoder::default();
        let rgb: Vec<u8> = (0..64 * 48 * 3_u32).map(|at| (at % 251) as u8).collect();
        encoder.encode_rgb(&rgb, 64, 48, 90).unwrap().to_vec()
    }

    #[test]
    fn a_rule_that_is_added_makes_no_other_begin_anew() {
        let still = RuleSettings {
            name: "jam".to_owned(),
            judge: JudgeSettings::Still(MINUTE),
            ..RuleSettings::motion()
        };
        let begin = Moment {
            monotonic: Monotonic::from_millis(10_000),
            wall: UNIX_EPOCH,
        };
        let mut machine = Machine::new(&camera(vec![still.clone()]), None, "", begin).unwrap();
        let (jpeg, mut told_s) = (jpeg(), Vec::new());
        for second in 0..90 {
            if second == 40 {
                let rules = vec![RuleSettings::motion(), still.clone()];
                machine.reconfigure(&camera(rules)).unwrap();
            }
            let at = Duration::from_secs(second);
            let looked = machine.look(&jpeg, at, begin.plus(at), |_| true).unwrap();
            told_s.extend(looked.told.iter().map(|_| second));
        }
        // The view is learned first.
        assert_eq!(told_s.len(), 1, "{told_s:?}");
        assert!((60..70).contains(&told_s[0]), "{told_s:?}");
    }
}
