//! Tries a sentence on the picture of now, once, before a rule is made of it. It is one question
//! like any other: counted with those of the watchers, and bounded by the same numbers.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use eyelid_consumer::{Cameras, Configured, Deadline, Freshness, Largest, Wanted};
use eyelid_daemon::pulse::Pulse;
use eyelid_slot::CameraName;
use eyelid_words::{Answer, MOST_PX, RuleInWords};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::body;
use super::rejection::Rejection;
use super::rules::no_camera;
use super::rules_file::Sentence;
use super::settings::PageSettings;
use crate::judges::says::{Asked, Model, Occasion, Said, question_of};
use crate::local_clock::LocalClock;
use crate::schedule::WallClock;

/// How long a picture is waited for: a camera that sleeps takes a few seconds to wake.
const PICTURE: Deadline = Deadline {
    timeout: Duration::from_secs(8),
    max_age: Duration::from_secs(2),
};

/// What is tried, one at a time.
pub(crate) struct Trying {
    one_at_a_time: Semaphore,
    /// Who is asked: kept, for it remembers how it is to be spoken to.
    model: RefCell<Option<Rc<Model>>>,
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
    /// Nothing, where the model has said something that is no answer.
    answer: Option<&'static str>,
    /// The model's words, or why they are no answer.
    reason: String,
    /// What the model says is in the picture.
    seen: Option<String>,
    confidence: Option<f64>,
    took_ms: Option<u64>,
}

impl Default for Trying {
    fn default() -> Self {
        Self {
            one_at_a_time: Semaphore::new(1),
            model: RefCell::default(),
        }
    }
}

impl Trying {
    /// Asks by other settings from now on.
    pub(crate) fn forget(&self) {
        self.model.take();
    }

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
        let Attempt { camera, says } = body::parse(body)?;
        if !settings.cameras.contains_key(&camera) {
            return Err(no_camera(&camera));
        }
        let Ok(_turn) = self.one_at_a_time.try_acquire() else {
            let what = "another sentence is being tried; try again in a moment";
            return Err(Rejection::later(StatusCode::TOO_MANY_REQUESTS, what));
        };
        let model = self.model(settings)?;
        log::info!("user {user:?} tries {:?} on camera {camera}", says.as_str());
        let picture = picture_of_now(settings, &camera).await?;
        let rule = RuleInWords {
            name: "asked".to_owned(),
            words: says.into(),
        };
        let ahead_s = LocalClock::new().ahead_s(picture.1);
        let question = question_of(vec![picture], vec![rule], ahead_s).map_err(|error| {
            let what = format!("it cannot be asked: {error:#}");
            Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, what)
        })?;
        // As soon as what confirms an answer: a person waits.
        let asked = model.ask(
            camera.as_str(),
            Occasion::Confirming,
            &question,
            Instant::now(),
        );
        told(asked.await)
    }

    fn model(&self, settings: &PageSettings) -> Result<Rc<Model>, Rejection> {
        let Some(asked) = &settings.asked else {
            let what = "trying a sentence needs [watch.model] in the configuration";
            return Err(Rejection::new(StatusCode::CONFLICT, what));
        };
        if let Some(model) = &*self.model.borrow() {
            return Ok(model.clone());
        }
        let model = Model::new(asked, &settings.state).map_err(|error| {
            let what = format!("the model cannot be asked: {error:#}");
            Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, what)
        })?;
        let model = Rc::new(model);
        self.model.replace(Some(model.clone()));
        Ok(model)
    }
}

/// Waits for a picture that is captured from now on; the camera wakes for it.
async fn picture_of_now(
    settings: &PageSettings,
    name: &CameraName,
) -> Result<(Bytes, SystemTime), Rejection> {
    let slot = settings
        .cameras
        .get(name)
        .and_then(|facts| facts.slot.clone());
    let slots = settings.slots.clone().unwrap_or_default();
    let configured: Configured = [(name.clone(), slot)].into_iter().collect();
    let cameras = Cameras::new(slots, configured, ());
    let Some(camera) = cameras.camera(name) else {
        return Err(no_camera(name));
    };
    let view = cameras.view(camera, None);
    // A model gets it no wider.
    view.want(Wanted::AtLeastWide {
        width: MOST_PX,
        largest: Largest::Frame,
    });
    let pulse = Pulse::default();
    let frame = tokio::select! {
        frame = view.frame(Freshness::CapturedSince(SystemTime::now()), PICTURE) => frame,
        ended = cameras.run(&pulse) => {
            let error = ended.err().unwrap_or_else(|| std::io::ErrorKind::Other.into());
            return Err(Rejection::system("the camera cannot be looked at", &error));
        }
    };
    let no_frame = |why: eyelid_consumer::NoFrame| {
        let what = format!("there is no picture to ask about: {why}");
        Rejection::later(StatusCode::SERVICE_UNAVAILABLE, what)
    };
    let frame = frame.map_err(no_frame)?;
    Ok((frame.jpeg.clone(), frame.captured))
}

/// Says what came of it.
fn told(asked: Asked) -> Result<Tried, Rejection> {
    match asked {
        Asked::Said(said) => Ok(Tried::of(said)),
        Asked::Invalid(none) => Ok(Tried::without_answer(none.to_string(), None, None)),
        Asked::NotNow(wait) => {
            let seconds = wait.as_secs().max(1);
            let what = format!("the model is to be asked again in {seconds} s at the earliest");
            Err(Rejection::later(StatusCode::TOO_MANY_REQUESTS, what))
        }
        Asked::Spent(spent) => {
            let what = spent.to_string();
            Err(Rejection::new(StatusCode::TOO_MANY_REQUESTS, what))
        }
        Asked::Failed(why) => Err(Rejection::new(StatusCode::BAD_GATEWAY, why)),
    }
}

impl Tried {
    fn of(said: Said) -> Self {
        let took_ms = u64::try_from(said.took.as_millis()).ok();
        let seen = Some(said.verdicts.seen);
        match said.verdicts.rules.into_iter().next() {
            Some((_, Ok(verdict))) => Self {
                answer: Some(match verdict.answer {
                    Answer::Yes => "yes",
                    Answer::No => "no",
                    Answer::Unsure => "unsure",
                }),
                reason: verdict.reason,
                seen,
                confidence: Some(verdict.confidence),
                took_ms,
            },
            Some((_, Err(none))) => Self::without_answer(none.to_string(), seen, took_ms),
            None => Self::without_answer(String::new(), seen, took_ms),
        }
    }

    fn without_answer(reason: String, seen: Option<String>, took_ms: Option<u64>) -> Self {
        Self {
            answer: None,
            reason,
            seen,
            confidence: None,
            took_ms,
        }
    }
}
