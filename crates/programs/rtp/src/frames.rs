//! What one stream takes of a camera: the newest frame, as far as RTP can carry it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_config::{Fps, RtpSize};
use eyelid_consumer::{
    Camera, Cameras, Deadline, Freshness, NoFrame, Position, RateCap, SharedFrame, View, Wanted,
};
use eyelid_daemon::LogLimit;
use eyelid_rtp_wire::{Cure, JpegPayload};
use eyelid_slot::{CameraName, Rendition};

use crate::recoding::{self, Recoding};
use crate::stand_in::StandIn;

/// How long a frame is waited for before the wish is made anew, and how old one may be: as the
/// server has them where nothing is said.
const DEADLINE: Deadline = Deadline {
    timeout: Duration::from_secs(4),
    max_age: Duration::from_secs(2),
};

/// So many lines at once are about frames that cannot be sent, which every client may cause: what
/// is sent instead is often another thing once all is known of what the camera offers.
const UNSENDABLE_LINES: u32 = 4;
const UNSENDABLE_LOGGED: Duration = Duration::from_secs(60);

/// The frames of one stream.
pub(crate) struct Frames {
    view: View,
    last: Cell<Position>,
    /// Which size is to go...
    size: Cell<StandIn>,
    /// ...and which came last.
    shown: Cell<Option<RtpSize>>,
    /// How many came and were not taken, because another was being sent.
    skipped: Cell<u64>,
    /// What comes next follows nothing.
    resumes: Cell<bool>,
    /// Why no frame came when one was last waited for.
    missed: RefCell<Option<NoFrame>>,
    /// Why the last one that came could not be sent.
    unsendable: RefCell<Option<String>>,
    /// What the log was last told of that.
    told: RefCell<String>,
    shared: Rc<Shared>,
}

/// What all streams have in common.
pub(crate) struct Shared {
    unsendable: LogLimit,
    recoding: Recoding,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            unsendable: LogLimit::new(UNSENDABLE_LINES, UNSENDABLE_LOGGED),
            recoding: Recoding::default(),
        }
    }
}

/// What a client gets that asks for this.
pub(crate) fn wanted(size: RtpSize) -> Wanted {
    match size {
        RtpSize::Current => Wanted::Frame,
        RtpSize::Low => Wanted::Rendition(Rendition::Low),
        RtpSize::Half => Wanted::Rendition(Rendition::Half),
        RtpSize::Quarter => Wanted::Rendition(Rendition::Quarter),
    }
}

impl Frames {
    /// Looks at a camera, without waking it yet.
    pub(crate) fn new(
        cameras: &Cameras,
        camera: Rc<Camera>,
        size: RtpSize,
        fps: Option<Fps>,
        shared: Rc<Shared>,
    ) -> Self {
        let cap = fps.map(|fps| RateCap::new(fps.interval()));
        let view = cameras.view(camera, cap);
        view.want(wanted(size));
        Self {
            view,
            last: Cell::default(),
            size: Cell::new(StandIn::new(size)),
            shown: Cell::default(),
            skipped: Cell::default(),
            resumes: Cell::default(),
            missed: RefCell::default(),
            unsendable: RefCell::default(),
            told: RefCell::default(),
            shared,
        }
    }

    /// Wants this rendition from the next frame on.
    pub(crate) fn want(&self, size: RtpSize) {
        if self.size.get().asked() != size {
            self.change_size(|it| *it = StandIn::new(size));
        }
    }

    /// The rendition that is wanted.
    pub(crate) fn size(&self) -> RtpSize {
        self.size.get().asked()
    }

    /// The rendition that came last.
    pub(crate) fn shown(&self) -> Option<RtpSize> {
        self.shown.get()
    }

    /// Why there is nothing to send, if there is not.
    pub(crate) fn obstacle(&self) -> Option<String> {
        let missed = self.missed.borrow().as_ref().map(NoFrame::to_string);
        missed.or_else(|| self.unsendable.borrow().clone())
    }

    /// Frames that came before are not missed: none were wanted.
    pub(crate) fn resume(&self) {
        self.resumes.set(true);
    }

    /// How many frames were skipped since this was last asked.
    pub(crate) fn take_skipped(&self) -> u64 {
        self.skipped.take()
    }

    /// Wakes the camera, and waits until it has woken or cannot.
    pub(crate) async fn wake(&self) {
        let fresh = Freshness::NewerThan(self.last.get());
        // What comes of it is told to who waits for the frames themselves.
        let _ = self.view.frame(fresh, DEADLINE).await;
    }

    /// Waits for the next frame. It is chosen when `room` says that there is some, and not before.
    ///
    /// # Errors
    /// Those of `room`.
    pub(crate) async fn next(
        &self,
        room: impl AsyncFn() -> io::Result<()>,
    ) -> io::Result<Rc<SharedFrame>> {
        loop {
            self.view.until_due().await;
            room().await?;
            self.change_size(|size| size.retry(Instant::now()));
            match self.view.next(self.last.get(), DEADLINE).await {
                Ok(frame) => {
                    self.note(&frame);
                    if self.missed.take().is_some() {
                        log::info!("camera {:?}: frames come again", self.camera().as_str());
                    }
                    return Ok(frame);
                }
                Err(reason) => self.miss(reason),
            }
        }
    }

    fn note(&self, frame: &SharedFrame) {
        let skipped = frame.skipped_since(self.last.replace(frame.position()));
        if !self.resumes.take() {
            self.skipped.set(self.skipped.get() + skipped);
        }
        self.shown.set(match frame.rendition {
            None => Some(RtpSize::Current),
            Some(Rendition::Low) => Some(RtpSize::Low),
            Some(Rendition::Half) => Some(RtpSize::Half),
            Some(Rendition::Quarter) => Some(RtpSize::Quarter),
            Some(_) => None,
        });
    }

    /// Gives what of a frame goes into packets: of the frame as it is, or recoded without a loss,
    /// for which there is room in `recoded`. Where neither can be, nothing; a rendition comes next
    /// then, if that helps: it is encoded anew.
    pub(crate) async fn payload<'frame>(
        &self,
        frame: &'frame SharedFrame,
        recoded: &'frame mut Option<Rc<Vec<u8>>>,
    ) -> Option<JpegPayload<'frame>> {
        let unsendable = match JpegPayload::of(&frame.jpeg) {
            Ok(payload) => {
                self.on_sendable();
                return Some(payload);
            }
            Err(unsendable) => unsendable,
        };
        if unsendable.cure() != Cure::Recode {
            self.give_up(&unsendable, unsendable.cure());
            return None;
        }
        match self.shared.recoding.recode(self.camera(), frame).await {
            Ok(jpeg) => match JpegPayload::of(recoded.insert(jpeg)) {
                Ok(payload) => {
                    self.on_sendable();
                    return Some(payload);
                }
                Err(still) => self.give_up(&still, still.cure()),
            },
            Err(error) => self.give_up(&error, recoding::cure(error)),
        }
        None
    }

    fn on_sendable(&self) {
        self.unsendable.take();
        if let Some(came) = self.shown.get() {
            self.change_size(|size| size.on_sendable(came));
        }
    }

    fn give_up(&self, reason: &dyn fmt::Display, cure: Cure) {
        // Why what was asked for cannot be sent is of use, and not what is wrong with its stand-in.
        let stands_in = (self.shown.get()).is_some_and(|came| self.size.get().stands_in(came));
        let known = self.unsendable.take().filter(|_| stands_in);
        let reason = known.unwrap_or_else(|| reason.to_string());
        let substitute = match cure {
            Cure::Nothing => None,
            Cure::Recode | Cure::Rendition => self.substitute(),
        };
        let cure = match substitute {
            Some(RtpSize::Current) | None => "nothing is sent",
            Some(RtpSize::Low) => "low is sent instead",
            Some(RtpSize::Half) => "half of it is sent instead",
            Some(RtpSize::Quarter) => "a quarter of it is sent instead",
        };
        let words = format!("{reason}; {cure}");
        self.unsendable.replace(Some(reason));
        // That what was asked for still cannot be sent is no news.
        if substitute.is_some() && *self.told.borrow() == words {
            return;
        }
        if let Some(suppressed) = self.shared.unsendable.allow(Instant::now()) {
            log::warn!("camera {:?}: {words}{suppressed}", self.camera().as_str());
            self.told.replace(words);
        }
    }

    /// Wants what may go in place of what came, and gives what that is.
    fn substitute(&self) -> Option<RtpSize> {
        let camera = self.view.camera();
        if self.size.get().wanted() == RtpSize::Current {
            // What a camera offers is known to those who want some of it; and it may come later.
            self.view.want(wanted(RtpSize::Half));
        }
        let can_go = |size| match wanted(size) {
            Wanted::Rendition(rendition) => {
                let size_px = camera.size(Wanted::Rendition(rendition));
                let fits =
                    size_px.is_none_or(|(width, height)| JpegPayload::carries(width, height));
                fits && camera.offers(rendition)
            }
            _ => false,
        };
        let came = self.shown.get()?;
        self.change_size(|size| size.on_unsendable(came, Instant::now(), can_go))
    }

    /// Changes what is to come, and wants that.
    fn change_size<T>(&self, change: impl FnOnce(&mut StandIn) -> T) -> T {
        let mut size = self.size.get();
        let outcome = change(&mut size);
        self.size.set(size);
        match wanted(size.wanted()) {
            // It would be the newer one, too, and the rendition a step back whenever it came.
            Wanted::Rendition(rendition) if size.is_frame_useless() => {
                self.view.want_only(rendition);
            }
            other => self.view.want(other),
        }
        outcome
    }

    fn miss(&self, reason: NoFrame) {
        let is_known =
            (self.missed.borrow().as_ref()).is_some_and(|known| known.is_same_reason(&reason));
        if !is_known {
            log::info!(
                "camera {:?}: no frame to send: {reason}",
                self.camera().as_str()
            );
            self.missed.replace(Some(reason));
        }
    }

    /// The camera.
    pub(crate) fn camera(&self) -> &CameraName {
        self.view.camera().name()
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        // This one is among them still.
        if self.view.camera().viewers() <= 1 {
            self.shared.recoding.forget(self.camera());
        }
    }
}
