//! The model that is asked: its endpoint, how that wants to be spoken to, and when.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use bytes::Bytes;
use eyelid_http_client::{
    Answer, Client, HeaderValue, Key, Limits, Method, Request, StatusCode, Url, header,
};
use eyelid_words::{Dialect, MOST_ANSWER_BYTES, NoAnswer, Pauses, Question, Spent, Verdicts, read};

use super::questions::{NoTurn, Questions};
use crate::judges::{client, key};
use crate::settings::ModelSettings;

/// Ways to say a request that are tried for one question: a dialect changes five times at most.
const MOST_WAYS: usize = 6;

/// How soon it is tried again while another question is under way.
const BUSY: Duration = Duration::from_secs(1);

/// Characters of an endpoint's own words that are passed on.
const MOST_WORDS_CHARS: usize = 200;

/// Why a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Something may have happened.
    First,
    /// A "yes" is to be confirmed, soon.
    Confirming,
}

/// What a question came to.
#[derive(Debug)]
pub(crate) enum Asked {
    /// The model has said something.
    Said(Said),
    /// It is not time yet; that is no trouble.
    NotNow(Duration),
    /// As many questions were asked as may be.
    Spent(Spent),
    /// Nobody has answered, or with an error: what to tell people.
    Failed(String),
    /// What was said is no answer.
    Invalid(NoAnswer),
}

/// What a model has said.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) verdicts: Verdicts,
    /// From the question to its answer.
    pub(crate) took: Duration,
}

/// Who is asked in words, of all cameras of this process.
pub(crate) struct Model {
    client: Client,
    url: Url,
    model: String,
    key: Option<Key>,
    limits: Limits,
    questions: Questions,
    /// These two are shared with the one that goes on after this one.
    dialect: Rc<RefCell<Dialect>>,
    pauses: Rc<RefCell<Pauses>>,
}

impl Model {
    /// The one of the configuration; what was asked is counted in the directory `state`.
    ///
    /// # Errors
    /// There is no such key.
    pub(crate) fn new(settings: &ModelSettings, state: &Path) -> anyhow::Result<Self> {
        let place = "[watch.model]";
        let url: Url = (settings.url.as_str().parse())
            .with_context(|| format!("{place} url {:?}", settings.url.as_str()))?;
        let url = url.join("chat/completions").context(place)?;
        Ok(Self {
            client: client(settings.ca_file.as_deref())?,
            key: key(settings.key_file.as_deref(), place)?,
            url,
            model: settings.model.clone(),
            limits: Limits {
                time_out: settings.timeout,
                largest_answer: MOST_ANSWER_BYTES,
            },
            questions: Questions::new(state, settings.budget),
            dialect: Rc::default(),
            pauses: Rc::default(),
        })
    }

    /// Says whether the other one is the same model at the same endpoint.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.url == other.url && self.model == other.model
    }

    /// Goes on with what that one knows of its endpoint, if it is the same.
    pub(crate) fn go_on_after(&mut self, before: &Self) {
        if self.is(before) {
            self.dialect = before.dialect.clone();
            self.pauses = before.pauses.clone();
        }
    }

    /// Questions asked within the last hour and the last day, of all cameras.
    pub(crate) fn asked(&self) -> (usize, usize) {
        self.questions.asked(SystemTime::now())
    }

    /// How long to wait with a question of this camera from `now`: whoever has several things to do
    /// need not prepare one before.
    pub(crate) fn wait(&self, camera: &str, occasion: Occasion, now: Instant) -> Duration {
        let pauses = self.pauses.borrow();
        match occasion {
            Occasion::First => pauses.wait(camera, now),
            Occasion::Confirming => pauses.endpoint_wait(now),
        }
    }

    /// Asks. Pauses between questions count by `now`, which is another time than the clock's where
    /// pictures are recorded ones; the budget counts by the clock, for it is money.
    pub(crate) async fn ask(
        &self,
        camera: &str,
        occasion: Occasion,
        what: &Question,
        now: Instant,
    ) -> Asked {
        let wait = self.wait(camera, occasion, now);
        if !wait.is_zero() {
            return Asked::NotNow(wait);
        }
        let mut turn = match self.questions.turn(SystemTime::now()) {
            Ok(turn) => turn,
            Err(NoTurn::Busy) => return Asked::NotNow(BUSY),
            Err(NoTurn::Spent(spent)) => return Asked::Spent(spent),
            Err(error) => return Asked::Failed(error.to_string()),
        };
        let started = Instant::now();
        let later = || now + started.elapsed();
        self.pauses.borrow_mut().asked(camera, now);
        for _ in 0..MOST_WAYS {
            let answer = match self.send(what).await {
                Ok(answer) => answer,
                Err(error) => {
                    if !error.may_have_arrived() {
                        turn.give_back();
                    }
                    return self.failed(error.to_string(), None, later());
                }
            };
            if is_matter_of_dialect(answer.status)
                && let Some(other) = self.dialect_without(&answer.body)
            {
                *self.dialect.borrow_mut() = other;
                continue;
            }
            if !answer.status.is_success() {
                let why = refusal(&self.url, &answer);
                return self.failed(why, answer.retry_after, later());
            }
            self.pauses.borrow_mut().answered();
            match read(&answer.body) {
                Ok(read) => {
                    return Asked::Said(Said {
                        verdicts: what.judge(read),
                        took: started.elapsed(),
                    });
                }
                Err(NoAnswer::Cut) if self.give_room_to_think() => {
                    if turn.count(SystemTime::now()).is_err() {
                        return Asked::Invalid(NoAnswer::Cut);
                    }
                }
                Err(none) => return Asked::Invalid(none),
            }
        }
        let why = format!("{}: takes no request in any way", self.url);
        self.failed(why, None, later())
    }

    async fn send(&self, what: &Question) -> Result<Answer, eyelid_http_client::Error> {
        let body = what.request(&self.model, &self.dialect.borrow());
        let mut request = Request::new(Method::POST, self.url.clone());
        let json = HeaderValue::from_static("application/json");
        request.headers.insert(header::CONTENT_TYPE, json);
        request.key = self.key.clone();
        request.body = Bytes::from(body);
        self.client.send(&request, self.limits).await
    }

    fn failed(&self, why: String, retry_after: Option<Duration>, now: Instant) -> Asked {
        self.pauses.borrow_mut().failed(retry_after, now);
        Asked::Failed(why)
    }

    fn dialect_without(&self, refusal: &[u8]) -> Option<Dialect> {
        self.dialect.borrow().without(refusal)
    }

    /// Whether the next answer may be longer than the last one.
    fn give_room_to_think(&self) -> bool {
        let longer = self.dialect.borrow().with_room_to_think();
        let is_longer = longer.is_some();
        if let Some(longer) = longer {
            *self.dialect.borrow_mut() = longer;
        }
        is_longer
    }
}

fn is_matter_of_dialect(status: StatusCode) -> bool {
    status == StatusCode::BAD_REQUEST || status == StatusCode::UNPROCESSABLE_ENTITY
}

/// What an endpoint has refused, for people: its own words where they do not have the key in them,
/// which a refusal of the key may have.
fn refusal(url: &Url, answer: &Answer) -> String {
    let status = answer.status;
    let own = || {
        let value: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
        let error = &value["error"];
        let text = error["message"].as_str().or(error.as_str())?;
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = text.chars().take(MOST_WORDS_CHARS).map(plain).collect();
        Some(text)
    };
    let cure = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return format!("{url}: {status}: the key is refused (key-file in [watch.model])");
        }
        StatusCode::NOT_FOUND => " (is the model's name right, and does the URL end in /v1?)",
        StatusCode::TOO_MANY_REQUESTS => " (it wants to be asked less often)",
        _ => "",
    };
    match own() {
        Some(text) => format!("{url}: {status}{cure}: {text}"),
        None => format!("{url}: {status}{cure}"),
    }
}
