//! What is told of encodes and viewers to who asks.

use std::rc::Weak;
use std::time::{Duration, SystemTime};

use eyelid_figures::{
    EncodeFigures, VideoFigures, ViewerCounts, ViewerFigures, ViewerTotals, ViewerWay,
};
use eyelid_picture::Scale;
use eyelid_slot::CameraName;

use crate::feeds::Feeds;
use crate::feeds::encode::Shared;
use crate::feeds::feed::Feed;
use crate::feeds::viewer::Watched;

/// How many viewers are told of by themselves: more than anybody reads. All are in the totals.
const MOST_TOLD: usize = 1000;

/// Who a viewer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// How it gets pictures.
    pub(crate) way: ViewerWay,
    /// Its address, for people.
    pub(crate) peer: String,
}

/// How pictures arrive, as far as the viewer reports.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Reception {
    /// The share of packets that were lost of late: 0 to 1.
    pub(crate) fraction_lost: Option<f64>,
    /// By how much the time that packets take varies.
    pub(crate) jitter: Option<Duration>,
    /// How long a packet takes there and back.
    pub(crate) round_trip: Option<Duration>,
    /// How old the last picture was when it was sent.
    pub(crate) age: Option<Duration>,
}

/// What the viewers of a camera came to that have ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    sessions: u64,
    counts: ViewerCounts,
}

impl Feeds {
    /// All that is so now, of a program that began then.
    pub(crate) fn figures(&self, since: SystemTime) -> VideoFigures {
        let feeds: Vec<_> = {
            let feeds = self.feeds.borrow();
            feeds.values().filter_map(Weak::upgrade).collect()
        };
        let mut viewers: Vec<_> = feeds
            .iter()
            .flat_map(|feed| feed.viewer_figures())
            .collect();
        viewers.sort_by_key(|(id, _)| *id);
        let mut totals = self.ended.borrow().clone();
        for (_, viewer) in &viewers {
            totals
                .entry(viewer.camera.clone())
                .or_default()
                .add(viewer.counts);
        }
        let totals = totals.into_iter().map(|(camera, totals)| ViewerTotals {
            camera,
            sessions: totals.sessions,
            counts: totals.counts,
        });
        VideoFigures {
            since,
            encodes: feeds
                .iter()
                .flat_map(|feed| feed.encode_figures())
                .collect(),
            sessions: viewers
                .into_iter()
                .take(MOST_TOLD)
                .map(|(_, it)| it)
                .collect(),
            session_totals: totals.collect(),
        }
    }

    /// A viewer of a camera has ended.
    pub(super) fn count_ended(&self, camera: &CameraName, watched: &Watched) {
        let mut ended = self.ended.borrow_mut();
        ended
            .entry(camera.clone())
            .or_default()
            .add(watched.counts());
    }
}

impl Totals {
    fn add(&mut self, counts: ViewerCounts) {
        self.sessions += 1;
        self.counts += counts;
    }
}

impl Feed {
    fn encode_figures(&self) -> Vec<EncodeFigures> {
        let half = self.half.borrow();
        let encodes = [&self.whole].into_iter().chain(half.iter());
        let figures = encodes.map(|encode| self.figures_of(&encode.shared));
        figures.collect()
    }

    fn figures_of(&self, encode: &Shared) -> EncodeFigures {
        let counts = encode.counts.get();
        let had_one = counts.pictures > 0;
        EncodeFigures {
            camera: self.camera.clone(),
            half: encode.scale != Scale::Whole,
            encoder: encode.encoder().map(|encoder| encoder.to_string()),
            width: had_one.then_some(counts.size.0),
            height: had_one.then_some(counts.size.1),
            viewers: encode.viewers(),
            bitrate_bps: had_one.then_some(counts.bits_per_second),
            encode_ms: had_one.then(|| ms(counts.encode_time)),
            pictures: counts.pictures,
            keyframes: counts.keys,
            bytes: counts.bytes,
            failures: counts.failures,
            error: encode.obstacle(),
        }
    }

    fn viewer_figures(&self) -> Vec<(u64, ViewerFigures)> {
        let viewers = self.viewers.borrow();
        let figures = viewers
            .iter()
            .map(|(id, it)| (*id, it.figures(&self.camera)));
        figures.collect()
    }
}

impl Watched {
    fn figures(&self, camera: &CameraName) -> ViewerFigures {
        let about = self.about.borrow().clone();
        let reception = self.reception.get();
        ViewerFigures {
            camera: camera.clone(),
            peer: about
                .as_ref()
                .map_or_else(String::new, |it| it.peer.clone()),
            way: about.map_or(ViewerWay::Tap, |it| it.way),
            since: self.since,
            half: self.encode.borrow().scale != Scale::Whole,
            age_ms: reception.age.map(ms),
            estimate_bps: self.report.get().estimate_bps,
            fraction_lost: reception.fraction_lost,
            jitter_ms: reception.jitter.map(ms),
            round_trip_ms: reception.round_trip.map(ms),
            counts: self.counts(),
        }
    }

    fn counts(&self) -> ViewerCounts {
        let counts = self.seat.counts.get();
        ViewerCounts {
            pictures: counts.pictures,
            missed: counts.missed,
            bytes: counts.bytes,
        }
    }
}

/// To a hundredth.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}
