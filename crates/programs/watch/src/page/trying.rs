//! Tries a sentence on the picture of now, once, before a rule is made of it.

use eyelid_slot::CameraName;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::body;
use super::rejection::Rejection;
use super::rules::no_camera;
use super::rules_file::Sentence;
use super::settings::PageSettings;

/// What is tried, one at a time.
pub(crate) struct Trying {
    one_at_a_time: Semaphore,
}

/// What a user tries: `POST /alerts/rules/try`.
#[derive(Debug, Deserialize)]
struct Attempt {
    camera: CameraName,
    says: Sentence,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Tried {
    /// `yes`, `no` or `unsure`; null where the model's answer was none.
    answer: Option<&'static str>,
    /// The model's words.
    reason: Option<String>,
    /// What the model says is in the picture.
    seen: Option<String>,
    confidence: Option<f64>,
    took_ms: u64,
}

impl Default for Trying {
    fn default() -> Self {
        Self {
            one_at_a_time: Semaphore::new(1),
        }
    }
}

impl Trying {
    /// Tries what a body says.
    ///
    /// # Errors
    /// Why it is not tried.
    pub(crate) async fn respond(
        &self,
        settings: &PageSettings,
        user: &str,
        body: &[u8],
    ) -> Result<Tried, Rejection> {
        let attempt: Attempt = body::parse(body)?;
        if !settings.cameras.contains_key(&attempt.camera) {
            return Err(no_camera(&attempt.camera));
        }
        if settings.model.is_none() {
            let what = "trying a sentence needs [watch.model] in the configuration";
            return Err(Rejection::new(StatusCode::CONFLICT, what));
        }
        let Ok(_turn) = self.one_at_a_time.try_acquire() else {
            let what = "another sentence is being tried; try again in a moment";
            return Err(Rejection::later(StatusCode::TOO_MANY_REQUESTS, what));
        };
        let camera = &attempt.camera;
        log::info!(
            "user {user:?} tries {:?} on camera {camera}",
            attempt.says.as_str()
        );
        let what = "this Eyelid cannot ask a model yet";
        Err(Rejection::new(StatusCode::NOT_IMPLEMENTED, what))
    }
}
