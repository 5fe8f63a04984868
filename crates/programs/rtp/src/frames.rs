//! What one stream takes of a camera: the newest frame, as far as RTP can carry it.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_config::{Fps, RtpSize};
use eyelid_consumer::{
    Camera, Cameras, Deadline, Freshness, NoFrame, Position, RateCap, SharedFrame, View, Wanted,
};
use eyelid_daemon::LogLimit;
use eyelid_rtp_wire::{Cure, JpegPayload, Unsendable};
use eyelid_slot::Rendition;

/// How long a frame is waited for before the wish is made anew, and how old one may be: as the
/// server has them where nothing is said.
const DEADLINE: Deadline = Deadline {
    timeout: Duration::from_secs(4),
    max_age: Duration::from_secs(2),
};

/// How far apart lines are about frames that cannot be sent: every client may cause them.
const UNSENDABLE_LOGGED: Duration = Duration::from_secs(60);

/// The frames of one stream.
pub(crate) struct Frames {
    view: View,
    last: Cell<Position>,
    /// Which rendition goes.
    size: RtpSize,
    /// Why no frame came when one was last waited for.
    missed: RefCell<Option<NoFrame>>,
    unsendable: Rc<LogLimit>,
}

/// Gives the limit for lines about frames that cannot be sent, which all streams share.
pub(crate) fn unsendable_log() -> Rc<LogLimit> {
    Rc::new(LogLimit::new(1, UNSENDABLE_LOGGED))
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
        unsendable: Rc<LogLimit>,
    ) -> Self {
        let cap = fps.map(|fps| RateCap::new(fps.interval()));
        let view = cameras.view(camera, cap);
        view.want(wanted(size));
        Self {
            view,
            last: Cell::default(),
            size,
            missed: RefCell::default(),
            unsendable,
        }
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
            match self.view.next(self.last.get(), DEADLINE).await {
                Ok(frame) => {
                    self.last.set(frame.position());
                    if self.missed.take().is_some() {
                        log::info!("camera {:?}: frames come again", self.name());
                    }
                    return Ok(frame);
                }
                Err(reason) => self.miss(reason),
            }
        }
    }

    /// What of a frame goes into packets; nothing where RTP cannot carry it. Then a rendition comes
    /// next where that helps: it is encoded anew.
    pub(crate) fn payload<'f>(&self, frame: &'f SharedFrame) -> Option<JpegPayload<'f>> {
        match JpegPayload::of(&frame.jpeg) {
            Ok(payload) => Some(payload),
            Err(reason) => {
                self.give_up(frame, reason);
                None
            }
        }
    }

    fn give_up(&self, frame: &SharedFrame, reason: Unsendable) {
        let can_help = reason.cure() != Cure::Nothing && self.size == RtpSize::Current;
        if can_help && frame.rendition.is_none() {
            self.view.want(wanted(RtpSize::Half));
        }
        if let Some(suppressed) = self.unsendable.allow(Instant::now()) {
            let cure = if can_help && self.view.camera().offers(Rendition::Half) {
                "half of it is sent instead"
            } else {
                "nothing is sent"
            };
            log::warn!(
                "camera {:?}: {reason}; {cure} ({suppressed} times more before)",
                self.name()
            );
        }
    }

    fn miss(&self, reason: NoFrame) {
        let is_known =
            (self.missed.borrow().as_ref()).is_some_and(|known| known.is_same_reason(&reason));
        if !is_known {
            log::info!("camera {:?}: no frame to send: {reason}", self.name());
            self.missed.replace(Some(reason));
        }
    }

    fn name(&self) -> &str {
        self.view.camera().name().as_str()
    }
}
