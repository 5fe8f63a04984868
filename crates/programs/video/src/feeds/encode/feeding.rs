//! The task of an encode: frames of the slot through the thread that encodes. Here the clock is
//! read.

use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_consumer::{Deadline, NoFrame, Position, SharedFrame, View, Wanted};
use eyelid_daemon::LogLimit;
use eyelid_daemon::backoff::{Backoff, jitter};
use eyelid_daemon::timer::at;
use eyelid_encoder::Key;
use eyelid_slot::Rendition;
use tokio::time::sleep;

use super::Shared;
use crate::coded::Coded;
use crate::feeds::picture::Kind;
use crate::feeds::policy::Step;
use crate::feeds::worker::{Done, MakeEncoder, Picture, WorkError, Worker};

/// How long a frame is waited for before the wish is made anew, and how old one may be.
const DEADLINE: Deadline = Deadline {
    timeout: Duration::from_secs(4),
    max_age: Duration::from_secs(2),
};

/// A frame that came while nobody could take it yet is the next one, if it is not older than this:
/// a camera's next is not far.
const AT_HAND: Duration = Duration::from_millis(50);

/// Before an encoder that failed is tried again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// How far apart lines are about one that fails again and again.
const FAILURES_LOGGED: Duration = Duration::from_secs(60);

/// The task of an encode. It waits for frames, the encoder, and what viewers say, and ends when it
/// is dropped.
pub(super) struct Feeding {
    shared: Rc<Shared>,
    view: View,
    make: MakeEncoder,
    worker: Option<Worker>,
    /// What was encoded last, or was at hand.
    seen: Position,
    at_hand: Option<Rc<SharedFrame>>,
    /// The capture times of the first picture, and of the last one since then.
    first: Option<SystemTime>,
    last_at: Duration,
    number: u64,
    pauses: Backoff,
    failures: LogLimit,
}

impl Feeding {
    pub(super) fn new(shared: Rc<Shared>, view: View, make: MakeEncoder) -> Self {
        view.want(Wanted::Rendition(Rendition::Y4m));
        Self {
            shared,
            view,
            make,
            worker: None,
            seen: Position::default(),
            at_hand: None,
            first: None,
            last_at: Duration::ZERO,
            number: 0,
            pauses: PAUSES,
            failures: LogLimit::new(1, FAILURES_LOGGED),
        }
    }

    /// Encodes for as long as it is let.
    pub(super) async fn run(mut self) {
        let shared = self.shared.clone();
        loop {
            let mut changed = pin!(shared.changed.notified());
            changed.as_mut().enable();
            let step = shared.policy.borrow_mut().step(Instant::now());
            match step {
                Step::KeepAwake => tokio::select! {
                    frame = self.view.next(self.seen, DEADLINE) => {
                        self.at_hand = self.came(frame);
                    }
                    () = changed => {}
                },
                Step::Wait(until) => {
                    self.at_hand = None;
                    tokio::select! {
                        () = changed => {}
                        () = at(until.map(Into::into)) => {}
                    }
                }
                Step::Encode => self.encode_next().await,
            }
        }
    }

    /// Takes the next frame, and encodes it if that is still to be done then.
    async fn encode_next(&mut self) {
        let at_hand = self.at_hand.take().filter(|frame| age(frame) <= AT_HAND);
        let frame = match at_hand {
            Some(frame) => frame,
            None => {
                let next = self.view.next(self.seen, DEADLINE).await;
                let Some(frame) = self.came(next) else {
                    return;
                };
                if self.shared.policy.borrow_mut().step(Instant::now()) != Step::Encode {
                    self.at_hand = Some(frame);
                    return;
                }
                frame
            }
        };
        match self.encode(&frame).await {
            Ok(done) => {
                self.pauses.succeeded();
                self.shared.set_obstacle(None);
                self.deliver(done, frame.captured);
            }
            Err(error) => self.fail(&error).await,
        }
    }

    fn came(&mut self, frame: Result<Rc<SharedFrame>, NoFrame>) -> Option<Rc<SharedFrame>> {
        match frame {
            Ok(frame) => {
                self.seen = frame.position();
                Some(frame)
            }
            Err(reason) => {
                self.shared.set_obstacle(Some(reason.to_string()));
                None
            }
        }
    }

    async fn encode(&mut self, frame: &SharedFrame) -> Result<Done, WorkError> {
        let order = self.shared.policy.borrow().order(Instant::now());
        let mut counts = self.shared.counts.get();
        counts.bits_per_second = order.bits_per_second;
        self.shared.counts.set(counts);
        let picture = Picture {
            bytes: frame.jpeg.clone(),
            kind: match frame.rendition {
                Some(Rendition::Y4m) => Kind::Y4m,
                _ => Kind::Jpeg,
            },
            scale: self.shared.scale,
            at: self.moment(frame.captured),
            key: match order.is_key {
                true => Key::Wanted,
                false => Key::NotNeeded,
            },
            bits_per_second: order.bits_per_second,
        };
        let worker = match &self.worker {
            Some(worker) => worker,
            None => {
                let started = Worker::start(self.make.clone());
                let started = started.inspect_err(|error| log::debug!("no thread: {error}"));
                self.worker.insert(started.map_err(|_| WorkError::Died)?)
            }
        };
        worker.encode(picture).await
    }

    /// When a picture was taken, on a clock that goes forward whatever is done to the other.
    fn moment(&mut self, captured: SystemTime) -> Duration {
        let first = *self.first.get_or_insert(captured);
        let since = captured.duration_since(first).unwrap_or_default();
        let least = match self.number {
            0 => Duration::ZERO,
            _ => self.last_at + Duration::from_millis(1),
        };
        self.last_at = since.max(least);
        self.last_at
    }

    fn deliver(&mut self, done: Done, captured: SystemTime) {
        let Some(encoded) = done.encoded else {
            return;
        };
        let mut counts = self.shared.counts.get();
        counts.pictures += 1;
        counts.keys += u64::from(encoded.is_key);
        counts.bytes += encoded.annex_b.len() as u64;
        counts.size = done.size;
        // Of the last eight or so.
        counts.encode_time = match counts.pictures {
            1 => done.took,
            _ => (counts.encode_time * 7 + done.took) / 8,
        };
        self.shared.counts.set(counts);
        if self.shared.encoder.borrow().as_deref() != Some(&*done.encoder) {
            log::info!(
                "camera {:?}: encoded by {}",
                self.shared.name(),
                done.encoder
            );
            self.shared.encoder.replace(Some((*done.encoder).into()));
        }
        let coded = Coded::new(encoded.annex_b, encoded.is_key, captured, self.number);
        self.number += 1;
        self.shared.offer(&Rc::new(coded), Instant::now());
    }

    async fn fail(&mut self, error: &WorkError) {
        self.shared.policy.borrow_mut().failed();
        let mut counts = self.shared.counts.get();
        counts.failures += 1;
        self.shared.counts.set(counts);
        if let WorkError::Died | WorkError::Busy | WorkError::Encoder(_) = error {
            self.worker = None;
        }
        let pause = self.pauses.failed(jitter());
        let words = error.to_string();
        if let Some(suppressed) = self.failures.allow(Instant::now()) {
            let name = self.shared.name();
            log::warn!("camera {name:?}: not encoded: {words}; tried again{suppressed}");
        }
        self.shared.set_obstacle(Some(words));
        sleep(pause).await;
    }
}

fn age(frame: &SharedFrame) -> Duration {
    let age = SystemTime::now().duration_since(frame.captured);
    // A moment that is yet to come says nothing.
    age.unwrap_or(Duration::MAX)
}
