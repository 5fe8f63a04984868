//! What `eyelid-video` tells, as metrics. Viewers of a camera are summed up, for each would be a
//! time series of its own that never comes again.

use eyelid_figures::VideoFigures;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::CameraLabels;

/// The families.
#[derive(Default)]
pub(super) struct VideoMetrics {
    sessions: Family<CameraLabels, Counter>,
    pictures: Family<CameraLabels, Counter>,
    missed: Family<CameraLabels, Counter>,
    sent_bytes: Family<CameraLabels, Counter>,
    viewers: Family<ViewerLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ViewerLabels {
    camera: String,
    way: &'static str,
}

impl VideoMetrics {
    /// Makes them known.
    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, family) in [
            ("video_sessions", "Viewers of H.264", &self.sessions),
            ("video_pictures", "Pictures sent as H.264", &self.pictures),
            (
                "video_pictures_missed",
                "Pictures that a viewer of H.264 was too slow for",
                &self.missed,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        let help = "Bytes of pictures sent as H.264";
        registry.register_with_unit("video_sent", help, Unit::Bytes, self.sent_bytes.clone());
        let help = "Viewers of H.264 now, by how they get it";
        registry.register("video_viewers", help, self.viewers.clone());
    }

    /// Has these values. Those of a program that does not run are gone, and count anew when it
    /// runs again, which is what a counter may do.
    pub(super) fn set(&self, figures: Option<&VideoFigures>) {
        for family in [
            &self.sessions,
            &self.pictures,
            &self.missed,
            &self.sent_bytes,
        ] {
            family.clear();
        }
        self.viewers.clear();
        let Some(figures) = figures else { return };
        for total in &figures.session_totals {
            let labels = CameraLabels::of(&total.camera);
            for (family, count) in [
                (&self.sessions, total.sessions),
                (&self.pictures, total.counts.pictures),
                (&self.missed, total.counts.missed),
                (&self.sent_bytes, total.counts.bytes),
            ] {
                family.get_or_create(&labels).inc_by(count);
            }
        }
        for session in &figures.sessions {
            let labels = ViewerLabels {
                camera: session.camera.to_string(),
                way: session.way.name(),
            };
            self.viewers.get_or_create(&labels).inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn session(way: &str) -> Value {
        json!({
            "camera": "door",
            "peer": "192.0.2.7:5000",
            "way": way,
            "since": "2026-11-29T06:00:01.500Z",
            "half": false,
            "age_ms": null,
            "estimate_bps": null,
            "fraction_lost": null,
            "jitter_ms": null,
            "round_trip_ms": null,
            "pictures": 70,
            "missed": 2,
            "bytes": 90,
        })
    }

    #[test]
    fn viewers_are_counted_by_way_and_what_they_got_by_camera_while_the_program_runs() {
        let mut registry = Registry::with_prefix("eyelid");
        let metrics = VideoMetrics::default();
        metrics.register(&mut registry);
        let encoded = |figures| {
            metrics.set(figures);
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        let total = json!({
            "camera": "door", "sessions": 5, "pictures": 300, "missed": 4, "bytes": 9000,
        });
        let figures: VideoFigures = serde_json::from_value(json!({
            "since": "2026-11-29T06:00:00.000Z",
            "encodes": [],
            "sessions": [session("webrtc"), session("mse"), session("webrtc")],
            "session_totals": [total],
        }))
        .unwrap();
        encoded(Some(&figures));
        let text = encoded(Some(&figures)); // no more than the first time
        for line in [
            r#"eyelid_video_sessions_total{camera="door"} 5"#,
            r#"eyelid_video_pictures_total{camera="door"} 300"#,
            r#"eyelid_video_pictures_missed_total{camera="door"} 4"#,
            r#"eyelid_video_sent_bytes_total{camera="door"} 9000"#,
            r#"eyelid_video_viewers{camera="door",way="webrtc"} 2"#,
            r#"eyelid_video_viewers{camera="door",way="mse"} 1"#,
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} in {text}");
        }
        assert!(!encoded(None).contains("door"));
    }
}
