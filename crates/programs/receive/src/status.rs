//! What `/status` says: every camera, as it is now.

use std::time::Instant;

use eyelid_slot::CameraName;
use serde::Serialize;

use crate::cameras::Cameras;
use crate::intake::Report;

/// All of them.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    cameras: Vec<CameraStatus>,
}

#[derive(Debug, Serialize)]
struct CameraStatus {
    name: CameraName,
    /// Somebody looks.
    awake: bool,
    push: Report,
}

impl Status {
    /// Asks the cameras.
    pub(crate) fn of(cameras: &Cameras) -> Self {
        let now = Instant::now();
        let all = cameras.all().into_iter().map(|camera| CameraStatus {
            name: camera.name.clone(),
            awake: camera.intake.is_awake(),
            push: camera.intake.report(now),
        });
        Self {
            cameras: all.collect(),
        }
    }
}
