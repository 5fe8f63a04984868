//! One way to tell, but MQTT: takes the oldest entry of the outbox, tries, and goes on until it was
//! taken.

use std::sync::Arc;
use std::time::Duration;

use eyelid_daemon::backoff::{Backoff, jitter};
use eyelid_http_client::{Answer, Client, Error, StatusCode};
use tokio::sync::watch;
use tokio::time::sleep;

use super::command::Command;
use super::ntfy::{Ntfy, read_key};
use super::webhook::Webhook;
use super::{End, Entry, Shared};
use crate::alert::bounded;
use crate::alerts;
use crate::moment::Moment;
use crate::settings::notify::{NotifySettings, Way};

/// The pauses between tries; tests do not wait for them.
const FIRST_PAUSE: Duration = Duration::from_millis(if cfg!(test) { 20 } else { 5000 });
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// The longest pause that somebody else may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Why something was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It may be later.
    Later {
        why: String,
        /// Not before that.
        after: Option<Duration>,
        /// It may have been taken all the same.
        is_unsure: bool,
    },
    /// It never will be, as it is.
    Never(String),
}

impl Refusal {
    /// What nobody has heard.
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::Later {
            why: why.into(),
            after: None,
            is_unsure: false,
        }
    }
}

/// What is told, in whom.
enum Kind {
    Ntfy(Ntfy),
    Webhook(Webhook),
    Command(Command),
}

/// Tells what is in the outbox in one way.
pub(super) struct Teller {
    name: String,
    kind: Kind,
    picture: bool,
    within: Duration,
    shared: Arc<Shared>,
    client: Arc<Client>,
}

impl Teller {
    /// # Errors
    /// What is configured cannot be.
    pub(super) fn new(
        settings: &NotifySettings,
        shared: Arc<Shared>,
        client: Arc<Client>,
    ) -> anyhow::Result<Self> {
        let kind = match &settings.way {
            Way::Ntfy(url) => Kind::Ntfy(Ntfy::new(url.as_str(), settings)?),
            Way::Webhook(url) => Kind::Webhook(Webhook::new(url.as_str(), settings)?),
            Way::Command(line) => Kind::Command(Command::new(line)),
            Way::Mqtt(_) => anyhow::bail!("MQTT is no way that ends with an answer"),
        };
        if let Err(Refusal::Later { why, .. }) = read_key(settings.key_file.as_deref()) {
            let name = &settings.name;
            log::warn!("notify {name:?}: {why}; nobody is told in this way until it can be read");
        }
        Ok(Self {
            name: settings.name.clone(),
            kind,
            picture: settings.picture,
            within: settings.within,
            shared,
            client,
        })
    }

    /// Tells, until it is to end; what is being told then is told to its end.
    pub(super) async fn run(self, mut end: watch::Receiver<End>) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while !end.borrow().has_come() {
            let news = self.shared.news.notified();
            let next = self
                .shared
                .outbox()
                .next(&self.name, self.within, Moment::now());
            let Some(entry) = next else {
                tokio::select! {
                    () = news => {}
                    _ = end.changed() => {}
                }
                continue;
            };
            if let Some(pause) = self.run_once(entry, &mut backoff).await {
                tokio::select! {
                    () = sleep(pause) => {}
                    _ = end.changed() => {}
                }
            }
        }
    }

    /// Tries once; gives the pause before the next try, if there is to be one.
    async fn run_once(&self, mut entry: Entry, backoff: &mut Backoff) -> Option<Duration> {
        let (id, name) = (entry.alert.id.clone(), &self.name);
        let was_unsure = entry.is_unsure;
        // As long as nobody has said how it ended, it may have been told.
        entry.is_unsure = true;
        self.shared.outbox().update(&entry);
        let told = self.tell(&entry, was_unsure).await;
        let (why, after, is_unsure) = match told {
            Ok(()) => {
                self.shared.outbox().remove(&entry);
                match backoff.failures() {
                    0 => log::info!("notify {name:?}: told of alert {id}"),
                    tries => log::info!("notify {name:?}: told of alert {id}, after {tries} tries"),
                }
                backoff.succeeded();
                return None;
            }
            Err(Refusal::Never(why)) => {
                if self.picture && entry.alert.picture && !entry.without_picture {
                    log::warn!("notify {name:?}: {why}; alert {id} is told without its picture");
                    (entry.without_picture, entry.is_unsure) = (true, was_unsure);
                    self.shared.outbox().update(&entry);
                } else {
                    log::warn!("notify {name:?}: {why}; alert {id} is not told");
                    self.shared.outbox().remove(&entry);
                }
                return None;
            }
            Err(Refusal::Later {
                why,
                after,
                is_unsure,
            }) => (why, after, is_unsure),
        };
        entry.tries = entry.tries.saturating_add(1);
        entry.is_unsure = was_unsure || is_unsure;
        self.shared.outbox().update(&entry);
        let after = after.unwrap_or_default().min(LONGEST_ASKED);
        let pause = backoff.failed(jitter()).max(after);
        let level = if backoff.failures() == 1 {
            log::Level::Warn
        } else {
            log::Level::Debug
        };
        let seconds = pause.as_secs();
        log::log!(
            level,
            "notify {name:?}: {why}; alert {id} is tried again in {seconds} s"
        );
        Some(pause)
    }

    async fn tell(&self, entry: &Entry, may_be_told: bool) -> Result<(), Refusal> {
        let picture = self.picture.then(|| self.shared.picture(entry)).flatten();
        let (alert, text, client) = (&entry.alert, self.shared.text(&entry.alert), &self.client);
        match &self.kind {
            Kind::Ntfy(ntfy) => {
                if may_be_told && ntfy.has(client, entry, &text).await? {
                    return Ok(());
                }
                ntfy.tell(client, alert, &text, picture).await
            }
            Kind::Webhook(webhook) => webhook.tell(client, alert, text, picture).await,
            Kind::Command(command) => {
                let path = alerts::picture_path(&self.shared.alerts, &alert.id);
                command.tell(alert, text, &path, may_be_told).await
            }
        }
    }
}

/// What an answer of an HTTP server says about what was sent.
pub(super) fn taken(answer: Result<Answer, Error>) -> Result<(), Refusal> {
    let answer = answer.map_err(|error| Refusal::Later {
        why: error.to_string(),
        after: None,
        is_unsure: error.may_have_arrived(),
    })?;
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&answer.body);
    let why = format!("answers {status}: {}", bounded(&text, 200));
    Err(match status {
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Refusal::Never(why),
        _ => Refusal::Later {
            why,
            after: answer.retry_after,
            // A gateway that says so may have passed it on.
            is_unsure: status == StatusCode::BAD_GATEWAY || status == StatusCode::GATEWAY_TIMEOUT,
        },
    })
}
