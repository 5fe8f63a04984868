//! What cameras have in common that take pictures in their full resolution: the plan, and from
//! their buffers to a picture.

use std::fmt::Display;
use std::time::{Instant, SystemTime};

use eyelid_config::Size;
use eyelid_producer::{EncodedFrame, FullTotals};

use super::buffer_encoder::{BufferEncoder, Layout};
use super::silence;
use crate::Settings;
use crate::source::still::{AutoExposure, StillAction, StillPlan, StillWay};

/// One buffer is held here while the camera fills the other: a frame of the full size is large, and
/// only one is taken.
pub(crate) const FULL_BUFFERS: u32 = 2;

/// What a camera, or one of its streams, is configured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Frames, as the settings say.
    Frames,
    /// Pictures in the camera's full resolution.
    Full,
}

/// The full pictures of one camera.
pub(crate) struct FullPictures {
    plan: StillPlan,
    settings: Settings,
    /// There is one while a picture is taken: its memory is that of a whole picture.
    encoder: Option<BufferEncoder>,
    captured: SystemTime,
    /// Width and height of a picture, once the camera was found, if it has one that is larger than
    /// its frames.
    size: Option<(u32, u32)>,
}

impl FullPictures {
    /// Begins with a camera that was not found yet.
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            plan: StillPlan::new(silence::timeout(settings)),
            settings: settings.clone(),
            encoder: None,
            captured: SystemTime::UNIX_EPOCH,
            size: None,
        }
    }

    /// The camera was found, and has full pictures of this size, if any.
    pub(crate) fn found(&mut self, size: Option<Size>) {
        let turned = |size: Size| self.settings.turn().size(size.width, size.height);
        self.size = size.map(turned);
    }

    /// Width and height of a full picture, turned, if the camera has any as far as is known.
    pub(crate) fn size(&self) -> Option<(u32, u32)> {
        self.size.filter(|_| self.plan.is_possible())
    }

    /// See [`StillPlan::may_begin`].
    pub(crate) fn may_begin(&mut self, now: Instant) -> bool {
        self.plan.may_begin(now)
    }

    /// The camera was told to take one, which it lays out like this.
    pub(crate) fn begun(&mut self, now: Instant, way: StillWay, layout: Layout) {
        let mut encoder = BufferEncoder::new(&self.settings);
        encoder.configure(layout);
        self.encoder = Some(encoder);
        self.plan.begun(now, way);
    }

    /// The camera has given a frame of the full size, which is at hand.
    pub(crate) fn frame(&mut self, now: Instant, captured: SystemTime, exposure: AutoExposure) {
        self.captured = captured;
        self.plan.frame(now, exposure);
    }

    /// See [`StillPlan::is_awaited`].
    #[cfg(feature = "libcamera")]
    pub(crate) fn is_awaited(&self) -> bool {
        self.plan.is_awaited()
    }

    /// See [`StillPlan::sequence`].
    pub(crate) fn sequence(&self) -> Option<u64> {
        self.plan.sequence()
    }

    /// See [`StillPlan::totals`].
    pub(crate) fn totals(&self) -> FullTotals {
        self.plan.totals()
    }

    /// Encodes the picture that is at hand, of these planes. `None` where they are broken; the
    /// stream goes on all the same.
    pub(crate) fn encode<'a>(
        &'a mut self,
        planes: Option<Vec<&'a [u8]>>,
    ) -> Option<EncodedFrame<'a>> {
        self.plan.encoded();
        let encoded = self.encoder.as_mut()?.encode(planes, self.captured);
        encoded.unwrap_or_else(|error| {
            self.plan.fail(error);
            None
        })
    }

    /// See [`StillPlan::next`].
    pub(crate) fn next(&mut self, now: Instant) -> Option<StillAction> {
        self.plan.next(now)
    }

    /// See [`StillPlan::deadline`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.plan.deadline()
    }

    /// See [`StillPlan::is_away`].
    pub(crate) fn is_away(&self) -> bool {
        self.plan.is_away()
    }

    /// See [`StillPlan::waiting`].
    pub(crate) fn waiting(&self) -> String {
        self.plan.waiting()
    }

    /// See [`StillPlan::fail`].
    pub(crate) fn fail(&mut self, reason: impl Display) {
        self.plan.fail(reason);
    }

    /// See [`StillAction::GiveUp`]. The camera is called this.
    pub(crate) fn give_up(&mut self, id: &str) {
        let seconds = silence::timeout(&self.settings).as_secs_f64();
        self.fail(format!("camera {id:?} gave none for {seconds}s"));
    }

    /// The camera was told to go on with its stream.
    pub(crate) fn ending(&mut self) {
        self.encoder = None;
        self.plan.returning();
    }

    /// The camera has given a frame of its stream.
    pub(crate) fn stream_goes_on(&mut self, now: Instant) {
        if self.plan.is_returning() {
            self.end(now);
        }
    }

    /// A picture that was taken beside the stream is done with, or the camera was stopped.
    pub(crate) fn end(&mut self, now: Instant) {
        self.encoder = None;
        self.plan.returned(now);
    }
}
