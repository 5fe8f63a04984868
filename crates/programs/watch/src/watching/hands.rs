//! What is done of what the rules decide: alerts are written, people are told, and what is to be
//! known after a restart is written down. In which order, so that nothing is lost whoever is killed
//! when, the ledger knows.

use std::time::Duration;

use anyhow::Context;
use eyelid_slot::CameraName;

use super::Plan;
use super::frames::Picture;
use crate::alert::{Alert, BLIND_RULE, Judge, MOST_TEXT, bounded};
use crate::alerts::Alerts;
use crate::earlier::{Earlier, History};
use crate::ledger::{Ledger, Recorded};
use crate::machine::Told;
use crate::moment::Moment;
use crate::notify::Notifier;
use crate::rules::{CameraRules, Raise, Saved};
use crate::settings::RuleSettings;
use crate::settings::notify::NotifySettings;
use crate::told::AlertCounts;

/// Writes alerts and the state of one camera, and lets people be told.
pub(super) struct Hands {
    camera: CameraName,
    ledger: Ledger,
    notifier: Notifier,
    /// Whether users may say that an alert was wrong.
    keeps_earlier: bool,
    pub(super) counts: AlertCounts,
}

impl Hands {
    /// Reads what an earlier run has written, and finishes what it has begun.
    ///
    /// # Errors
    /// The directories cannot be made, another process watches this camera, or what is configured
    /// cannot be told in.
    pub(super) fn new(plan: &Plan, now: Moment) -> anyhow::Result<(Self, Option<Saved>)> {
        let settings = &plan.settings;
        for directory in [&settings.state, &settings.alerts] {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("cannot make the directory {directory:?}"))?;
        }
        let camera = plan.camera.name.clone();
        let alerts = Alerts::new(settings.alerts.clone(), settings.keeping);
        let ways = ways(&settings.notify);
        let (ledger, saved) = Ledger::open(&camera, &settings.state, alerts, &ways, now)?;
        let hands = Self {
            notifier: notifier(plan, &ledger)?,
            keeps_earlier: settings.ask_on_page.has_anybody(),
            ledger,
            counts: AlertCounts::default(),
            camera,
        };
        Ok((hands, saved))
    }

    /// Takes other settings; the directories are those of the start.
    ///
    /// # Errors
    /// What is configured cannot be told in; nothing has changed then.
    pub(super) fn reconfigure(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let settings = &plan.settings;
        (self.notifier).reconfigure(&settings.notify, settings.ca_file.as_deref())?;
        self.notifier.set_clock(plan.clock.clone());
        self.keeps_earlier = settings.ask_on_page.has_anybody();
        self.ledger.set_bounds(plan.settings.keeping);
        self.ledger.set_ways(&ways(&plan.settings.notify));
        Ok(())
    }

    /// Makes alerts of all that is to be told at this moment, each with the picture that it was
    /// seen in, if there is one, with what was before that, and in the ways that `settings` of its
    /// rule have. `rules` are as they are after that.
    pub(super) fn tell(
        &mut self,
        all: &[(Told, Option<Picture>)],
        history: &History,
        settings: &[RuleSettings],
        rules: &mut CameraRules,
    ) {
        if all.is_empty() {
            return;
        }
        let now = Moment::now();
        let new = all.iter().map(|(told, picture)| Recorded {
            alert: self.alert(told, picture.as_ref(), now),
            jpeg: picture.as_ref().map(|picture| &picture.jpeg[..]),
            earlier: self.earlier(told, picture.as_ref(), history),
            ways: told_in(&told.raise, settings),
        });
        for alert in self.ledger.record(rules, new.collect(), now) {
            log::info!("alert: {}", alert.headline());
            self.counts.add(&alert.rule);
        }
        self.notifier.wake();
        self.notifier.show(rules);
    }

    /// Shows what the rules are in, to who is told of that.
    pub(super) fn show(&self, rules: &CameraRules) {
        self.notifier.show(rules);
    }

    /// Writes the state down, if it has changed or it is time to.
    pub(super) fn save(&mut self, rules: &mut CameraRules, now: Moment) {
        self.ledger.keep(rules, now);
        self.notifier.show(rules);
    }

    /// Says on the page why its rules are not watched for, if they are not. Says whether that was
    /// not said before.
    pub(super) fn say_of_made_rules(&mut self, untold: Option<String>) -> bool {
        self.ledger.say_of_made_rules(untold)
    }

    /// How long until alerts are to be looked at for their age, which [`Self::save`] does.
    pub(super) fn until_expiry(&self, now: Moment) -> Duration {
        self.ledger.until_expiry(now)
    }

    /// What was before the picture of an alert: what a model was shown, or by what the camera was
    /// looked at.
    fn earlier(&self, told: &Told, picture: Option<&Picture>, history: &History) -> Vec<Earlier> {
        match picture.filter(|_| self.keeps_earlier) {
            None => Vec::new(),
            Some(picture) if told.raise.judge == Some(Judge::Says) => picture.earlier.clone(),
            Some(picture) => history.before(picture.captured),
        }
    }

    fn alert(&self, told: &Told, picture: Option<&Picture>, now: Moment) -> Alert {
        let raise = &told.raise;
        let at = picture.map_or(now.wall, |picture| picture.captured);
        let mut alert = Alert::new(self.camera.clone(), &raise.rule, raise.kind, at);
        alert.judge = raise.judge;
        alert.asked = raise.asked.clone();
        let reason = told.reason.as_deref();
        alert.reason = reason.map(|reason| bounded(reason, MOST_TEXT));
        alert.confidence = raise.confidence;
        alert.took_ms = told.took.map(|took| took.as_millis() as u64);
        alert.boxes = raise.sightings.clone();
        alert.held_back = raise.held_back;
        alert.cause = raise.cause;
        alert
    }
}

/// In which ways it is told: those of its rule. That nothing can be seen, or that a judge does
/// not answer, is told to who is told by any rule for which that counts.
fn told_in(raise: &Raise, settings: &[RuleSettings]) -> Vec<String> {
    let counts = |rule: &&RuleSettings| {
        if raise.rule == BLIND_RULE {
            raise.judge.is_none_or(|blind| blind == rule.judge.name())
        } else {
            raise.rule == rule.name
        }
    };
    let rules = settings.iter().filter(counts);
    let mut ways: Vec<String> = rules.flat_map(|rule| rule.notify.clone()).collect();
    ways.sort();
    ways.dedup();
    ways
}

fn notifier(plan: &Plan, ledger: &Ledger) -> anyhow::Result<Notifier> {
    let settings = &plan.settings;
    let outbox = ledger.outbox();
    Notifier::start(
        &plan.camera.name,
        (&settings.notify, settings.ca_file.as_deref()),
        outbox,
        &settings.alerts,
        plan.clock.clone(),
    )
}

fn ways(settings: &[NotifySettings]) -> Vec<String> {
    settings.iter().map(|way| way.name.clone()).collect()
}
