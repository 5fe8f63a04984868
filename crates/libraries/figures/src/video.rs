//! The figures of `eyelid-video`, as they go over its socket and as they stand in `/status`
//! (docs/status.schema.json).

use std::ops::{Add, AddAssign};
use std::time::SystemTime;

use eyelid_slot::CameraName;
use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// All that it encodes, and who watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoFigures {
    /// When the program started: from then on it counts.
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// What is encoded now.
    pub encodes: Vec<EncodeFigures>,
    /// Who watches now, the oldest first; of very many, the oldest.
    pub sessions: Vec<ViewerFigures>,
    /// What the sessions of each camera came to that has had any, those that have ended included.
    pub session_totals: Vec<ViewerTotals>,
}

/// One encode of a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EncodeFigures {
    /// The camera.
    pub camera: CameraName,
    /// Half of its width and height: for viewers that are far slower than the others.
    pub half: bool,
    /// Which encoder it is, once there was a picture.
    pub encoder: Option<String>,
    /// Width of the last picture in pixels.
    pub width: Option<u32>,
    /// Height of the last picture in pixels.
    pub height: Option<u32>,
    /// How many watch it.
    pub viewers: usize,
    /// Bits a second that pictures are to have now.
    pub bitrate_bps: Option<u32>,
    /// How long encoding takes, of late.
    pub encode_ms: Option<f64>,
    /// Pictures since it began.
    pub pictures: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Bytes of all of them.
    pub bytes: u64,
    /// Pictures that could not be encoded.
    pub failures: u64,
    /// Why there are none now.
    pub error: Option<String>,
}

/// How a viewer gets pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ViewerWay {
    /// By WebRTC.
    WebRtc,
    /// By a WebSocket, for Media Source Extensions.
    Mse,
    /// By a Unix socket.
    Tap,
}

/// One viewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewerFigures {
    /// The camera.
    pub camera: CameraName,
    /// Who it is.
    pub peer: String,
    /// How it gets pictures.
    pub way: ViewerWay,
    /// Since when.
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// It gets half the width and height.
    pub half: bool,
    /// How old the last picture was when it was sent.
    pub age_ms: Option<f64>,
    /// What its path carries, as far as it is estimated.
    pub estimate_bps: Option<u64>,
    /// The share of packets that were lost between its last two reports: 0 to 1.
    pub fraction_lost: Option<f64>,
    /// By how much the time that packets take varies.
    pub jitter_ms: Option<f64>,
    /// How long a packet takes there and back.
    pub round_trip_ms: Option<f64>,
    /// What it got.
    #[serde(flatten)]
    pub counts: ViewerCounts,
}

/// All viewers of a camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewerTotals {
    /// The camera.
    pub camera: CameraName,
    /// How many there were.
    pub sessions: u64,
    /// What they came to.
    #[serde(flatten)]
    pub counts: ViewerCounts,
}

/// What a viewer got, or several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerCounts {
    /// Pictures.
    pub pictures: u64,
    /// Pictures that others got and it did not, because it was too slow.
    pub missed: u64,
    /// Bytes of pictures.
    pub bytes: u64,
}

impl ViewerWay {
    /// Its name in JSON, and in labels of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::WebRtc => "webrtc",
            Self::Mse => "mse",
            Self::Tap => "tap",
        }
    }
}

impl Add for ViewerCounts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            pictures: self.pictures.wrapping_add(other.pictures),
            missed: self.missed.wrapping_add(other.missed),
            bytes: self.bytes.wrapping_add(other.bytes),
        }
    }
}

impl AddAssign for ViewerCounts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
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
            "encodes": [{
                "camera": "door",
                "half": false,
                "encoder": "openh264 2.6 with AVX2",
                "width": 1280,
                "height": 720,
                "viewers": 1,
                "bitrate_bps": 2_500_000,
                "encode_ms": 5.5,
                "pictures": 70,
                "keyframes": 1,
                "bytes": 90_000,
                "failures": 0,
                "error": null,
            }],
            "sessions": [{
                "camera": "door",
                "peer": "192.0.2.7:5000",
                "way": "webrtc",
                "since": "2026-11-29T06:00:01.500Z",
                "half": false,
                "age_ms": 12.5,
                "estimate_bps": 3_000_000,
                "fraction_lost": 0.25,
                "jitter_ms": 1.5,
                "round_trip_ms": null,
                "pictures": 70,
                "missed": 2,
                "bytes": 90_000,
            }],
            "session_totals": [{
                "camera": "door",
                "sessions": 3,
                "pictures": 100,
                "missed": 2,
                "bytes": 120_000,
            }],
        });
        let figures: VideoFigures = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(figures.sessions[0].counts.missed, 2);
        assert_eq!(serde_json::to_value(figures).unwrap(), told);
    }

    #[test]
    fn a_way_has_one_name() {
        for way in [ViewerWay::WebRtc, ViewerWay::Mse, ViewerWay::Tap] {
            assert_eq!(serde_json::to_value(way).unwrap(), json!(way.name()));
        }
    }
}
