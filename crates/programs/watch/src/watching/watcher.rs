//! The loop: wait for a picture, look at it, tell what is to be told.

use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use eyelid_consumer::Cameras;
use eyelid_daemon::LogLimit;
use eyelid_daemon::pulse::Pulse;
use tokio::time::sleep;

use super::following::Following;
use super::frames::{Frames, NoPicture, Picture};
use super::hands::Hands;
use super::hours::Hours;
use super::pace::Pace;
use super::{Plan, Reread};
use crate::machine::{Machine, Told};
use crate::moment::{Moment, boot_id};
use crate::rules::Answer;

/// How often time alone is looked at: whether the camera has given nothing for too long, whether
/// votes are too old.
const TICK: Duration = Duration::from_secs(5);

/// How long nothing is asked of a camera that has just given nothing.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// After how long without a picture the view is learned anew: it has another light then, and other
/// things in it.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// How long a camera that has just woken may look for its exposure without being looked at. Most
/// take a second.
const SETTLES: Duration = Duration::from_secs(5);

/// Lines about pictures that cannot be decoded.
const BROKEN_LOGGED: Duration = Duration::from_secs(600);

/// Watches a camera.
pub(super) struct Watcher {
    plan: Plan,
    cameras: Rc<Cameras>,
    hours: Hours,
    machine: Machine,
    hands: Hands,
    pace: Pace,
    /// Pictures, while the hours say so.
    frames: Option<Frames>,
    /// When it began to look for pictures.
    opened: Instant,
    /// By what the eye counts.
    started: Instant,
    /// When the last picture came.
    last: Option<Instant>,
    /// Why none came last.
    missing: Option<String>,
    broken: LogLimit,
}

/// What has come.
enum Event {
    Picture(Result<Picture, NoPicture>),
    Plan(Box<Plan>),
    Time,
}

impl Watcher {
    pub(super) fn new(plan: Plan, cameras: Rc<Cameras>) -> anyhow::Result<Self> {
        let now = Moment::now();
        let (hands, saved) = Hands::new(&plan, now)?;
        Ok(Self {
            machine: Machine::new(&plan.camera, saved, &boot_id(), now)?,
            hours: Hours::new(),
            hands,
            pace: Pace::new(plan.camera.fps),
            frames: None,
            opened: Instant::now(),
            started: Instant::now(),
            last: None,
            missing: None,
            broken: LogLimit::new(1, BROKEN_LOGGED),
            plan,
            cameras,
        })
    }

    /// Watches, and never ends by itself.
    ///
    /// # Errors
    /// What there is no going on with.
    pub(super) async fn run(&mut self, reread: &Reread, pulse: &Pulse) -> anyhow::Result<()> {
        loop {
            let event = self.next(reread, pulse).await;
            match event {
                Event::Picture(Ok(picture)) => self.look(picture).await,
                Event::Picture(Err(reason)) => self.missed(&reason).await,
                Event::Plan(plan) => self.take(*plan)?,
                Event::Time => {}
            }
            self.tick();
        }
    }

    /// Waits for what comes next.
    async fn next(&mut self, reread: &Reread, pulse: &Pulse) -> Event {
        let now = SystemTime::now();
        let is_open = self.hours.are_now(&self.plan.camera, now);
        self.open_or_close(is_open);
        let pause = self.hours.until_other(&self.plan.camera, now);
        // While nothing is looked at, nothing but the hours and a watchdog wakes this.
        let pause = if is_open { pause.min(TICK) } else { pause };
        let due = self.pace.due(Instant::now());
        let frames = &mut self.frames;
        let picture = async {
            match frames {
                Some(frames) => frames.next(due).await,
                None => std::future::pending().await,
            }
        };
        let answering = async {
            loop {
                pulse.answer().await;
            }
        };
        tokio::select! {
            biased;
            plan = reread.next() => Event::Plan(Box::new(plan)),
            picture = picture => Event::Picture(picture),
            () = sleep(pause) => Event::Time,
            never = answering => { let never: Infallible = never; match never {} }
        }
    }

    fn open_or_close(&mut self, is_open: bool) {
        if is_open == self.frames.is_some() {
            return;
        }
        let now = Moment::now();
        if !is_open {
            log::info!("not watched until its hours come");
            self.frames = None;
            self.machine.forget();
            self.machine.rules.watch(false, now);
            return;
        }
        let camera = &self.plan.camera;
        self.frames = match (&camera.slot, camera.follow) {
            (Some(slot), true) => Some(Frames::Followed(Box::new(Following::new(slot)))),
            _ => Frames::wished(&self.cameras, &camera.name),
        };
        self.opened = Instant::now();
        // Where others decide when there are pictures, their want of them is no blindness.
        self.machine.rules.watch(!camera.follow, now);
        log::info!(
            "watched for {}{}",
            names(&self.plan),
            if camera.follow {
                ", while others look"
            } else {
                ""
            }
        );
    }

    /// Looks at a picture, and tells what is to be told of it.
    async fn look(&mut self, picture: Picture) {
        let now = Instant::now();
        self.missing = None;
        if self.settles(now) {
            self.pace.looked(now, false);
            return;
        }
        if self.last.is_some_and(|last| now - last > FORGOTTEN) {
            self.machine.forget();
        }
        self.last = Some(now);
        let (hours, camera) = (&self.hours, &self.plan.camera);
        let wall = SystemTime::now();
        let looked = self
            .machine
            .look(&picture.jpeg, now - self.started, Moment::now(), |rule| {
                hours.of_rule(camera, rule, wall)
            });
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) => {
                self.pace.looked(now, false);
                if let Some(suppressed) = self.broken.allow(now) {
                    log::warn!("a picture cannot be decoded: {error}{suppressed}");
                }
                return;
            }
        };
        self.pace.looked(now, looked.seen.moves());
        let mut all = Vec::new();
        for told in looked.told {
            all.push(self.pictured(told, &picture).await);
        }
        self.hands.tell(&all, &mut self.machine.rules);
    }

    /// A camera that has just woken may be too dark or too bright, which looks like movement.
    fn settles(&self, now: Instant) -> bool {
        if now - self.opened > SETTLES {
            return false;
        }
        let camera = self.cameras.camera(&self.plan.camera.name);
        let state = camera.and_then(|camera| camera.state());
        state.is_some_and(|state| state.settling)
    }

    /// Gives the picture to what is to be told: the one that it was seen in, and where that is a
    /// small one, the frame itself, if the judge says the same of that.
    async fn pictured(&mut self, mut told: Told, seen_in: &Picture) -> (Told, Option<Picture>) {
        if let Some(frames) = &self.frames
            && seen_in.rendition.is_some()
            && let Some(whole) = frames.whole(seen_in.captured).await
        {
            let at = self.started.elapsed();
            let again = self.machine.look_again(&whole.jpeg, at, &told.raise.rule);
            if let Some(Answer::Yes { sightings, .. }) = again.map(|judged| judged.answer) {
                told.raise.sightings = sightings;
                return (told, Some(whole));
            }
        }
        (told, Some(seen_in.clone()))
    }

    async fn missed(&mut self, reason: &NoPicture) {
        let reason = reason.to_string();
        if self.missing.as_ref() != Some(&reason) {
            log::debug!("no picture: {reason}");
            self.missing = Some(reason);
        }
        self.pace.looked(Instant::now(), false);
        sleep(AFTER_FAILURE).await;
    }

    /// Takes in that time has gone by, and writes down what has changed.
    fn tick(&mut self) {
        let now = Moment::now();
        let raised = self.machine.rules.tick(now).into_iter();
        let all: Vec<_> = raised
            .map(|raise| {
                let mut told = Told::from(raise);
                told.reason = self.missing.clone();
                (told, None)
            })
            .collect();
        self.hands.tell(&all, &mut self.machine.rules);
        self.hands.save(&mut self.machine.rules, now);
    }

    fn take(&mut self, plan: Plan) -> anyhow::Result<()> {
        self.machine
            .reconfigure(&plan.camera)
            .context("the configuration that was read again")?;
        self.hands.reconfigure(&plan)?;
        self.pace = Pace::new(plan.camera.fps);
        self.hours = Hours::new();
        let before = std::mem::replace(&mut self.plan, plan);
        if (before.camera.follow, &before.camera.slot)
            != (self.plan.camera.follow, &self.plan.camera.slot)
        {
            self.frames = None;
        }
        Ok(())
    }

    /// The program ends: what is known is written down.
    pub(super) fn end(&mut self) {
        let now = Moment::now();
        self.frames = None;
        self.machine.rules.watch(false, now);
        self.hands.save(&mut self.machine.rules, now);
    }
}

fn names(plan: &Plan) -> String {
    let names: Vec<_> = plan
        .camera
        .rules
        .iter()
        .map(|rule| &rule.name[..])
        .collect();
    names.join(", ")
}
