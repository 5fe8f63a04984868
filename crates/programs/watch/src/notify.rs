//! How people are told: each way in a task of its own, on a thread of their own. Who watches puts
//! an alert into the [`Outbox`] and goes on; a way that is slow or dead holds up neither the
//! watcher nor another way. What is not taken is tried again until a day is over, and after a
//! restart.
//!
//! Each alert is told once in each way, but for one hole: this program is killed after somebody has
//! taken the alert, and before it is known that he has. It is told again then, for twice is better
//! than not at all; in such a way that it is known to be the same, where the way has one for that.

mod command;
mod mqtt;
mod ntfy;
mod outbox;
#[cfg(test)]
mod tests;
mod text;
mod way;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use eyelid_slot::CameraName;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::alert::Judge;
use crate::alerts;
use crate::files;
use crate::rules::{CameraRules, State};
use crate::settings::notify::{NotifySettings, Way};

pub(crate) use outbox::{Entry, Outbox};

/// How long the program waits at its end for what is just being told; it is told after the next
/// start otherwise.
const FAREWELL: Duration = Duration::from_secs(2);

/// How many bytes a picture may have that is sent: ntfy.sh takes 2 MB, and nobody else that is
/// known takes more than 10.
const MOST_PICTURE: u64 = 10_000_000;

/// What the ways have in common.
struct Shared {
    camera: CameraName,
    outbox: Arc<Mutex<Outbox>>,
    /// Where the pictures are.
    alerts: PathBuf,
    /// Something was put in.
    news: Notify,
}

impl Shared {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The picture of an alert, if it is to go along and is there still.
    fn picture(&self, entry: &Entry) -> Option<Vec<u8>> {
        if entry.without_picture || !entry.alert.picture {
            return None;
        }
        let path = alerts::picture_path(&self.alerts, &entry.alert.id);
        files::read(&path, MOST_PICTURE).ok()
    }
}

/// What a rule is in, for those who show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleState {
    pub(crate) name: String,
    pub(crate) judge: Judge,
    pub(crate) is_standing: bool,
}

/// What holds now, for ways that tell of that and not only of alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Now {
    rules: Vec<RuleState>,
    is_blind: bool,
}

/// Tells people. Ends, and waits a moment for what is being told, when it is dropped.
pub(crate) struct Notifier {
    shared: Arc<Shared>,
    now: watch::Sender<Now>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Notifier {
    /// Begins to tell what is in the outbox, and what comes into it.
    ///
    /// # Errors
    /// A thread or its runtime cannot be had, or what is configured cannot be.
    pub(crate) fn start(
        camera: &CameraName,
        settings: &[NotifySettings],
        outbox: Arc<Mutex<Outbox>>,
        alerts: &Path,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            camera: camera.clone(),
            outbox,
            alerts: alerts.to_owned(),
            news: Notify::new(),
        });
        let (now, _) = watch::channel(Now::default());
        let (stop, _) = watch::channel(false);
        let mut notifier = Self {
            shared,
            now,
            stop,
            thread: None,
        };
        if !settings.is_empty() {
            notifier.thread = Some(notifier.run(settings)?);
        }
        Ok(notifier)
    }

    /// Something was put into the outbox.
    pub(crate) fn wake(&self) {
        self.shared.news.notify_waiters();
    }

    /// Has those who show states show these.
    pub(crate) fn show(&self, rules: &CameraRules) {
        let states = rules.rules().iter().map(|rule| RuleState {
            name: rule.name().to_owned(),
            judge: rule.terms().judge,
            is_standing: rule.state() == State::Standing,
        });
        let new = Now {
            rules: states.collect(),
            is_blind: rules.is_blind(),
        };
        self.now.send_if_modified(|now| {
            let is_new = *now != new;
            *now = new;
            is_new
        });
    }

    fn run(&self, settings: &[NotifySettings]) -> anyhow::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime for those who tell")?;
        let client = Arc::new(eyelid_http_client::Client::new());
        let mut ways = JoinSet::new();
        for settings in settings {
            let (shared, stop) = (self.shared.clone(), self.stop.subscribe());
            match &settings.way {
                Way::Mqtt(mqtt) => {
                    let broker = mqtt::Broker::new(settings, mqtt, shared);
                    ways.spawn_on(broker.run(self.now.subscribe(), stop), runtime.handle());
                }
                _ => {
                    let way = way::Teller::new(settings, shared, client.clone())?;
                    ways.spawn_on(way.run(stop), runtime.handle());
                }
            }
        }
        let mut stop = self.stop.subscribe();
        let all = async move {
            // What a way does ends only with this program.
            let _ = stop.wait_for(|stop| *stop).await;
            let end = async { while ways.join_next().await.is_some() {} };
            let _ = timeout(FAREWELL, end).await;
        };
        thread::Builder::new()
            .name("notify".to_owned())
            .spawn(move || runtime.block_on(all))
            .context("no thread for those who tell")
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // It has panicked, and said so.
            let _ = thread.join();
        }
    }
}
