//! Drives one camera: does what the machine decides, with the slot and the source.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use eyelid_config::SourceSpec;
use eyelid_daemon::manager;
use eyelid_daemon::signals::{Order, Signals};
use eyelid_jpeg::Kind;
use eyelid_slot::{FRAME_FILE, Phase, PublishError, Publisher, State};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use crate::Settings;
use crate::kinds::Kinds;
use crate::machine::{Action, Demand, Machine, Sight};
use crate::slot_log::SlotLog;
use crate::source::{Source, SourceError};
use crate::waiting::Waiting;

/// How often `state.json` is tried again where the slot refused it.
const STATE_RETRY: Duration = Duration::from_secs(5);

/// How long the end of the program waits for its source: the 2 s that a command has to end, and its reaping.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// One camera and its slot. It owns the source and the publisher; [`Camera::run`] ends on a signal only.
pub(crate) struct Camera {
    frame_file: PathBuf,
    publisher: Publisher,
    source: Box<dyn Source>,
    machine: Machine,
    state: State,
    told: Option<State>,
    tell_again: Option<Instant>,
    demand: Demand,
    last_reason: Option<String>,
    slot_log: SlotLog,
    kinds: Kinds,
    waiting: Waiting,
    /// Only a new process may help.
    hopeless: bool,
}

impl Camera {
    pub(crate) fn new(
        settings: &Settings,
        publisher: Publisher,
        source: Box<dyn Source>,
        now: Instant,
    ) -> Self {
        let interval = settings.fps.map_or(Duration::ZERO, |fps| fps.interval());
        let fps = settings.fps.map(|fps| fps.per_second());
        let state = State {
            source: Some(public_name(&settings.source)),
            fps: fps.or(source.rate()),
            ..State::new(Phase::Asleep, SystemTime::now())
        };
        Self {
            frame_file: settings.slot.join(FRAME_FILE),
            publisher,
            source,
            machine: Machine::new(settings.linger, interval, now),
            state,
            told: None,
            tell_again: None,
            demand: Demand::default(),
            last_reason: None,
            slot_log: SlotLog::default(),
            kinds: Kinds::default(),
            waiting: Waiting::default(),
            hopeless: false,
        }
    }

    /// Captures until a signal comes; gives what it asks for.
    ///
    /// # Errors
    /// What only a new process may mend.
    pub(crate) fn run(
        &mut self,
        signals: &Signals,
        watchdog: Option<Duration>,
    ) -> anyhow::Result<Order> {
        let mut active = false;
        let mut feed_at = watchdog.map(|_| Instant::now());
        loop {
            if let Some(order) = signals.order() {
                return Ok(order);
            }
            let now = Instant::now();
            self.step(now, active);
            if self.hopeless {
                bail!("{}", self.last_reason.as_deref().unwrap_or("camera failed"));
            }
            if let (Some(at), Some(interval)) = (feed_at, watchdog)
                && at <= now
            {
                manager::alive();
                feed_at = Some(now + interval);
            }
            let deadline = earliest([self.deadline(), feed_at]);
            active = self.wait(signals, deadline).context("poll")?;
        }
    }

    /// Stops the source, waits until it has ended, and says so in the slot.
    pub(crate) fn end(&mut self) {
        let start = Instant::now();
        self.source.stop(start);
        while let Some(deadline) = self.source.deadline()
            && start.elapsed() < END_PATIENCE
        {
            std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
            if let Err(error) = self.source.advance(Instant::now()) {
                log::debug!("camera while ending: {error}");
            }
        }
        self.state.retry = None;
        if self.state.state != Phase::Asleep && !self.hopeless {
            self.state.state = Phase::Asleep;
            self.state.settling = false;
            self.state.error = None;
            self.state.waiting = None;
            self.state.since = now_in_ms();
        }
        if let Err(error) = self.publisher.set_state(&self.state) {
            log::debug!("{error}");
        }
    }

    /// Ends, and hands on the slot.
    pub(crate) fn into_publisher(mut self) -> Publisher {
        self.end();
        self.publisher
    }

    /// Takes in what has happened and does all there is to do now.
    fn step(&mut self, now: Instant, mut active: bool) {
        if let Err(error) = self.source.advance(now) {
            self.fail(now, &error);
        }
        if self.source.is_back() {
            self.machine.is_back(now);
        }
        loop {
            self.look_at_slot(now, std::mem::take(&mut active));
            let action = self.machine.next(now, self.demand, self.sight());
            // A camera is awake once it could be started.
            if action != Some(Action::Start) {
                self.note_phase();
            }
            match action {
                Some(Action::Start) => {
                    if let Err(error) = self.source.start(now) {
                        self.fail(now, &error);
                    }
                }
                Some(Action::Stop) => self.source.stop(now),
                Some(Action::Publish(exposure)) => {
                    // A first picture may take its time, and who waits for it looks here.
                    if self.told.as_ref().map(|told| told.state) != Some(self.state.state) {
                        self.tell(now);
                    }
                    self.publish(now, exposure);
                }
                None => {
                    self.note_waiting(now);
                    // What was told has moved a file in the slot, which this process should not be woken to hear of.
                    if !self.tell(now) {
                        return;
                    }
                }
            }
        }
    }

    fn look_at_slot(&mut self, now: Instant, active: bool) {
        if let Err(error) = self.publisher.take_in(now) {
            log::warn!("cannot read inotify: {error}");
        }
        if self.publisher.take_loss() {
            log::warn!(
                "slot {:?}: its directory is gone; making it again",
                self.publisher.directory()
            );
        }
        let wished = self.publisher.wished(now);
        self.demand = Demand {
            wished,
            noticed: self.publisher.noticed(),
            active,
            empty: wished && self.frame_file.symlink_metadata().is_err(),
        };
    }

    fn sight(&self) -> Sight {
        Sight {
            exposure: self.source.exposure(),
            works: self.source.works(),
            keeps_pace: self.source.keeps_pace(),
        }
    }

    fn publish(&mut self, now: Instant, exposure: u64) {
        let began = Instant::now();
        let frame = match self.source.encode(now) {
            Ok(Some(frame)) => frame,
            Ok(None) => return self.machine.unusable(exposure),
            Err(error) => return self.fail(now, &error),
        };
        match self.publisher.publish(&frame.jpeg, frame.captured) {
            Ok(()) => {
                log::trace!("frame of {} bytes", frame.jpeg.len());
                let (width, height) = (frame.width, frame.height);
                self.state.width = Some(width);
                self.state.height = Some(height);
                self.kinds
                    .tell(Kind::of(&frame.jpeg), now, &mut self.state.jpeg);
                self.machine.published(now, exposure);
                self.slot_log.well();
                self.tell_again = None;
                self.waiting.published(began.elapsed(), width, height);
            }
            Err(error) => {
                self.machine.refused(now);
                self.waiting.refused(&error);
                self.complain(&error, now);
            }
        }
    }

    fn fail(&mut self, now: Instant, error: &SourceError) {
        self.source.stop(now);
        let delay = self.machine.failed(now, jitter());
        let reason = error.to_string();
        let seconds = delay.as_secs_f64().round().max(1.0);
        // A camera that stays away for days fails every half minute, always for the same reason.
        if self.last_reason.as_ref() == Some(&reason) {
            log::debug!("camera failed: {reason}; next try in {seconds}s");
        } else {
            log::warn!("camera failed: {reason}; next try in {seconds}s");
        }
        self.state.error = Some(reason.clone());
        self.state.retry = (!error.is_fatal()).then(|| in_ms(SystemTime::now() + delay));
        self.last_reason = Some(reason);
        self.hopeless = error.is_fatal();
    }

    /// Logs a change of phase and puts it into the state.
    fn note_phase(&mut self) {
        let phase = self.machine.phase();
        self.state.settling = phase == Phase::Awake && self.source.settling();
        if phase != Phase::Failed {
            self.state.error = None;
            self.state.retry = None;
            self.last_reason = None;
        }
        if phase == self.state.state {
            return;
        }
        self.state.state = phase;
        self.state.since = now_in_ms();
        match phase {
            Phase::Asleep => log::info!("camera asleep"),
            Phase::Awake => log::info!("camera awake"),
            Phase::Failed => {}
        }
    }

    /// Takes into the state what those who wait are waiting for.
    fn note_waiting(&mut self, now: Instant) {
        let wished = self.state.state == Phase::Awake && self.demand.wished;
        let interval = self.state.fps.map_or(0.0, f64::recip);
        let source = || self.source.waiting();
        self.state.waiting = self.waiting.why(now, wished, interval, source);
    }

    /// Publishes the state. Says whether it was a new one.
    fn tell(&mut self, now: Instant) -> bool {
        if self.tell_again.is_some_and(|at| now < at) {
            return false;
        }
        if let Err(error) = self.publisher.set_state(&self.state) {
            self.complain(&error, now);
            self.tell_again = Some(now + STATE_RETRY);
            return false;
        }
        self.tell_again = None;
        let news = self.told.as_ref() != Some(&self.state);
        if news {
            self.told = Some(self.state.clone());
        }
        news
    }

    fn complain(&mut self, error: &PublishError, now: Instant) {
        if self.slot_log.is_news(error, now) {
            log::warn!("{error}; trying again");
        }
    }

    fn deadline(&self) -> Option<Instant> {
        earliest([
            self.machine.deadline(self.demand, self.sight()),
            self.source.deadline(),
            self.publisher.deadline(),
            self.tell_again,
            self.waiting.deadline(),
        ])
    }

    /// Sleeps until something happens. Says whether something has happened to the slot.
    fn wait(&self, signals: &Signals, deadline: Option<Instant>) -> io::Result<bool> {
        let slot = std::iter::once(self.publisher.as_fd());
        let others = std::iter::once(signals.as_fd()).chain(self.source.descriptors());
        let mut descriptors: Vec<PollFd> = slot.chain(others).map(readable).collect();
        let timeout = deadline
            .map(|at| TimeSpec::from_duration(at.saturating_duration_since(Instant::now())));
        match ppoll(&mut descriptors, timeout, None) {
            Ok(_) => Ok(descriptors[0].any().unwrap_or(true)),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn readable(descriptor: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::new(descriptor, PollFlags::POLLIN)
}

fn earliest<const N: usize>(moments: [Option<Instant>; N]) -> Option<Instant> {
    moments.into_iter().flatten().min()
}

/// A command line may hold a password, and `state.json` is for everybody.
fn public_name(source: &SourceSpec) -> String {
    match source {
        SourceSpec::Command(_) => "command".to_owned(),
        other => other.to_string(),
    }
}

fn now_in_ms() -> SystemTime {
    in_ms(SystemTime::now())
}

/// A moment without the fractions that nobody reads in `state.json`.
fn in_ms(moment: SystemTime) -> SystemTime {
    let since_epoch = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
    UNIX_EPOCH + Duration::from_millis(ms)
}

/// A number from 0 to 1 that differs between cameras which fail together.
fn jitter() -> f64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    f64::from(since_epoch.subsec_micros() % 1000) / 1000.0
}
