//! Connections, one after the other.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use async_nats::{
    Auth, AuthError, ConnectErrorKind, ConnectOptions, Message, ServerError, StatusCode,
};
use eyelid_daemon::LogLimit;
use eyelid_daemon::backoff::{Backoff, jitter};
use futures_util::StreamExt;
use futures_util::stream::{SelectAll, select_all};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::liveness::{Checked, Checks};
use super::server_url::Protection;
use super::{Credentials, Open, Outgoing, ServerUrl, Shared};
use crate::engine::{Event, ReplyTo};
use crate::settings::BrokerSettings;
use crate::wire::{HostName, Subject};

/// A way that is there again is to be used within 3 s: a first packet that is lost is sent again
/// after 1 s, by any TCP.
const REACH: Duration = Duration::from_secs(2);

/// How long what is behind the first packet may take: TLS over a way of 2 s is four round trips.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The pauses between tries.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);

/// The pause after a refusal: somebody has to change something first.
const REFUSED: Duration = Duration::from_secs(5);

/// A connection that lived for so long was a good one.
const GOOD: Duration = Duration::from_secs(10);

/// How often the client asks a server that says nothing whether it is there. Each time a hub wakes
/// for each of its hosts: with 2 s that was most of what it did while nobody looked.
const PING: Duration = Duration::from_secs(10);

/// How many messages wait to be sent: a frame of 32 MiB has 2,049, and there may be some others.
const OUTGOING: usize = 4_096;

/// How many messages wait in each subscription. Of those that come beyond that some are lost, which
/// whoever asked finds out.
const INCOMING: usize = 1_024;

/// What does not change is said again after this long.
const SAY_AGAIN: Duration = Duration::from_secs(600);

/// Refusals of the server that are said, in a minute.
const REFUSALS: u32 = 10;

/// Makes connections, and hands on what comes by them.
pub(crate) struct Connection {
    servers: Vec<ServerUrl>,
    creds: Option<PathBuf>,
    ca: Option<PathBuf>,
    host: Option<HostName>,
    shared: Rc<Shared>,
    events: mpsc::Sender<Event>,
    refusals: LogLimit,
    /// What was said last, and when.
    said: Option<(String, Instant)>,
    /// The last connection ended with a refusal, as the next may.
    is_refused: bool,
}

/// The server lets this program in no more, or hear nothing.
#[derive(Debug, thiserror::Error)]
#[error("the server says: {0}")]
struct Refused(String);

/// What a connection tells of itself.
type Told = mpsc::UnboundedReceiver<async_nats::Event>;

impl Connection {
    pub(super) fn new(
        settings: &BrokerSettings,
        servers: Vec<ServerUrl>,
        host: Option<HostName>,
        shared: Rc<Shared>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            servers,
            creds: settings.creds.clone(),
            ca: settings.ca.clone(),
            host,
            shared,
            events,
            refusals: LogLimit::new(REFUSALS, Duration::from_secs(60)),
            said: None,
            is_refused: false,
        }
    }

    /// Runs as long as the program does.
    pub(crate) async fn run(mut self) -> Infallible {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut tries = 0_usize;
        loop {
            let server = self.servers[tries % self.servers.len()].clone();
            tries += 1;
            let began = Instant::now();
            let why = match self.connect(&server).await {
                Ok((open, told)) => self.serve(&server, open, told).await,
                Err(why) => why,
            };
            if self.shared.open.replace(None).is_some() {
                self.hand_on(Event::Disconnected).await;
            }
            if began.elapsed() >= GOOD {
                backoff.succeeded();
                self.said = None;
            }
            self.say(&server, &why);
            self.is_refused = why.is::<Refused>();
            let pause = backoff.failed(jitter());
            sleep(if self.is_refused { REFUSED } else { pause }).await;
        }
    }

    /// Says why there is no connection, once as long as that does not change.
    fn say(&mut self, server: &ServerUrl, why: &anyhow::Error) {
        let text = format!("{server}: {why:#}; trying again");
        let now = Instant::now();
        let is_known = |(said, when): &(String, Instant)| {
            *said == text && now.duration_since(*when) < SAY_AGAIN
        };
        if !self.said.as_ref().is_some_and(is_known) {
            log::warn!("{text}");
            self.said = Some((text, now));
        }
    }

    async fn hand_on(&self, event: Event) {
        // Fails only where the program ends.
        let _ = self.events.send(event).await;
    }

    async fn connect(&self, server: &ServerUrl) -> anyhow::Result<(Open, Told)> {
        let ip = reach(server).await?;
        let creds = self.creds.as_deref().map(Credentials::read).transpose()?;
        let protection = server.protection(ip);
        let (tell, told) = mpsc::unbounded_channel();
        let mut options = ConnectOptions::with_auth_callback(only_once(creds, server))
            .name(match &self.host {
                Some(host) => format!("eyelid-relay share {host}"),
                None => "eyelid-relay fetch".to_owned(),
            })
            .connection_timeout(HANDSHAKE)
            .ping_interval(PING)
            .client_capacity(OUTGOING)
            .subscription_capacity(INCOMING)
            .ignore_discovered_servers()
            .require_tls(protection == Protection::Tls)
            // It tries once, in vain: see `only_once`.
            .max_reconnects(1)
            .reconnect_delay_callback(|_| Duration::ZERO)
            .event_callback(move |event| {
                // Nobody listens any more when the connection is given up.
                let _ = tell.send(event);
                async {}
            });
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        let client = options.connect(server.address(protection, ip)).await;
        let client = client.map_err(|error| self.explain(error, protection))?;
        if protection == Protection::AsTheServerWants && !ip.is_loopback() {
            log::warn!("{server}: in the clear unless the server wants TLS; tls:// insists on it");
        }
        let max_message_bytes = client.server_info().max_payload;
        Ok((
            Open {
                client,
                max_message_bytes,
                outgoing: Outgoing::default(),
            },
            told,
        ))
    }

    fn explain(&self, error: async_nats::ConnectError, protection: Protection) -> anyhow::Error {
        match (error.kind(), &self.creds) {
            (ConnectErrorKind::AuthorizationViolation, creds) => {
                let text = error.to_string();
                Refused(match creds {
                    Some(creds) => format!("{text} (who shows {creds:?} is not let in)"),
                    None => format!("{text} (nobody is let in without credentials: --creds FILE)"),
                })
                .into()
            }
            _ if protection == Protection::Tls => anyhow!(
                "{error} (TLS is wanted here: see docs/relay.md, and --ca for a hub's own authority)"
            ),
            _ => anyhow!("{error}"),
        }
    }

    /// Hands on what comes until there is a reason to end the connection.
    async fn serve(&self, server: &ServerUrl, open: Open, mut told: Told) -> anyhow::Error {
        let mut messages = match self.subscribe(&open).await {
            Ok(messages) => messages,
            Err(error) => return error,
        };
        let max_message_bytes = open.max_message_bytes;
        let level = if self.is_refused {
            log::Level::Debug
        } else {
            log::Level::Info
        };
        log::log!(
            level,
            "{server}: connected; it takes messages of {max_message_bytes} bytes"
        );
        let mut checks = Checks::of(open.client.clone());
        self.shared.open.replace(Some(open));
        self.hand_on(Event::Connected { max_message_bytes }).await;
        loop {
            tokio::select! {
                biased;
                event = told.recv() => match event {
                    Some(async_nats::Event::ServerError(error)) => {
                        match self.refusal(error) {
                            Ok(Some(event)) => self.hand_on(event).await,
                            Ok(None) => {}
                            Err(error) => return error,
                        }
                    }
                    Some(async_nats::Event::SlowConsumer(_)) => {
                        if let Some(suppressed) = self.refusals.allow(Instant::now()) {
                            log::warn!("{server}: more came than could be taken{suppressed}");
                        }
                    }
                    Some(async_nats::Event::Disconnected) => {
                        return anyhow!("the connection is lost");
                    }
                    Some(async_nats::Event::Closed) | None => {
                        return anyhow!("the connection is closed");
                    }
                    Some(_) => {}
                },
                message = messages.next() => match message {
                    Some(message) => self.message(message).await,
                    None => return anyhow!("the subscriptions have ended"),
                },
                checked = checks.next() => match checked {
                    Checked::Well => {}
                    Checked::Ask => checks.ask_for_a_word(&self.shared.inbox),
                    Checked::Gone => return anyhow!("nothing is heard of the server any more"),
                },
            }
        }
    }

    async fn subscribe(&self, open: &Open) -> anyhow::Result<SelectAll<async_nats::Subscriber>> {
        let mut subjects = vec![format!("{}.>", self.shared.inbox)];
        if let Some(host) = &self.host {
            let own = Subject::Host(host.clone());
            subjects.extend([
                Subject::Hosts.to_string(),
                own.to_string(),
                format!("{own}.>"),
            ]);
        }
        let mut all = Vec::new();
        for subject in subjects {
            let subscribed = open.client.subscribe(subject.clone()).await;
            all.push(subscribed.with_context(|| format!("cannot listen to {subject:?}"))?);
        }
        // Nobody is asked before the answers can be heard.
        open.client
            .flush()
            .await
            .context("the connection is lost")?;
        Ok(select_all(all))
    }

    async fn message(&self, message: Message) {
        if message.subject.starts_with(self.shared.inbox.as_str()) {
            if message.status == Some(StatusCode::NO_RESPONDERS) {
                if let Some(id) = self.shared.request_of(&message.subject) {
                    self.hand_on(Event::NobodyAnswers(id)).await;
                }
            } else {
                self.hand_on(Event::Reply(message.payload)).await;
            }
        } else if let Some(reply_to) = message.reply {
            let asked = Event::Asked {
                subject: message.subject.into_string(),
                reply_to: ReplyTo(reply_to.into_string()),
                message: message.payload,
            };
            self.hand_on(asked).await;
        }
    }

    /// What a word of the server's means: an event, nothing, or that it ends the connection.
    fn refusal(&self, error: ServerError) -> Result<Option<Event>, anyhow::Error> {
        let text = match error {
            ServerError::AuthorizationViolation => "authorization violation".to_owned(),
            ServerError::SlowConsumer(_) => return Ok(None),
            ServerError::Other(text) => text,
        };
        let shown: String = text
            .chars()
            .filter(|it| !it.is_control())
            .take(300)
            .collect();
        let lower = shown.to_ascii_lowercase();
        if !lower.starts_with("permissions violation for publish") {
            // Such as "User Authentication Expired", with which the server closes the connection;
            // or nothing can be heard, which another connection may be allowed.
            return Err(Refused(shown).into());
        }
        if let Some(suppressed) = self.refusals.allow(Instant::now()) {
            log::error!("the server refuses: {shown}{suppressed}");
        }
        let subject = shown.split('"').nth(1).unwrap_or_default().to_owned();
        Ok(Some(Event::Refused(subject)))
    }
}

/// Gives what shows the server who this is, once: the client's own try to connect again fails, and
/// ends the client. It would send what nobody waits for any more, with what the file said before.
fn only_once(
    creds: Option<Credentials>,
    server: &ServerUrl,
) -> impl Fn(Vec<u8>) -> Ready<Result<Auth, AuthError>> + Send + Sync + 'static {
    let login = server.login();
    let login = login.map(|(user, password)| (user.to_owned(), password.map(str::to_owned)));
    let is_used = AtomicBool::new(false);
    move |nonce| {
        if is_used.swap(true, Ordering::Relaxed) {
            return ready(Err(AuthError::new("another connection is made for it")));
        }
        let auth = match (&creds, login.clone()) {
            (Some(creds), _) => creds.auth(&nonce).map_err(AuthError::new),
            (None, Some((user, Some(password)))) => {
                let mut auth = Auth::new();
                (auth.username, auth.password) = (Some(user), Some(password));
                Ok(auth)
            }
            (None, Some((token, None))) => {
                let mut auth = Auth::new();
                auth.token = Some(token);
                Ok(auth)
            }
            (None, None) => Ok(Auth::new()),
        };
        ready(auth)
    }
}

/// Looks up the server, and finds an address at which somebody takes connections. This is not left
/// to the client, whose one time-out is for all that it takes to connect.
async fn reach(server: &ServerUrl) -> anyhow::Result<IpAddr> {
    let found = timeout(HANDSHAKE, lookup_host((server.host(), server.port())));
    let found = found.await.context("its name is not found in time")?;
    let addresses: Vec<SocketAddr> = found.context("its name is not found")?.collect();
    let mut last = anyhow!("its name has no address");
    for address in addresses {
        match timeout(REACH, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(address.ip()),
            Ok(Err(error)) => last = error.into(),
            Err(_) => last = anyhow!("no answer from {address}"),
        }
    }
    bail!(last)
}
