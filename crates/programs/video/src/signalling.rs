//! WebRTC's signalling, apart from sockets and from WebRTC itself: requests are read into what they
//! ask for, and what became of it is made into responses.
//!
//! Two dialects lead to the same sessions: WHEP ([`whep`]) and camera-streamer's JSON ([`json`]).
//! In the first the client offers, in the second it may also ask for an offer of ours.

pub(crate) mod ask;
pub(crate) mod candidates;
pub(crate) mod credentials;
pub(crate) mod fragment;
pub(crate) mod json;
pub(crate) mod offer;
pub(crate) mod session_id;
pub(crate) mod whep;

use eyelid_http::response::{FullResponse, problem};
use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};

/// Most bytes of a request's body. Browsers' offers have 6 to 8 KB, with audio and data beside the
/// video.
pub(crate) const BODY_BYTES: usize = 16 << 10;

/// Most candidates of one session, in its offer or answer and behind it. A host with several
/// interfaces, each with IPv4 and IPv6, UDP and TCP, has a dozen.
pub(crate) const CANDIDATES: usize = 32;

/// Which media types a POST may have, and a PATCH (W3C Linked Data Platform; RFC 5789).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Why a request comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    status: StatusCode,
    what: String,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Rejection {
    /// Says `what` is wrong.
    pub(crate) fn new(status: StatusCode, what: impl Into<String>) -> Self {
        Self {
            status,
            what: what.into(),
            header: None,
        }
    }

    /// Says which methods there are.
    fn method(methods: &'static str) -> Self {
        Self {
            header: Some((ALLOW, HeaderValue::from_static(methods))),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("only {methods} are answered here"),
            )
        }
    }

    /// Says which media type there is, in this header.
    fn media_type(header: HeaderName, wanted: &'static str) -> Self {
        Self {
            header: Some((header, HeaderValue::from_static(wanted))),
            ..Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("only {wanted} is read here"),
            )
        }
    }

    /// Says that it may be tried again soon.
    pub(crate) fn later(status: StatusCode, what: impl Into<String>) -> Self {
        Self {
            header: Some((RETRY_AFTER, HeaderValue::from_static("2"))),
            ..Self::new(status, what)
        }
    }

    /// Says that there is no such session, or no longer.
    pub(crate) fn no_session() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "there is no such session, or it has ended",
        )
    }

    /// Says that a body is too long.
    pub(crate) fn too_long() -> Self {
        let what = format!("more than {BODY_BYTES} bytes are not read");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, what)
    }

    /// Gives the response that says so.
    pub(crate) fn response(&self) -> FullResponse {
        let mut response = problem(self.status, &self.what);
        if let Some((name, value)) = &self.header {
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    /// Gives its status.
    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Gives its reason.
    #[cfg(test)]
    pub(crate) fn what(&self) -> &str {
        &self.what
    }
}

/// Adds candidates that a client has told to those before.
///
/// # Errors
/// They are too many.
pub(crate) fn count_candidates(before: usize, more: usize) -> Result<usize, Rejection> {
    match before + more {
        few if few <= CANDIDATES => Ok(few),
        _ => {
            let what = format!("more than {CANDIDATES} candidates are not taken");
            Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, what))
        }
    }
}
