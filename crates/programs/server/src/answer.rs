//! From a request to its answer. Streams are the exception: their answer is a [`StreamRequest`] for the connection.

use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use eyelid_consumer::{Camera, Freshness};
use eyelid_slot::CameraName;
use http_body_util::Full;
use hyper::header::{
    ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use crate::app::App;
use crate::framing;
use crate::head;
use crate::host;
use crate::metrics;
use crate::part::{self, HeaderTiming};
use crate::problem::{self, Problem};
use crate::route::{Asset, Route, Which};
use crate::socket::Peer;
use crate::viewer::{self, Card, Page};

/// A whole answer.
pub(crate) type Answer = Response<Full<Bytes>>;

/// How many cameras an answer names that is not the list of them.
const LISTED: usize = 16;

/// A request for a stream that is to be granted.
pub(crate) struct StreamRequest {
    /// The camera to show.
    pub(crate) camera: Rc<Camera>,
    /// At most so many frames a second.
    pub(crate) fps: Option<f64>,
    /// When the client gets the headers of parts.
    pub(crate) header: HeaderTiming,
}

/// What a request comes to.
pub(crate) enum Outcome {
    /// An answer.
    Answer(Answer),
    /// A stream.
    Stream(StreamRequest),
}

/// Answers a request. `HEAD` gets the header of `GET` and wakes no camera; nothing else changes anything either.
pub(crate) async fn answer(app: &App, request: &Parts, peer: Peer) -> Outcome {
    let mut answer = match outcome(app, request, peer).await {
        Outcome::Stream(stream) => return Outcome::Stream(stream),
        Outcome::Answer(answer) => answer,
    };
    if framing::has_body(request) {
        head::close(answer.headers_mut());
    }
    problem::as_page_for_people(request, &mut answer);
    Outcome::Answer(dressed(app, answer))
}

/// Tells a client that there are too many.
pub(crate) fn too_many(app: &App) -> Answer {
    let mut answer = no_frame("too many clients; try again later");
    head::close(answer.headers_mut());
    dressed(app, answer)
}

fn dressed(app: &App, mut answer: Answer) -> Answer {
    let terms = app.terms();
    head::common(answer.headers_mut(), terms.service.allow_origin.as_ref());
    answer
}

async fn outcome(app: &App, request: &Parts, peer: Peer) -> Outcome {
    if let Some(answer) = without_looking(app, request, peer).await {
        return Outcome::Answer(answer);
    }
    let head_only = request.method == Method::HEAD;
    Outcome::Answer(
        match Route::parse(request.uri.path(), request.uri.query()) {
            Route::Stream(which, parameters) => match find(app, &which) {
                None => no_camera(app, &which, "stream"),
                Some(_) if head_only => head::stream_answer(),
                Some(camera) => {
                    let by_client = || HeaderTiming::of_client(&request.headers);
                    return Outcome::Stream(StreamRequest {
                        camera,
                        fps: parameters.fps,
                        header: parameters.header.unwrap_or_else(by_client),
                    });
                }
            },
            Route::Snapshot(which) => match find(app, &which) {
                None => no_camera(app, &which, "snapshot"),
                Some(_) if head_only => typed(Bytes::new(), "image/jpeg"),
                Some(camera) => snapshot(app, camera).await,
            },
            Route::Viewer(None) => page(&Page::All(
                app.cameras
                    .names()
                    .into_iter()
                    .map(|name| card(app, name))
                    .collect(),
            )),
            Route::Viewer(Some(name)) => match app.cameras.camera(&name) {
                None => no_camera(app, &Which::Name(name), ""),
                Some(_) => page(&Page::One(card(app, name))),
            },
            Route::AddSlash(name) => match app.cameras.camera(&name) {
                None => no_camera(app, &Which::Name(name), ""),
                Some(_) => add_slash(&name),
            },
            Route::Status => status(app),
            Route::Metrics => metrics(app),
            Route::Asset(part) => asset(part),
            Route::NotFound => problem(
                StatusCode::NOT_FOUND,
                "nothing here; see / for what there is",
            ),
            Route::BadQuery(what) => problem(StatusCode::BAD_REQUEST, what),
        },
    )
}

/// What can be said whatever the request is for: how to ask, and that a stranger may not.
async fn without_looking(app: &App, request: &Parts, peer: Peer) -> Option<Answer> {
    let hosts = match host::asked(request) {
        Ok(hosts) => hosts,
        Err(what) => return Some(no_http(what)),
    };
    if ![Method::GET, Method::HEAD, Method::OPTIONS].contains(&request.method) {
        let what = "only GET, HEAD and OPTIONS are answered here";
        let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, what);
        answer
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
        return Some(answer);
    }
    let terms = app.terms();
    // What comes by a Unix socket comes from a program of this machine, never from a browser.
    if peer != Peer::Unix
        && let Some(name) = terms.names.stranger(&hosts)
    {
        let what = app.strangers.came(name);
        return Some(problem(StatusCode::MISDIRECTED_REQUEST, &what));
    }
    if request.method == Method::OPTIONS {
        return Some(head::preflight());
    }
    let users = terms.users.as_ref()?;
    let authorization = request
        .headers
        .get(AUTHORIZATION)
        .map(HeaderValue::as_bytes);
    if users.admit(authorization, peer).await {
        return None;
    }
    let mut answer = problem(StatusCode::UNAUTHORIZED, "a user and password are needed");
    let challenge = HeaderValue::from_static("Basic realm=\"Eyelid\", charset=\"UTF-8\"");
    answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    Some(answer)
}

fn card(app: &App, name: CameraName) -> Card {
    let title = app.title(&name);
    Card { name, title }
}

fn find(app: &App, which: &Which) -> Option<Rc<Camera>> {
    match which {
        Which::Name(name) => app.cameras.camera(name),
        Which::Number(number) => app.cameras.camera(app.cameras.names().get(*number)?),
    }
}

/// One frame captured after the request arrived.
async fn snapshot(app: &App, camera: Rc<Camera>) -> Answer {
    let arrived = SystemTime::now();
    let name = camera.name().clone();
    let view = app.cameras.view(camera, None);
    let frame = view
        .frame(
            Freshness::CapturedSince(arrived),
            app.terms().service.deadline,
        )
        .await;
    app.metrics.snapshot(&name, frame.is_ok());
    let frame = match frame {
        Ok(frame) => frame,
        Err(reason) => return no_frame(&reason.to_string()),
    };
    let mut answer = typed(frame.jpeg.clone(), "image/jpeg");
    let headers = answer.headers_mut();
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(frame.captured)) {
        headers.insert(LAST_MODIFIED, date);
    }
    if let Ok(timestamp) = HeaderValue::from_str(&part::timestamp(frame.captured)) {
        headers.insert(head::TIMESTAMP, timestamp);
    }
    answer
}

fn page(page: &Page) -> Answer {
    let mut answer = Answer::default();
    viewer::put(page.html(), &mut answer);
    answer
}

fn asset(part: Asset) -> Answer {
    let (text, content_type) = match part {
        Asset::Style => (viewer::STYLE, "text/css; charset=utf-8"),
        Asset::Script => (viewer::SCRIPT, "text/javascript; charset=utf-8"),
        Asset::Icon => (viewer::ICON, "image/svg+xml"),
    };
    typed(Bytes::from_static(text.as_bytes()), content_type)
}

fn status(app: &App) -> Answer {
    match serde_json::to_vec(&app.status()) {
        Ok(json) => typed(Bytes::from(json), "application/json"),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn metrics(app: &App) -> Answer {
    match app.metrics.encode(&app.viewers()) {
        Ok(text) => typed(Bytes::from(text), metrics::CONTENT_TYPE),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Relative links on a camera's page need the slash at its end; relative itself, for proxies that add a prefix.
fn add_slash(name: &CameraName) -> Answer {
    let mut answer = Answer::default();
    *answer.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(location) = HeaderValue::from_str(&format!("{name}/")) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

/// Says which cameras there are, and where they have what was asked of one that is not there.
fn no_camera(app: &App, which: &Which, action: &str) -> Answer {
    let asked = match which {
        Which::Name(name) => format!("there is no camera {:?}", name.as_str()),
        Which::Number(number) => format!("there is no camera number {number}"),
    };
    let names = app.cameras.names();
    let others: Vec<String> = names
        .iter()
        .take(LISTED)
        .map(|name| match name.is_default() {
            true => format!("{:?} (/{action})", name.as_str()),
            false => format!("{:?} (/{name}/{action})", name.as_str()),
        })
        .collect();
    let more = if names.len() > LISTED {
        ", and more: see /status"
    } else {
        ""
    };
    let what = format!("{asked}; there is {}{more}", others.join(", "));
    problem(StatusCode::NOT_FOUND, &what)
}

/// Says what makes a request none, and hears no other after it.
fn no_http(what: &str) -> Answer {
    let mut answer = problem(StatusCode::BAD_REQUEST, what);
    head::close(answer.headers_mut());
    answer
}

/// Says that there is no frame now; a client may try again soon.
fn no_frame(reason: &str) -> Answer {
    let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, reason);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("2"));
    answer
}

fn problem(status: StatusCode, what: &str) -> Answer {
    let json = serde_json::json!({ "error": what }).to_string();
    let mut answer = typed(Bytes::from(json), "application/json");
    *answer.status_mut() = status;
    answer.extensions_mut().insert(Problem(what.to_owned()));
    answer
}

fn typed(body: Bytes, content_type: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(body));
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
