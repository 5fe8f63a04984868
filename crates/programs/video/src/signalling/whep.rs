//! WHEP (draft-ietf-wish-whep), which is WHIP (RFC 9725) for those who look: a POST of an offer
//! opens a session and has the answer in its response, the session is a resource of its own, a
//! PATCH there trickles candidates or restarts ICE, and a DELETE ends it.

use bytes::Bytes;
use eyelid_http::response::{self, FullResponse, is_type, typed};
use hyper::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MATCH, LOCATION};
use hyper::{Method, StatusCode};

use super::credentials::Credentials;
use super::fragment::SdpFragment;
use super::offer::Description;
use super::session_id::SessionId;
use super::{ACCEPT_PATCH, ACCEPT_POST, Rejection};

/// The type of offers and answers.
const SDP: &str = "application/sdp";

/// The type of what is trickled.
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// What a request asks for whose body need not be read.
#[derive(Debug)]
pub(crate) enum WhepRequest {
    /// A session, by the offer in its body.
    Open,
    /// To trickle what its body has.
    Trickle(SessionId, Condition),
    /// That a session ends.
    Close(SessionId),
    /// What may be asked: this says so.
    Preflight(FullResponse),
}

/// Which of a session's descriptions a PATCH is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Whichever there is.
    Any,
    /// That of this tag, among others.
    Tags(String),
}

/// What is known of a session where one is trickled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trickled<'a> {
    /// Its tag.
    pub(crate) tag: &'a str,
    /// The client's name in ICE, if it has offered.
    pub(crate) ice_ufrag: Option<&'a str>,
    /// How many candidates the client has told so far.
    pub(crate) candidates: usize,
}

/// Reads a request's head; the last word of its path names a session, if there is one.
///
/// # Errors
/// Why it is none.
pub(crate) fn read(
    method: &Method,
    headers: &HeaderMap,
    session: Option<&str>,
) -> Result<WhepRequest, Rejection> {
    let Some(session) = session else {
        return read_endpoint(method, headers);
    };
    let id = || session.parse().map_err(|()| Rejection::no_session());
    match *method {
        Method::OPTIONS => Ok(WhepRequest::Preflight(preflight("PATCH, DELETE, OPTIONS"))),
        Method::DELETE => Ok(WhepRequest::Close(id()?)),
        Method::PATCH => {
            let id = id()?;
            if !is_type(headers.get(CONTENT_TYPE), FRAGMENT) {
                return Err(Rejection::media_type(ACCEPT_PATCH, FRAGMENT));
            }
            Ok(WhepRequest::Trickle(id, Condition::of(headers)?))
        }
        _ => Err(Rejection::method("PATCH, DELETE, OPTIONS")),
    }
}

fn read_endpoint(method: &Method, headers: &HeaderMap) -> Result<WhepRequest, Rejection> {
    match *method {
        Method::OPTIONS => Ok(WhepRequest::Preflight(preflight("POST, OPTIONS"))),
        Method::POST if is_type(headers.get(CONTENT_TYPE), SDP) => Ok(WhepRequest::Open),
        Method::POST => Err(Rejection::media_type(ACCEPT_POST, SDP)),
        _ => Err(Rejection::method("POST, OPTIONS")),
    }
}

impl Condition {
    fn of(headers: &HeaderMap) -> Result<Self, Rejection> {
        let mut tags = String::new();
        for value in headers.get_all(IF_MATCH) {
            let value = value.to_str().unwrap_or_default().trim();
            if value == "*" {
                return Ok(Self::Any);
            }
            tags.push_str(value);
            tags.push(',');
        }
        if tags.is_empty() {
            let what = "If-Match is needed, with the ETag of the response to the offer";
            return Err(Rejection::new(StatusCode::PRECONDITION_REQUIRED, what));
        }
        Ok(Self::Tags(tags))
    }

    fn is_met(&self, tag: &str) -> bool {
        match self {
            Self::Any => true,
            // Ours have no comma in them.
            Self::Tags(tags) => tags.split(',').any(|one| one.trim() == quoted(tag)),
        }
    }
}

/// What a fragment comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The client has told so many candidates by now.
    Candidates(usize),
    /// It begins ICE anew, and is called so from now on.
    Restart(Credentials),
}

impl Trickled<'_> {
    /// Says what a fragment comes to.
    ///
    /// # Errors
    /// The fragment is not for this session as it is, or says too much.
    pub(crate) fn take(
        &self,
        condition: &Condition,
        fragment: &SdpFragment,
    ) -> Result<Taken, Rejection> {
        if !condition.is_met(self.tag) {
            let what = "If-Match names another session than this";
            return Err(Rejection::new(StatusCode::PRECONDITION_FAILED, what));
        }
        let ufrag = fragment.ice_ufrag.as_deref();
        let Some(ufrag) = ufrag.filter(|ufrag| Some(*ufrag) != self.ice_ufrag) else {
            let count = super::count_candidates(self.candidates, fragment.candidates)?;
            return Ok(Taken::Candidates(count));
        };
        let refused = |what: &str| Err(Rejection::new(StatusCode::UNPROCESSABLE_ENTITY, what));
        if self.ice_ufrag.is_none() {
            return refused("this session was not opened by WHEP: open another");
        }
        if *condition != Condition::Any {
            return refused("a=ice-ufrag is another: a restart of ICE has If-Match: *");
        }
        match Credentials::new(ufrag, fragment.ice_password.as_deref().unwrap_or_default()) {
            Some(credentials) => Ok(Taken::Restart(credentials)),
            None => refused("a restart of ICE has a=ice-ufrag and a=ice-pwd (RFC 8839)"),
        }
    }
}

/// Tells who offered that there is a session, and answers. `path` is that of the request.
pub(crate) fn created(path: &str, id: SessionId, tag: &str, answer: String) -> FullResponse {
    let mut response = typed(Bytes::from(answer), SDP);
    *response.status_mut() = StatusCode::CREATED;
    // Relative to the request's, for proxies that add a prefix.
    let location = match path.ends_with('/') {
        true => id.to_string(),
        false => format!("whep/{id}"),
    };
    put(&mut response, LOCATION, &location);
    put(&mut response, ETAG, &quoted(tag));
    put(&mut response, ACCEPT_PATCH, FRAGMENT);
    response
}

/// Says that what was trickled was taken.
pub(crate) fn trickled() -> FullResponse {
    let mut response = FullResponse::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Says that ICE begins anew, by which names, and where this side is.
pub(crate) fn restarted(tag: &str, fragment: String) -> FullResponse {
    let mut response = typed(Bytes::from(fragment), FRAGMENT);
    put(&mut response, ETAG, &quoted(tag));
    response
}

/// Says that the session has ended.
pub(crate) fn closed() -> FullResponse {
    FullResponse::default()
}

/// Reads the offer of a POST.
///
/// # Errors
/// Why it cannot be answered.
pub(crate) fn offer(body: &[u8]) -> Result<Description, Rejection> {
    Ok(Description::parse(body)?)
}

/// Says what may be asked. There is no `Link` to ICE servers (RFC 9725, section 4.6): this side has
/// an address that clients reach, so they need none, and none can be configured.
pub(crate) fn preflight(methods: &'static str) -> FullResponse {
    let headers = "Authorization, Cache-Control, Content-Type, If-Match";
    let mut response = response::preflight(methods, headers);
    if methods.starts_with("POST") {
        put(&mut response, ACCEPT_POST, SDP);
    } else {
        put(&mut response, ACCEPT_PATCH, FRAGMENT);
    }
    response
}

fn quoted(tag: &str) -> String {
    format!("\"{tag}\"")
}

fn put(response: &mut FullResponse, name: HeaderName, value: &str) {
    // All of them are made of ASCII.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests;
