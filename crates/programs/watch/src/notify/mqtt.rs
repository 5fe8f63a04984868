//! A broker of MQTT, and with it Home Assistant. Unlike other ways this one tells of states, too,
//! so it stays connected; that it is not any more, the broker says itself (the last will).
//!
//! By rumqttc, without TLS: its TLS brings versions of others that have known faults. Who needs TLS
//! takes `mosquitto_pub` as a command, or a broker of this machine that is a bridge.

mod messages;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use eyelid_daemon::backoff::{Backoff, jitter};
use eyelid_daemon::timer::at;
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::{End, Entry, Now, Shared};
use crate::alert::bounded;
use crate::files;
use crate::moment::Moment;
use crate::settings::notify::{MqttSettings, NotifySettings};
use messages::{Message, Topics};

/// The pauses between tries to connect.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long a broker may take to say that it has an alert.
const CONFIRM: Duration = Duration::from_secs(30);

/// How often the broker is asked whether it is there, while nothing else is said.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The largest packets: nothing is subscribed to; a picture as large as any that is sent.
const MOST_RECEIVED: usize = 64 * 1024;
const MOST_SENT: usize = 11_000_000;

/// What is said at once at most: twice 33 rules and what goes with them.
const MOST_MESSAGES: usize = 256;

/// How long it may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// What USER:PASSWORD may have.
const MOST_KEY_BYTES: u64 = 1024;

/// A broker.
pub(super) struct Broker {
    name: String,
    host: String,
    port: u16,
    key_file: Option<PathBuf>,
    picture: bool,
    within: Duration,
    topics: Topics,
    shared: Arc<Shared>,
}

/// A connection to it.
struct Connection {
    client: AsyncClient,
    /// What was asked to be sent, in that order: whether it is of the alert that is being told.
    asked: VecDeque<bool>,
    /// What of the alert the broker has not confirmed.
    unconfirmed: HashSet<u16>,
    /// The alert, and how long it may take.
    telling: Option<(Entry, Instant)>,
    /// The broker has taken it.
    is_open: bool,
    /// It has been told that the watcher is there.
    is_available: bool,
}

impl Broker {
    pub(super) fn new(settings: &NotifySettings, mqtt: &MqttSettings, shared: Arc<Shared>) -> Self {
        Self {
            name: settings.name.clone(),
            host: mqtt.host.trim_matches(['[', ']']).to_owned(),
            port: mqtt.port,
            key_file: settings.key_file.clone(),
            picture: settings.picture,
            within: settings.within,
            topics: Topics::new(&shared.camera, &mqtt.topic, &mqtt.discovery),
            shared,
        }
    }

    /// Tells, until it is to end.
    pub(super) async fn run(
        self,
        mut now: watch::Receiver<Option<Now>>,
        mut end: watch::Receiver<End>,
    ) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            let ended = self.run_once(&mut now, &mut end, &mut backoff).await;
            let Err(why) = ended else {
                return;
            };
            let pause = backoff.failed(jitter());
            let level = if backoff.failures() == 1 {
                log::Level::Warn
            } else {
                log::Level::Debug
            };
            log::log!(
                level,
                "notify {:?}: broker {}:{}: {why:#}",
                self.name,
                self.host,
                self.port
            );
            tokio::select! {
                () = sleep(pause) => {}
                _ = end.wait_for(End::has_come) => return,
            }
        }
    }

    /// Connects, and tells until it is to end.
    async fn run_once(
        &self,
        now: &mut watch::Receiver<Option<Now>>,
        end: &mut watch::Receiver<End>,
        backoff: &mut Backoff,
    ) -> anyhow::Result<()> {
        let (client, mut events) = AsyncClient::new(self.options()?, MOST_MESSAGES);
        let mut connection = Connection {
            client,
            asked: VecDeque::new(),
            unconfirmed: HashSet::new(),
            telling: None,
            is_open: false,
            is_available: false,
        };
        loop {
            let news = self.shared.news.notified();
            if connection.is_open && connection.telling.is_none() {
                self.tell_next(&mut connection)?;
            }
            let due = connection.telling.as_ref().map(|(_, due)| *due);
            let event = {
                // Never dropped before it has ended, for it may just be writing.
                let mut event = pin!(events.poll());
                let mut news = pin!(news);
                loop {
                    tokio::select! {
                        event = &mut event => break Some(event?),
                        () = &mut news, if connection.is_open && connection.telling.is_none() => {
                            news.set(self.shared.news.notified());
                            self.tell_next(&mut connection)?;
                        }
                        changed = now.changed(), if connection.is_open => {
                            changed?;
                            self.show(&mut connection, now)?;
                        }
                        _ = end.wait_for(End::has_come) => break None,
                        () = at(due) => bail!("does not confirm an alert"),
                    }
                }
            };
            let Some(event) = event else {
                if connection.is_open {
                    self.take_leave(&mut connection, &mut events).await?;
                }
                return Ok(());
            };
            self.heard(&event, &mut connection, now, backoff)?;
        }
    }

    /// Takes in what the broker says, or what has gone to it.
    fn heard(
        &self,
        event: &Event,
        connection: &mut Connection,
        now: &mut watch::Receiver<Option<Now>>,
        backoff: &mut Backoff,
    ) -> anyhow::Result<()> {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                log::info!(
                    "notify {:?}: connected to {}:{}",
                    self.name,
                    self.host,
                    self.port
                );
                backoff.succeeded();
                connection.is_open = true;
                self.show(connection, now)?;
            }
            Event::Outgoing(Outgoing::Publish(packet)) => connection.sent(*packet),
            Event::Incoming(Packet::PubAck(ack)) => {
                if let Some(entry) = connection.confirmed(ack.pkid) {
                    self.shared.outbox().remove(&entry);
                    log::info!("notify {:?}: told of alert {}", self.name, entry.alert.id);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Says that it ends, for the last will is only for who does not say so.
    async fn take_leave(
        &self,
        connection: &mut Connection,
        events: &mut EventLoop,
    ) -> anyhow::Result<()> {
        connection.publish(self.topics.available(false), false)?;
        connection.client.try_disconnect()?;
        // It ends with an error, when the broker has closed.
        let _ = timeout(FAREWELL, async { while events.poll().await.is_ok() {} }).await;
        Ok(())
    }

    /// Says what there is, what it is in, and then that it holds: that the watcher is there. Before
    /// it is known what there is, nothing: rules that are there would be taken away as gone.
    fn show(
        &self,
        connection: &mut Connection,
        now: &mut watch::Receiver<Option<Now>>,
    ) -> anyhow::Result<()> {
        let Some(now) = now.borrow_and_update().clone() else {
            return Ok(());
        };
        let discovery = self.topics.discovery(&now.rules);
        let topics: BTreeSet<String> = discovery.iter().map(|one| one.topic.clone()).collect();
        let path = self
            .shared
            .outbox()
            .directory()
            .join(format!("discovered-{}", self.name));
        let before = fs::read_to_string(&path).unwrap_or_default();
        // Rules that are gone are to be gone there, too: an empty message takes them away.
        for gone in before
            .lines()
            .filter(|topic| !topics.contains(*topic))
            .take(MOST_MESSAGES / 4)
        {
            let nothing = Message {
                topic: gone.to_owned(),
                payload: Vec::new(),
                is_retained: true,
            };
            connection.publish(nothing, false)?;
        }
        let list = topics.into_iter().collect::<Vec<_>>().join("\n");
        if list != before {
            // Else what is gone stays there until it can be written again.
            let _ = files::replace_soon(&path, list.as_bytes());
        }
        for message in discovery.into_iter().chain(self.topics.states(&now)) {
            connection.publish(message, false)?;
        }
        if !connection.is_available {
            connection.publish(self.topics.available(true), false)?;
            connection.is_available = true;
        }
        Ok(())
    }

    /// Begins to tell of the oldest entry, if there is one.
    fn tell_next(&self, connection: &mut Connection) -> anyhow::Result<()> {
        let mut outbox = self.shared.outbox();
        let Some(mut entry) = outbox.next(&self.name, self.within, Moment::now()) else {
            return Ok(());
        };
        entry.is_unsure = true;
        outbox.update(&entry);
        drop(outbox);
        let picture = self.picture.then(|| self.shared.picture(&entry)).flatten();
        let text = self.shared.text(&entry.alert);
        for message in self.topics.of_alert(&entry.alert, text, picture) {
            connection.publish(message, true)?;
        }
        connection.telling = Some((entry, Instant::now() + CONFIRM));
        Ok(())
    }

    fn options(&self) -> anyhow::Result<MqttOptions> {
        let host = nix::unistd::gethostname().unwrap_or_default();
        let (host, camera) = (host.to_string_lossy(), self.shared.camera.as_str());
        let id = format!("eyelid-watch-{host}-{camera}-{}", self.name);
        let mut options = MqttOptions::new(id, self.host.clone(), self.port);
        let will = self.topics.available(false);
        let will = LastWill::new(will.topic, will.payload, QoS::AtLeastOnce, true);
        options
            .set_keep_alive(KEEP_ALIVE)
            .set_max_packet_size(MOST_RECEIVED, MOST_SENT)
            .set_last_will(will);
        if let Some(path) = &self.key_file {
            let (user, password) = read_login(path)?;
            options.set_credentials(user, password);
        }
        Ok(options)
    }
}

/// Reads the file of a broker's USER:PASSWORD.
///
/// # Errors
/// It cannot be read, or has something else.
pub(super) fn read_login(path: &Path) -> anyhow::Result<(String, String)> {
    let place = || format!("key file {path:?}");
    let login = files::read(path, MOST_KEY_BYTES).with_context(place)?;
    let login = String::from_utf8(login).ok();
    let login = login.as_deref().map(str::trim_end);
    let (user, password) = login
        .and_then(|login| login.split_once(':'))
        .with_context(|| format!("{}: must be USER:PASSWORD", place()))?;
    Ok((user.to_owned(), password.to_owned()))
}

impl Connection {
    fn publish(&mut self, message: Message, is_of_alert: bool) -> anyhow::Result<()> {
        let (topic, retain) = (message.topic, message.is_retained);
        self.client
            .try_publish(topic, QoS::AtLeastOnce, retain, message.payload)
            .map_err(|error| anyhow::anyhow!("{}", bounded(&error.to_string(), 200)))?;
        self.asked.push_back(is_of_alert);
        Ok(())
    }

    /// The next of what was asked to be sent has gone, as this packet.
    fn sent(&mut self, packet: u16) {
        if self.asked.pop_front() == Some(true) {
            self.unconfirmed.insert(packet);
        }
    }

    /// The broker has this packet. Gives the alert, if it has all of that now.
    fn confirmed(&mut self, packet: u16) -> Option<Entry> {
        let was_of_alert = self.unconfirmed.remove(&packet);
        let is_all = was_of_alert && self.unconfirmed.is_empty() && !self.asked.contains(&true);
        if is_all {
            self.telling.take().map(|(entry, _)| entry)
        } else {
            None
        }
    }
}
