//! `/NAME/mse`: a camera for Media Source Extensions, by a WebSocket that carries fragments of MP4.
//!
//! For browsers and paths that WebRTC cannot be had on. `docs/video.md` has what goes over the
//! socket. One picture is a message, chosen when the socket has drained: the newest-frame rule
//! (`docs/newest-frame.md`). What a viewer misses meanwhile is a gap to the next keyframe.

mod connection;
mod fragments;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod link_rate;
mod listening;
mod session;

use std::rc::Rc;
use std::time::Instant;

use eyelid_figures::ViewerWay;
use eyelid_http::response::{FullResponse, rejection};
use eyelid_http::{Outcome, Peer, TakenOver};
use eyelid_slot::CameraName;
use eyelid_websocket::{Handshake, NoHandshake};
use hyper::StatusCode;
use hyper::header::{HeaderValue, SEC_WEBSOCKET_VERSION, UPGRADE};
use hyper::http::request::Parts;

use crate::feeds::{About, Feeds, Pace, Viewer};
use crate::limits::{SessionLimits, SessionPermit};
use connection::Connection;
use session::Session;

/// What a viewer may name as the protocol, and need not.
const PROTOCOL: &str = "eyelid.mse.v1";

/// All viewers that watch so.
#[derive(Default)]
pub(crate) struct Mse {
    limits: Rc<SessionLimits>,
}

impl Mse {
    /// Answers a request for a camera's WebSocket. Who asks so has a right to look; in all, so many
    /// more viewers are `free`.
    ///
    /// A browser does not tell its page why there was no WebSocket, so a request without a
    /// handshake is told first what stands against one.
    pub(crate) fn respond(
        &self,
        feeds: &Rc<Feeds>,
        camera: &CameraName,
        request: &Parts,
        peer: Peer,
        free: usize,
    ) -> Outcome {
        let no_camera = || {
            let what = format!("no camera {:?}", camera.as_str());
            Outcome::Response(rejection(StatusCode::NOT_FOUND, &what))
        };
        if feeds.limits_of(camera).is_none() {
            return no_camera();
        }
        let permit = match self.limits.enter(peer, free, Instant::now()) {
            Ok(permit) => permit,
            Err(why) => return Outcome::Response(why.response()),
        };
        let handshake = match Handshake::read(request, PROTOCOL) {
            Ok(handshake) => handshake,
            Err(why) => return Outcome::Response(no_handshake(why)),
        };
        let Some(viewer) = feeds.watch(camera, Pace::Misses) else {
            return no_camera();
        };
        viewer.set_about(About {
            way: ViewerWay::Mse,
            peer: peer.to_string(),
        });
        Outcome::take_over(move |taken| serve(handshake, taken, viewer, permit, peer))
    }
}

/// Serves a viewer until its connection ends.
async fn serve(
    handshake: Handshake,
    taken: TakenOver,
    viewer: Viewer,
    _permit: SessionPermit,
    peer: Peer,
) {
    match Connection::open(handshake, taken).await {
        Ok(connection) => Session::new(viewer, connection).run(peer).await,
        Err(error) => log::debug!("{peer}: no WebSocket: {error}"),
    }
}

fn no_handshake(why: NoHandshake) -> FullResponse {
    if why == NoHandshake::Key {
        let what = "Sec-WebSocket-Key is missing";
        return rejection(StatusCode::BAD_REQUEST, what);
    }
    let what = "a camera comes by a WebSocket of version 13 here";
    let mut response = rejection(StatusCode::UPGRADE_REQUIRED, what);
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}

#[cfg(test)]
mod tests;
