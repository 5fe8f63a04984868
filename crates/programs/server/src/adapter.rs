//! One client's stream made to fit its link: what [`Adaptation`] decides, in this server's terms.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use eyelid_config::{Adapt, Fps};
use eyelid_consumer::{Camera, Wanted};
use eyelid_pacing::{Adaptation, Ladder, Pacer, Reason, Rung, WantedRate};
use eyelid_slot::Rendition;

/// How many frames a second are to come before pictures are large, unless the configuration says
/// otherwise: fewer look like single pictures.
const MIN_FPS: f64 = 8.0;

/// What a source is taken to give that does not say how many frames a second it gives: most cameras
/// do. Where a stream is adapted, until its client has kept up with it.
pub(crate) const SOURCE_FPS: f64 = 30.0;

/// What comes while a client keeps up for so long is what the source gives.
const LEARN_AFTER: Duration = Duration::from_secs(2);

/// What the configuration says of adapted streams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdaptSettings {
    /// How streams are adapted whose URL does not say it.
    pub(crate) adapt: Adapt,
    /// How many frames a second are to come before pictures are large.
    pub(crate) min_fps: Option<Fps>,
}

/// Says for one client with which rendition its next frame goes.
pub(crate) struct Adapter(RefCell<Adaptation>);

/// What is in effect for a client whose stream is adapted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InEffect {
    /// How its stream is adapted.
    pub(crate) adapt: &'static str,
    /// What it is to get; what it gets may be another while that is not there.
    pub(crate) rendition: Option<Rendition>,
    /// Why.
    pub(crate) reason: &'static str,
}

impl Adapter {
    /// For a client that wants at most so many frames a second; `None` where its stream is not to
    /// be adapted.
    pub(crate) fn new(adapt: Adapt, min_fps: Option<Fps>, cap_fps: Option<f64>) -> Option<Self> {
        let ladder = match adapt {
            Adapt::Off => return None,
            Adapt::Smooth => Ladder::Smooth,
            Adapt::Sharp => Ladder::Sharp,
        };
        let wanted = WantedRate {
            source_fps: Some(SOURCE_FPS),
            cap_fps,
            min_fps: min_fps.map_or(MIN_FPS, Fps::per_second),
        };
        Some(Self(RefCell::new(Adaptation::new(ladder, wanted))))
    }

    /// Takes in what the camera offers now.
    pub(crate) fn on_offer(&self, now: Instant, camera: &Camera) {
        let mut adaptation = self.0.borrow_mut();
        adaptation.set_offered(|rung| rendition(rung).is_none_or(|wanted| camera.offers(wanted)));
        let keeps_up = adaptation.keeps_up_for(now) >= Some(LEARN_AFTER);
        let learned = || camera.rate().filter(|fps| keeps_up && *fps > 0.0);
        let wanted = adaptation.wanted();
        adaptation.set_wanted(WantedRate {
            source_fps: camera.source_fps().or_else(learned).or(wanted.source_fps),
            ..wanted
        });
    }

    /// The rendition of the next frame, which may be chosen now.
    pub(crate) fn next(&self, now: Instant, pacer: &Pacer) -> Wanted {
        let rung = self.0.borrow_mut().next(now, pacer);
        rendition(rung).map_or(Wanted::Frame, Wanted::Rendition)
    }

    /// The pacer wants a pause. Gives how long to pause.
    pub(crate) fn on_wait(&self, now: Instant, pause: Duration, pacer: &Pacer) -> Duration {
        self.0.borrow_mut().on_wait(now, pause, pacer)
    }

    /// A frame was written, of which the pacer has not been told.
    pub(crate) fn on_write(
        &self,
        began: Instant,
        written: Option<Rendition>,
        bytes: u64,
        pacer: &Pacer,
    ) {
        let rung = match written {
            Some(Rendition::Low) => Rung::Low,
            Some(Rendition::Half) => Rung::Half,
            Some(Rendition::Quarter) => Rung::Quarter,
            // The others are never wanted here.
            Some(Rendition::Full | Rendition::Y4m) | None => Rung::Main,
        };
        self.0.borrow_mut().on_write(began, rung, bytes, pacer);
    }

    /// When to look at the socket once more, unless the next frame comes first.
    pub(crate) fn check_at(&self, now: Instant, pacer: &Pacer) -> Option<Instant> {
        self.0.borrow().check_at(now, pacer)
    }

    /// The pacer was told what is left in the socket.
    pub(crate) fn on_check(&self, now: Instant, pacer: &Pacer) {
        self.0.borrow_mut().on_check(now, pacer);
    }

    /// What is in effect.
    pub(crate) fn in_effect(&self) -> InEffect {
        let adaptation = self.0.borrow();
        let (rung, reason) = adaptation.rung();
        InEffect {
            adapt: match adaptation.ladder() {
                Ladder::Smooth => "smooth",
                Ladder::Sharp => "sharp",
            },
            rendition: rendition(rung),
            reason: match reason {
                Reason::Start => "start",
                Reason::SlowLink => "slow-link",
                Reason::Fits => "fits",
                Reason::Trial => "trial",
                Reason::NotOffered => "not-offered",
                Reason::SavesNothing => "saves-nothing",
            },
        }
    }
}

fn rendition(rung: Rung) -> Option<Rendition> {
    match rung {
        Rung::Main => None,
        Rung::Low => Some(Rendition::Low),
        Rung::Half => Some(Rendition::Half),
        Rung::Quarter => Some(Rendition::Quarter),
    }
}
