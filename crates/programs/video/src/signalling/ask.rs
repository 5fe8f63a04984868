//! A request about sessions of WebRTC, and what holds for one that it opens.

use std::net::IpAddr;
use std::time::Duration;

use eyelid_http::Peer;
use eyelid_slot::CameraName;
use hyper::http::request::Parts;

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

/// What holds for a session that begins now.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// More addresses that lead here.
    pub(crate) candidates: Vec<IpAddr>,
    /// How long it lasts at most.
    pub(crate) max_session: Option<Duration>,
    /// How many may watch, whoever watches now.
    pub(crate) max_viewers: usize,
}
