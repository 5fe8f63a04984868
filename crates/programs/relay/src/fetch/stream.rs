//! What is asked of one far camera again and again: its frames, or those of one rendition.

use std::time::{Duration, Instant, SystemTime};

use eyelid_jpeg::{JpegKind, PictureError, as_it_is};

use super::exposures::Exposures;
use super::post::{Letter, Post};
use crate::asking::{Asking, FetchedFrame, Outcome, Rejected, Turns};
use crate::wire::{Asker, Reason, Reply, Subject, SubjectTag};

/// The newest frame that has come.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) jpeg: Vec<u8>,
    pub(super) width_px: u32,
    pub(super) height_px: u32,
    pub(super) kind: Option<JpegKind>,
    pub(super) captured: SystemTime,
    /// Until when it is an answer to a wish: one that lies at hand for longer than a new one takes
    /// to come is of the past.
    until: Instant,
}

/// Asks for one file of the slot.
#[derive(Debug)]
pub(super) struct Stream {
    subject: Subject,
    asking: Asking,
    /// Since when it has been wished for.
    wished: Option<Instant>,
    newest: Option<Newest>,
    /// That of the newest, and of all before it.
    number: u64,
    /// How many replies were not taken, and what came that is no picture.
    pub(super) rejected: u64,
}

/// What a reply has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing that anybody can see.
    None,
    /// Something comes.
    Answered,
    /// A frame has come.
    Frame,
    /// There is none, for this reason.
    NoFrame(Reason),
}

/// What came is no frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPicture {
    #[error(transparent)]
    Picture(#[from] PictureError),
    #[error("a picture of a kind that would have to be decoded first")]
    Kind,
    #[error("a frame from before the other side was started")]
    Past,
}

impl Stream {
    pub(super) fn new(subject: Subject, asker: Asker, max_bytes: u32) -> Self {
        let tag = SubjectTag::of(&subject);
        Self {
            subject,
            asking: Asking::new(asker, tag, max_bytes).numbered_after(fastrand::u32(..).into()),
            wished: None,
            newest: None,
            number: 0,
            rejected: 0,
        }
    }

    pub(super) fn tag(&self) -> SubjectTag {
        SubjectTag::of(&self.subject)
    }

    /// Readers wish for its next frame, or do not.
    pub(super) fn wish(&mut self, now: Instant, is_wished: bool) {
        self.wished = is_wished.then(|| self.wished.unwrap_or(now));
    }

    pub(super) fn wished(&self) -> Option<Instant> {
        self.wished
    }

    /// Lets go of what has lain at hand for too long.
    pub(super) fn advance(&mut self, now: Instant) {
        self.newest.take_if(|newest| newest.until <= now);
    }

    /// Sends what is to be asked now. As long as a frame is at hand that nobody has wished for,
    /// readers are slower than the link: the next one is asked for once they have it.
    pub(super) fn ask(&mut self, now: Instant, post: &Post, turns: &mut Turns) {
        if self.is_ahead() {
            self.asking.leave(turns);
            return;
        }
        while let Some(request) = self.asking.next(now, self.wished, turns) {
            let subject = self.subject.clone();
            post.send(Letter { subject, request });
        }
    }

    /// When to ask although nothing has happened.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        match &self.newest {
            Some(newest) if self.is_ahead() => Some(newest.until),
            _ => self.asking.deadline(now, self.wished),
        }
    }

    fn is_ahead(&self) -> bool {
        self.newest.is_some() && self.wished.is_none()
    }

    /// Takes one message of a reply.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(super) fn reply(
        &mut self,
        now: Instant,
        wall: SystemTime,
        reply: Reply<'_>,
        exposures: &mut Exposures,
    ) -> Result<Change, Rejected> {
        let outcome = self.asking.reply(now, wall, reply, fastrand::f64());
        match outcome.inspect_err(|_| self.rejected += 1)? {
            Outcome::Coming => Ok(Change::Answered),
            Outcome::NoFrame(reason) => Ok(Change::NoFrame(reason)),
            Outcome::Frame(frame) => Ok(match prepare(frame, exposures, now, wall) {
                Ok(newest) => {
                    self.number += 1;
                    self.newest = Some(newest);
                    // The next wish is that of who has seen this one.
                    self.wished = None;
                    Change::Frame
                }
                Err(error) => {
                    log::debug!("{}: {error}", self.subject);
                    self.rejected += 1;
                    Change::Answered
                }
            }),
        }
    }

    pub(super) fn nobody_answers(&mut self, now: Instant, number: u64) {
        self.asking.nobody_answers(now, number, fastrand::f64());
    }

    pub(super) fn disconnected(&mut self, now: Instant) {
        self.asking.disconnected(now);
    }

    /// The other side may be reached again, perhaps by another way: it is asked at once.
    pub(super) fn connected(&mut self) {
        self.asking.connected();
    }

    pub(super) fn unreachable_since(&self) -> Option<Instant> {
        self.asking.unreachable_since()
    }

    /// It is in no other's way any more.
    pub(super) fn leave(&self, turns: &mut Turns) {
        self.asking.leave(turns);
    }

    /// What came before is at hand no longer.
    pub(super) fn rest(&mut self) {
        self.newest = None;
        self.wished = None;
    }

    pub(super) fn take_newest(&mut self) -> Option<Newest> {
        self.newest.take()
    }

    /// The number of the newest at hand.
    pub(super) fn number(&self) -> Option<u64> {
        self.newest.as_ref().map(|_| self.number)
    }
}

/// Makes of a stranger's bytes what browsers show, or says why not.
fn prepare(
    frame: FetchedFrame,
    exposures: &mut Exposures,
    now: Instant,
    wall: SystemTime,
) -> Result<Newest, NoPicture> {
    let picture = as_it_is(&frame.bytes)?.ok_or(NoPicture::Kind)?;
    let (width_px, height_px, kind) = (picture.width, picture.height, picture.kind);
    let changed = match picture.jpeg {
        std::borrow::Cow::Borrowed(same) if same.len() == frame.bytes.len() => None,
        other => Some(other.into_owned()),
    };
    let captured = exposures.captured(frame.id, frame.captured);
    let captured = captured.ok_or(NoPicture::Past)?;
    // As long as it took to come, another one would.
    let age = wall.duration_since(captured).unwrap_or_default();
    Ok(Newest {
        captured,
        until: now + age.clamp(AT_HAND, LONGEST_AT_HAND),
        jpeg: changed.unwrap_or(frame.bytes),
        width_px,
        height_px,
        kind,
    })
}

/// How long a frame lies at hand, at least and at most.
const AT_HAND: Duration = Duration::from_millis(100);
const LONGEST_AT_HAND: Duration = Duration::from_secs(2);
