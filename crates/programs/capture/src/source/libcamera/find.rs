//! Which cameras libcamera has, which of them is meant, and why there is none, or none to be had.

use std::io;
use std::path::Path;

use nix::errno::Errno;

use super::device::{Description, Library};
use super::log::LibraryLog;
use crate::source::SourceError;
use crate::source::hardware::holder;

/// Starts libcamera, or starts it anew: it looks for cameras again then, with and without udev, and
/// what it says of that is not news.
pub(super) fn start_anew<'l>(
    library: &'l mut Option<Library>,
    log: &mut LibraryLog,
) -> Result<&'l Library, SourceError> {
    let again = library.take().is_some();
    let started = if again {
        log.hushed(Library::start)
    } else {
        Library::start()
    };
    let started = started.map_err(|reason| SourceError::Libcamera {
        what: "cannot be started".to_owned(),
        reason: Some(reason),
    })?;
    Ok(library.insert(started))
}

/// Gives the cameras that libcamera has found: at least one.
pub(super) fn cameras_of(
    library: &Library,
    log: &mut LibraryLog,
) -> Result<Vec<Description>, SourceError> {
    let cameras = log.hushed(|| library.cameras());
    if cameras.is_empty() {
        let what = no_camera(&log.complaints());
        return Err(SourceError::Libcamera { what, reason: None });
    }
    Ok(cameras)
}

/// Chooses a camera by its id or by a part that only its id has.
pub(super) fn pick<'a>(
    cameras: &'a [Description],
    id: Option<&str>,
) -> Result<&'a Description, SourceError> {
    let Some(id) = id else {
        return cameras.first().ok_or(SourceError::Libcamera {
            what: "no camera".to_owned(),
            reason: None,
        });
    };
    let like: Vec<&Description> = cameras.iter().filter(|c| c.id.contains(id)).collect();
    let ids = |cameras: &[&Description]| {
        let ids: Vec<String> = cameras.iter().map(|c| format!("{:?}", c.id)).collect();
        ids.join(", ")
    };
    match (cameras.iter().find(|c| c.id == id), like.as_slice()) {
        (Some(exact), _) => Ok(exact),
        (None, [only]) => Ok(only),
        (None, []) => {
            let there = ids(&cameras.iter().collect::<Vec<_>>());
            Err(SourceError::Libcamera {
                what: format!("no camera {id:?}: there is {there}"),
                reason: None,
            })
        }
        (None, several) => Err(SourceError::Unsuitable {
            id: id.to_owned(),
            what: format!("several have that in their id: {}", ids(several)),
        }),
    }
}

fn no_camera(complaints: &[String]) -> String {
    if complaints.is_empty() {
        return "no camera found; is it plugged in, and may this user open /dev/video* and /dev/media*?"
            .to_owned();
    }
    format!("no camera found (libcamera: {})", complaints.join("; "))
}

/// Says what cannot be done with a camera, and why; where another process has it, which one.
pub(super) fn failed(camera: &Description, what: &str, reason: io::Error) -> SourceError {
    let busy = [Errno::EBUSY as i32, Errno::EAGAIN as i32];
    let mut what = what.to_owned();
    if reason
        .raw_os_error()
        .is_some_and(|code| busy.contains(&code))
    {
        what += &holder::hint(
            Path::new("/proc"),
            &camera.devices,
            "/dev/media* /dev/video*",
        );
    }
    SourceError::Camera {
        id: camera.id.clone(),
        what,
        reason,
    }
}
