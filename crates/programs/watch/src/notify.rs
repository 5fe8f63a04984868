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

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use eyelid_config::{ConfigError, WatchNotifyOptions};
use eyelid_http_client::Key;
use eyelid_slot::CameraName;
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Place;
use crate::alert::{Alert, Judge};
use crate::alerts;
use crate::files;
use crate::judges::client;
use crate::local_clock::LocalClock;
use crate::rules::{CameraRules, State};
use crate::settings::notify::{NotifySettings, Way};

pub(crate) use outbox::{Entry, Outbox};

/// How long the program waits at its end for what is just being told; it is told after the next
/// start otherwise.
const FAREWELL: Duration = Duration::from_secs(2);

/// How many bytes a picture may have that is sent: ntfy.sh takes 2 MB, and nobody else that is
/// known takes more than 10.
const MOST_PICTURE: u64 = 10_000_000;

/// Says whether the key of each way can be read. Who tells reads it each time, so that who mends it
/// need not start anything anew: a watcher tells of a missing one, and goes on.
///
/// # Errors
/// Which cannot be, and what to do.
pub(crate) fn check_keys(place: &Place, settings: &[NotifySettings]) -> Result<(), ConfigError> {
    for NotifySettings {
        name,
        way,
        key_file,
        ..
    } in settings
    {
        let Some(file) = key_file else {
            continue;
        };
        let (read, what) = match way {
            Way::Mqtt(_) => (mqtt::read_login(file).map(drop), "USER:PASSWORD"),
            Way::Ntfy(_) | Way::Webhook(_) | Way::Command(_) => {
                (Key::read(file).map(drop).map_err(Into::into), "the token")
            }
        };
        read.map_err(|error| {
            let message = format!(
                "{error:#}; write {what} into it, on one line, and let the user read it that \
                 eyelid-watch runs as"
            );
            let path = place.config_path();
            ConfigError::named::<WatchNotifyOptions>(path, &[name.as_str()], "key-file", message)
        })?;
    }
    Ok(())
}

/// What the ways have in common.
struct Shared {
    camera: CameraName,
    outbox: Arc<Mutex<Outbox>>,
    /// Where the pictures are.
    alerts: PathBuf,
    /// By whose time of the day people are told.
    clock: Mutex<Arc<LocalClock>>,
    /// Something was put in.
    news: Notify,
}

impl Shared {
    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happened, for people.
    fn text(&self, alert: &Alert) -> String {
        let clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        text::text(alert, &clock)
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
#[derive(Clone, Debug, PartialEq, Eq)]
struct Now {
    rules: Vec<RuleState>,
    is_blind: bool,
}

/// How those who tell are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    NotYet,
    /// What is just being told is told to its end: others go on after them.
    WhenTold,
    /// The program ends.
    Soon,
}

impl End {
    fn has_come(&self) -> bool {
        *self != Self::NotYet
    }
}

/// Tells people. Ends, and waits a moment for what is being told, when it is dropped.
pub(crate) struct Notifier {
    shared: Arc<Shared>,
    settings: Vec<NotifySettings>,
    /// Certificates that are believed beside the system's.
    ca_file: Option<PathBuf>,
    /// `None` until it is known.
    now: watch::Sender<Option<Now>>,
    /// Those who tell, and before them others that are not at their end yet.
    ends: Vec<watch::Sender<End>>,
    thread: Option<JoinHandle<()>>,
}

/// One way, ready to begin.
enum Ready {
    Mqtt(mqtt::Broker),
    Other(way::Teller),
}

impl Notifier {
    /// Begins to tell what is in the outbox, and what comes into it.
    ///
    /// # Errors
    /// A thread cannot be had, or what is configured cannot be.
    pub(crate) fn start(
        camera: &CameraName,
        (settings, ca_file): (&[NotifySettings], Option<&Path>),
        outbox: Arc<Mutex<Outbox>>,
        alerts: &Path,
        clock: Arc<LocalClock>,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            camera: camera.clone(),
            outbox,
            alerts: alerts.to_owned(),
            clock: Mutex::new(clock),
            news: Notify::new(),
        });
        let (now, _) = watch::channel(None);
        let mut notifier = Self {
            shared,
            settings: Vec::new(),
            ca_file: None,
            now,
            ends: Vec::new(),
            thread: None,
        };
        notifier.reconfigure(settings, ca_file)?;
        Ok(notifier)
    }

    /// Tells in these ways from now on. What is just being told is told to its end before, so that
    /// nobody is told it twice.
    ///
    /// # Errors
    /// As of [`Notifier::start`]; all is as it was then.
    pub(crate) fn reconfigure(
        &mut self,
        settings: &[NotifySettings],
        ca_file: Option<&Path>,
    ) -> anyhow::Result<()> {
        if settings == self.settings && ca_file == self.ca_file.as_deref() {
            return Ok(());
        }
        let ready = self.ready(settings, ca_file)?;
        let (end, of_end) = watch::channel(End::NotYet);
        let now = self.now.subscribe();
        let (before, all_before) = mpsc::channel::<JoinHandle<()>>();
        let thread = thread::Builder::new()
            .name("notify".to_owned())
            .spawn(move || {
                for before in all_before {
                    // It has panicked, and said so.
                    let _ = before.join();
                }
                let runtime = Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => runtime.block_on(tell(ready, now, of_end)),
                    Err(error) => log::error!("nobody is told of alerts: {error}"),
                }
            })
            .context("no thread for those who tell")?;
        for end in &self.ends {
            end.send_if_modified(|end| mem::replace(end, End::WhenTold) != End::WhenTold);
        }
        self.ends.retain(|end| end.receiver_count() > 0);
        if let Some(thread) = self.thread.take() {
            // It waits for that.
            let _ = before.send(thread);
        }
        (self.settings, self.ca_file) = (settings.to_vec(), ca_file.map(Path::to_owned));
        self.ends.push(end);
        self.thread = Some(thread);
        Ok(())
    }

    /// Tells times by this clock from now on.
    pub(crate) fn set_clock(&self, clock: Arc<LocalClock>) {
        let own = self.shared.clock.lock();
        *own.unwrap_or_else(PoisonError::into_inner) = clock;
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
        let new = Some(Now {
            rules: states.collect(),
            is_blind: rules.is_blind(),
        });
        self.now.send_if_modified(|now| {
            let is_new = *now != new;
            *now = new;
            is_new
        });
    }

    fn ready(
        &self,
        settings: &[NotifySettings],
        ca_file: Option<&Path>,
    ) -> anyhow::Result<Vec<Ready>> {
        let client = Arc::new(client(ca_file)?);
        let ready = settings.iter().map(|settings| {
            let shared = self.shared.clone();
            Ok(match &settings.way {
                Way::Mqtt(mqtt) => Ready::Mqtt(mqtt::Broker::new(settings, mqtt, shared)),
                _ => Ready::Other(way::Teller::new(settings, shared, client.clone())?),
            })
        });
        ready.collect()
    }
}

/// Tells in these ways, until it is to end.
async fn tell(ready: Vec<Ready>, now: watch::Receiver<Option<Now>>, mut end: watch::Receiver<End>) {
    let mut ways = JoinSet::new();
    for way in ready {
        match way {
            Ready::Mqtt(broker) => ways.spawn(broker.run(now.clone(), end.clone())),
            Ready::Other(teller) => ways.spawn(teller.run(end.clone())),
        };
    }
    // What a way does ends only with these.
    let _ = end.wait_for(End::has_come).await;
    let told = async { while ways.join_next().await.is_some() {} };
    let hurried = async {
        let _ = end.wait_for(|end| *end == End::Soon).await;
        sleep(FAREWELL).await;
    };
    tokio::select! {
        () = told => {}
        () = hurried => {}
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        for end in &self.ends {
            end.send_replace(End::Soon);
        }
        if let Some(thread) = self.thread.take() {
            // It has panicked, and said so.
            let _ = thread.join();
        }
    }
}
