//! The side that shares: which requests are held, which of them a new frame answers, and what each
//! asker has had.
//!
//! A request that is held is a wish for the camera's next frame. It is answered with the first one
//! that its asker has not had, and says so when it is: two requests of an asker that are under way
//! at once get two frames, one after the other. What an asker has had is what its last request says
//! or what was sent since, if that is newer; a request that says that it is alone knows best, for
//! what was sent before may have got lost.
//!
//! Who asks is whoever says so: a stranger may have any number of names. So where there is no room,
//! the request that has waited longest is given up for the new one, not the new one refused: those
//! who ask on are served even where somebody holds all places.

mod asked;
mod held;

use std::time::{Duration, Instant};

use self::asked::Asked;
use self::held::{Held, HeldRequests};
use crate::wire::{FrameId, MAX_HOLD, Reason, Request, RequestId, SubjectTag};

/// How many requests are held in all.
pub const MAX_HELD: usize = 4_096;

/// How many of one asker. One that looks at more than 32 cameras of a host at once has that many.
pub const MAX_HELD_OF_ASKER: usize = 64;

/// How many of one asker for one camera: so many are outstanding at most, and earlier ones are not
/// waited for any more.
const MAX_HELD_FOR_CAMERA: usize = 2;

/// What is to be sent, and to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<R> {
    /// Where the asker waits for it.
    pub reply_to: R,
    /// The request that it answers.
    pub id: RequestId,
    /// For how long that was held.
    pub held: Duration,
    /// The answer.
    pub what: What,
}

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// This frame, which is not larger than the asker takes.
    Frame(FrameId),
    /// Why there is none.
    NoFrame(Reason),
}

/// A frame that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its number, greater with each exposure of the camera.
    pub sequence: u64,
    /// Its size in bytes.
    pub bytes: u32,
}

/// A request that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It was meant for another camera: the broker brought it to the wrong place.
    #[error("request {0} of another camera")]
    Camera(u64),
    /// A later one of this asker came before: a broker repeats it.
    #[error("request {0}, after a later one of the same asker")]
    Repeated(u64),
}

/// Answers the requests of all cameras of a host. `R` is where an answer goes to.
#[derive(Debug)]
pub struct Answering<R> {
    instance: u64,
    held: HeldRequests<R>,
    asked: Asked,
}

impl<R> Answering<R> {
    /// Begins without a request. `instance` is a random number: this run of the program.
    pub fn new(instance: u64) -> Self {
        Self {
            instance,
            held: HeldRequests::new(),
            asked: Asked::default(),
        }
    }

    /// Takes a request that came for the camera with this `subject`, and gives what is to be
    /// answered now: nothing if it is held and no other one had to make room.
    ///
    /// `newest` is the camera's newest frame, if there is one that still counts as that; where it
    /// has to be waited for, there is none.
    ///
    /// # Errors
    /// See [`NotTaken`]. It is to be left without an answer.
    pub fn request(
        &mut self,
        now: Instant,
        subject: SubjectTag,
        request: &Request,
        reply_to: R,
        newest: Option<Offer>,
    ) -> Result<Vec<Answer<R>>, NotTaken> {
        let id = request.id;
        if id.subject != subject {
            return Err(NotTaken::Camera(id.number));
        }
        let have = request.have.filter(|frame| frame.instance == self.instance);
        let have = have.map_or(0, |frame| frame.sequence);
        let had = self.asked.request(now, id, have, request.is_alone);
        let had = had.ok_or(NotTaken::Repeated(id.number))?;
        let held = Held {
            id,
            reply_to,
            came: now,
            until: now + request.hold().min(MAX_HOLD),
            max_bytes: request.max_bytes,
            had,
        };
        if let Some(offer) = newest.filter(|offer| offer.sequence > had) {
            return Ok(vec![self.offer(now, held, offer)]);
        }
        let mut answers = self.make_room(now, id);
        if request.hold_ms == 0 {
            answers.push(held.answer(now, What::NoFrame(Reason::Held)));
        } else {
            self.held.insert(held);
        }
        Ok(answers)
    }

    /// Gives what is to be answered with a new frame of a camera.
    pub fn frame(&mut self, now: Instant, subject: SubjectTag, offer: Offer) -> Vec<Answer<R>> {
        let mut answers = Vec::new();
        for place in self.held.of_subject(subject) {
            let held = self.held.get(place);
            // What its asker was sent since it was held; that may have been forgotten.
            let had = held.map(|held| held.had.max(self.asked.had(held.id)));
            if had.is_none_or(|had| had >= offer.sequence) {
                continue;
            }
            if let Some(held) = self.held.remove(place) {
                answers.push(self.offer(now, held, offer));
            }
        }
        answers
    }

    /// Gives the answers to all requests of a camera that can have no frame now.
    pub fn end(&mut self, now: Instant, subject: SubjectTag, reason: Reason) -> Vec<Answer<R>> {
        let places = self.held.of_subject(subject).into_iter();
        let ended = places.filter_map(|place| self.held.remove(place));
        ended
            .map(|held| held.answer(now, What::NoFrame(reason)))
            .collect()
    }

    /// Gives the answers to requests that have been held for long enough.
    pub fn expire(&mut self, now: Instant) -> Vec<Answer<R>> {
        let mut answers = Vec::new();
        while let Some(held) = self.held.remove_expired(now) {
            answers.push(held.answer(now, What::NoFrame(Reason::Held)));
        }
        answers
    }

    /// When to call [`Answering::expire`].
    pub fn deadline(&self) -> Option<Instant> {
        self.held.deadline()
    }

    /// Says whether the next frame of a camera is wished for.
    pub fn is_wished(&self, subject: SubjectTag) -> bool {
        self.held.has_subject(subject)
    }

    /// The number of the oldest frame that is the newest of somebody who wishes for the next one of
    /// this camera, 0 for none; `None` where nobody does.
    pub fn oldest_had(&self, subject: SubjectTag) -> Option<u64> {
        let held = self.held.of_subject(subject).into_iter();
        let held = held.filter_map(|place| self.held.get(place));
        held.map(|held| held.had.max(self.asked.had(held.id))).min()
    }

    /// How many requests are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Answers with a frame, if that is not too large.
    fn offer(&mut self, now: Instant, held: Held<R>, offer: Offer) -> Answer<R> {
        if offer.bytes > held.max_bytes {
            return held.answer(now, What::NoFrame(Reason::TooLarge(offer.bytes)));
        }
        self.asked.sent(now, held.id, offer.sequence);
        let frame = FrameId {
            instance: self.instance,
            sequence: offer.sequence,
        };
        held.answer(now, What::Frame(frame))
    }

    /// Ends what has waited longest where there is no room for one more.
    fn make_room(&mut self, now: Instant, id: RequestId) -> Vec<Answer<R>> {
        let mut answers = Vec::new();
        while let Some(held) = self.held.remove_for(id) {
            answers.push(held.answer(now, What::NoFrame(Reason::Superseded)));
        }
        answers
    }
}

#[cfg(test)]
mod tests;
