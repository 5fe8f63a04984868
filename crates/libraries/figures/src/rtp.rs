//! The figures of `eyelid-rtp`, as they go over its socket and as they stand in `/status`
//! (docs/rtp.md, docs/status.schema.json).

use std::net::SocketAddr;
use std::ops::{Add, AddAssign, Sub};
use std::time::SystemTime;

use eyelid_config::{HostPort, RtpSize};
use eyelid_slot::CameraName;
use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// All that it sends, and has sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RtpFigures {
    /// When the program started: from then on it counts.
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// Where cameras are sent to, whoever asks.
    pub destinations: Vec<DestinationFigures>,
    /// The RTSP sessions that there are now, the oldest first; of very many, the oldest.
    pub sessions: Vec<SessionFigures>,
    /// What the sessions of each camera came to that has had any, those that have ended included.
    pub session_totals: Vec<SessionTotals>,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DestinationFigures {
    /// What the configuration calls it.
    pub to: HostPort,
    /// Where that is, while it is known.
    pub address: Option<SocketAddr>,
    /// What it is sent.
    #[serde(flatten)]
    pub stream: StreamFigures,
}

/// One RTSP session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionFigures {
    /// Who it is.
    pub peer: String,
    /// What it is sent.
    #[serde(flatten)]
    pub stream: StreamFigures,
}

/// All sessions of a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionTotals {
    /// The camera.
    pub camera: CameraName,
    /// What they came to.
    #[serde(flatten)]
    pub counts: StreamCounts,
}

/// One stream of RTP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamFigures {
    /// The camera.
    pub camera: CameraName,
    /// How packets go.
    pub transport: StreamTransport,
    /// What it is to be.
    pub size: RtpSize,
    /// What went last: a smaller one than that where `adapt` says so, or the camera has no other.
    pub rendition: Option<RtpSize>,
    /// What happens.
    pub state: StreamState,
    /// Why nothing goes.
    pub error: Option<String>,
    /// Since when it is counted.
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// What went since then.
    #[serde(flatten)]
    pub counts: StreamCounts,
    /// How it arrives.
    #[serde(flatten)]
    pub reception: ReceptionFigures,
}

/// How a stream arrives, by the last report of the receiver that loses the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReceptionFigures {
    /// How many receivers have reported of late.
    pub receivers: usize,
    /// The share of packets that were lost between its last two reports: 0 to 1.
    pub fraction_lost: Option<f64>,
    /// By how much the time that packets take varies.
    pub jitter_ms: Option<f64>,
    /// How long a packet takes there and back.
    pub round_trip_ms: Option<f64>,
}

/// What has gone of a stream, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamCounts {
    /// Frames that went whole.
    pub frames: u64,
    /// Frames that did not.
    pub dropped: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes of pictures in them, as sender reports count them (RFC 3550, section 6.4.1).
    pub bytes: u64,
    /// Packets that did not arrive, as far as receivers report.
    pub packets_lost: u64,
}

/// What happens with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// Frames go.
    Sending,
    /// Frames are to go, and there is none that can.
    Waiting,
    /// None are wanted: no receiver reports, or the client does not play.
    Asleep,
    /// Nobody takes packets there.
    Refused,
    /// It cannot be sent to at all.
    Failed,
}

impl StreamState {
    /// Its name in JSON, and in labels of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Waiting => "waiting",
            Self::Asleep => "asleep",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// How packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamTransport {
    /// Each by itself.
    Udp,
    /// Between the messages of an RTSP connection.
    Tcp,
    /// To a group.
    Multicast,
}

impl AddAssign for StreamCounts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Add for StreamCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, u64::wrapping_add)
    }
}

impl Sub for StreamCounts {
    type Output = Self;

    /// What came after an earlier count.
    fn sub(self, before: Self) -> Self {
        self.with(before, u64::wrapping_sub)
    }
}

impl StreamCounts {
    fn with(self, other: Self, count: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            frames: count(self.frames, other.frames),
            dropped: count(self.dropped, other.dropped),
            packets: count(self.packets, other.packets),
            bytes: count(self.bytes, other.bytes),
            packets_lost: count(self.packets_lost, other.packets_lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn is_flat_json_and_comes_back_from_it() {
        let told = json!({
            "since": "2026-11-29T06:00:00.000Z",
            "destinations": [{
                "to": "recorder:5000",
                "address": "192.0.2.7:5000",
                "camera": "door",
                "transport": "udp",
                "size": "current",
                "rendition": "half",
                "state": "refused",
                "error": "Connection refused (os error 111)",
                "since": "2026-11-29T06:00:01.500Z",
                "frames": 7,
                "dropped": 1,
                "packets": 70,
                "bytes": 98_000,
                "packets_lost": 2,
                "receivers": 1,
                "fraction_lost": 0.25,
                "jitter_ms": 1.5,
                "round_trip_ms": null,
            }],
            "sessions": [],
            "session_totals": [{
                "camera": "default",
                "frames": 1,
                "dropped": 0,
                "packets": 3,
                "bytes": 4,
                "packets_lost": 0,
            }],
        });
        let figures: RtpFigures = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(figures.destinations[0].stream.counts.packets, 70);
        assert_eq!(serde_json::to_value(figures).unwrap(), told);
    }

    #[test]
    fn a_state_has_one_name() {
        use StreamState::{Asleep, Failed, Refused, Sending, Waiting};
        for state in [Sending, Waiting, Asleep, Refused, Failed] {
            assert_eq!(serde_json::to_value(state).unwrap(), json!(state.name()));
        }
    }

    #[test]
    fn counts_add_up_and_tell_what_came_after_others() {
        let one = StreamCounts {
            frames: 1,
            dropped: 2,
            packets: 3,
            bytes: 4,
            packets_lost: 5,
        };
        let mut both = one;
        both += one;
        assert_eq!((both.frames, both.packets_lost), (2, 10));
        assert_eq!(both - one, one);
    }
}
