//! Who looks, and how.

use eyelid_slot::CameraName;

/// A client at a camera. Whoever is the same in all of this looks once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Looker {
    /// The camera.
    pub camera: CameraName,
    /// The user, where passwords are asked for: nobody whom the password file does not have.
    pub user: Option<String>,
    /// Where the client is, without the port, which is another with each connection; `unix` where
    /// it came by a Unix socket.
    pub address: String,
    /// The proxy that said so, if that was not seen here.
    pub proxy: Option<String>,
}

/// How frames get to a client. Of a look that had several the last of these is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// By HTTP, one at a time.
    Snapshot,
    /// By HTTP, as MJPEG.
    Stream,
    /// By RTSP.
    Rtsp,
    /// By a WebSocket, for Media Source Extensions.
    Mse,
    /// By WebRTC.
    WebRtc,
}

impl Way {
    /// Gives its name in JSON, and in the journal's field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Stream => "stream",
            Self::Rtsp => "rtsp",
            Self::Mse => "mse",
            Self::WebRtc => "webrtc",
        }
    }

    /// What people call it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshots",
            Self::Stream => "MJPEG",
            Self::Rtsp => "RTSP",
            Self::Mse => "MSE",
            Self::WebRtc => "WebRTC",
        }
    }
}
