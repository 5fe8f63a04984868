//! Finding and opening the camera that is wanted, and what to say where something cannot be done
//! with it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use eyelid_v4l2::Node;
use nix::errno::Errno;

use super::find::{self, V4l2Description};
use crate::source::SourceError;
use crate::source::hardware::holder;

/// Finds the camera that is wanted and opens it.
pub(super) fn find_and_open(wanted: Option<&str>) -> Result<(V4l2Description, Node), SourceError> {
    let path = match wanted {
        Some(path) if path.starts_with('/') => std::fs::canonicalize(path)
            .map_err(|reason| failed(Path::new(path), "cannot find it", reason))?,
        part => find::pick(&find::all(), part)?.path.clone(),
    };
    let node = Node::open(&path).map_err(|reason| failed(&path, "cannot open it", reason))?;
    let camera = V4l2Description::of(&path, &node);
    let camera = camera.map_err(|reason| failed(&path, "cannot ask what it is", reason))?;
    match camera.gives_nothing() {
        Some(why) => Err(SourceError::Unsuitable {
            id: path.display().to_string(),
            what: why.to_owned(),
        }),
        None => Ok((camera, node)),
    }
}

/// Says what cannot be done with a camera, why, and what may help.
pub(super) fn failed(path: &Path, what: &str, reason: io::Error) -> SourceError {
    let id = path.display().to_string();
    let mut what = what.to_owned();
    match reason.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENODEV | Errno::ENXIO) => return SourceError::Unplugged { id },
        Some(Errno::EBUSY) => {
            let number = std::fs::metadata(path).map(|file| file.rdev());
            let devices: Vec<u64> = number.into_iter().filter(|number| *number > 0).collect();
            what += &holder::hint(Path::new("/proc"), &devices, &id);
        }
        Some(Errno::ENOSPC) => {
            what += " (the USB bus has no room left for its frames: take a smaller size or MJPEG, \
                     or plug it into another port)";
        }
        Some(Errno::EACCES) => what += " (add this user to group video)",
        Some(Errno::ENOTTY) => what += " (it is no camera)",
        _ => {}
    }
    SourceError::Camera { id, what, reason }
}
