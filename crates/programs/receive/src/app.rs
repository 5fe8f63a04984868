//! From a request to what it comes to: a camera's WebSocket, a picture, or why it is neither.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eyelid_daemon::LogLimit;
use eyelid_http::response::{
    FullResponse, close, not_allowed, problem, rejection, typed, unavailable,
};
use eyelid_http::{Arrival, Handler, Outcome, Peer, TakenOver};
use eyelid_websocket::{Handshake, NoHandshake};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use crate::access::{self, Refusal};
use crate::buffers::Buffers;
use crate::camera::Camera;
use crate::cameras::Cameras;
use crate::post::{Contents, Post};
use crate::refusals::{Refusals, Refused};
use crate::route::Route;
use crate::session::{PROTOCOL, Session};
use crate::status::Status;
use crate::websocket::{Bounds, WebSocket};

/// How much more than a frame a message may have: what sketches put before it, and zeros behind.
const AROUND_BYTES: usize = 64 << 10;

/// What may wait to be written: a text of ours, and the answers to pings.
const WRITE_BYTES: usize = 4 << 10;

/// How far apart lines are about those who may not push: strangers cause them.
const REFUSED_LOGGED: Duration = Duration::from_secs(10);

const WRONG_TOKEN: &str = "the token is missing or wrong";

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

    async fn respond(self: Rc<Self>, request: Request<Incoming>, arrival: &Arrival) -> Outcome {
        let (parts, body) = request.into_parts();
        let camera = match self.asked(&parts, arrival) {
            Asked::Camera(camera) => camera,
            Asked::Answer(response) => return Outcome::Response(response),
        };
        let peer = arrival.peer();
        let access = self.check(&parts, peer, &camera);
        if parts.method == Method::POST || parts.method == Method::PUT {
            if let Err(refusal) = access {
                return self.refuse(refusal, peer, camera, None);
            }
            let Some(entry) = camera.enter_post() else {
                let what = "this camera posts more pictures at once than are read";
                let mut response = unavailable(what);
                close(response.headers_mut());
                return Outcome::Response(response);
            };
            let contents = Contents::of(&parts.headers);
            let post = Post::new(self.cameras.clone(), camera, peer, entry, contents);
            return Outcome::Response(post.respond(body).await);
        }
        let handshake = match Handshake::read(&parts, PROTOCOL) {
            Ok(handshake) => handshake,
            Err(why) => return Outcome::Response(no_handshake(why, &parts)),
        };
        if let Err(refusal) = access {
            return self.refuse(refusal, peer, camera, Some(handshake));
        }
        let cameras = self.cameras.clone();
        Outcome::take_over(move |taken| serve(handshake, taken, cameras, camera, peer))
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

    /// Tells one who may not push, who asked for a WebSocket if there is a `handshake`.
    fn refuse(
        self: Rc<Self>,
        refusal: Refusal,
        peer: Peer,
        camera: Rc<Camera>,
        handshake: Option<Handshake>,
    ) -> Outcome {
        let name = camera.name.as_str();
        let forbidden = match refusal {
            Refusal::Page => "pages may not push pictures".to_owned(),
            Refusal::Elsewhere => format!(
                "camera {name:?} has no token, so only this machine may push to it; make one with: eyelid-receive --new-token {name}"
            ),
            Refusal::Token => return self.refuse_token(peer, camera, handshake),
        };
        self.log_refused(refusal, peer, &camera);
        Outcome::Response(rejection(StatusCode::FORBIDDEN, &forbidden))
    }

    /// Tells one so who has no right token, after a while. A WebSocket is told by its close code,
    /// which its user sees.
    fn refuse_token(
        self: Rc<Self>,
        peer: Peer,
        camera: Rc<Camera>,
        handshake: Option<Handshake>,
    ) -> Outcome {
        let Some(refused) = self.refusals.enter(peer) else {
            return Outcome::Response(too_many());
        };
        Outcome::refused(async move {
            refused.wait().await;
            self.log_refused(Refusal::Token, peer, &camera);
            match handshake {
                Some(handshake) => Outcome::take_over(move |taken| {
                    send_away(handshake, taken, camera, peer, refused)
                }),
                None => Outcome::Response(unauthorized()),
            }
        })
    }

    fn log_refused(&self, refusal: Refusal, peer: Peer, camera: &Camera) {
        if let Some(suppressed) = self.refused.allow(Instant::now()) {
            let why = match refusal {
                Refusal::Page => "a page asks",
                Refusal::Elsewhere => "it has no token, and the sender is not this machine",
                Refusal::Token => WRONG_TOKEN,
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
async fn serve(
    handshake: Handshake,
    taken: TakenOver,
    cameras: Rc<Cameras>,
    camera: Rc<Camera>,
    peer: Peer,
) {
    let protocol = handshake.protocol().map(str::to_owned);
    let buffers = cameras.buffers().clone();
    if let Some(socket) = open(handshake, taken, &camera, peer, buffers).await {
        let session = Session::new(cameras, camera, protocol.as_deref());
        session.run(socket, peer).await;
    }
}

/// Tells a WebSocket that its token is none. It is one of those who are refused until it has ended.
async fn send_away(
    handshake: Handshake,
    taken: TakenOver,
    camera: Rc<Camera>,
    peer: Peer,
    _refused: Refused,
) {
    let buffers = Buffers::default();
    if let Some(socket) = open(handshake, taken, &camera, peer, buffers).await {
        socket.close(1008, WRONG_TOKEN).await;
    }
}

/// Opens a WebSocket.
async fn open(
    handshake: Handshake,
    taken: TakenOver,
    camera: &Camera,
    peer: Peer,
    buffers: Buffers,
) -> Option<WebSocket> {
    taken.socket.notice_loss();
    let bounds = Bounds {
        message_bytes: camera.settings().max_bytes + AROUND_BYTES,
        write_bytes: WRITE_BYTES,
    };
    let opened = WebSocket::open(handshake, taken, bounds, buffers).await;
    opened
        .inspect_err(|error| log::debug!("{peer}: no WebSocket: {error}"))
        .ok()
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

fn unauthorized() -> FullResponse {
    let mut response = rejection(StatusCode::UNAUTHORIZED, WRONG_TOKEN);
    let challenge = HeaderValue::from_static("Bearer realm=\"Eyelid\"");
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
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
