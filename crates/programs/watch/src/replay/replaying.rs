//! The machine with recorded pictures: what a watcher does, at the moments of the recording.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_jpeg::PictureError;

use super::asking::Asking;
use crate::asker::AskedPicture;
use crate::eye::Seen;
use crate::judges::says::Look;
use crate::local_clock::LocalClock;
use crate::machine::{Looked, Machine, Told};
use crate::moment::{Moment, Monotonic};
use crate::rules::Question;
use crate::settings::CameraSettings;
use crate::watching::hours::Hours;

/// A camera that is looked at.
pub(super) struct Replaying<'a> {
    camera: &'a CameraSettings,
    machine: Machine,
    pub(super) asking: Asking,
    hours: Hours,
    /// Whether they count: it is known when the pictures were taken.
    has_hours: bool,
    is_open: bool,
    begin: Moment,
    /// What is the recording's begin by the clock that pauses count by.
    started: Instant,
}

/// What a picture came to.
#[derive(Default)]
pub(super) struct Replayed {
    /// Nothing outside of the camera's hours.
    pub(super) seen: Option<Seen>,
    pub(super) told: Vec<Told>,
}

impl<'a> Replaying<'a> {
    /// One whose first picture is of that moment, if it is known.
    ///
    /// # Errors
    /// More polygons than can be watched.
    pub(super) fn new(
        camera: &'a CameraSettings,
        asking: Asking,
        start: Option<SystemTime>,
    ) -> anyhow::Result<Self> {
        let begin = Moment {
            monotonic: Monotonic::default(),
            wall: start.unwrap_or_else(SystemTime::now),
        };
        Ok(Self {
            machine: Machine::new(camera, None, "", begin)?,
            camera,
            asking,
            hours: Hours::new(Arc::new(LocalClock::new())),
            has_hours: start.is_some(),
            is_open: false,
            begin,
            started: Instant::now(),
        })
    }

    /// Looks at a picture of that moment of the recording.
    ///
    /// # Errors
    /// Who is asked does not answer; or, within, why the picture cannot be decoded.
    pub(super) async fn look(
        &mut self,
        jpeg: Bytes,
        at: Duration,
    ) -> anyhow::Result<Result<Replayed, PictureError>> {
        let now = self.begin.plus(at);
        if !self.open_or_close(now) {
            return Ok(Ok(Replayed::default()));
        }
        let (hours, camera, has_hours) = (&self.hours, self.camera, self.has_hours);
        let looks_now = |rule: &str| !has_hours || hours.of_rule(camera, rule, now.wall);
        let looked = self.machine.look(&jpeg, at, now, looks_now);
        let Looked { seen, mut told } = match looked {
            Ok(looked) => looked,
            Err(error) => return Ok(Err(error)),
        };
        let picture = AskedPicture {
            jpeg,
            captured: now.wall,
        };
        self.asking.asker.looked(Look {
            jpeg: picture.jpeg.clone(),
            captured: picture.captured,
            moving_share: seen.moving_share(),
            at,
        });
        if !seen.is_learning {
            told.extend(self.ask(picture, at).await?);
        }
        told.extend(self.machine.rules.tick(now).into_iter().map(Told::from));
        Ok(Ok(Replayed {
            seen: Some(seen),
            told,
        }))
    }

    /// Says whether the camera is watched.
    fn open_or_close(&mut self, now: Moment) -> bool {
        let is_open = !self.has_hours || self.hours.are_now(self.camera, now.wall);
        if is_open != self.is_open {
            self.is_open = is_open;
            self.machine.rules.watch(is_open, now);
            if !is_open {
                self.machine.forget();
                self.asking.asker.forget();
            }
        }
        is_open
    }

    /// Asks about what is due, and waits for the answers.
    async fn ask(&mut self, picture: AskedPicture, at: Duration) -> anyhow::Result<Vec<Told>> {
        let (now, instant) = (self.begin.plus(at), self.started + at);
        let (hours, camera, has_hours) = (&self.hours, self.camera, self.has_hours);
        let looks_now = |rule: &str| !has_hours || hours.of_rule(camera, rule, now.wall);
        let rules = &self.machine.rules;
        let all = (self.asking.asker).due(rules, looks_now, (now, instant));
        let mut told = Vec::new();
        for due in all {
            for rule in &due.rules {
                self.machine.rules.asked(rule, now);
            }
            let ahead_s = self.hours.ahead_of_utc_s(now.wall);
            let rules = &self.machine.rules;
            let asked = self
                .asking
                .ask(&due, rules, picture.clone(), ahead_s, (at, instant));
            let Some(outcome) = asked.await? else {
                continue;
            };
            if let Some(came_to @ (Question::Answered | Question::Invalid)) = outcome.came_to {
                let raised = self.machine.rules.question(outcome.judge, came_to, now);
                let because = |raise| Told::because(raise, outcome.why.clone());
                told.extend(raised.into_iter().map(because));
            }
            for (rule, judged) in &outcome.answers {
                told.extend(self.machine.judged(rule, judged, now));
            }
        }
        Ok(told)
    }
}
