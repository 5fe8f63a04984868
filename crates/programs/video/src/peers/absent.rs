//! WebRTC where this was built without it (feature `native`): requests are told so.

use std::convert::Infallible;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;

use eyelid_http::response::{FullResponse, problem};
use hyper::StatusCode;
use hyper::body::Incoming;

use crate::feeds::Feeds;
use crate::signalling::ask::Ask;

/// No session.
pub(crate) struct Peers;

impl Peers {
    /// Has no session.
    ///
    /// # Errors
    /// None.
    pub(crate) fn new(
        _socket: Option<UdpSocket>,
        _address: SocketAddr,
        _feeds: Rc<Feeds>,
    ) -> anyhow::Result<Self> {
        Ok(Self)
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
        let what = format!("{}: built without WebRTC", ask.parts.uri.path());
        problem(StatusCode::NOT_IMPLEMENTED, &what)
    }

    /// Has nothing to end.
    pub(crate) fn stop(&self) {}
}
