//! What `/status` says, and what the server is told when it asks (`eyelid-figures`): every camera,
//! as it is now.

use std::path::Path;
use std::time::Instant;

use eyelid_figures::{Answering, PushFigures, push_socket};
use eyelid_slot::CameraName;
use serde::Serialize;

use crate::cameras::Cameras;
use crate::intake::Report;

/// Listens for who asks, among these slots. Where that cannot be, all else goes on, and the log
/// says so. What is told everybody may read in the slots, too, as it was when it was written there.
pub(crate) fn listen(slots: Option<&Path>) -> Option<Answering> {
    let answering = Answering::bind_for_all(push_socket(slots?)).inspect_err(|error| {
        log::warn!("/status of the server may be late about cameras that push: {error}");
    });
    answering.ok()
}

/// What is so now.
pub(crate) fn figures(cameras: &Cameras) -> PushFigures {
    let now = Instant::now();
    let cameras = cameras.all().into_iter();
    let told = cameras.filter_map(|camera| {
        let report = serde_json::to_value(camera.intake.report(now)).ok()?;
        Some((camera.name.clone(), report))
    });
    told.collect()
}

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
