//! What `/status` says, and what the server is told when it asks (`eyelid-figures`): every camera,
//! as it is now.

use std::convert::Infallible;
use std::future::pending;
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_figures::{Answering, PushFigures, push_socket};
use eyelid_slot::CameraName;
use serde::Serialize;
use tokio::time::sleep;

use crate::cameras::Cameras;
use crate::intake::Report;

/// For how long nobody is answered after something failed: the process may have no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens for who asks, among these slots. Where that cannot be, all else goes on, and the log
/// says so. What is told everybody may read in the slots, too, as it was when it was written there.
pub(crate) fn listen(slots: Option<&Path>) -> Option<Answering> {
    let path = push_socket(slots?);
    match Answering::bind_for_all(path.clone()) {
        Ok(answering) => Some(answering),
        Err(error) => {
            log::warn!(
                "/status of the server may be late about cameras that push: cannot listen at {path:?}: {error}"
            );
            None
        }
    }
}

/// Answers, for ever.
pub(crate) async fn answer_all(answering: Option<&Answering>, cameras: &Cameras) -> Infallible {
    let Some(answering) = answering else {
        return pending().await;
    };
    loop {
        if let Err(error) = answering.answer(|| figures(cameras)).await {
            log::debug!("who asked how the cameras are was not answered: {error}");
            sleep(PAUSE).await;
        }
    }
}

fn figures(cameras: &Cameras) -> PushFigures {
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
