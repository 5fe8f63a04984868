//! WebRTC where this was built without it (feature `native`): requests are told so.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use eyelid_http::Peer;
use eyelid_http::response::{FullResponse, problem};
use eyelid_slot::CameraName;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::http::request::Parts;

use crate::feeds::Feeds;

/// No session.
pub(crate) struct Peers;

/// A request about sessions of a camera.
pub(crate) struct Ask<'a> {
    /// Its head.
    pub(crate) parts: &'a Parts,
    /// Who asks.
    pub(crate) peer: Peer,
    /// Of which camera.
    pub(crate) camera: &'a CameraName,
    /// On what terms.
    pub(crate) terms: Terms,
}

/// What would hold for a session.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// More addresses that lead here.
    pub(crate) candidates: Vec<IpAddr>,
    /// How long it lasts at most.
    pub(crate) max_session: Option<Duration>,
    /// How many may watch, whoever watches now.
    pub(crate) max_viewers: usize,
}

impl Peers {
    /// Has no session.
    ///
    /// # Errors
    /// None.
    pub(crate) fn new(_socket: UdpSocket, _feeds: Rc<Feeds>) -> anyhow::Result<Self> {
        Ok(Self)
    }

    /// Binds a socket that hears nothing.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
        UdpSocket::bind(address)
    }

    /// Waits for ever.
    pub(crate) async fn run(&self) -> Infallible {
        std::future::pending().await
    }

    /// Says that there is no WHEP.
    pub(crate) async fn whep(
        &self,
        ask: Ask<'_>,
        _session: Option<&str>,
        body: Incoming,
    ) -> FullResponse {
        self.json(ask, body).await
    }

    /// Says that there is no WebRTC.
    pub(crate) async fn json(&self, ask: Ask<'_>, _body: Incoming) -> FullResponse {
        log::debug!(
            "{} asks for WebRTC of {}: {:?}",
            ask.peer,
            ask.camera,
            ask.terms
        );
        let what = format!("{}: built without WebRTC", ask.parts.uri.path());
        problem(StatusCode::NOT_IMPLEMENTED, &what)
    }

    /// Has nothing to end.
    pub(crate) fn stop(&self) {}
}
