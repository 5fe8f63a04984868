//! What `eyelid-rtp` tells, as metrics. Sessions of a camera are summed up, for each would be a
//! time series of its own that never comes again; a destination has its own.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use eyelid_figures::{ReceptionFigures, RtpFigures, StreamCounts, StreamFigures, StreamState};
use eyelid_slot::CameraName;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What stands for the sessions of a camera in the label `to`: a destination has a port.
const SESSIONS: &str = "rtsp";

type RealGauge = Family<RtpLabels, Gauge<f64, AtomicU64>>;

/// The families.
#[derive(Default)]
pub(super) struct RtpMetrics {
    frames: Family<RtpLabels, Counter>,
    dropped: Family<RtpLabels, Counter>,
    packets: Family<RtpLabels, Counter>,
    packets_lost: Family<RtpLabels, Counter>,
    sent_bytes: Family<RtpLabels, Counter>,
    streams: Family<StreamLabels, Gauge>,
    receivers: Family<RtpLabels, Gauge>,
    lost_ratio: RealGauge,
    jitter: RealGauge,
    round_trip: RealGauge,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct RtpLabels {
    camera: String,
    to: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    camera: String,
    to: String,
    state: &'static str,
}

/// What is told of one destination, or of the sessions of a camera.
#[derive(Clone, Debug, Default, PartialEq)]
struct Row {
    counts: StreamCounts,
    states: BTreeMap<StreamState, i64>,
    receivers: usize,
    /// Of each the largest.
    fraction_lost: Option<f64>,
    jitter_ms: Option<f64>,
    round_trip_ms: Option<f64>,
}

impl RtpMetrics {
    /// Makes them known.
    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, family) in [
            ("rtp_frames", "Frames sent by RTP", &self.frames),
            (
                "rtp_frames_dropped",
                "Frames that were not sent whole by RTP",
                &self.dropped,
            ),
            ("rtp_packets", "Packets sent by RTP", &self.packets),
            (
                "rtp_packets_lost",
                "Packets that receivers of RTP report as lost",
                &self.packets_lost,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        let help = "Bytes of pictures sent by RTP";
        registry.register_with_unit("rtp_sent", help, Unit::Bytes, self.sent_bytes.clone());
        let help = "Streams of RTP now, by what happens with them";
        registry.register("rtp_streams", help, self.streams.clone());
        let help = "Receivers of RTP that have reported of late";
        registry.register("rtp_receivers", help, self.receivers.clone());
        let help = "Share of packets lost, by the last report of the receiver that loses the most";
        registry.register("rtp_lost_ratio", help, self.lost_ratio.clone());
        let help = "By how much the time varies that packets take to a receiver";
        registry.register_with_unit("rtp_jitter", help, Unit::Seconds, self.jitter.clone());
        let help = "How long a packet takes to a receiver and back";
        let (name, family) = ("rtp_round_trip", self.round_trip.clone());
        registry.register_with_unit(name, help, Unit::Seconds, family);
    }

    /// Has these values. Those of a program that does not run are gone, and count anew when it
    /// runs again, which is what a counter may do.
    pub(super) fn set(&self, figures: Option<&RtpFigures>) {
        self.streams.clear();
        self.receivers.clear();
        for family in [
            &self.frames,
            &self.dropped,
            &self.packets,
            &self.packets_lost,
            &self.sent_bytes,
        ] {
            family.clear();
        }
        for family in [&self.lost_ratio, &self.jitter, &self.round_trip] {
            family.clear();
        }
        for (labels, row) in figures.map(rows).into_iter().flatten() {
            self.set_row(&labels, &row);
        }
    }

    fn set_row(&self, labels: &RtpLabels, row: &Row) {
        for (family, count) in [
            (&self.frames, row.counts.frames),
            (&self.dropped, row.counts.dropped),
            (&self.packets, row.counts.packets),
            (&self.packets_lost, row.counts.packets_lost),
            (&self.sent_bytes, row.counts.bytes),
        ] {
            family.get_or_create(labels).inc_by(count);
        }
        for (state, streams) in &row.states {
            let labels = StreamLabels {
                camera: labels.camera.clone(),
                to: labels.to.clone(),
                state: state.name(),
            };
            self.streams.get_or_create(&labels).set(*streams);
        }
        let receivers = i64::try_from(row.receivers).unwrap_or(i64::MAX);
        self.receivers.get_or_create(labels).set(receivers);
        let seconds = |ms: Option<f64>| ms.map(|ms| ms / 1e3);
        for (family, value) in [
            (&self.lost_ratio, row.fraction_lost),
            (&self.jitter, seconds(row.jitter_ms)),
            (&self.round_trip, seconds(row.round_trip_ms)),
        ] {
            if let Some(value) = value {
                family.get_or_create(labels).set(value);
            }
        }
    }
}

/// Sums up what belongs together.
fn rows(figures: &RtpFigures) -> BTreeMap<RtpLabels, Row> {
    let mut rows = BTreeMap::<_, Row>::new();
    let labels = |camera: &CameraName, to: String| RtpLabels {
        camera: camera.to_string(),
        to,
    };
    for destination in &figures.destinations {
        let stream = &destination.stream;
        let labels = labels(&stream.camera, destination.to.to_string());
        let row = rows.entry(labels).or_default();
        row.counts += stream.counts;
        row.add(stream);
    }
    for total in &figures.session_totals {
        let labels = labels(&total.camera, SESSIONS.to_owned());
        rows.entry(labels).or_default().counts = total.counts;
    }
    for session in &figures.sessions {
        let stream = &session.stream;
        let labels = labels(&stream.camera, SESSIONS.to_owned());
        rows.entry(labels).or_default().add(stream);
    }
    rows
}

impl Row {
    fn add(&mut self, stream: &StreamFigures) {
        *self.states.entry(stream.state).or_default() += 1;
        let ReceptionFigures {
            receivers,
            fraction_lost,
            jitter_ms,
            round_trip_ms,
        } = stream.reception;
        self.receivers += receivers;
        for (largest, value) in [
            (&mut self.fraction_lost, fraction_lost),
            (&mut self.jitter_ms, jitter_ms),
            (&mut self.round_trip_ms, round_trip_ms),
        ] {
            *largest = [*largest, value].into_iter().flatten().reduce(f64::max);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A stream of the camera `door`.
    fn stream(state: &str, packets: u64, lost: Option<f64>, more: &Value) -> Value {
        let mut stream = json!({
            "camera": "door",
            "transport": "udp",
            "size": "current",
            "rendition": null,
            "state": state,
            "error": null,
            "since": "2026-11-29T06:00:00.000Z",
            "frames": 1,
            "dropped": 2,
            "packets": packets,
            "bytes": 4,
            "packets_lost": 5,
            "receivers": 1,
            "fraction_lost": lost,
            "jitter_ms": lost,
            "round_trip_ms": null,
        });
        for (key, value) in more.as_object().unwrap() {
            stream[key] = value.clone();
        }
        stream
    }

    fn figures() -> RtpFigures {
        let to = json!({"to": "[2001:db8::7]:5000", "address": null});
        let peer = json!({"peer": "192.0.2.1:40000"});
        let totals = json!({
            "camera": "door",
            "frames": 90,
            "dropped": 0,
            "packets": 900,
            "bytes": 9000,
            "packets_lost": 9,
        });
        let all = json!({
            "since": "2026-11-29T06:00:00.000Z",
            "destinations": [stream("refused", 7, None, &to)],
            "sessions": [
                stream("sending", 70, Some(0.5), &peer),
                stream("sending", 71, Some(0.25), &peer),
                stream("asleep", 72, None, &peer),
            ],
            "session_totals": [totals],
        });
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn sessions_are_one_row_with_those_that_have_ended_and_a_destination_is_another() {
        let rows: Vec<_> = rows(&figures()).into_iter().collect();
        let [(destination, its), (sessions, theirs)] = &rows[..] else {
            panic!("{rows:?}");
        };
        assert_eq!(destination.to, "[2001:db8::7]:5000");
        assert_eq!(its.counts.packets, 7);
        assert_eq!(its.states, BTreeMap::from([(StreamState::Refused, 1)]));
        assert_eq!((its.receivers, its.fraction_lost), (1, None));
        assert_eq!(sessions.to, "rtsp");
        assert_eq!((theirs.counts.packets, theirs.receivers), (900, 3));
        assert_eq!(theirs.fraction_lost, Some(0.5));
        let states = [(StreamState::Sending, 2), (StreamState::Asleep, 1)];
        assert_eq!(theirs.states, BTreeMap::from(states));
    }

    #[test]
    fn what_a_program_told_that_has_ended_is_told_no_more() {
        let mut registry = Registry::with_prefix("eyelid");
        let metrics = RtpMetrics::default();
        metrics.register(&mut registry);
        let encoded = |figures| {
            metrics.set(figures);
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        let figures = figures();
        // The second time no more has been counted than the first.
        encoded(Some(&figures));
        let text = encoded(Some(&figures));
        let labels = r#"{camera="door",to="rtsp""#;
        for line in [
            format!("eyelid_rtp_packets_total{labels}}} 900\n"),
            format!("eyelid_rtp_sent_bytes_total{labels}}} 9000\n"),
            format!("eyelid_rtp_streams{labels},state=\"sending\"}} 2\n"),
            format!("eyelid_rtp_lost_ratio{labels}}} 0.5\n"),
            format!("eyelid_rtp_jitter_seconds{labels}}} 0.0005\n"),
        ] {
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(!text.contains("eyelid_rtp_round_trip_seconds{"));
        assert!(!encoded(None).contains("door"));
    }
}
