//! What is done of what the rules decide: alerts are written, and what is to be known after a
//! restart.
//!
//! The picture lies there first, then the state says that there is an alert, then the alert lies
//! there: whoever is killed in between finds it in the state and finishes it, and whoever is killed
//! before has not told, and sees the same thing once more.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use eyelid_daemon::LogLimit;
use eyelid_slot::CameraName;

use super::Plan;
use super::frames::Picture;
use crate::alert::{Alert, MOST_TEXT, bounded};
use crate::alerts::{Alerts, Bounds, ClockCheck};
use crate::files;
use crate::machine::Told;
use crate::moment::{Moment, boot_id};
use crate::rules::{CameraRules, MOST_BYTES, Pending, Saved};

/// How often what stands is written down though nothing has changed: so long ago it may have been
/// seen last, as far as the next start knows.
const SAVED_EVERY: Duration = Duration::from_secs(60);

/// Lines about what cannot be written.
const FAILURES_LOGGED: Duration = Duration::from_secs(60);

/// Writes alerts and the state of one camera.
pub(super) struct Hands {
    camera: CameraName,
    alerts: Alerts,
    clock: ClockCheck,
    state: PathBuf,
    boot: String,
    /// Alerts that may not lie there yet.
    pending: Vec<Pending>,
    /// What another version of this program has written.
    more: serde_json::Map<String, serde_json::Value>,
    saved: Option<Instant>,
    /// Who is told, by the rules' names.
    notify: BTreeMap<String, Vec<String>>,
    failures: LogLimit,
}

impl Hands {
    /// Reads what an earlier run has written, and finishes what it has begun.
    ///
    /// # Errors
    /// The directories cannot be made.
    pub(super) fn new(plan: &Plan, now: Moment) -> anyhow::Result<(Self, Option<Saved>)> {
        let settings = &plan.settings;
        for directory in [&settings.state, &settings.alerts] {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot make the directory {directory:?}"))?;
        }
        let camera = plan.camera.name.clone();
        let mut hands = Self {
            state: settings.state.join(format!("{camera}.json")),
            alerts: Alerts::new(settings.alerts.clone(), bounds(plan)),
            clock: ClockCheck::new(now),
            boot: boot_id(),
            pending: Vec::new(),
            more: serde_json::Map::new(),
            saved: None,
            notify: notify(plan),
            failures: LogLimit::new(1, FAILURES_LOGGED),
            camera,
        };
        let mut saved = hands.read();
        if let Some(saved) = &mut saved {
            hands.more = std::mem::take(&mut saved.more);
            for pending in std::mem::take(&mut saved.pending) {
                hands.finish(pending);
            }
        }
        Ok((hands, saved))
    }

    /// Takes other settings; the directories are those of the start.
    pub(super) fn reconfigure(&mut self, plan: &Plan) {
        let directory = self.alerts.directory().to_owned();
        self.alerts = Alerts::new(directory, bounds(plan));
        self.notify = notify(plan);
    }

    /// Makes an alert of what is to be told: with the picture that it was seen in, if there is one.
    pub(super) fn tell(&mut self, told: &Told, picture: Option<&Picture>, rules: &CameraRules) {
        let now = Moment::now();
        let mut alert = self.alert(told, picture, now);
        let clock = self.clock.look(now);
        let bytes = picture.map_or(4096, |picture| picture.jpeg.len() as u64);
        let made = self.alerts.make_room(bytes, now.wall, clock);
        self.complain("alerts are not removed", made.map(drop));
        if let Some(picture) = picture {
            let written = self.alerts.write_picture(&alert.id, &picture.jpeg);
            alert.picture = written.is_ok();
            self.complain("the picture of an alert is not written", written);
        }
        log::info!("alert: {}", alert.headline());
        let notify = self.notify.get(&alert.rule).cloned().unwrap_or_default();
        self.pending.push(Pending { alert, notify });
        self.write(rules, now);
        for pending in std::mem::take(&mut self.pending) {
            self.finish(pending);
        }
    }

    /// Writes the state down, if it has changed or it is time to.
    pub(super) fn save(&mut self, rules: &mut CameraRules, now: Moment) {
        let is_due = self
            .saved
            .is_none_or(|saved| saved.elapsed() >= SAVED_EVERY);
        if rules.take_changed() || (is_due && rules.is_remembering()) {
            self.write(rules, now);
        }
    }

    fn alert(&self, told: &Told, picture: Option<&Picture>, now: Moment) -> Alert {
        let raise = &told.raise;
        let at = picture.map_or(now.wall, |picture| picture.captured);
        let mut alert = Alert::new(self.camera.clone(), &raise.rule, raise.kind, at);
        alert.judge = raise.judge;
        alert.asked = raise.asked.clone();
        alert.reason = told
            .reason
            .as_deref()
            .map(|reason| bounded(reason, MOST_TEXT));
        alert.confidence = raise.confidence;
        alert.took_ms = told.took.map(|took| took.as_millis() as u64);
        alert.boxes = raise.sightings.clone();
        alert.held_back = raise.held_back;
        alert.cause = raise.cause;
        self.alerts.name(&mut alert);
        alert
    }

    /// Writes an alert that the state knows of, unless it lies there already.
    fn finish(&mut self, mut pending: Pending) {
        let (has_alert, has_picture) = self.alerts.has(&pending.alert.id);
        if !has_alert {
            pending.alert.picture = has_picture;
            let written = self.alerts.write(&pending.alert);
            if written.is_err() {
                // The state has it, and it is tried again with the next one.
                self.pending.push(pending);
            }
            self.complain("an alert is not written", written);
        }
    }

    fn read(&self) -> Option<Saved> {
        let path = &self.state;
        let json = match files::read(path, MOST_BYTES) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                log::warn!("state {path:?} is not used: {error}");
                return None;
            }
        };
        let saved = Saved::parse(&json);
        let is_own = |saved: &Saved| saved.camera == self.camera.as_str();
        match saved {
            Ok(saved) if is_own(&saved) => Some(saved),
            Ok(saved) => {
                log::warn!(
                    "state {path:?} is not used: it is of camera {:?}",
                    saved.camera
                );
                None
            }
            Err(error) => {
                log::warn!("state {path:?} is not used: {error}");
                None
            }
        }
    }

    fn write(&mut self, rules: &CameraRules, now: Moment) {
        let mut saved = rules.save(self.camera.as_str(), &self.boot, now);
        saved.pending = self.pending.clone();
        saved.more = self.more.clone();
        let written = files::replace(&self.state, &saved.to_json());
        self.saved = Some(Instant::now());
        self.complain("the state is not written", written);
    }

    fn complain(&self, what: &str, result: std::io::Result<()>) {
        if let Err(error) = result
            && let Some(suppressed) = self.failures.allow(Instant::now())
        {
            log::error!("{what}: {error}{suppressed}");
        }
    }
}

fn bounds(plan: &Plan) -> Bounds {
    let keeping = plan.settings.keeping;
    Bounds {
        age: keeping.age,
        count: keeping.count,
        bytes: keeping.bytes,
    }
}

fn notify(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let rules = plan.camera.rules.iter();
    let mut notify: BTreeMap<_, _> = rules
        .map(|rule| (rule.name.clone(), rule.notify.clone()))
        .collect();
    // Who is told of anything of the camera is told that nothing can be told.
    let mut all: Vec<String> = notify.values().flatten().cloned().collect();
    all.sort();
    all.dedup();
    notify.insert(crate::alert::BLIND_RULE.to_owned(), all);
    notify
}
