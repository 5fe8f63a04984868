//! Which camera a path is for, apart from HTTP.

use eyelid_config::camera_name;
use eyelid_slot::CameraName;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Where a camera pushes, if there is one of this name.
    Push(CameraName),
    /// What is known of all cameras.
    Status,
    /// Nowhere.
    NotFound,
}

impl Route {
    /// Reads a request's path: `/NAME`, `/ws/NAME` or `/NAME/push`, and the same without a name for
    /// the camera called `default`.
    pub(crate) fn parse(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        if path == "status" {
            return Self::Status;
        }
        let path = match path {
            "ws" | "push" => "",
            _ => path.strip_prefix("ws/").unwrap_or(path),
        };
        let name = path.strip_suffix("/push").unwrap_or(path);
        if name.is_empty() {
            return Self::Push(CameraName::default());
        }
        camera_name(name).map_or(Self::NotFound, Self::Push)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_leads_to_its_camera_and_none_elsewhere() {
        for path in [
            "/",
            "",
            "/ws",
            "/ws/",
            "/push",
            "/default",
            "/default/push",
            "/ws/default",
        ] {
            assert_eq!(
                Route::parse(path),
                Route::Push(CameraName::default()),
                "{path}"
            );
        }
        for path in ["/door", "/door/", "/ws/door", "/door/push", "/ws/door/push"] {
            assert_eq!(
                Route::parse(path),
                Route::Push("door".parse().unwrap()),
                "{path}"
            );
        }
        assert_eq!(Route::parse("/status"), Route::Status);
        for path in [
            "/..", "/../door", "/door/..", "/a/b", "/%2e%2e", "/metrics", "//door",
        ] {
            assert_eq!(Route::parse(path), Route::NotFound, "{path}");
        }
    }
}
