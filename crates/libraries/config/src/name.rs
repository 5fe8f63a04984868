//! Names that cameras cannot have, because URLs of the server's have them.

use eyelid_slot::{CameraName, NameError};

/// What URLs begin with: the server's own, and those of the programs that it hands requests to.
const TAKEN: [&str; 20] = [
    "alerts",
    "controls",
    "favicon.ico",
    "icon.svg",
    "metrics",
    "mse",
    "option",
    "push",
    "snapshot",
    "snapshot.jpg",
    "status",
    "stream",
    "stream.mjpg",
    "tune",
    "video.js",
    "viewer.css",
    "viewer.js",
    "webcam",
    "webrtc",
    "whep",
];

/// A name that the user cannot give a camera.
#[derive(Debug, thiserror::Error)]
pub enum CameraNameError {
    /// It is none for a slot.
    #[error(transparent)]
    Slot(#[from] NameError),
    /// The server answers something else under this name.
    #[error("camera name {0:?} is taken by the server's own URLs; choose another")]
    Taken(String),
}

/// Gives the camera that a flag, the file or a URL names.
///
/// # Errors
/// Why it is the name of none.
pub fn camera_name(text: &str) -> Result<CameraName, CameraNameError> {
    let name = text.parse()?;
    check(&name)?;
    Ok(name)
}

/// Refuses a name that is taken.
pub(crate) fn check(name: &CameraName) -> Result<(), CameraNameError> {
    if is_taken(name) {
        Err(CameraNameError::Taken(name.to_string()))
    } else {
        Ok(())
    }
}

/// Says whether the server answers something else under this name, so that no URL can lead to such
/// a camera.
pub fn is_taken(name: &CameraName) -> bool {
    TAKEN.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_none_that_a_url_has() {
        assert_eq!(camera_name("front").unwrap().as_str(), "front");
        for taken in TAKEN {
            let error = camera_name(taken).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("camera name {taken:?} is taken by the server's own URLs; choose another")
            );
        }
        let error = camera_name("a/b").unwrap_err().to_string();
        assert!(
            error.starts_with("camera name \"a/b\": use 1 to 64"),
            "{error}"
        );
    }
}
