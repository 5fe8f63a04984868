//! From a request to what it comes to: a session, a WebSocket, or why it is neither.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::SystemTime;

use bytes::Bytes;
use eyelid_figures::VideoFigures;
use eyelid_http::response::{FullResponse, not_allowed, problem, rejection, typed};
use eyelid_http::{Arrival, Checked, Door, Handler, Methods, Outcome};
use eyelid_slot::CameraName;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};

use crate::feeds::Feeds;
use crate::mse::Mse;
use crate::peers::Peers;
use crate::route::Route;
use crate::settings::Settings;
use crate::signalling::ask::{Ask, Terms};

/// What all connections share.
pub(crate) struct App {
    pub(crate) feeds: Rc<Feeds>,
    door: Rc<Door>,
    peers: Rc<Peers>,
    mse: Mse,
    /// Whether there are taps: they have their readers without HTTP.
    has_taps: bool,
    /// When the program began.
    started: SystemTime,
    /// As they were last read. What takes a restart to change is not asked for here.
    settings: RefCell<Settings>,
}

impl App {
    /// Serves these cameras.
    pub(crate) fn new(
        feeds: Rc<Feeds>,
        door: Rc<Door>,
        peers: Rc<Peers>,
        has_taps: bool,
        settings: &Settings,
    ) -> Self {
        Self {
            feeds,
            door,
            peers,
            mse: Mse::default(),
            has_taps,
            started: SystemTime::now(),
            settings: RefCell::new(settings.clone()),
        }
    }

    /// Serves those that come now by other settings.
    pub(crate) fn reload(&self, settings: &Settings) {
        self.settings.replace(settings.clone());
    }

    /// What holds for a session that begins now.
    fn terms(&self) -> Terms {
        let settings = self.settings.borrow();
        Terms {
            candidates: settings.candidates.clone(),
            max_session: settings.max_session,
            max_viewers: settings.max_viewers,
        }
    }

    /// How many more may watch.
    fn free(&self) -> usize {
        let most = self.settings.borrow().max_viewers;
        most.saturating_sub(self.feeds.count())
    }

    /// All that is told to who asks.
    pub(crate) fn figures(&self) -> VideoFigures {
        self.feeds.figures(self.started)
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
            Route::Mse(camera) => {
                let (peer, free) = (arrival.peer(), self.free());
                self.mse.respond(&self.feeds, &camera, &parts, peer, free)
            }
            Route::Whep(camera) => {
                let ask = self.ask(&parts, &camera, &arrival);
                Outcome::Response(self.peers.whep(ask, None, body).await)
            }
            Route::WhepSession(camera, id) => {
                let ask = self.ask(&parts, &camera, &arrival);
                Outcome::Response(self.peers.whep(ask, Some(&id), body).await)
            }
            Route::WebRtc(camera) => {
                let ask = self.ask(&parts, &camera, &arrival);
                Outcome::Response(self.peers.json(ask, body).await)
            }
            Route::NotFound => {
                let what = "nothing here; a camera is at /NAME/whep, /NAME/webrtc and /NAME/mse";
                Outcome::Response(rejection(StatusCode::NOT_FOUND, what))
            }
        }
    }

    fn ask<'a>(&self, parts: &'a Parts, camera: &'a CameraName, arrival: &Arrival) -> Ask<'a> {
        Ask {
            parts,
            peer: arrival.peer(),
            camera,
            terms: self.terms(),
        }
    }

    fn status(&self, request: &Parts) -> FullResponse {
        if request.method != Method::GET && request.method != Method::HEAD {
            return not_allowed("GET, HEAD");
        }
        match serde_json::to_vec(&self.figures()) {
            Ok(json) => typed(Bytes::from(json), "application/json"),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }
}

impl Handler for App {
    async fn handle(self: Rc<Self>, request: Request<Incoming>, arrival: Arrival) -> Outcome {
        self.respond(request, arrival).await
    }

    fn is_busy(&self) -> bool {
        self.has_taps
    }
}
