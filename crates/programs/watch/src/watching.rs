//! Watching one camera, as long as the program runs.
//!
//! One thread, in the kernel's idle class: whoever prints, or looks, comes first. Arming is
//! starting the program; nothing that is asked of it by a network arms or disarms it.

mod following;
pub(crate) mod frames;
mod hands;
pub(crate) mod hours;
pub(crate) mod made_rules;
pub(crate) mod pace;
mod watcher;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use eyelid_config::Config;
use eyelid_consumer::{Cameras, Configured};
use eyelid_daemon::pulse::{self, Pulse};
use eyelid_daemon::{manager, work_when_idle};
use eyelid_figures::Answering;
use eyelid_http::{end_signals, reload_on_hang_up};
use eyelid_slot::CameraName;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::Arguments;
use crate::judges::says::Questions;
use crate::local_clock::LocalClock;
use crate::settings::{CameraSettings, Settings};
use crate::told;
use crate::watching::watcher::Watcher;

/// What the configuration says of the camera that is watched, and by what clock it is meant.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) camera: CameraSettings,
    pub(crate) clock: Arc<LocalClock>,
}

/// A plan that was read again and that the watcher has not taken yet.
#[derive(Default)]
pub(crate) struct Reread {
    plan: RefCell<Option<Plan>>,
    has_come: Notify,
}

impl Plan {
    /// Reads the configuration, and which zone this machine is in.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(arguments: &Arguments, name: &CameraName) -> anyhow::Result<Self> {
        let place = &arguments.place;
        let file = Config::load(place.config.as_deref())?;
        let settings = Settings::new(place, &arguments.watch, &file)?;
        settings.slots()?;
        let camera = CameraSettings::new(place, &file, name, &settings)?;
        Ok(Self {
            settings,
            camera,
            clock: Arc::new(LocalClock::new()),
        })
    }
}

impl Reread {
    fn put(&self, plan: Plan) {
        self.plan.replace(Some(plan));
        self.has_come.notify_one();
    }

    /// Waits for the next one.
    pub(crate) async fn next(&self) -> Plan {
        loop {
            if let Some(plan) = self.plan.take() {
                return plan;
            }
            self.has_come.notified().await;
        }
    }
}

/// Watches until it is told to end.
///
/// # Errors
/// Why it cannot go on.
pub(crate) fn run(arguments: &Arguments, name: &CameraName) -> anyhow::Result<()> {
    let plan = Plan::read(arguments, name)?;
    // The unit may have done so, and its sandbox lets nobody else.
    if let Err(error) = work_when_idle() {
        log::debug!("not in the idle class by itself: {error}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let read = || Plan::read(arguments, name);
    let ended = LocalSet::new().block_on(&runtime, watch(plan, read, arguments.status.as_deref()));
    // A thread that looks a name up waits for a dead name server, and nobody for it.
    runtime.shutdown_background();
    ended
}

async fn watch(
    plan: Plan,
    read: impl Fn() -> anyhow::Result<Plan>,
    status: Option<&Path>,
) -> anyhow::Result<()> {
    let slots = plan.settings.slots()?.to_owned();
    let slot = plan.camera.slot.clone();
    let configured: Configured = [(plan.camera.name.clone(), slot)].into_iter().collect();
    let cameras = Rc::new(Cameras::new(slots, configured, ()));
    let [mut interrupted, mut terminated] = end_signals().context("cannot listen for signals")?;
    let hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let (hearing, looking) = (Pulse::default(), Pulse::default());
    let reread = Reread::default();
    let (name, state) = (plan.camera.name.clone(), plan.settings.state.clone());
    let (answering, started) = (told::listen(status, &name), SystemTime::now());
    let questions = plan.settings.model.as_ref();
    let questions = questions.map(|model| Questions::new(&state, model.budget));
    let mut watcher = Watcher::new(plan, cameras.clone())?;
    let alerts = watcher.alert_counts();
    let figures = || {
        let asked = questions.as_ref();
        let asked = asked.map(|questions| questions.asked(SystemTime::now()).1);
        told::figures(&state, &name, started, &alerts, asked)
    };
    manager::ready();
    let reload = || {
        reread.put(read()?);
        anyhow::Ok(())
    };
    let ended = tokio::select! {
        _ = interrupted.recv() => Ok(()),
        _ = terminated.recv() => Ok(()),
        error = cameras.run(&hearing) => error.context("cannot read inotify"),
        never = watcher.run(&reread, &looking) => match never {},
        () = pulse::feed_watchdog([&hearing, &looking]) => Ok(()),
        () = reload_on_hang_up(hang_ups, reload) => Ok(()),
        never = Answering::answer_all(answering.as_ref(), figures) => match never {},
    };
    manager::stopping();
    watcher.end();
    ended
}
