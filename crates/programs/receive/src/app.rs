//! From a request to what it comes to: a camera's WebSocket, a picture, or why it is neither.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eyelid_daemon::LogLimit;
use eyelid_http::response::{FullResponse, close, problem, typed, unavailable};
use eyelid_http::{Arrival, Handler, Outcome, Peer, TakenOver};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use crate::access::{self, Refusal};
use crate::camera::Camera;
use crate::cameras::Cameras;
use crate::post::Post;
use crate::refusals::{Refusals, TooMany};
use crate::route::Route;
use crate::session::{PROTOCOL, Session};
use crate::status::Status;
use crate::websocket::{Bounds, Handshake, NoHandshake};

/// How much more than a frame a message may have: what sketches put before it, and zeros behind.
const AROUND_BYTES: usize = 64 << 10;

/// What may wait to be written: a text of ours, and the answers to pings.
const WRITE_BYTES: usize = 4 << 10;

/// How far apart lines are about those who may not push: strangers cause them.
const REFUSED_LOGGED: Duration = Duration::from_secs(10);

/// What all connections share.
pub(crate) struct App {
    cameras: Rc<Cameras>,
    refusals: Refusals,
    refused: LogLimit,
}

/// What a path leads to.
enum Asked {
    /// A camera that may push.
    Camera(Rc<Camera>),
    /// Something that can be answered at once.
    Answer(FullResponse),
}

impl App {
    /// Serves these cameras.
    pub(crate) fn new(cameras: Rc<Cameras>) -> Self {
        Self {
            cameras,
            refusals: Refusals::default(),
            refused: LogLimit::new(1, REFUSED_LOGGED),
        }
    }

    async fn respond(&self, request: Request<Incoming>, arrival: &Arrival) -> Outcome {
        let (parts, body) = request.into_parts();
        let camera = match self.asked(&parts, arrival) {
            Asked::Camera(camera) => camera,
            Asked::Answer(response) => return Outcome::Response(response),
        };
        let peer = arrival.peer();
        let access = self.check(&parts, peer, &camera);
        if parts.method == Method::POST || parts.method == Method::PUT {
            if let Err(refusal) = access {
                return Outcome::Response(self.refuse(refusal, peer, &camera).await);
            }
            let Some(entry) = camera.enter_post() else {
                let what = "this camera posts more pictures at once than are read";
                let mut response = unavailable(what);
                close(response.headers_mut());
                return Outcome::Response(response);
            };
            let post = Post::new(self.cameras.clone(), camera, peer, entry);
            return Outcome::Response(post.respond(body).await);
        }
        let handshake = match Handshake::read(&parts, PROTOCOL) {
            Ok(handshake) => handshake,
            Err(why) => return Outcome::Response(no_handshake(why, &parts)),
        };
        let is_admitted = match access {
            Ok(()) => true,
            // A WebSocket is told so by its close code, which its user sees.
            Err(Refusal::Token) if self.refusals.wait(peer).await.is_ok() => {
                self.log_refused(Refusal::Token, peer, &camera);
                false
            }
            Err(Refusal::Token) => return Outcome::Response(too_many()),
            Err(refusal) => {
                return Outcome::Response(self.refuse(refusal, peer, &camera).await);
            }
        };
        let cameras = self.cameras.clone();
        Outcome::take_over(move |taken| open(handshake, taken, cameras, camera, peer, is_admitted))
    }

    fn asked(&self, request: &Parts, arrival: &Arrival) -> Asked {
        let route = match arrival {
            Arrival::Accepted(_) => Route::parse(request.uri.path()),
            // The server has read the path.
            Arrival::HandedOver(known) => known.camera.clone().map_or(Route::NotFound, Route::Push),
        };
        let name = match route {
            Route::Status => return Asked::Answer(self.status(request, arrival.peer())),
            Route::Push(name) => name,
            Route::NotFound => {
                let what = "nothing here; a camera pushes to /NAME";
                return Asked::Answer(rejection(StatusCode::NOT_FOUND, what));
            }
        };
        self.cameras.camera(&name).map_or_else(
            || {
                let what = format!(
                    "no camera {:?} may push here; [receive.cameras.{name}] of the configuration lets it",
                    name.as_str()
                );
                Asked::Answer(rejection(StatusCode::NOT_FOUND, &what))
            },
            Asked::Camera,
        )
    }

    fn status(&self, request: &Parts, peer: Peer) -> FullResponse {
        if request.method != Method::GET && request.method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        if !access::is_local(&request.headers, peer) {
            let what =
                "only this machine may ask; eyelid-server's /status is for everybody who may look";
            return problem(StatusCode::FORBIDDEN, what);
        }
        match serde_json::to_vec(&Status::of(&self.cameras)) {
            Ok(json) => typed(Bytes::from(json), "application/json"),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn check(&self, request: &Parts, peer: Peer, camera: &Camera) -> Result<(), Refusal> {
        let settings = camera.settings();
        let tokens = settings.tokens.as_deref();
        let (headers, query) = (&request.headers, request.uri.query());
        access::check(headers, query, peer, &camera.name, tokens)
    }

    /// Tells one who may not push.
    async fn refuse(&self, refusal: Refusal, peer: Peer, camera: &Camera) -> FullResponse {
        if refusal == Refusal::Token && self.refusals.wait(peer).await == Err(TooMany) {
            return too_many();
        }
        self.log_refused(refusal, peer, camera);
        let name = camera.name.as_str();
        match refusal {
            Refusal::Page => rejection(StatusCode::FORBIDDEN, "pages may not push pictures"),
            Refusal::Elsewhere => rejection(
                StatusCode::FORBIDDEN,
                &format!(
                    "camera {name:?} has no token, so only this machine may push to it; make one with: eyelid-receive --new-token {name}"
                ),
            ),
            Refusal::Token => {
                let mut response =
                    rejection(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
                let challenge = HeaderValue::from_static("Bearer realm=\"Eyelid\"");
                let headers = response.headers_mut();
                headers.insert(hyper::header::WWW_AUTHENTICATE, challenge);
                response
            }
        }
    }

    fn log_refused(&self, refusal: Refusal, peer: Peer, camera: &Camera) {
        if let Some(suppressed) = self.refused.allow(Instant::now()) {
            let why = match refusal {
                Refusal::Page => "a page asks",
                Refusal::Elsewhere => "it has no token, and the sender is not this machine",
                Refusal::Token => "the token is missing or wrong",
            };
            log::warn!(
                "camera {:?}: {peer} may not push: {why}{suppressed}",
                camera.name.as_str()
            );
        }
    }
}

impl Handler for App {
    async fn handle(self: Rc<Self>, request: Request<Incoming>, arrival: Arrival) -> Outcome {
        self.respond(request, &arrival).await
    }
}

/// Serves a WebSocket to its end.
async fn open(
    handshake: Handshake,
    taken: TakenOver,
    cameras: Rc<Cameras>,
    camera: Rc<Camera>,
    peer: Peer,
    is_admitted: bool,
) {
    taken.socket.notice_loss();
    let protocol = handshake.protocol().map(str::to_owned);
    let bounds = Bounds {
        message_bytes: camera.settings().max_bytes + AROUND_BYTES,
        write_bytes: WRITE_BYTES,
    };
    let socket = match handshake.accept(taken, bounds).await {
        Ok(socket) => socket,
        Err(error) => return log::debug!("{peer}: no WebSocket: {error}"),
    };
    if !is_admitted {
        return socket.close(1008, "the token is missing or wrong").await;
    }
    let session = Session::new(cameras, camera, protocol.as_deref());
    session.run(socket, peer).await;
}

fn no_handshake(why: NoHandshake, request: &Parts) -> FullResponse {
    if why == NoHandshake::Key {
        return problem(StatusCode::BAD_REQUEST, "Sec-WebSocket-Key is missing");
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        return not_allowed("GET, POST, PUT");
    }
    let what = "pictures are pushed here: by POST, PUT, or a WebSocket of version 13";
    let mut response = problem(StatusCode::UPGRADE_REQUIRED, what);
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

fn not_allowed(methods: &'static str) -> FullResponse {
    let what = format!("only {methods} are answered here");
    let mut response = rejection(StatusCode::METHOD_NOT_ALLOWED, &what);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    response
}

fn too_many() -> FullResponse {
    let what = "too many wrong tokens from this address; try again later";
    let mut response = rejection(StatusCode::TOO_MANY_REQUESTS, what);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

/// Says why, and that the connection ends: what may follow is not read.
fn rejection(status: StatusCode, what: &str) -> FullResponse {
    let mut response = problem(status, what);
    close(response.headers_mut());
    response
}
