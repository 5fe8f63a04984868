//! What the watcher is told to do, at its start and while it runs: by the configuration, and by
//! rules that are made on the page. What neither changes goes on as it was.

use std::mem;
use std::time::Instant;

use super::Watcher;
use crate::alert::{MOST_TEXT, bounded};
use crate::asker::{Asker, Whom};
use crate::machine::Machine;
use crate::moment::Moment;
use crate::settings::CameraSettings;
use crate::watching::Plan;
use crate::watching::hours::Hours;
use crate::watching::made_rules::MadeRules;
use crate::watching::pace::Pace;

/// Who is asked.
const THEMSELVES: Whom = Whom::Themselves { picture: None };

impl Watcher {
    /// Takes a configuration that was read again. One that cannot be used changes nothing.
    pub(super) fn take(&mut self, plan: Plan) {
        match self.reconfigure(&plan) {
            Ok(()) => self.plan = plan,
            Err(error) => log::error!("configuration not used: {error:#}"),
        }
    }

    /// Does as this says, and goes on with all that it leaves as it is.
    fn reconfigure(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let (camera, mut asker, untold) = equipped(plan, &self.made, Some(&self.asker))?;
        Machine::check(&camera)?;
        self.hands.reconfigure(plan)?;
        self.machine.reconfigure(&camera)?;
        mem::swap(&mut self.asker, &mut asker);
        let dropped = self.asker.take_over(asker);
        self.machine.rules.drop_questions(&dropped, Moment::now());
        self.camera = camera;
        self.pace = Pace::new(self.camera.fps);
        self.hours = Hours::new(plan.clock.clone());
        // What is looked at may be another file.
        self.frames = None;
        self.say_of_made_rules(untold);
        Ok(())
    }

    /// Takes the rules that were made on the page. Where nobody can be asked for them, they are not
    /// watched for, and all else is.
    pub(super) fn take_made_rules(&mut self) {
        let mut camera = with_made_rules(&self.plan, &self.made);
        let settings = &self.plan.settings;
        let taken = (self.asker).set_made_rules(settings, &camera, &THEMSELVES);
        let untold = taken.err().map(|error| format!("{error:#}"));
        if untold.is_some() {
            camera = self.plan.camera.clone();
        }
        match self.machine.reconfigure(&camera) {
            Ok(()) => self.camera = camera,
            Err(error) => log::error!("rules of the page are not used: {error:#}"),
        }
        self.say_of_made_rules(untold);
    }

    /// Says why rules of the page are not watched for, in the journal and on the page; or no
    /// longer.
    pub(super) fn say_of_made_rules(&mut self, untold: Option<String>) {
        self.made.tried(untold.is_some(), Instant::now());
        let untold = untold.map(|why| bounded(&why, MOST_TEXT));
        if self.hands.say_of_made_rules(untold.clone()) {
            match untold {
                Some(why) => log::warn!("rules of the page are not watched for: {why}"),
                None => log::info!("rules of the page are watched for again"),
            }
        }
    }
}

/// The camera with the rules of the page, and who is asked for all of that, where it goes on with
/// what was there `before`. Where nobody can be asked for the page's, without them, and why.
///
/// # Errors
/// Nobody can be asked for the rules of the configuration.
pub(super) fn equipped(
    plan: &Plan,
    made: &MadeRules,
    before: Option<&Asker>,
) -> anyhow::Result<(CameraSettings, Asker, Option<String>)> {
    let asker_of =
        |camera: &CameraSettings| Asker::after(before, &plan.settings, camera, &THEMSELVES);
    let camera = with_made_rules(plan, made);
    match asker_of(&camera) {
        Err(error) if camera.rules.len() > plan.camera.rules.len() => {
            let camera = plan.camera.clone();
            let asker = asker_of(&camera)?;
            Ok((camera, asker, Some(format!("{error:#}"))))
        }
        asker => Ok((camera, asker?, None)),
    }
}

/// The camera with the rules of the page, which nobody but a model can judge.
fn with_made_rules(plan: &Plan, made: &MadeRules) -> CameraSettings {
    let mut camera = plan.camera.clone();
    made.add_to(&mut camera.rules, &plan.settings);
    camera
}
