//! camera-streamer's messages: JSON by POST to one path. OctoPrint offers; Mainsail and Fluidd
//! `request` an offer, answer it, and say their candidates one by one, also before the answer.

use bytes::Bytes;
use eyelid_http::response::{self, FullResponse, typed};
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::offer::Description;
use super::session_id::SessionId;
use super::{CANDIDATES, Rejection};

/// What may be asked.
const METHODS: &str = "POST, OPTIONS";

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A session, by an offer of ours.
    Request(KeepAlive),
    /// A session, by this offer.
    Offer(Description, KeepAlive),
    /// It answers the offer of this session.
    Answer(SessionId, Description),
    /// It has so many candidates more.
    Candidates(SessionId, usize),
}

/// Whether the client answers pings, so that one that is silent is known to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeepAlive {
    /// It does.
    Pings,
    /// It says nothing of it.
    None,
}

/// What is in a message, whatever its type.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    sdp: Option<String>,
    #[serde(rename = "keepAlive")]
    keep_alive: Option<bool>,
    candidates: Option<Vec<IgnoredAny>>,
}

/// Says what a request comes to whose body need not be read.
///
/// # Errors
/// It is no POST.
pub(crate) fn preflight(method: &Method) -> Result<Option<FullResponse>, Rejection> {
    match *method {
        Method::POST => Ok(None),
        Method::OPTIONS => {
            // OctoPrint says `Cache-Control: no-cache` with each POST.
            let headers = "Authorization, Cache-Control, Content-Type";
            Ok(Some(response::preflight(METHODS, headers)))
        }
        _ => Err(Rejection::method(METHODS)),
    }
}

/// Reads a message. Its type is not looked at: Mainsail says none.
///
/// # Errors
/// Why it is none.
pub(crate) fn read(body: &[u8]) -> Result<Message, Rejection> {
    let bad = |what: String| Rejection::new(StatusCode::BAD_REQUEST, what);
    if body.len() > super::BODY_BYTES {
        return Err(Rejection::too_long());
    }
    let line: Line = serde_json::from_slice(body)
        .map_err(|error| bad(format!("this is no message in JSON: {error}")))?;
    let keep_alive = match line.keep_alive {
        Some(true) => KeepAlive::Pings,
        _ => KeepAlive::None,
    };
    let id = || -> Result<SessionId, Rejection> {
        let id = line
            .id
            .as_deref()
            .ok_or_else(|| bad("id is missing".into()))?;
        id.parse().map_err(|()| Rejection::no_session())
    };
    let description = || -> Result<Description, Rejection> {
        let sdp = line
            .sdp
            .as_deref()
            .ok_or_else(|| bad("sdp is missing".into()))?;
        Ok(Description::parse(sdp.as_bytes())?)
    };
    match line.kind.as_str() {
        "request" => Ok(Message::Request(keep_alive)),
        "offer" => Ok(Message::Offer(description()?, keep_alive)),
        "answer" => Ok(Message::Answer(id()?, description()?)),
        "remote_candidate" => {
            let candidates = line.candidates.as_ref();
            let candidates = candidates.ok_or_else(|| bad("candidates is missing".into()))?;
            if candidates.len() > CANDIDATES {
                let what = format!("more than {CANDIDATES} candidates are not read");
                return Err(Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, what));
            }
            Ok(Message::Candidates(id()?, candidates.len()))
        }
        other => Err(bad(format!(
            "type {other:?} is none of request, offer, answer, remote_candidate"
        ))),
    }
}

/// Offers, to who requested it.
pub(crate) fn offered(id: SessionId, sdp: &str) -> FullResponse {
    describes("offer", id, sdp)
}

/// Answers an offer.
pub(crate) fn answered(id: SessionId, sdp: &str) -> FullResponse {
    describes("answer", id, sdp)
}

/// Says that an answer or candidates were taken.
pub(crate) fn taken() -> FullResponse {
    typed(Bytes::from_static(b"{}"), "application/json")
}

/// There are no ICE servers, for none is needed.
fn describes(kind: &str, id: SessionId, sdp: &str) -> FullResponse {
    let json = serde_json::json!({
        "type": kind,
        "id": id.to_string(),
        "sdp": sdp,
        "iceServers": [],
    });
    typed(Bytes::from(json.to_string()), "application/json")
}

#[cfg(test)]
mod tests;
