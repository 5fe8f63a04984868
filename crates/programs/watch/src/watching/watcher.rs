//! The loop: wait for a picture, look at it, tell what is to be told.

mod asking;
mod configuring;

use std::convert::Infallible;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use eyelid_consumer::Cameras;
use eyelid_daemon::LogLimit;
use eyelid_daemon::pulse::Pulse;
use tokio::time::sleep;

use super::following::Following;
use super::frames::{Frames, LookedAt, NoPicture, Picture};
use super::hands::Hands;
use super::hours::Hours;
use super::made_rules::MadeRules;
use super::pace::{Pace, Stir};
use super::{Plan, Reread};
use crate::UnaskableError;
use crate::asker::{Asker, Outcome};
use crate::earlier::History;
use crate::judges::says::Look;
use crate::machine::{Machine, Told};
use crate::moment::{Moment, boot_id};
use crate::settings::CameraSettings;
use crate::told::AlertCounts;
use configuring::equipped;

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
    /// What the configuration says.
    plan: Plan,
    made: MadeRules,
    /// That with the rules that were made on the page.
    camera: CameraSettings,
    cameras: Rc<Cameras>,
    hours: Hours,
    machine: Machine,
    asker: Asker,
    hands: Hands,
    pace: Pace,
    /// What was before, for who says that an alert was wrong.
    history: History,
    /// Pictures, while the hours say so.
    frames: Option<Frames>,
    /// Which pictures those are.
    looked_at: LookedAt,
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
    Outcome(Box<Outcome>),
    Plan(Box<Plan>),
    Time,
}

impl Watcher {
    pub(super) fn new(plan: Plan, cameras: Rc<Cameras>) -> anyhow::Result<Self> {
        let now = Moment::now();
        let mut made = MadeRules::new(&plan.settings.rules, &plan.camera.name);
        made.look();
        let (camera, asker, untold) = equipped(&plan, &made, None)
            .with_context(|| UnaskableError(plan.camera.name.clone()))?;
        let (hands, saved) = Hands::new(&plan, now)?;
        let machine = Machine::new(&camera, saved, &boot_id(), now)?;
        // The first picture, or the hour, may be long in coming.
        hands.show(&machine.rules);
        let mut own = Self {
            machine,
            asker,
            hours: Hours::new(plan.clock.clone()),
            hands,
            pace: Pace::new(camera.fps),
            history: History::default(),
            frames: None,
            looked_at: LookedAt::of(&camera),
            opened: Instant::now(),
            started: Instant::now(),
            last: None,
            missing: None,
            broken: LogLimit::new(1, BROKEN_LOGGED),
            camera,
            made,
            plan,
            cameras,
        };
        own.say_of_made_rules(untold);
        Ok(own)
    }

    /// Watches, and never ends by itself.
    pub(super) async fn run(&mut self, reread: &Reread, pulse: &Pulse) -> Infallible {
        if !self.hours.are_now(&self.camera, SystemTime::now()) {
            log::info!("not watched until its hours come");
        }
        loop {
            let event = self.next(reread, pulse).await;
            match event {
                Event::Picture(Ok(picture)) => self.look(picture).await,
                Event::Picture(Err(reason)) => self.missed(&reason).await,
                Event::Outcome(outcome) => self.answered(*outcome),
                Event::Plan(plan) => self.take(*plan),
                Event::Time => {}
            }
            self.tick();
        }
    }

    /// Waits for what comes next.
    async fn next(&mut self, reread: &Reread, pulse: &Pulse) -> Event {
        let now = SystemTime::now();
        let is_open = self.hours.are_now(&self.camera, now);
        self.open_or_close(is_open);
        let pause = self.hours.until_other(&self.camera, now);
        // While nothing is looked at, nothing but the hours, the age of alerts and a watchdog wakes
        // this.
        let pause = if is_open { pause.min(TICK) } else { pause };
        let pause = pause.min(self.hands.until_expiry(Moment::now()));
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
            outcome = self.asker.outcome() => Event::Outcome(Box::new(outcome)),
            picture = picture => Event::Picture(picture),
            () = sleep(pause) => Event::Time,
            never = answering => { let never: Infallible = never; match never {} }
        }
    }

    fn open_or_close(&mut self, is_open: bool) {
        let looked_at = LookedAt::of(&self.camera);
        if is_open && self.looked_at != looked_at {
            // Another rule, be it one that was made on the page, needs other pictures.
            self.frames = None;
        }
        if is_open == self.frames.is_some() {
            return;
        }
        let now = Moment::now();
        if !is_open {
            log::info!("not watched until its hours come");
            self.frames = None;
            self.forget();
            self.machine.rules.watch(false, now);
            return;
        }
        let camera = &self.camera;
        self.frames = match (looked_at, &camera.slot) {
            (LookedAt::Wished(rendition), _) => {
                Frames::wished(&self.cameras, &camera.name, rendition)
            }
            (LookedAt::Followed, slot) => {
                let following = slot.as_deref().map(Following::new);
                following.map(|following| Frames::Followed(Box::new(following)))
            }
        };
        self.looked_at = looked_at;
        self.opened = Instant::now();
        match camera.follow {
            true => self.machine.rules.follow(now),
            false => self.machine.rules.watch(true, now),
        }
        let names: Vec<_> = camera.rules.iter().map(|rule| &rule.name[..]).collect();
        let others = if camera.follow {
            ", while others look"
        } else {
            ""
        };
        log::info!("watched for {}{others}", names.join(", "));
    }

    /// Looks at a picture, tells what is to be told of it, and asks what is to be asked.
    async fn look(&mut self, picture: Picture) {
        let now = Instant::now();
        self.missing = None;
        if self.settles(now) {
            self.pace.looked(now, Stir::None);
            return;
        }
        if self.last.is_some_and(|last| now - last > FORGOTTEN) {
            self.forget();
        }
        self.last = Some(now);
        let at = now - self.started;
        let (hours, camera, wall) = (&self.hours, &self.camera, SystemTime::now());
        let looks_now = |rule: &str| hours.of_rule(camera, rule, wall);
        let looked = self
            .machine
            .look(&picture.jpeg, at, Moment::now(), looks_now);
        let looked = match looked {
            Ok(looked) => looked,
            Err(error) => {
                self.pace.looked(now, Stir::None);
                if let Some(suppressed) = self.broken.allow(now) {
                    log::warn!("a picture cannot be decoded: {error}{suppressed}");
                }
                return;
            }
        };
        self.pace.looked(now, Stir::of(&looked.seen));
        // Who may not call an alert wrong has no use for what was before it.
        if self.plan.settings.ask_on_page.has_anybody() {
            let (jpeg, captured) = (picture.jpeg.clone(), picture.captured);
            let moves = looked.seen.moves() || looked.seen.may_move;
            self.history.looked(jpeg, captured, at, moves);
        }
        self.asker.looked(Look {
            jpeg: picture.jpeg.clone(),
            captured: picture.captured,
            moving_share: looked.seen.moving_share(),
            at,
        });
        let to_tell = self.pictured(looked.told, &picture).await;
        self.tell(to_tell);
        if !looked.seen.is_learning {
            let due = self.due();
            self.ask(due, &picture).await;
        }
    }

    /// A camera that has just woken may be too dark or too bright, which looks like movement.
    fn settles(&self, now: Instant) -> bool {
        if now - self.opened > SETTLES {
            return false;
        }
        let camera = self.cameras.camera(&self.camera.name);
        let state = camera.and_then(|camera| camera.state());
        state.is_some_and(|state| state.settling)
    }

    async fn missed(&mut self, reason: &NoPicture) {
        let reason = reason.to_string();
        if self.missing.as_ref() != Some(&reason) {
            log::debug!("no picture: {reason}");
            self.missing = Some(reason);
        }
        self.pace.looked(Instant::now(), Stir::None);
        sleep(AFTER_FAILURE).await;
    }

    /// Takes in that time has gone by, and writes down what has changed.
    fn tick(&mut self) {
        let is_other = self.made.look();
        if is_other {
            log::info!("rules of the page read again");
        }
        if is_other || self.made.are_to_be_tried(Instant::now()) {
            self.take_made_rules();
        }
        let now = Moment::now();
        let raised = self.machine.rules.tick(now);
        let because = |raise| (Told::because(raise, self.missing.clone()), None);
        let to_tell = raised.into_iter().map(because);
        let to_tell = to_tell.collect();
        self.tell(to_tell);
        self.hands.save(&mut self.machine.rules, now);
    }

    fn tell(&mut self, to_tell: Vec<(Told, Option<Picture>)>) {
        self.hands.tell(
            &to_tell,
            &self.history,
            &self.camera.rules,
            &mut self.machine.rules,
        );
    }

    /// How many alerts there were of each rule.
    pub(super) fn alert_counts(&self) -> AlertCounts {
        self.hands.counts.clone()
    }

    fn forget(&mut self) {
        self.machine.forget();
        self.asker.forget();
        self.history.forget();
    }

    /// The program ends: what is known is written down.
    pub(super) fn end(&mut self) {
        let now = Moment::now();
        self.frames = None;
        self.machine.rules.watch(false, now);
        self.hands.save(&mut self.machine.rules, now);
    }
}
