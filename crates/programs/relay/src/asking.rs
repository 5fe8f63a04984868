//! One camera of the side that fetches: when to ask for its next frame, which reply is taken, and
//! when the frame was captured.
//!
//! ```text
//! asked         head came        asked ahead       whole: taken
//!   |--- response ---|--- transfer ---.---------------|
//!                                     |--- response --|--- transfer of the next ---
//! ```
//!
//! The next frame is asked for one response (round trip and the other side's work) before the frame
//! under way should be whole. It is then chosen just when the link is free for it: sooner it would
//! grow old in the link's queue, later the link would idle. At most two requests are outstanding.
//! Ahead is asked only where readers take frames as they come, and where no other camera's frames
//! are in the way: these keep the link busy.
//!
//! [`Asking`] takes values and a time. Whoever has it calls [`Asking::next`] when
//! [`Asking::deadline`] has come and after anything has happened, and sends what that gives.

mod path;
mod pending;
mod reach;
mod turns;

use std::time::{Duration, Instant, SystemTime};

use self::path::Path;
use self::pending::{Came, Pending};
use self::reach::Reach;
use self::turns::Load;
pub use self::turns::Turns;
use crate::wire::{
    Asker, AssemblyError, FrameId, Head, NoFrame, Reason, Reply, Request, RequestId, SubjectTag,
};

/// How many requests may be outstanding, without the head of an answer. Asked at once, each more
/// makes frames one older (measured: 98, 180 and 261 ms old with one, two and three over 10
/// Mbit/s).
const MAX_OUTSTANDING: usize = 2;

/// How many may be outstanding or have their frame under way: so many times the largest frame is
/// the memory that a camera takes.
const MAX_PENDING: usize = 3;

/// How long the other side is to hold a request. A request that got lost is noticed after that, so
/// it is short; one that was held to its end costs a request a second, while somebody looks.
const HOLD: Duration = Duration::from_secs(1);

/// A reader that wishes for the next frame within this takes frames as they come.
const PROMPT: Duration = Duration::from_millis(20);

/// So does one that lets pass this part of the time between two frames, up to a second of that.
const PROMPT_PART: u32 = 4;
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);

/// Two frames have moments of capture that are this far apart at least.
const DISTINCT: Duration = Duration::from_micros(1);

/// A frame that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedFrame {
    /// Which one it is.
    pub id: FrameId,
    /// Its bytes, as many as were announced. They are a stranger's: that they are a JPEG has not
    /// been looked at.
    pub bytes: Vec<u8>,
    /// When it was captured, by this host's clock.
    pub captured: SystemTime,
    /// Width in pixels, as announced.
    pub width_px: u32,
    /// Height in pixels, likewise.
    pub height_px: u32,
}

/// What a reply came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Part of a frame.
    Coming,
    /// The rest of one.
    Frame(FetchedFrame),
    /// There is none.
    NoFrame(Reason),
}

/// Why a reply is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Somebody else asked.
    #[error("reply to another asker")]
    Asker,
    /// Another camera, or rendition, was asked for.
    #[error("reply of another camera")]
    Camera,
    /// It is late, was answered before, or was never asked.
    #[error("reply to request {0}, which is not outstanding")]
    NotOutstanding(u64),
    /// The request has one host's answer already.
    #[error("second reply to request {0}: do two hosts share one name?")]
    Second(u64),
    /// A frame that is not newer than the one before it.
    #[error("frame that is not newer than the one before")]
    NotNewer,
    /// Its messages do not make a frame.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
}

/// The frame that was taken last.
#[derive(Clone, Copy, Debug)]
struct Taken {
    frame: FrameId,
    /// When it came.
    at: Instant,
    /// When it was captured, on the clock that nobody sets; `None` where that has no such time.
    captured: Option<Instant>,
}

/// Asks for the frames of one camera, or of one of its renditions.
#[derive(Debug)]
pub struct Asking {
    asker: Asker,
    subject: SubjectTag,
    max_bytes: u32,
    last_number: u64,
    /// In the order in which they were asked.
    pending: Vec<Pending>,
    taken: Option<Taken>,
    path: Path,
    reach: Reach,
    /// The last wish came promptly after the frame before it.
    readers_are_prompt: bool,
    /// When to ask whether its turn has come.
    turn_at: Option<Instant>,
}

impl Asking {
    /// Begins to ask for frames of at most `max_bytes`, which nobody wishes for yet.
    pub fn new(asker: Asker, subject: SubjectTag, max_bytes: u32) -> Self {
        Self {
            asker,
            subject,
            max_bytes,
            last_number: 0,
            pending: Vec::with_capacity(MAX_PENDING),
            taken: None,
            path: Path::default(),
            reach: Reach::default(),
            readers_are_prompt: false,
            turn_at: None,
        }
    }

    /// Numbers its requests from there on. Where that is a random number, who has not seen a
    /// request cannot answer it, nor does an answer to another camera's request pass for one.
    pub fn numbered_after(mut self, number: u64) -> Self {
        self.last_number = number;
        self
    }

    /// Gives the request to send now, if there is one. To be called again after that.
    ///
    /// `wished` is since when the slot's next frame has been wished for; `None` where it is not.
    ///
    /// `turns` are those of all cameras of the host.
    pub fn next(
        &mut self,
        now: Instant,
        wished: Option<Instant>,
        turns: &mut Turns,
    ) -> Option<Request> {
        self.expire(now);
        self.notice_readers(now, wished);
        self.turn_at = None;
        self.note_load(now, turns);
        if self.ask_at(now, wished).is_none_or(|at| at > now) {
            turns.leave(self.subject);
            return None;
        }
        let round_trip = turns.round_trip(now, self.path.round_trip());
        let response = round_trip + self.path.usual_held();
        if let Err(at) = turns.take(now, self.subject, response) {
            self.turn_at = Some(at);
            return None;
        }
        let request = self.request(now);
        self.note_load(now, turns);
        Some(request)
    }

    /// Nobody looks any more: this camera is in nobody's way.
    pub fn leave(&self, turns: &mut Turns) {
        turns.note(self.subject, Load::default());
        turns.leave(self.subject);
    }

    fn note_load(&self, now: Instant, turns: &mut Turns) {
        let round_trip = turns.round_trip(now, None);
        let mut load = Load {
            pace: self.path.usual_pace(),
            ..Load::default()
        };
        let begins = round_trip + self.path.usual_held();
        for pending in &self.pending {
            match pending.progress() {
                Some(progress) => load.coming.push((progress.at, progress.left_bytes)),
                None if self.comes_soon() => {
                    let frame = (pending.asked() + begins, self.path.last_bytes());
                    load.expected.push(frame);
                }
                None => {}
            }
        }
        turns.note(self.subject, load);
    }

    /// What was asked is soon under way. Else it is held at the other side, or lost, and who waited
    /// for it with the link free would wait for that.
    fn comes_soon(&self) -> bool {
        self.path.has_pictures() && !self.reach.has_lost()
    }

    fn request(&mut self, now: Instant) -> Request {
        self.last_number += 1;
        let id = RequestId {
            asker: self.asker,
            subject: self.subject,
            number: self.last_number,
        };
        let is_alone = self.pending.is_empty();
        let end = now + HOLD + self.reach.grace(&self.path);
        self.pending.push(Pending::new(id, now, is_alone, end));
        Request {
            id,
            have: self.taken.map(|taken| taken.frame),
            is_alone,
            hold_ms: HOLD.as_millis() as u16,
            max_bytes: self.max_bytes,
        }
    }

    /// When to call [`Asking::next`] although nothing has happened.
    pub fn deadline(&self, now: Instant, wished: Option<Instant>) -> Option<Instant> {
        let ends = self.pending.iter().map(Pending::end);
        let due = self.ask_at(now, wished);
        let due = due.map(|due| self.turn_at.map_or(due, |turn| turn.max(due)));
        ends.chain(due).min()
    }

    /// Takes one message of a reply. `wall` is the time of day `now`, `jitter` any number from 0 to
    /// 1, for the pause that an answer may mean.
    ///
    /// # Errors
    /// Why it is not taken. Where the messages of a frame do not fit together, that frame is given
    /// up.
    pub fn reply(
        &mut self,
        now: Instant,
        wall: SystemTime,
        reply: Reply<'_>,
        jitter: f64,
    ) -> Result<Outcome, Rejected> {
        let mut index = self.pending_of(reply.id())?;
        if !self.pending[index].has_head() && !matches!(reply, Reply::Part(..)) {
            // Answers come in the order of the requests: those before it got lost.
            let before = self.pending.len();
            let number = reply.id().number;
            self.pending
                .retain(|it| it.has_head() || it.id().number >= number);
            index -= before - self.pending.len();
        }
        let outcome = match reply {
            Reply::Head(head, first) => self.head(index, now, &head, first),
            Reply::Part(part, bytes) => {
                let came = self.pending[index].part(now, &part, bytes);
                came.map_err(Rejected::from)
            }
            Reply::NoFrame(no_frame) => {
                return Ok(Outcome::NoFrame(
                    self.no_frame(index, now, no_frame, jitter),
                ));
            }
        };
        match outcome {
            Ok(Came::Part) => Ok(Outcome::Coming),
            Ok(Came::All) => self.whole(index, now, wall),
            // Of two hosts' answers the first is taken; what is left of the other comes to nothing.
            Err(
                error @ Rejected::Second(_) | error @ Rejected::Assembly(AssemblyError::Another),
            ) => Err(error),
            Err(error) => {
                self.pending.remove(index);
                self.reach.pause(now, jitter);
                Err(error)
            }
        }
    }

    /// The broker says that nobody has heard this request.
    pub fn nobody_answers(&mut self, now: Instant, number: u64, jitter: f64) {
        let Some(index) = self.pending.iter().position(|it| it.id().number == number) else {
            return;
        };
        let asked = self.pending.remove(index).asked();
        self.reach.nobody_answers(now, asked, jitter);
    }

    /// The connection to the broker is gone: nothing that was asked is answered any more, and
    /// nothing can be asked.
    pub fn disconnected(&mut self, now: Instant) {
        self.pending.clear();
        self.reach.disconnected(now);
    }

    /// The connection to the broker is there again. It may lead another way.
    pub fn connected(&mut self) {
        self.path = Path::default();
        self.reach.connected();
    }

    /// Since when the other side has answered nothing; `None` where it has, or was not asked.
    pub fn unreachable_since(&self) -> Option<Instant> {
        self.reach.unreachable_since()
    }

    /// Gives up what has had no answer for too long.
    fn expire(&mut self, now: Instant) {
        let reach = &mut self.reach;
        self.pending.retain(|pending| {
            let is_due = now < pending.end();
            if !is_due {
                reach.timed_out(pending.asked());
            }
            is_due
        });
    }

    /// Readers are prompt as long as each wish follows promptly upon its frame.
    fn notice_readers(&mut self, now: Instant, wished: Option<Instant>) {
        let Some(taken) = self.taken else {
            return;
        };
        let prompt = PROMPT.max(self.path.interval().min(LONGEST_INTERVAL) / PROMPT_PART);
        match wished {
            Some(wished) if wished >= taken.at => {
                self.readers_are_prompt = wished - taken.at <= prompt;
            }
            // The frame has not been published yet.
            Some(_) => {}
            None => self.readers_are_prompt &= now.saturating_duration_since(taken.at) <= prompt,
        }
    }

    /// When the next request is due; `None` where none is before something happens.
    fn ask_at(&self, now: Instant, wished: Option<Instant>) -> Option<Instant> {
        let outstanding = self.pending.iter().filter(|it| !it.has_head()).count();
        let due = match &self.pending[..] {
            [] => wished.map(|_| now),
            all if outstanding >= MAX_OUTSTANDING || all.len() >= MAX_PENDING => None,
            all => {
                let ahead = self.path.ask_ahead_at(now, all);
                let ahead = ahead.filter(|_| self.readers_are_prompt);
                let again = wished.and_then(|_| self.path.ask_again_at(all));
                ahead.into_iter().chain(again).min()
            }
        };
        due.and_then(|due| self.reach.not_before(due))
    }

    /// Finds the request that a reply is for.
    fn pending_of(&self, id: RequestId) -> Result<usize, Rejected> {
        if id.asker != self.asker {
            return Err(Rejected::Asker);
        }
        if id.subject != self.subject {
            return Err(Rejected::Camera);
        }
        let index = self.pending.iter().position(|it| it.id() == id);
        index.ok_or(Rejected::NotOutstanding(id.number))
    }

    fn head(
        &mut self,
        index: usize,
        now: Instant,
        head: &Head,
        first: &[u8],
    ) -> Result<Came, Rejected> {
        let pending = &mut self.pending[index];
        if pending.has_head() {
            return Err(Rejected::Second(head.id.number));
        }
        self.reach.answered();
        self.path.head_came(now, pending, head);
        let captured = self.path.captured(now, pending, head);
        if !is_newer(self.taken, head.frame, captured) {
            return Err(Rejected::NotNewer);
        }
        Ok(pending.head(now, head, first, captured, self.max_bytes)?)
    }

    /// Takes a frame that has come whole.
    fn whole(&mut self, index: usize, now: Instant, wall: SystemTime) -> Result<Outcome, Rejected> {
        let pending = self.pending.remove(index);
        let Some(frame) = pending.into_frame() else {
            return Ok(Outcome::Coming);
        };
        // The other request may have been answered first, with a newer one.
        if !is_newer(self.taken, frame.id, frame.captured) {
            return Err(Rejected::NotNewer);
        }
        self.path.frame_came(now, &frame);
        self.reach.gave_a_frame();
        // No frame is from before the one before it, nor of the same moment, whatever the estimates
        // say.
        let before = self.taken.and_then(|taken| taken.captured);
        let captured = frame.captured.max(before.map(|before| before + DISTINCT));
        self.taken = Some(Taken {
            frame: frame.id,
            at: now,
            captured,
        });
        let age = captured.map(|captured| now.saturating_duration_since(captured));
        let captured = age.and_then(|age| wall.checked_sub(age));
        Ok(Outcome::Frame(FetchedFrame {
            id: frame.id,
            bytes: frame.bytes,
            captured: captured.unwrap_or(SystemTime::UNIX_EPOCH),
            width_px: frame.width_px,
            height_px: frame.height_px,
        }))
    }

    /// An answer without a frame. Where it came sooner than it had to, the same would be said
    /// again at once.
    fn no_frame(&mut self, index: usize, now: Instant, no_frame: NoFrame, jitter: f64) -> Reason {
        let pending = self.pending.remove(index);
        self.reach.answered();
        self.path.no_frame_came(now, &pending, &no_frame);
        if now.saturating_duration_since(pending.asked()) < HOLD / 2 {
            self.reach.pause(now, jitter);
        }
        no_frame.reason
    }
}

/// Says whether a frame is newer than the one that was taken last. Frames of one instance are
/// counted; those of another one, which has been started since, go by their time.
fn is_newer(taken: Option<Taken>, frame: FrameId, captured: Option<Instant>) -> bool {
    let Some(taken) = taken else {
        return true;
    };
    if taken.frame.instance == frame.instance {
        taken.frame.sequence < frame.sequence
    } else {
        taken.captured < captured
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
