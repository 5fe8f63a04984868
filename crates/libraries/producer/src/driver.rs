//! Drives one camera: does what the machine decides, with the slot and the source.

mod looking;
mod rendering;
mod telling;

use std::time::{Duration, Instant, SystemTime};

use eyelid_daemon::backoff::jitter;
use eyelid_jpeg::JpegKind;
use eyelid_slot::{Phase, PublishError, Publisher, SlotId, State};

use crate::attention::Attention;
use crate::kinds::Kinds;
use crate::machine::{Action, Machine, SlotStatus};
use crate::moment::in_ms;
use crate::render_job::Aside;
use crate::renditions::Renditions;
use crate::rest::Resting;
use crate::slot_log::SlotLog;
use crate::told_state::ToldState;
use crate::waiting::Waiting;
use crate::{DriverOptions, FullTotals, Precedence, Source, SourceFailure};

/// How often `state.json` is tried again where the slot refused it.
const STATE_RETRY: Duration = Duration::from_secs(5);

/// One camera and its slot. It owns the source and the publisher.
#[derive(Debug)]
pub struct Driver<S> {
    log_name: String,
    publisher: Publisher,
    source: S,
    machine: Machine,
    told: ToldState,
    /// What `state.json` in the slot says, if this process has written it.
    published_phase: Option<Phase>,
    state_retry_at: Option<Instant>,
    slot_status: SlotStatus,
    last_reason: Option<String>,
    slot_log: SlotLog,
    kinds: Kinds,
    waiting: Waiting,
    renditions: Renditions,
    aside: Aside,
    attention: Attention,
    resting: Resting,
    precedence: Precedence,
    /// The moment of the frame that it has published last.
    captured: Option<SystemTime>,
    /// The slot is another producer's now.
    has_given_way: bool,
    /// What the slot is told of full pictures.
    full_totals: FullTotals,
    /// Only a new process may help.
    is_fatal: bool,
}

impl<S: Source> Driver<S> {
    /// Begins with a camera that is asleep.
    pub fn new(options: DriverOptions, publisher: Publisher, source: S, now: Instant) -> Self {
        let interval = options.max_fps.map_or(Duration::ZERO, |fps| {
            Duration::try_from_secs_f64(fps.recip()).unwrap_or_default()
        });
        let mut machine = Machine::new(options.linger, interval, now);
        let mut resting = Resting::new(options.rest);
        if publisher.holds_placeholder() {
            resting.found_placeholder();
        }
        if resting.minds_only_who_is_seen(machine.runs()) {
            machine.opens_are_seen();
        }
        let attention = Attention::of(&source);
        let state = State {
            source: Some(options.shown_source),
            fps: options.max_fps.or(source.status().fps),
            ..State::new(Phase::Asleep, SystemTime::now())
        };
        Self {
            log_name: options.log_name,
            publisher,
            source,
            machine,
            told: ToldState::new(state),
            attention,
            published_phase: None,
            state_retry_at: None,
            slot_status: SlotStatus::default(),
            last_reason: None,
            slot_log: SlotLog::default(),
            kinds: Kinds::default(),
            waiting: Waiting::default(),
            renditions: Renditions::new(options.tables),
            resting,
            precedence: options.precedence,
            captured: None,
            has_given_way: false,
            aside: Aside::Idle,
            full_totals: FullTotals::default(),
            is_fatal: false,
        }
    }

    /// The source.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// The source, for what it takes from elsewhere than its descriptors.
    pub fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    /// What the slot is told, or will be.
    pub fn state(&self) -> &State {
        self.told.get()
    }

    /// Publishes the newest frame at hand although nobody wishes for it: what comes later cannot be
    /// had from this process.
    pub fn publish_newest(&mut self, now: Instant) {
        if let Some(sequence) = self.source.status().sequence
            && self.machine.is_new(sequence)
        {
            self.publish(now, sequence);
        }
    }

    /// Why it has failed, where only a new process may help.
    pub(crate) fn fatal(&self) -> Option<&str> {
        self.is_fatal
            .then(|| self.last_reason.as_deref().unwrap_or("camera failed"))
    }

    /// Takes in what the source has.
    pub(crate) fn advance(&mut self, now: Instant) {
        if let Err(error) = self.source.advance(now) {
            self.fail(now, &error);
        }
        if self.source.take_returned() {
            self.machine.returned(now);
        }
    }

    /// Does all there is to do now. Says whether anything was written into the slot of which this
    /// process hears at once.
    pub(crate) fn act(&mut self, now: Instant) -> bool {
        let mut wrote = false;
        loop {
            if self.gives_way(now) {
                return wrote;
            }
            self.look_at_slot(now);
            wrote |= self.rest(now);
            wrote |= self.offer(now);
            let status = self.source.status();
            let action = self.machine.next(now, self.slot_status, status);
            // A camera is awake once it could be started.
            if action != Some(Action::Start) {
                self.note_phase(status.settling);
            }
            match action {
                Some(Action::Start) => {
                    self.resting.started();
                    if let Err(error) = self.source.start(now) {
                        self.fail(now, &error);
                    }
                }
                Some(Action::Render(sequence, renditions)) if self.source.shared().is_some() => {
                    self.aside = Aside::Wanted(sequence, renditions);
                }
                Some(Action::Render(sequence, renditions)) => {
                    self.render(now, sequence, renditions);
                    wrote = true;
                }
                Some(Action::PublishFull(number)) => {
                    self.publish_full(now, number);
                    wrote = true;
                }
                Some(Action::PublishOwn(rendition, number)) => {
                    self.publish_own(now, rendition, number);
                    wrote = true;
                }
                Some(Action::Stop) => {
                    self.source.stop(now);
                    self.resting.stopped(now);
                    self.renditions.rest();
                }
                Some(Action::Publish(sequence)) => {
                    // A first picture may take its time, and who waits for it looks here.
                    if self.published_phase != Some(self.state().state) {
                        wrote |= self.publish_state(now);
                    }
                    wrote |= self.publish(now, sequence);
                }
                None if self.turn_attention(now, status.sequence) => {}
                None => {
                    self.wish_full(now);
                    self.wish(now);
                    self.tell_full(status.full_totals);
                    self.note_waiting(now);
                    return self.publish_state(now) || wrote;
                }
            }
        }
    }

    /// When there may be something to do although nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.has_given_way {
            return None;
        }
        let moments = [
            self.machine
                .deadline(self.slot_status, self.source.status()),
            self.source.deadline(),
            self.publisher.deadline(),
            self.state_retry_at,
            self.waiting.deadline(),
            self.renditions.deadline(),
            self.attention.deadline(),
            self.resting.deadline(),
        ];
        moments.into_iter().flatten().min()
    }

    /// Says in the slot that the camera is asleep: its source has been stopped, and the program
    /// ends. Where the slot is another producer's, it is that one's to say what is in it.
    pub(crate) fn say_ended(&mut self) {
        if self.has_given_way {
            return;
        }
        let state = self.told.change();
        state.retry = None;
        if state.state != Phase::Asleep && !self.is_fatal {
            state.state = Phase::Asleep;
            state.settling = false;
            state.error = None;
            state.waiting = None;
            state.since = in_ms(SystemTime::now());
        }
        if let Err(error) = self.publisher.set_state(state) {
            log::debug!("{error}");
        }
    }

    /// Says whether the next frame is wanted, as far as was taken in.
    pub(crate) fn is_wished(&self, now: Instant) -> bool {
        self.publisher.wished(now)
    }

    /// Which slot it has.
    pub(crate) fn slot_id(&self) -> SlotId {
        self.publisher.id()
    }

    /// Hands the slot on.
    pub(crate) fn into_publisher(self) -> Publisher {
        self.publisher
    }

    /// Publishes a frame. Says whether this process hears of that at once: of the frame itself, or
    /// that the one before is gone.
    fn publish(&mut self, now: Instant, sequence: u64) -> bool {
        let was_put_off = self.attention.is_put_off();
        self.try_publish(now, sequence);
        !(was_put_off && self.attention.is_put_off())
    }

    fn try_publish(&mut self, now: Instant, sequence: u64) {
        let began = Instant::now();
        let frame = match self.source.encode(now) {
            Ok(Some(frame)) => frame,
            Ok(None) => return self.machine.unusable(sequence),
            Err(error) => return self.fail(now, &error),
        };
        let picture = &frame.picture;
        let (captured, hearing) = (frame.captured, self.attention.publishing(now, sequence));
        let publisher = &mut self.publisher;
        match publisher.publish_heard(&picture.jpeg, captured, hearing) {
            Ok(()) => {
                log::trace!("frame of {} bytes", picture.jpeg.len());
                let (width, height) = (picture.width, picture.height);
                let size = (Some(width), Some(height));
                self.captured = Some(captured);
                let kind = picture.kind.or_else(|| JpegKind::of(&picture.jpeg));
                let told = self.told.get();
                if (told.width, told.height) != size {
                    let state = self.told.change();
                    (state.width, state.height) = size;
                    self.renditions.tell(state);
                }
                if let Some(news) = self.kinds.published(kind, now) {
                    self.told.set(|state| &mut state.jpeg, news);
                }
                self.machine.published(now, sequence);
                self.resting.published();
                self.slot_log.well();
                self.state_retry_at = None;
                self.waiting.published(began.elapsed(), width, height);
            }
            Err(error) => {
                if error.is_for_want_of_room() {
                    self.renditions.give_way(&mut self.publisher);
                }
                self.machine.refused(now);
                self.waiting.refused(&error);
                self.complain(&error, now);
            }
        }
    }

    fn fail(&mut self, now: Instant, error: &S::Error) {
        self.source.stop(now);
        self.resting.stopped(now);
        let mut delay = self.machine.failed(now, jitter());
        if let Some(longest) = error.retry_within() {
            self.machine.retry_by(now + longest);
            delay = delay.min(longest);
        }
        let reason = error.to_string();
        let seconds = delay.as_secs_f64().round().max(1.0);
        let name = &self.log_name;
        // A camera that stays away for days fails every half minute, always for the same reason.
        if error.is_absence() {
            log::debug!("{name} is not there: {reason}");
        } else if self.last_reason.as_ref() == Some(&reason) {
            log::debug!("{name} failed: {reason}; next try in {seconds}s");
        } else {
            log::warn!("{name} failed: {reason}; next try in {seconds}s");
        }
        let state = self.told.change();
        state.error = Some(reason.clone());
        state.retry = (!error.is_fatal()).then(|| in_ms(SystemTime::now() + delay));
        self.last_reason = Some(reason);
        self.is_fatal = error.is_fatal();
    }

    /// Logs a change of phase and puts it into the state.
    fn note_phase(&mut self, settling: bool) {
        let phase = self.machine.phase();
        let is_settling = phase == Phase::Awake && settling;
        self.told.set(|state| &mut state.settling, is_settling);
        if phase != Phase::Failed {
            self.told.set(|state| &mut state.error, None);
            self.told.set(|state| &mut state.retry, None);
            self.last_reason = None;
        }
        if phase == self.state().state {
            return;
        }
        let state = self.told.change();
        state.state = phase;
        state.since = in_ms(SystemTime::now());
        match phase {
            Phase::Asleep => log::info!("{} asleep", self.log_name),
            Phase::Awake => log::info!("{} awake", self.log_name),
            Phase::Failed => {}
        }
    }

    /// Takes into the state what those who wait are waiting for.
    fn note_waiting(&mut self, now: Instant) {
        let state = self.told.get();
        let wished = state.state == Phase::Awake && self.slot_status.wished;
        let interval_s = state.fps.map_or(0.0, f64::recip);
        let source = || self.source.waiting();
        let waiting = self.waiting.why(now, wished, interval_s, source);
        self.told.set(|state| &mut state.waiting, waiting);
    }

    /// Publishes the state, where that is not what lies in the slot. Says whether it did.
    fn publish_state(&mut self, now: Instant) -> bool {
        let is_there = !self.told.is_news() && !self.publisher.has_lost_state();
        if is_there || self.state_retry_at.is_some_and(|at| now < at) {
            return false;
        }
        match self.publisher.set_state(self.told.get()) {
            Ok(wrote) => {
                self.state_retry_at = None;
                self.published_phase = Some(self.told.get().state);
                self.told.published();
                wrote
            }
            Err(error) => {
                self.complain(&error, now);
                self.state_retry_at = Some(now + STATE_RETRY);
                false
            }
        }
    }

    fn complain(&mut self, error: &PublishError, now: Instant) {
        if self.slot_log.is_news(error, now) {
            log::warn!("{error}; trying again");
        }
    }
}

#[cfg(test)]
mod tests;
