//! One encode of a camera: frames of the slot through the thread that encodes to those who watch.
//! When, and how, [`Policy`] decides; here the clock is read and everybody is told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant, SystemTime};

use eyelid_consumer::{Deadline, NoFrame, Position, SharedFrame, View, Wanted};
use eyelid_daemon::LogLimit;
use eyelid_daemon::backoff::{Backoff, jitter};
use eyelid_daemon::timer::at;
use eyelid_encoder::Key;
use eyelid_picture::Scale;
use eyelid_slot::{CameraName, Rendition};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::coded::Coded;
use crate::feeds::picture::Kind;
use crate::feeds::policy::{EncodeLimits, Offer, Policy, Step, ViewerId};
use crate::feeds::seat::Seat;
use crate::feeds::worker::{Done, MakeEncoder, Picture, WorkError, Worker};
use crate::feeds::{Context, Pace};

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

/// An encode, and the task that feeds it. It ends when this is dropped: then the camera is looked
/// at no more, and its encoder is given up.
pub(crate) struct Encode {
    pub(crate) shared: Rc<Shared>,
    _task: JoinSet<()>,
}

/// What the task and the viewers have in common.
pub(crate) struct Shared {
    camera: CameraName,
    pub(crate) scale: Scale,
    policy: RefCell<Policy>,
    /// Something that the policy goes by.
    changed: Notify,
    seats: RefCell<BTreeMap<ViewerId, Weak<Seat>>>,
    obstacle: RefCell<Option<String>>,
    pub(crate) counts: Cell<EncodeCounts>,
    encoder: RefCell<Option<Rc<str>>>,
}

/// What has come of an encode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct EncodeCounts {
    /// Pictures.
    pub(crate) pictures: u64,
    /// Keyframes among them.
    pub(crate) keys: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// Pictures that could not be encoded.
    pub(crate) failures: u64,
    /// Width and height in pixels of the last one.
    pub(crate) size: (u32, u32),
    /// Bits a second that the last one was to have.
    pub(crate) bits_per_second: u32,
    /// How long encoding takes, on average of late.
    pub(crate) encode_time: Duration,
}

impl Encode {
    /// Starts one of this size, of what is seen by `view`; without that, of nothing.
    pub(crate) fn start(
        context: &Rc<Context>,
        camera: &CameraName,
        view: Option<View>,
        scale: Scale,
        limits: EncodeLimits,
    ) -> Self {
        let shared = Rc::new(Shared::new(camera.clone(), scale, limits));
        let mut task = JoinSet::new();
        if let Some(view) = view {
            let (shared, context) = (shared.clone(), context.clone());
            task.spawn_local(async move {
                let _alarm = context.alarm();
                let make = context.make.clone();
                Feeding::new(shared, view, make).run().await;
            });
        }
        Self {
            shared,
            _task: task,
        }
    }
}

impl Shared {
    pub(crate) fn new(camera: CameraName, scale: Scale, limits: EncodeLimits) -> Self {
        Self {
            camera,
            scale,
            policy: RefCell::new(Policy::new(limits)),
            changed: Notify::new(),
            seats: RefCell::default(),
            obstacle: RefCell::default(),
            counts: Cell::default(),
            encoder: RefCell::default(),
        }
    }

    /// Lets a viewer watch.
    pub(crate) fn enter(&self, id: ViewerId, pace: Pace, seat: &Rc<Seat>) {
        self.policy.borrow_mut().enter(id, pace);
        self.seats.borrow_mut().insert(id, Rc::downgrade(seat));
        self.changed.notify_one();
    }

    /// A viewer leaves.
    pub(crate) fn leave(&self, id: ViewerId) {
        self.seats.borrow_mut().remove(&id);
        self.change(|policy| policy.leave(id));
    }

    /// Says whether nobody watches.
    pub(crate) fn is_empty(&self) -> bool {
        self.policy.borrow().is_empty()
    }

    /// How many watch.
    pub(crate) fn viewers(&self) -> usize {
        self.seats.borrow().len()
    }

    /// Changes what the policy goes by.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Policy) -> T) -> T {
        let changed = change(&mut self.policy.borrow_mut());
        self.changed.notify_one();
        changed
    }

    /// Changes what the policy goes by if that is new to it.
    pub(crate) fn change_if(&self, change: impl FnOnce(&mut Policy) -> bool) {
        if change(&mut self.policy.borrow_mut()) {
            self.changed.notify_one();
        }
    }

    /// Why no picture comes.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.obstacle.borrow().clone()
    }

    /// Which encoder it is, once a picture was encoded.
    pub(crate) fn encoder(&self) -> Option<Rc<str>> {
        self.encoder.borrow().clone()
    }

    /// Gives everybody a picture who can decode it.
    pub(crate) fn offer(&self, coded: &Rc<Coded>, now: Instant) {
        let mut policy = self.policy.borrow_mut();
        policy.encoded(coded.is_key, now);
        for (id, seat) in self.seats.borrow().iter() {
            if let Some(seat) = seat.upgrade() {
                match policy.offer(*id, coded.is_key, now) {
                    Offer::Takes => seat.put(coded.clone()),
                    Offer::Misses => seat.miss(),
                    Offer::Waits => {}
                }
            }
        }
    }

    fn set_obstacle(&self, what: Option<String>) {
        if *self.obstacle.borrow() == what {
            return;
        }
        match &what {
            Some(what) => log::info!("camera {:?}: no picture to encode: {what}", self.name()),
            None => log::info!("camera {:?}: pictures come again", self.name()),
        }
        self.obstacle.replace(what);
        for seat in self.seats.borrow().values().filter_map(Weak::upgrade) {
            seat.tell_obstacle();
        }
    }

    fn name(&self) -> &str {
        self.camera.as_str()
    }
}

/// The task of an encode. It waits for frames, the encoder, and what viewers say, and ends when it
/// is dropped.
struct Feeding {
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
    fn new(shared: Rc<Shared>, view: View, make: MakeEncoder) -> Self {
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

    async fn run(mut self) {
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
        if self.shared.encoder.borrow().is_none() {
            log::info!(
                "camera {:?}: encoded by {}",
                self.shared.name(),
                done.encoder
            );
            self.shared.encoder.replace(Some((*done.encoder).into()));
        }
        let coded = Coded {
            annex_b: encoded.annex_b.into(),
            is_key: encoded.is_key,
            captured,
            number: self.number,
        };
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
