//! One who watches a camera, from its side: it takes pictures, and says how its connection does.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_figures::ViewerWay;
use eyelid_picture::Scale;

use super::encode::Shared;
use super::feed::Feed;
use super::policy::ViewerId;
use super::seat::Seat;
use super::{About, Feeds, Reception};
use crate::coded::Coded;

/// How long one that has missed a picture counts as one that misses some: who is too slow by far
/// gets a keyframe a second, and nothing between.
const MISSES_FOR: Duration = Duration::from_secs(2);

/// One who watches a camera. While any is alive, there is demand for it.
pub(crate) struct Viewer {
    pub(super) id: ViewerId,
    pub(super) watched: Rc<Watched>,
    pub(super) feed: Rc<Feed>,
    pub(super) feeds: Rc<Feeds>,
}

/// How pictures and a viewer's connection go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// The next picture is not encoded while this viewer's pacer holds packets older than 20 ms
    /// (WebRTC), nor while it has not taken the last one.
    Holds,
    /// It misses pictures, and goes on at a keyframe (MSE, tap). It holds the next one up for
    /// 100 ms at most, and only where it reports that it still sends the last (MSE).
    Misses,
}

/// What a viewer's pacer and congestion control say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Since when the oldest packet waits that has not been sent.
    pub(crate) waiting_since: Option<Instant>,
    /// What the path carries, in bits a second, if that is estimated.
    pub(crate) estimate_bps: Option<u64>,
}

/// What is known of a viewer.
pub(super) struct Watched {
    pub(super) pace: Pace,
    pub(super) seat: Rc<Seat>,
    pub(super) encode: RefCell<Rc<Shared>>,
    pub(super) report: Cell<Report>,
    pub(super) wants_gop: Cell<bool>,
    pub(super) since: SystemTime,
    pub(super) about: RefCell<Option<About>>,
    pub(super) reception: Cell<Reception>,
    /// How many pictures it had missed when that was looked at last, and when they had become more.
    missed: Cell<(u64, Option<Instant>)>,
}

impl Watched {
    /// One that has got nothing yet.
    pub(super) fn new(pace: Pace, encode: Rc<Shared>) -> Self {
        Self {
            pace,
            seat: Rc::default(),
            encode: RefCell::new(encode),
            report: Cell::default(),
            wants_gop: Cell::default(),
            since: SystemTime::now(),
            about: RefCell::default(),
            reception: Cell::default(),
            missed: Cell::default(),
        }
    }

    /// What its path carries, in bits a second, if that says whether it is slow. That of a reader
    /// of a tap does not: it is on this machine, and wants one size.
    ///
    /// By MSE a path has an estimate only where it is a limit, and a low one where small pictures
    /// were late by chance: as long as it loses no picture of the whole size it is as fast as it
    /// needs to be.
    pub(super) fn carries(&self, most_bps: u32, now: Instant) -> Option<u64> {
        let estimate_bps = self.report.get().estimate_bps;
        if self.pace == Pace::Holds {
            return estimate_bps;
        }
        let about = self.about.borrow();
        if about
            .as_ref()
            .is_none_or(|about| about.way != ViewerWay::Mse)
        {
            return None;
        }
        let missed = self.seat.counts.get().missed;
        let (before, mut lately) = self.missed.get();
        if missed > before {
            lately = Some(now);
        }
        self.missed.set((missed, lately));
        let misses = lately.is_some_and(|at| now.saturating_duration_since(at) < MISSES_FOR);
        let is_half = self.encode.borrow().scale == Scale::Half;
        Some(match estimate_bps {
            Some(bps) if misses || is_half => bps,
            Some(_) | None => u64::from(most_bps),
        })
    }
}

impl Viewer {
    /// Waits for the next picture that this viewer can decode: the newest. After a gap that is a
    /// keyframe, which is asked for. Nothing is lost by giving up on it.
    pub(crate) async fn next(&self) -> Rc<Coded> {
        loop {
            let encode = self.watched.encode.borrow().clone();
            encode.change_if(|policy| policy.comes(self.id));
            if let Some(coded) = self.watched.seat.take() {
                return coded;
            }
            self.watched.seat.changed().await;
        }
    }

    /// Asks for a keyframe, because something was lost (PLI, FIR) or the reader wants one. The feed
    /// makes one in 300 ms at most.
    pub(crate) fn ask_key(&self) {
        self.encode().change(|policy| policy.ask_key());
    }

    /// Says that so much was lost on the way to it that it cannot decode anything but a keyframe.
    pub(crate) fn breaks_off(&self) {
        self.encode().change(|policy| policy.breaks_off(self.id));
    }

    /// Has keyframes come from time to time, where the configuration says so (`gop`): a reader
    /// needs them.
    pub(crate) fn want_gop(&self) {
        self.watched.wants_gop.set(true);
        self.encode().change(|policy| policy.want_gop(self.id));
    }

    /// Says how it goes with this viewer's connection. To be called whenever that changes: until
    /// then it holds.
    pub(crate) fn report(&self, report: Report) {
        self.watched.report.set(report);
        self.encode()
            .change_if(|policy| policy.report(self.id, report));
        if report.estimate_bps.is_some() {
            self.feed.split(Instant::now());
        }
    }

    /// Says who it is, for `/status`.
    pub(crate) fn set_about(&self, about: About) {
        self.watched.about.replace(Some(about));
    }

    /// Says how pictures arrive, for `/status`.
    pub(crate) fn set_reception(&self, reception: Reception) {
        self.watched.reception.set(reception);
    }

    /// Why no picture comes, if that is known; it may pass.
    pub(crate) fn obstacle(&self) -> Option<String> {
        self.encode().obstacle()
    }

    /// Waits until [`Viewer::obstacle`] may be another. Nothing is lost by giving up on it.
    pub(crate) async fn obstacle_changed(&self) {
        self.watched.seat.obstacle_changed().await;
    }

    fn encode(&self) -> Rc<Shared> {
        self.watched.encode.borrow().clone()
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.feeds.count_ended(&self.feed.camera, &self.watched);
        self.feed.leave(self.id);
        self.feeds.viewers.send_modify(|viewers| *viewers -= 1);
    }
}
