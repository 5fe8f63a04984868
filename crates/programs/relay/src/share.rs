//! The side that shares: answers requests with the frames of this host's slots.
//!
//! A request that is held is the wish for the next frame, and nothing else is: what is shared and
//! what a camera is doing is answered without opening a frame. One task does all of it. It waits
//! for what comes from the broker, for frames that are wished for, for inotify and for the ends of
//! requests; it owns the requests and ends with the program, or when another one has the name.

mod claim;
mod exposures;
mod feed;
mod roster;
mod sending;

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use eyelid_consumer::NoFrame;
use eyelid_daemon::pulse::{Pulse, feed_watchdog};
use eyelid_daemon::{LogLimit, manager};
use eyelid_slot::{CameraName, Phase, Rendition, State};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use self::claim::Claim;
pub(crate) use self::claim::NameTaken;
use self::exposures::Exposures;
use self::feed::{Feed, Waited};
use self::roster::Roster;
use crate::answering::Answering;
use crate::engine::{Engine, Event, Events, Link, ReplyTo};
use crate::reload::{note_fixed, note_restart, with_each_signal};
use crate::settings::ShareSettings;
use crate::wire::{
    Directory, FarCamera, FarState, Presence, Reason, Request, RequestId, Subject, SubjectTag,
};

/// How often feeds that nobody asks for are looked for.
const SWEEP: Duration = Duration::from_millis(500);

/// What a stranger can cause is said so often at most.
const COMPLAINTS: (u32, Duration) = (5, Duration::from_secs(60));

/// So many are told later that the host is there; others ask again.
const CURIOUS: usize = 64;

/// Shares until the program is told to end. With each SIGHUP the settings are `read` again.
///
/// # Errors
/// Another program has the name, or the system refuses something.
pub(crate) async fn run<E: Engine>(
    settings: ShareSettings,
    read: impl Fn() -> anyhow::Result<ShareSettings>,
    engine: E,
    mut events: Events,
) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let hang_ups = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let (change, mut changes) = mpsc::channel(1);
    let (sharing, watching) = (Pulse::default(), Pulse::default());
    let mut share = Share::new(settings, engine);
    let cameras = share.roster.cameras().clone();
    log::info!(
        "sharing {:?} as host {:?}",
        share.settings.slots,
        share.settings.host.as_str()
    );
    manager::ready();
    let ended = tokio::select! {
        ended = share.run(&mut events, &mut changes, &sharing) => ended,
        never = with_each_signal(hang_ups, read, change) => match never {},
        ended = cameras.run(&watching) => ended.context("cannot read inotify"),
        () = feed_watchdog([&sharing, &watching]) => Ok(()),
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    manager::stopping();
    ended
}

/// All that is shared, and who asks for it.
struct Share<E> {
    engine: E,
    settings: ShareSettings,
    instance: u64,
    roster: Roster,
    claim: Claim,
    answering: Answering<ReplyTo>,
    feeds: HashMap<SubjectTag, (CameraName, Feed)>,
    /// By camera; bounded as the cameras are.
    exposures: HashMap<CameraName, Exposures>,
    waiting: FuturesUnordered<LocalBoxFuture<'static, Waited>>,
    complaints: LogLimit,
    /// Who asked whether the host is there before its name was its own.
    curious: Vec<(RequestId, ReplyTo)>,
}

impl<E: Engine> Share<E> {
    fn new(settings: ShareSettings, engine: E) -> Self {
        let instance = fastrand::u64(1..);
        Self {
            engine,
            instance,
            roster: Roster::new(&settings),
            claim: Claim::new(settings.host.clone(), instance, Instant::now()),
            answering: Answering::new(instance),
            feeds: HashMap::new(),
            exposures: HashMap::new(),
            waiting: FuturesUnordered::new(),
            complaints: LogLimit::new(COMPLAINTS.0, COMPLAINTS.1),
            curious: Vec::new(),
            settings,
        }
    }

    async fn run(
        &mut self,
        events: &mut Events,
        changes: &mut mpsc::Receiver<ShareSettings>,
        pulse: &Pulse,
    ) -> anyhow::Result<()> {
        loop {
            let now = Instant::now();
            self.claim_name(now);
            self.tell_curious(now);
            self.sweep(now);
            let deadline = self.deadline(now);
            tokio::select! {
                event = events.recv() => {
                    // The engine ends only with the program.
                    let event = event.context("the engine has ended")?;
                    self.event(Instant::now(), event)?;
                }
                Some((subject, after, came)) = self.waiting.next() => {
                    self.came(Instant::now(), subject, after, came);
                }
                () = sleep_until(deadline.into()) => {
                    let now = Instant::now();
                    let ended = self.answering.expire(now);
                    self.send_all(ended, None);
                }
                Some(settings) = changes.recv() => self.reconfigure(Instant::now(), settings),
                () = pulse.answer() => {}
            }
        }
    }

    /// Shares what is named now. Who waits for what is shared no more is told so.
    fn reconfigure(&mut self, now: Instant, settings: ShareSettings) {
        let used = &mut self.settings;
        note_fixed(&used.broker, &settings.broker);
        if used.host != settings.host {
            note_restart("as");
        }
        if used.slots != settings.slots {
            note_restart("slots");
        }
        (used.only, used.max_cameras) = (settings.only, settings.max_cameras);
        self.roster.reconfigure(used);
        let feeds = self.feeds.iter();
        let is_gone = |camera: &CameraName| !self.roster.is_shared(camera);
        let gone = feeds.filter_map(|(subject, (camera, _))| is_gone(camera).then_some(*subject));
        for subject in gone.collect::<Vec<_>>() {
            self.feeds.remove(&subject);
            let refused = self.answering.end(now, subject, Reason::NotShared);
            self.send_all(refused, None);
        }
    }

    fn deadline(&self, now: Instant) -> Instant {
        let sweep = (!self.feeds.is_empty()).then(|| now + SWEEP);
        let deadlines = [sweep, self.answering.deadline(), self.claim.deadline(now)];
        let first = deadlines.into_iter().flatten().min();
        first.unwrap_or(now + Duration::from_secs(3600))
    }

    /// Asks who else has this host's name.
    fn claim_name(&mut self, now: Instant) {
        if !matches!(self.engine.state(), Link::Connected { .. }) {
            return;
        }
        if let Some(request) = self.claim.ask(now) {
            let subject = Subject::Host(self.settings.host.clone());
            // What is not sent is asked again, with the next connection at the latest.
            let _ = self.engine.ask(&subject, request.id, request.to_bytes());
        }
    }

    /// Forgets feeds that nobody asks for any more: their slots are watched no longer.
    fn sweep(&mut self, now: Instant) {
        let answering = &self.answering;
        self.feeds
            .retain(|subject, (_, feed)| answering.is_wished(*subject) || !feed.is_over(now));
    }

    fn event(&mut self, now: Instant, event: Event) -> Result<(), NameTaken> {
        match event {
            Event::Connected { .. } => self.claim.connected(),
            // Answers to what was asked by the old connection have nowhere to go.
            Event::Disconnected => self.answering = Answering::new(self.instance),
            Event::Reply(message) => {
                if let Ok(directory) = Directory::parse(&message) {
                    self.claim.answered(now, &directory)?;
                }
            }
            Event::Asked {
                subject,
                reply_to,
                message,
            } => self.asked(now, &subject, reply_to, &message),
            Event::NobodyAnswers(_) | Event::Refused(_) => {}
        }
        Ok(())
    }

    fn asked(&mut self, now: Instant, subject: &str, reply_to: ReplyTo, message: &[u8]) {
        let parsed = subject
            .parse::<Subject>()
            .map_err(|error| error.to_string());
        let request = Request::parse(message).map_err(|error| error.to_string());
        let (subject, request) = match (parsed, request) {
            (Ok(subject), Ok(request)) if request.id.subject == SubjectTag::of(&subject) => {
                (subject, request)
            }
            (Ok(_), Ok(_)) => return self.complain(subject, "it is meant for another subject"),
            (Err(error), _) | (_, Err(error)) => return self.complain(subject, &error),
        };
        match subject {
            Subject::Hosts => self.tell_presence(now, request.id, reply_to),
            Subject::Host(_) => self.tell_directory(now, &request, &reply_to),
            Subject::State(far) => self.tell_state(&far, &request, &reply_to),
            Subject::Frames(far, rendition) => {
                if self.claim.is_heard(now) {
                    self.frames(now, far, rendition, &request, reply_to);
                }
            }
        }
    }

    fn complain(&self, subject: &str, why: &str) {
        if let Some(suppressed) = self.complaints.allow(Instant::now()) {
            let subject: String = subject.chars().take(200).collect();
            log::debug!("request of {subject:?}: {why}{suppressed}");
        }
    }

    /// Says that the host is there, or will when the name is its own: who asks just then asks again
    /// half a minute later only.
    fn tell_presence(&mut self, now: Instant, id: RequestId, to: ReplyTo) {
        if !self.claim.is_heard(now) {
            if self.curious.len() < CURIOUS {
                self.curious.push((id, to));
            }
            return;
        }
        let presence = Presence {
            id,
            host: self.settings.host.clone(),
            instance: self.instance,
            revision: self.roster.list(now).revision,
        };
        self.send(&to, presence.to_bytes());
    }

    /// Tells those who asked before the name was its own.
    fn tell_curious(&mut self, now: Instant) {
        if self.claim.is_heard(now) {
            for (id, to) in std::mem::take(&mut self.curious) {
                self.tell_presence(now, id, to);
            }
        }
    }

    fn tell_directory(&mut self, now: Instant, request: &Request, to: &ReplyTo) {
        let directory = Directory {
            id: request.id,
            host: self.settings.host.clone(),
            instance: self.instance,
            up_ms: self.claim.up_ms(now),
            cameras: self.roster.list(now).cameras.clone(),
        };
        // It has no more cameras than a directory may have.
        if let Ok(bytes) = directory.to_bytes() {
            self.send(to, bytes);
        }
    }

    fn tell_state(&self, far: &FarCamera, request: &Request, to: &ReplyTo) {
        let now = SystemTime::now();
        let camera = self.roster.camera(&far.camera);
        let state = match camera.map(|camera| camera.state()) {
            Some(Some(state)) => state,
            // A producer need not say what it does; a look wakes it.
            Some(None) => State::new(Phase::Asleep, now),
            None => State::failed("no such camera is shared".to_owned(), now),
        };
        if let Ok(bytes) = FarState::new(request.id, state, now).to_bytes() {
            self.send(to, bytes);
        }
    }

    fn frames(
        &mut self,
        now: Instant,
        far: FarCamera,
        rendition: Option<Rendition>,
        request: &Request,
        reply_to: ReplyTo,
    ) {
        let subject = request.id.subject;
        let is_shared = rendition != Some(Rendition::Y4m) && far.host == self.settings.host;
        let camera = is_shared.then(|| self.roster.camera(&far.camera)).flatten();
        let taken = self
            .answering
            .request(now, subject, request, reply_to, None);
        let answers = match taken {
            Ok(answers) => answers,
            Err(error) => return self.complain(&far.camera.to_string(), &error.to_string()),
        };
        self.send_all(answers, None);
        let Some(camera) = camera else {
            let refused = self.answering.end(now, subject, Reason::NotShared);
            return self.send_all(refused, None);
        };
        if !self.feeds.contains_key(&subject) {
            let view = self.roster.cameras().view(camera, None);
            let feed = Feed::new(view, rendition);
            self.feeds.insert(subject, (far.camera, feed));
        }
        self.wait(subject);
    }

    /// Waits for the next frame of a subject, if that is wished for.
    fn wait(&mut self, subject: SubjectTag) {
        let Some(had) = self.answering.oldest_had(subject) else {
            return;
        };
        if let Some((_, feed)) = self.feeds.get_mut(&subject)
            && let Some(waited) = feed.wait(subject, had)
        {
            self.waiting.push(Box::pin(waited));
        }
    }

    /// What a feed waited for has come, or not.
    fn came(
        &mut self,
        now: Instant,
        subject: SubjectTag,
        after: u64,
        came: Result<Rc<eyelid_consumer::SharedFrame>, NoFrame>,
    ) {
        let Some((camera, feed)) = self.feeds.get_mut(&subject) else {
            return;
        };
        let exposures = self.exposures.entry(camera.clone()).or_default();
        match feed.came(after, came, |captured| exposures.number(captured)) {
            Ok(Some(sent)) => {
                let answers = self.answering.frame(now, subject, sent.offer());
                self.send_all(answers, Some(&sent));
            }
            Ok(None) => {}
            Err(reason) => {
                let answers = self.answering.end(now, subject, reason);
                self.send_all(answers, None);
            }
        }
        self.wait(subject);
    }
}

#[cfg(test)]
mod tests;
