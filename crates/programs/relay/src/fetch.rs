//! The side that fetches: far cameras as slots of this host, each asked for only while somebody
//! wishes for it, however many look.
//!
//! [`fleet`] decides which cameras there are, [`far`] what one of them is asked ([`stream`]: its
//! frames, or those of a rendition; [`far_told`]: its state) and whether it has failed
//! ([`failure`]), [`exposures`] when its frames were captured. [`slots`] has them all as sources
//! ([`source`]) of one `Producers`, and [`post`] is between them and the broker. Nothing of it
//! waits: the loop here does.

mod exposures;
mod failure;
mod far;
mod far_told;
mod fleet;
mod post;
mod slots;
mod source;
mod stream;

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use eyelid_daemon::pulse::{Pulse, feed_watchdog};
use eyelid_daemon::timer::at;
use eyelid_daemon::{LogLimit, manager, readiness};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use self::fleet::{Fleet, News};
use self::post::Letter;
use self::slots::Slots;
use crate::engine::{Engine, Event, Events, Link};
use crate::reload::{note_fixed, note_restart, with_each_signal};
use crate::settings::FetchSettings;
use crate::wire::{Asker, Directory, FarState, FormatError, Presence, Reply, RequestId};

/// So many slots are made or removed before others have their turn: each takes some 0.3 ms.
const NEWS_AT_ONCE: usize = 32;

/// So many events are taken before readers have their turn.
const EVENTS_AT_ONCE: usize = 64;

/// What a host elsewhere can cause is said so often at most.
const COMPLAINTS: (u32, Duration) = (20, Duration::from_secs(60));

/// When slots are looked for that an earlier run has left: by then each host has had three rounds
/// to say what it shares.
const SWEEP: Duration = Duration::from_secs(100);

/// Fetches until the program is told to end. The slots then say that their cameras are asleep. With
/// each SIGHUP the settings are `read` again.
///
/// # Errors
/// The slots cannot be used, or the system refuses something.
pub(crate) async fn run<E: Engine>(
    settings: FetchSettings,
    read: impl Fn() -> anyhow::Result<FetchSettings>,
    engine: E,
    events: Events,
) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let (change, changes) = mpsc::channel(1);
    let fetch = Fetch::new(settings, engine)?;
    let pulse = Pulse::default();
    log::info!("fetching into {:?}", fetch.settings.slots);
    manager::ready();
    let ended = tokio::select! {
        ended = fetch.run(events, changes, &pulse) => ended,
        never = with_each_signal(hang_ups, read, change) => match never {},
        () = feed_watchdog([&pulse]) => Ok(()),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    manager::stopping();
    ended
}

/// What one process fetches.
struct Fetch<E> {
    engine: E,
    settings: FetchSettings,
    fleet: Fleet,
    slots: Slots,
    sweep_at: Option<Instant>,
    was_swept: bool,
    complaints: LogLimit,
}

impl<E: Engine> Fetch<E> {
    fn new(settings: FetchSettings, engine: E) -> anyhow::Result<Self> {
        let asker = Asker(fastrand::u64(..));
        Ok(Self {
            engine,
            fleet: Fleet::new(asker, settings.only.clone(), settings.max_cameras),
            slots: Slots::new(&settings, asker)?,
            settings,
            sweep_at: None,
            was_swept: false,
            complaints: LogLimit::new(COMPLAINTS.0, COMPLAINTS.1),
        })
    }

    /// Fetches what is named now.
    fn reconfigure(&mut self, now: Instant, settings: FetchSettings) {
        let used = &mut self.settings;
        note_fixed(&used.broker, &settings.broker);
        let fixed = [
            ("slots", used.slots == settings.slots),
            ("linger", used.linger == settings.linger),
            (
                "max-frame",
                used.max_frame_bytes == settings.max_frame_bytes,
            ),
        ];
        let changed = fixed.into_iter().filter(|(_, is_used)| !is_used);
        changed.for_each(|(key, _)| note_restart(key));
        if (&used.only, used.max_cameras) == (&settings.only, settings.max_cameras) {
            return;
        }
        (used.only, used.max_cameras) = (settings.only.clone(), settings.max_cameras);
        self.fleet
            .reconfigure(now, settings.only, settings.max_cameras);
    }

    async fn run(
        mut self,
        mut events: Events,
        mut changes: mpsc::Receiver<FetchSettings>,
        pulse: &Pulse,
    ) -> anyhow::Result<()> {
        let inotify = self.slots.inotify().context("cannot wait for readers")?;
        let inotify = readiness::readable(inotify)?;
        if self.engine.state() == Link::Disconnected {
            // Until the first connection: who looks is told.
            self.event(Event::Disconnected)?;
        }
        loop {
            self.attend(Instant::now())?;
            let wake_at = self.deadline();
            tokio::select! {
                event = events.recv() => {
                    // The engine ends only with the program.
                    self.event(event.context("the engine has ended")?)?;
                    for _ in 1..EVENTS_AT_ONCE {
                        let Ok(event) = events.try_recv() else {
                            break;
                        };
                        self.event(event)?;
                    }
                }
                ready = inotify.readable() => {
                    ready?.clear_ready();
                    self.step()?;
                }
                Some(settings) = changes.recv() => self.reconfigure(Instant::now(), settings),
                () = at(wake_at.map(Into::into)) => self.step()?,
                () = pulse.answer() => {}
            }
        }
    }

    fn step(&mut self) -> anyhow::Result<()> {
        let stepped = self.slots.step(Instant::now());
        stepped.context("cannot read inotify")
    }

    /// When something is due although nothing happens.
    fn deadline(&self) -> Option<Instant> {
        if self.fleet.has_news() {
            return Some(Instant::now());
        }
        let moments = [
            self.slots.deadline(),
            self.fleet.deadline(),
            self.sweep_at.filter(|_| !self.was_swept),
        ];
        moments.into_iter().flatten().min()
    }

    /// Sees to which cameras there are, and sends what is to be sent.
    fn attend(&mut self, now: Instant) -> anyhow::Result<()> {
        let news = self.fleet.take_news(NEWS_AT_ONCE);
        let has_news = !news.is_empty();
        for news in news {
            self.take(now, news)?;
        }
        if has_news {
            self.slots.step(now).context("cannot read inotify")?;
        }
        if !self.was_swept && self.sweep_at.is_some_and(|at| at <= now) {
            self.was_swept = true;
            self.slots.sweep();
        }
        for letter in self.fleet.next(now) {
            self.send(&letter);
        }
        self.send_letters();
        Ok(())
    }

    fn take(&mut self, now: Instant, news: News) -> anyhow::Result<()> {
        match news {
            News::Come(far) => {
                if let Err(error) = self.slots.add(far)
                    && let Some(suppressed) = self.complaints.allow(now)
                {
                    log::error!("a camera cannot be fetched: {error:#}{suppressed}");
                }
            }
            News::Gone(far) => self.slots.remove(&far),
            News::Silent(host, since) => {
                let count = self.fleet.cameras_of(&host).count();
                let seconds = now.saturating_duration_since(since).as_secs();
                log::warn!("host {host} has been silent for {seconds}s; {count} cameras are its");
                let cameras = self.fleet.cameras_of(&host);
                self.slots.host_is_silent(now, cameras, since)?;
            }
            News::Cut(host, since) => {
                let cameras = self.fleet.cameras_of(&host);
                self.slots.host_is_silent(now, cameras, since)?;
            }
            News::Back(host) => {
                log::info!("host {host} answers again");
                self.slots.host_answers(now, &host)?;
            }
            News::Heard(host) => self.slots.host_answers(now, &host)?,
            News::TooMany(count) => log::error!(
                "{count} cameras are not fetched: max-cameras is {} (set it in [relay], or choose \
                 cameras by --only)",
                self.settings.max_cameras
            ),
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> anyhow::Result<()> {
        let now = Instant::now();
        match event {
            Event::Connected { .. } => {
                self.sweep_at.get_or_insert(now + SWEEP);
                self.fleet.connected(now);
                self.slots.connected(now)?;
            }
            Event::Disconnected => {
                self.fleet.disconnected(now);
                self.slots.disconnected(now)?;
            }
            Event::Reply(message) => self.reply(now, &message)?,
            Event::NobodyAnswers(id) => self.nobody_answers(now, id)?,
            Event::Refused(subject) => {
                if let Ok(subject) = subject.parse() {
                    self.slots.refused(now, &subject)?;
                }
            }
            // Nobody asks this side.
            Event::Asked { .. } => {}
        }
        self.send_letters();
        Ok(())
    }

    fn send_letters(&mut self) {
        for letter in self.slots.take_letters() {
            self.send(&letter);
        }
    }

    /// What is not sent is as if it had got lost: it is asked again.
    fn send(&self, Letter { subject, request }: &Letter) {
        let sent = self.engine.ask(subject, request.id, request.to_bytes());
        if let Err(error) = sent {
            log::debug!("{subject}: {error}");
        }
    }

    fn nobody_answers(&mut self, now: Instant, id: RequestId) -> anyhow::Result<()> {
        if !self.slots.nobody_answers(now, id)? {
            self.fleet.nobody_answers(id);
        }
        Ok(())
    }

    /// Takes one message of whatever kind. What is none of ours harms nobody.
    fn reply(&mut self, now: Instant, message: &Bytes) -> anyhow::Result<()> {
        match Reply::parse(message) {
            Ok(reply) => self.slots.reply(now, reply)?,
            Err(FormatError::Kind(_)) => {
                if let Ok(state) = FarState::parse(message) {
                    self.slots.state_came(now, state)?;
                } else if let Ok(presence) = Presence::parse(message) {
                    self.fleet.presence(now, &presence);
                } else {
                    match Directory::parse(message) {
                        Ok(directory) => self.fleet.directory(now, directory),
                        Err(error) => log::debug!("a message that is none: {error}"),
                    }
                }
            }
            Err(error) => log::debug!("a message that is none: {error}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
