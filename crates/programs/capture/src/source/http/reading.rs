//! Reading the body of an answer: the JPEGs in it, each with its moment, and of those that have
//! come whole only the newest.

use std::time::{Duration, Instant, SystemTime};

use eyelid_daemon::LogLimit;
use eyelid_http_client::{Bytes, Opened};
use eyelid_jpeg::Splitter;
use eyelid_producer::CameraClock;
use tokio::time::timeout_at;

use super::answer::Kind;
use super::handover::{Ended, Handover};
use super::part_head::{PartHead, moment_ms};
use crate::source::opening::Opening;

/// How long the other side may be without a complete picture. A camera may need some seconds to
/// wake; an Eyelid that has none says so each 5 s.
const SILENCE: Duration = Duration::from_secs(10);

/// Pieces of 64 KiB at most that are read before a frame is left, to see whether a newer one is in
/// them: more than a socket's receive buffer holds.
const MOST_AT_HAND: usize = 16;

/// How often broken frames are logged at most.
const BROKEN_PAUSE: Duration = Duration::from_secs(60);

/// What has been read of one camera.
pub(super) struct Reading {
    origin: String,
    splitter: Splitter,
    clock: CameraClock,
    /// Memory for the next frame.
    spare: Vec<u8>,
    last_captured: Option<SystemTime>,
    /// What is said to be waited for.
    waiting: &'static str,
    broken_logged: u64,
    broken_limit: LogLimit,
}

impl Reading {
    pub(super) fn new(origin: String) -> Self {
        Self {
            origin,
            splitter: Splitter::with_preambles(),
            clock: CameraClock::default(),
            spare: Vec::new(),
            last_captured: None,
            waiting: "",
            broken_logged: 0,
            broken_limit: LogLimit::new(1, BROKEN_PAUSE),
        }
    }

    /// Reads a body to its end, which is none where a picture was asked for and came.
    ///
    /// # Errors
    /// Why nothing comes any more.
    pub(super) async fn read(
        &mut self,
        answer: &mut Opened,
        kind: Kind,
        handover: &Handover,
    ) -> Result<(), Ended> {
        self.splitter.clear();
        if self.last_captured.is_none() {
            self.wait_for("has sent no picture yet", handover);
        }
        let (before, mut opening) = (self.splitter.count(), Opening::default());
        let told_by_head = answer.headers.get("x-timestamp");
        let told_by_head = told_by_head.and_then(|value| moment_ms(value.as_bytes()));
        let mut silent_at = Instant::now() + SILENCE;
        loop {
            let count = self.splitter.count();
            let piece = match timeout_at(silent_at.into(), answer.piece()).await {
                Err(_) => return Err(self.silence(&opening, before).into()),
                Ok(piece) => piece.map_err(|error| error.to_string())?,
            };
            let Some(piece) = piece else {
                if kind == Kind::Picture && count > before {
                    return Ok(());
                }
                return Err(self.end(&opening, before).into());
            };
            self.feed(&piece, &mut opening);
            if self.splitter.count() == count {
                continue;
            }
            for _ in 0..MOST_AT_HAND {
                let piece = answer.piece_at_hand().await;
                let Some(piece) = piece.map_err(|error| error.to_string())? else {
                    break;
                };
                self.feed(&piece, &mut opening);
            }
            silent_at = Instant::now() + SILENCE;
            self.leave(told_by_head, handover);
        }
    }

    fn feed(&mut self, piece: &Bytes, opening: &mut Opening) {
        opening.feed(piece);
        self.splitter.feed(piece, SystemTime::now());
        let broken = self.splitter.broken();
        if broken > self.broken_logged && self.broken_limit.allow(Instant::now()).is_some() {
            self.broken_logged = broken;
            log::warn!("{}: broken frames dropped ({broken} so far)", self.origin);
        }
    }

    /// Leaves the newest frame.
    fn leave(&mut self, told_by_head: Option<f64>, handover: &Handover) {
        let head = PartHead::read(self.splitter.newest_preamble());
        let Some(arrived) = self.splitter.exchange_newest(&mut self.spare) else {
            return;
        };
        if head.is_card {
            return self.wait_for("has no picture of its camera", handover);
        }
        let captured = match head.told_ms.or(told_by_head) {
            Some(told_ms) => self
                .clock
                .captured_at_time_of_day(told_ms, arrived, Instant::now()),
            None => arrived,
        };
        // A better estimate is no reason to go back in time.
        let captured = match self.last_captured {
            Some(last) if captured <= last && last < arrived => {
                arrived.min(last + Duration::from_micros(1))
            }
            _ => captured,
        };
        self.last_captured = Some(captured);
        self.wait_for("gives no new picture", handover);
        handover.leave(&mut self.spare, captured);
    }

    fn wait_for(&mut self, what: &'static str, handover: &Handover) {
        if self.waiting != what {
            self.waiting = what;
            handover.wait_for(format!("{} {what}", self.origin));
        }
    }

    fn silence(&self, opening: &Opening, before: u64) -> String {
        let (origin, seconds) = (&self.origin, SILENCE.as_secs());
        if opening.is_empty() {
            return format!("{origin}: sent nothing for {seconds}s");
        }
        let instead = self.instead(opening, before);
        format!("{origin}: sent no complete picture for {seconds}s{instead}")
    }

    fn end(&self, opening: &Opening, before: u64) -> String {
        let instead = self.instead(opening, before);
        format!("{}: ended its answer{instead}", self.origin)
    }

    /// What came in place of pictures, where none has come.
    fn instead(&self, opening: &Opening, before: u64) -> String {
        if self.splitter.count() > before {
            return String::new();
        }
        match opening.what() {
            _ if opening.is_empty() => ", which was empty".to_owned(),
            Some(what) => format!(": it sends {what}, not JPEGs"),
            None => ": it has begun a JPEG that is not whole".to_owned(),
        }
    }
}
