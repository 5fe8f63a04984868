//! What a path is for, apart from HTTP.

use eyelid_config::camera_name;
use eyelid_slot::CameraName;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/NAME/whep`: a session of WebRTC may begin.
    Whep(CameraName),
    /// `/NAME/whep/ID`: one that has begun.
    WhepSession(CameraName, String),
    /// `/NAME/webrtc`: WebRTC, as camera-streamer has it.
    WebRtc(CameraName),
    /// `/NAME/mse`: a WebSocket with fragments of MP4.
    Mse(CameraName),
    /// What is known of all cameras.
    Status,
    /// Nowhere.
    NotFound,
}

impl Route {
    /// Reads a request's path, with or without what proxies put before it. Without a name it is
    /// that of the camera called `default`.
    pub(crate) fn parse(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_prefix("webcam/").unwrap_or(path);
        if path == "status" {
            return Self::Status;
        }
        let Some((name, what)) = split(path) else {
            return Self::NotFound;
        };
        Self::of(name, what)
    }

    fn of(camera: CameraName, what: &str) -> Self {
        match what.strip_suffix('/').unwrap_or(what) {
            "whep" => Self::Whep(camera),
            "webrtc" => Self::WebRtc(camera),
            "mse" => Self::Mse(camera),
            other => match other.strip_prefix("whep/") {
                Some(id) if !id.is_empty() && !id.contains('/') => {
                    Self::WhepSession(camera, id.to_owned())
                }
                _ => Self::NotFound,
            },
        }
    }
}

/// The camera, and what of it is asked for.
fn split(path: &str) -> Option<(CameraName, &str)> {
    let (first, rest) = path.split_once('/').unwrap_or((path, ""));
    match first {
        "whep" | "webrtc" | "mse" => Some((CameraName::default(), path)),
        name => Some((camera_name(name).ok()?, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_leads_to_its_camera_and_none_elsewhere() {
        let door: CameraName = "door".parse().unwrap();
        let default = CameraName::default;
        let session = |camera, id: &str| Route::WhepSession(camera, id.to_owned());
        for (path, route) in [
            ("/whep", Route::Whep(default())),
            ("/whep/", Route::Whep(default())),
            ("/whep/7f", session(default(), "7f")),
            ("/default/whep", Route::Whep(default())),
            ("/door/whep", Route::Whep(door.clone())),
            ("/door/whep/7f", session(door.clone(), "7f")),
            ("/webrtc", Route::WebRtc(default())),
            ("/door/webrtc/", Route::WebRtc(door.clone())),
            ("/mse", Route::Mse(default())),
            ("/door/mse", Route::Mse(door.clone())),
            ("/webcam/door/whep/7f", session(door.clone(), "7f")),
            ("/webcam/whep", Route::Whep(default())),
            ("/status", Route::Status),
        ] {
            assert_eq!(Route::parse(path), route, "{path}");
        }
        for path in [
            "/",
            "",
            "/door",
            "/door/",
            "/door/whep/a/b",
            "/../whep",
            "/door/whepx",
            "/metrics",
            "/a/door/whep",
            "/mse/x",
        ] {
            assert_eq!(Route::parse(path), Route::NotFound, "{path}");
        }
    }
}
