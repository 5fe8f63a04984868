//! From a request to what it comes to: a session, a WebSocket, or why it is neither.

use std::rc::Rc;

use bytes::Bytes;
use eyelid_http::response::{FullResponse, close, problem, typed};
use eyelid_http::{Arrival, Checked, Door, Handler, Methods, Outcome};
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use crate::feeds::Feeds;
use crate::mse;
use crate::route::Route;

/// What all connections share.
pub(crate) struct App {
    pub(crate) feeds: Rc<Feeds>,
    door: Rc<Door>,
}

impl App {
    /// Serves these cameras.
    pub(crate) fn new(feeds: Rc<Feeds>, door: Rc<Door>) -> Self {
        Self { feeds, door }
    }

    async fn respond(self: Rc<Self>, request: Request<Incoming>, arrival: Arrival) -> Outcome {
        let (parts, body) = request.into_parts();
        // The server has checked what it hands over.
        if let Arrival::Accepted(peer) = &arrival
            && let Checked::Rejected(response) = self.door.check(&parts, *peer, Methods::All).await
        {
            return Outcome::Response(response);
        }
        match Route::parse(parts.uri.path()) {
            Route::Status => Outcome::Response(self.status(&parts)),
            // Signalling answers these; see its modules.
            Route::Mse(camera) => mse::respond(&self.feeds, &camera, &parts, arrival.peer()),
            Route::Whep(_) | Route::WhepSession(..) | Route::WebRtc(_) => {
                drop(body);
                let what = "this is not served yet";
                Outcome::Response(rejection(StatusCode::NOT_IMPLEMENTED, what))
            }
            Route::NotFound => {
                let what = "nothing here; a camera is at /NAME/whep, /NAME/webrtc and /NAME/mse";
                Outcome::Response(rejection(StatusCode::NOT_FOUND, what))
            }
        }
    }

    fn status(&self, request: &Parts) -> FullResponse {
        if request.method != Method::GET && request.method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        typed(Bytes::from_static(b"{}"), "application/json")
    }
}

impl Handler for App {
    async fn handle(self: Rc<Self>, request: Request<Incoming>, arrival: Arrival) -> Outcome {
        self.respond(request, arrival).await
    }
}

fn not_allowed(methods: &'static str) -> FullResponse {
    let what = format!("only {methods} are answered here");
    let mut response = rejection(StatusCode::METHOD_NOT_ALLOWED, &what);
    let allow = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, allow);
    response
}

/// Says why, and that the connection ends: what may follow is not read.
fn rejection(status: StatusCode, what: &str) -> FullResponse {
    let mut response = problem(status, what);
    close(response.headers_mut());
    response
}
