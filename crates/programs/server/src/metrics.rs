//! Counters of this process for Prometheus (OpenMetrics text).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use eyelid_figures::{RtpFigures, VideoFigures};
use eyelid_http::Counts;
use eyelid_slot::{CameraName, Rendition};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::adapter::InEffect;
use crate::part::rendition_name;
use crate::status::FullPictures;
use crate::watchers::WatchedCameras;

mod rtp;
mod video;
mod watch;

use rtp::RtpMetrics;
use video::VideoMetrics;
use watch::WatchMetrics;

/// The media type of what [`Metrics::encode`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All counters.
pub(crate) struct Metrics {
    registry: Registry,
    frames_sent: Family<CameraLabels, Counter>,
    frames_skipped: Family<CameraLabels, Counter>,
    sent_bytes: Family<CameraLabels, Counter>,
    snapshots: Family<CameraLabels, Counter>,
    failures: Family<CameraLabels, Counter>,
    clients: Family<CameraLabels, Gauge>,
    rendition_frames: Family<RenditionLabels, Counter>,
    adapted_clients: Family<AdaptedLabels, Gauge>,
    full_pictures: Family<CameraLabels, Counter>,
    full_pictures_kept: Family<CameraLabels, Counter<f64, AtomicU64>>,
    looks: Family<CameraLabels, Counter>,
    rtp: RtpMetrics,
    video: VideoMetrics,
    watch: WatchMetrics,
    /// Connections accepted, clients turned away, connections closed for others: what the door
    /// counts.
    connections: Counter,
    turned_away: Counter,
    shed: Counter,
}

/// What a snapshot's answer was.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SnapshotOutcome {
    /// A frame.
    Frame,
    /// Why there is none.
    NoFrame,
}

/// What is counted elsewhere, as it is now.
pub(crate) struct CountedNow {
    /// What the door has counted.
    pub(crate) door: Counts,
    /// The clients of each camera.
    pub(crate) clients: Vec<(CameraName, usize)>,
    /// Those of them whose streams are adapted.
    pub(crate) adapted: Vec<(CameraName, InEffect)>,
    /// What cameras say that have taken full pictures.
    pub(crate) full_pictures: Vec<(CameraName, FullPictures)>,
    /// How many looks at each camera have begun.
    pub(crate) looks: BTreeMap<CameraName, u64>,
    /// What `eyelid-rtp` says, if it runs.
    pub(crate) rtp: Option<Rc<RtpFigures>>,
    /// What `eyelid-video` says, if it runs.
    pub(crate) video: Option<Rc<VideoFigures>>,
    /// What is watched, and what for.
    pub(crate) watched: WatchedCameras,
}

/// What is counted of streams.
pub(crate) struct StreamCounters {
    frames_sent: Counter,
    frames_skipped: Counter,
    sent_bytes: Counter,
    rendition_frames: Family<RenditionLabels, Counter>,
    camera: CameraName,
    /// That of the rendition which went last: it seldom changes.
    rendition: RefCell<Option<(Option<Rendition>, Counter)>>,
}

impl StreamCounters {
    /// A frame went to a client, after others that it did not get.
    pub(crate) fn sent(&self, bytes: u64, skipped: u64) {
        self.frames_sent.inc();
        self.frames_skipped.inc_by(skipped);
        self.sent_bytes.inc_by(bytes);
    }

    /// It was this rendition, and went to a client that asked for a size.
    pub(crate) fn sent_rendition(&self, rendition: Option<Rendition>) {
        let mut last = self.rendition.borrow_mut();
        let (_, counter) = match last.take() {
            Some(known) if known.0 == rendition => last.insert(known),
            _ => {
                let labels = RenditionLabels::of(&self.camera, rendition);
                let counter = self.rendition_frames.get_or_create_owned(&labels);
                last.insert((rendition, counter))
            }
        };
        counter.inc();
    }
}

/// Of what is told of a camera and nothing besides, here and by the programs beside the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CameraLabels {
    camera: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AdaptedLabels {
    camera: String,
    adapt: &'static str,
    rendition: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RenditionLabels {
    camera: String,
    rendition: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("eyelid"),
            frames_sent: Family::default(),
            frames_skipped: Family::default(),
            sent_bytes: Family::default(),
            snapshots: Family::default(),
            failures: Family::default(),
            clients: Family::default(),
            rendition_frames: Family::default(),
            adapted_clients: Family::default(),
            full_pictures: Family::default(),
            full_pictures_kept: Family::default(),
            looks: Family::default(),
            rtp: RtpMetrics::default(),
            video: VideoMetrics::default(),
            watch: WatchMetrics::default(),
            connections: Counter::default(),
            turned_away: Counter::default(),
            shed: Counter::default(),
        };
        let registry = &mut metrics.registry;
        let unsent =
            "Frames that streaming clients did not get because they were not done with another";
        for (name, help, family) in [
            (
                "frames_sent",
                "Frames sent to streaming clients",
                &metrics.frames_sent,
            ),
            ("frames_skipped", unsent, &metrics.frames_skipped),
        ] {
            registry.register(name, help, family.clone());
        }
        let (name, help) = ("stream_sent", "Bytes sent to streaming clients");
        registry.register_with_unit(name, help, Unit::Bytes, metrics.sent_bytes.clone());
        for (name, help, family) in [
            (
                "snapshots",
                "Snapshots answered with a frame",
                &metrics.snapshots,
            ),
            (
                "snapshot_failures",
                "Snapshots answered without one",
                &metrics.failures,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        let help = "Clients that look at a camera now";
        registry.register("clients", help, metrics.clients.clone());
        let help =
            "Frames sent to clients that asked for a size or for what fits, by what they were sent";
        registry.register("rendition_frames", help, metrics.rendition_frames.clone());
        let help = "Clients whose streams are made to fit their links, by what they get and why";
        registry.register("adapted_clients", help, metrics.adapted_clients.clone());
        let help = "Full pictures that the camera has taken";
        registry.register("full_pictures", help, metrics.full_pictures.clone());
        let help = "How long full pictures kept the camera from its stream";
        let (name, kept) = ("full_pictures_kept", metrics.full_pictures_kept.clone());
        registry.register_with_unit(name, help, Unit::Seconds, kept);
        let help = "Looks that have begun: of one client at one camera, whatever that took";
        registry.register("looks", help, metrics.looks.clone());
        metrics.rtp.register(registry);
        metrics.video.register(registry);
        metrics.watch.register(registry);
        let turned_away = "Requests turned away because there were too many clients";
        let shed = "Connections closed for others because no request had come";
        for (name, help, counter) in [
            ("connections", "Connections accepted", &metrics.connections),
            ("connections_turned_away", turned_away, &metrics.turned_away),
            ("connections_dismissed", shed, &metrics.shed),
        ] {
            registry.register(name, help, counter.clone());
        }
        metrics
    }

    /// The counters of one camera's streams, to be looked up once for each stream and not for each
    /// frame.
    pub(crate) fn streams(&self, camera: &CameraName) -> StreamCounters {
        let labels = CameraLabels::of(camera);
        StreamCounters {
            frames_sent: self.frames_sent.get_or_create_owned(&labels),
            frames_skipped: self.frames_skipped.get_or_create_owned(&labels),
            sent_bytes: self.sent_bytes.get_or_create_owned(&labels),
            rendition_frames: self.rendition_frames.clone(),
            camera: camera.clone(),
            rendition: RefCell::default(),
        }
    }

    /// A snapshot was answered.
    pub(crate) fn snapshot(&self, camera: &CameraName, outcome: SnapshotOutcome) {
        let family = match outcome {
            SnapshotOutcome::Frame => &self.snapshots,
            SnapshotOutcome::NoFrame => &self.failures,
        };
        family.get_or_create(&CameraLabels::of(camera)).inc();
    }

    /// A snapshot of this rendition went to a client that asked for a size.
    pub(crate) fn snapshot_rendition(&self, camera: &CameraName, rendition: Option<Rendition>) {
        let labels = RenditionLabels::of(camera, rendition);
        self.rendition_frames.get_or_create(&labels).inc();
    }

    /// Gives the text of all counters, with what is so now.
    ///
    /// # Errors
    /// Never, as far as the library says.
    pub(crate) fn encode(&self, now: &CountedNow) -> Result<String, fmt::Error> {
        for (counter, count) in [
            (&self.connections, now.door.accepted),
            (&self.turned_away, now.door.turned_away),
            (&self.shed, now.door.shed),
        ] {
            counter.inc_by(count.saturating_sub(counter.get()));
        }
        self.clients.clear();
        for (camera, count) in &now.clients {
            self.clients
                .get_or_create(&CameraLabels::of(camera))
                .set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        self.adapted_clients.clear();
        for (camera, in_effect) in &now.adapted {
            let labels = AdaptedLabels::of(camera, *in_effect);
            self.adapted_clients.get_or_create(&labels).inc();
        }
        // A camera's program counts anew when it starts, which is what a counter may do.
        self.full_pictures.clear();
        self.full_pictures_kept.clear();
        for (camera, full) in &now.full_pictures {
            let labels = CameraLabels::of(camera);
            (self.full_pictures.get_or_create(&labels)).inc_by(full.taken);
            let kept_s = Duration::from_millis(full.kept_ms).as_secs_f64();
            (self.full_pictures_kept.get_or_create(&labels)).inc_by(kept_s);
        }
        self.looks.clear();
        for (camera, looks) in &now.looks {
            (self.looks.get_or_create(&CameraLabels::of(camera))).inc_by(*looks);
        }
        self.rtp.set(now.rtp.as_deref());
        self.video.set(now.video.as_deref());
        self.watch.set(&now.watched);
        let mut encoded = String::new();
        text::encode(&mut encoded, &self.registry)?;
        Ok(encoded)
    }
}

impl CameraLabels {
    fn of(camera: &CameraName) -> Self {
        Self {
            camera: camera.to_string(),
        }
    }
}

impl AdaptedLabels {
    fn of(camera: &CameraName, in_effect: InEffect) -> Self {
        Self {
            camera: camera.to_string(),
            adapt: in_effect.adapt,
            rendition: rendition_name(in_effect.rendition),
            reason: in_effect.reason,
        }
    }
}

impl RenditionLabels {
    fn of(camera: &CameraName, rendition: Option<Rendition>) -> Self {
        Self {
            camera: camera.to_string(),
            rendition: rendition_name(rendition),
        }
    }
}
