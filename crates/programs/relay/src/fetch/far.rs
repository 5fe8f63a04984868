//! One camera of another host, as the side that fetches has it: what is asked, what has come, and
//! whether it fails ([`failing`]). It is asked only while somebody wishes for something of it.

mod failing;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_producer::{OwnRenditions, SourceStatus, Wishes};
use eyelid_slot::Rendition;

use super::exposures::Exposures;
use super::failure::FarFailure;
use super::far_told::FarTold;
use super::post::{FarId, Letter, Post, Topic};
use super::stream::{Change, Newest, Stream};
use crate::asking::{Rejected, Turns};
use crate::wire::{Asker, FarCamera, FarState, Reason, Reply, Subject, SubjectTag};

/// How long a host that did not answer before is waited for when it is asked again: it holds a
/// request for a second where there is no new frame, and a request that came while it was starting
/// is lost.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How long frames may fail to come before the camera is asked why.
const UNANSWERED: Duration = Duration::from_secs(1);

/// A far camera.
#[derive(Debug)]
pub(super) struct Far {
    id: FarId,
    camera: FarCamera,
    asker: Asker,
    max_bytes: u32,
    post: Rc<Post>,
    /// Those of all cameras of its host, which share its link.
    turns: Rc<RefCell<Turns>>,
    /// Its frames, and its renditions that somebody has wished for.
    streams: BTreeMap<Option<Rendition>, Stream>,
    exposures: Exposures,
    told: FarTold,
    state_tag: Option<SubjectTag>,
    /// When it woke; `None` while it sleeps, or has failed.
    started: Option<Instant>,
    /// It has been answered since then.
    has_worked: bool,
    /// What its host said is wrong, and when.
    trouble: Option<(Instant, Trouble)>,
    /// Something came while it had failed.
    has_returned: bool,
    /// Since when it cannot be reached, as was told.
    lost_since: Option<Instant>,
    /// The last moment that was told of, on both clocks.
    clock: (Instant, SystemTime),
}

/// What a camera's host says is wrong, or the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Failed,
    NotShared,
    TooLarge(u32),
    Refused,
}

impl Far {
    /// Begins with one that nobody looks at.
    pub(super) fn new(
        id: FarId,
        camera: FarCamera,
        asker: Asker,
        max_bytes: u32,
        post: Rc<Post>,
        turns: Rc<RefCell<Turns>>,
        clock: (Instant, SystemTime),
    ) -> Self {
        Self {
            id,
            camera,
            asker,
            max_bytes,
            post,
            turns,
            streams: BTreeMap::new(),
            exposures: Exposures::default(),
            told: FarTold::default(),
            state_tag: None,
            started: None,
            has_worked: false,
            trouble: None,
            has_returned: false,
            lost_since: None,
            clock,
        }
    }

    /// Which one it is.
    pub(super) fn camera(&self) -> &FarCamera {
        &self.camera
    }

    /// What it says of itself.
    pub(super) fn told(&self) -> &FarTold {
        &self.told
    }

    /// Somebody looks. What came before is at hand no longer.
    ///
    /// # Errors
    /// There is no way to it.
    pub(super) fn start(&mut self, now: Instant) -> Result<(), FarFailure> {
        self.has_returned = false;
        self.trouble = None;
        self.has_worked = false;
        self.check_connection()?;
        for stream in self.streams.values_mut() {
            // Whatever made it wait before is asked after anew: that is why this is called.
            stream.connected();
            stream.rest();
        }
        self.told.woke();
        self.started = Some(now);
        Ok(())
    }

    /// Nobody looks any more, or it has failed.
    pub(super) fn stop(&mut self) {
        self.started = None;
        let turns = &mut self.turns.borrow_mut();
        for stream in self.streams.values_mut() {
            stream.rest();
            stream.leave(turns);
        }
    }

    /// Readers wish for this: asks for it.
    pub(super) fn wish(&mut self, now: Instant, wishes: Wishes) {
        if self.started.is_none() {
            return;
        }
        let renditions = wishes.renditions.iter().map(Some);
        for wanted in wishes.frame.then_some(None).into_iter().chain(renditions) {
            self.stream(wanted);
        }
        for (rendition, stream) in &mut self.streams {
            let is_wished = match rendition {
                None => wishes.frame,
                Some(rendition) => wishes.renditions.contains(*rendition),
            };
            stream.wish(now, is_wished);
            stream.ask(now, &self.post, &mut self.turns.borrow_mut());
        }
        if self.told.ask_at(now, self.is_in_trouble(now)) <= now {
            self.ask_for_state(now);
        }
    }

    /// When to take it up again although nothing has happened.
    pub(super) fn deadline(&self) -> Option<Instant> {
        // After its end nothing is waited for.
        self.started.filter(|_| !self.post.is_ending())?;
        let now = self.clock.0;
        let streams = self.streams.values();
        let asked = streams.filter_map(|stream| stream.deadline(now));
        let state = self.told.ask_at(now, self.is_in_trouble(now));
        let trouble = self.trouble.map(|(at, _)| at + UNANSWERED);
        let unanswered = self.unanswered_since().map(|since| since + UNANSWERED);
        let unanswered = unanswered.filter(|at| *at > now);
        asked.chain([state]).chain(trouble).chain(unanswered).min()
    }

    /// It is now this moment, on both clocks.
    pub(super) fn set_clock(&mut self, now: Instant, wall: SystemTime) {
        self.clock = (now, wall);
    }

    /// Takes one message that answers a request for frames. Says whether anything is to be done.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(super) fn reply(
        &mut self,
        rendition: Option<Rendition>,
        reply: Reply<'_>,
    ) -> Result<(), Rejected> {
        let (now, wall) = self.clock;
        let Some(stream) = self.streams.get_mut(&rendition) else {
            return Ok(());
        };
        let change = stream.reply(now, wall, reply, &mut self.exposures)?;
        self.find();
        let Some(stream) = self.streams.get_mut(&rendition) else {
            return Ok(());
        };
        let runs = self.started.is_some();
        self.has_returned |= !runs && change != Change::None;
        match change {
            Change::None => {}
            Change::Answered | Change::NoFrame(Reason::Held) => self.has_worked = true,
            Change::Frame => {
                self.has_worked = true;
                self.trouble = None;
                if !runs {
                    stream.rest();
                }
            }
            Change::NoFrame(reason) => self.note_reason(now, rendition, reason),
        }
        Ok(())
    }

    /// Takes what it says of itself.
    pub(super) fn state_came(&mut self, state: FarState) {
        let (now, wall) = self.clock;
        self.told.take(now, wall, state);
    }

    /// Nobody hears this request.
    pub(super) fn nobody_answers(&mut self, topic: Topic, number: u64) {
        let now = self.clock.0;
        if let Topic::Frames(rendition) = topic
            && let Some(stream) = self.streams.get_mut(&rendition)
        {
            stream.nobody_answers(now, number);
        }
    }

    /// The broker does not let it be asked for this.
    pub(super) fn refused(&mut self, topic: Topic) {
        match topic {
            Topic::Frames(None) => self.note_trouble(self.clock.0, Trouble::Refused),
            Topic::Frames(Some(rendition)) => self.told.has_not(rendition),
            Topic::State => {}
        }
    }

    /// Says whether anything was ever asked of it.
    pub(super) fn was_asked(&self) -> bool {
        !self.streams.is_empty()
    }

    /// The connection to the broker is gone.
    pub(super) fn disconnected(&mut self) {
        let now = self.clock.0;
        self.streams
            .values_mut()
            .for_each(|stream| stream.disconnected(now));
    }

    /// It is there again, or the camera's host is.
    pub(super) fn connected(&mut self) {
        self.streams.values_mut().for_each(Stream::connected);
        self.has_returned |= self.started.is_none();
    }

    /// Says whether anything has come since this was asked last that makes a new try worthwhile.
    pub(super) fn take_returned(&mut self) -> bool {
        std::mem::take(&mut self.has_returned)
    }

    /// What is at hand, and how it does.
    pub(super) fn status(&self) -> SourceStatus {
        let number = |rendition| self.streams.get(&rendition).and_then(Stream::number);
        let mut own = OwnRenditions::new(self.told.offers());
        for rendition in Rendition::ALL {
            own.set_newest(rendition, number(Some(rendition)));
        }
        SourceStatus {
            sequence: number(None),
            works: self.has_worked && self.trouble.is_none(),
            keeps_rate: true,
            settling: self.told.said().is_some_and(|said| said.settling),
            own,
            ..SourceStatus::default()
        }
    }

    /// Takes the newest of its frames, or of a rendition, that is at hand.
    pub(super) fn take_newest(&mut self, rendition: Option<Rendition>) -> Option<Newest> {
        self.streams.get_mut(&rendition)?.take_newest()
    }

    /// How many replies were not taken, or were no picture.
    #[cfg(test)]
    pub(super) fn rejected(&self) -> u64 {
        self.streams.values().map(|stream| stream.rejected).sum()
    }

    fn stream(&mut self, rendition: Option<Rendition>) -> &mut Stream {
        self.streams.entry(rendition).or_insert_with(|| {
            let subject = Subject::Frames(self.camera.clone(), rendition);
            let stream = Stream::new(subject, self.asker, self.max_bytes);
            self.post
                .route(stream.tag(), self.id, Topic::Frames(rendition));
            stream
        })
    }

    fn ask_for_state(&mut self, now: Instant) {
        let subject = Subject::State(self.camera.clone());
        let tag = *self.state_tag.get_or_insert_with(|| {
            let tag = SubjectTag::of(&subject);
            self.post.route(tag, self.id, Topic::State);
            tag
        });
        let request = self.told.request(now, self.asker, tag);
        self.post.send(Letter { subject, request });
    }

    fn is_in_trouble(&self, now: Instant) -> bool {
        let unanswered = self.unanswered_since();
        self.trouble.is_some() || unanswered.is_some_and(|since| now >= since + UNANSWERED)
    }

    fn unanswered_since(&self) -> Option<Instant> {
        self.streams.values().filter_map(Stream::wished).min()
    }
}

#[cfg(test)]
mod tests;
