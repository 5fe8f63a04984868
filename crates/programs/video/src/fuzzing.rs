//! What must hold whatever strangers send. The fuzz target calls this, and a test with what it
//! found (`fuzz/README.md`).

use std::path::Path;

use eyelid_slot::CameraName;

use crate::mse::fuzzing::heard;
use crate::route::Route;
use crate::signalling::credentials::Credentials;
use crate::signalling::fragment::SdpFragment;
use crate::signalling::offer::Description;
use crate::signalling::{BODY_BYTES, CANDIDATES, json};
use crate::tap;

/// What a viewer's WebSocket carries comes to the same in whichever pieces it comes, to no more
/// messages than a viewer may send, and to a close whose code says why. What a path or the reader
/// of a tap says names a camera, or nothing.
///
/// # Panics
/// Where that does not hold.
pub fn viewer(bytes: &[u8]) {
    let at_once = heard(bytes, usize::MAX);
    for piece_bytes in [1, 3] {
        assert_eq!(heard(bytes, piece_bytes), at_once, "{piece_bytes}");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        of_path(text);
    }
    if let Some(name) = tap::parse_name(bytes) {
        assert_is_name(&name);
    }
}

/// What a client says of itself to watch by WebRTC is refused with a reason, or bounded: a session
/// description, a fragment of one, a message in JSON.
///
/// # Panics
/// Where that does not hold.
pub fn signalling(bytes: &[u8]) {
    if let Ok(description) = Description::parse(bytes) {
        assert_bounded(&description);
        assert_eq!(description.text.as_bytes(), bytes);
        assert_renamed(&description);
    }
    if let Ok(fragment) = SdpFragment::parse(bytes) {
        assert!(fragment.candidates <= CANDIDATES);
        assert!(fragment.ice_ufrag.is_none_or(|ufrag| is_one_line(&ufrag)));
    }
    match json::read(bytes) {
        Ok(json::Message::Offer(description, _) | json::Message::Answer(_, description)) => {
            assert_bounded(&description);
        }
        Ok(json::Message::Candidates(_, count)) => assert!(count <= CANDIDATES),
        Ok(json::Message::Request(_)) => {}
        Err(rejection) => assert!(rejection.response().status().is_client_error()),
    }
}

fn assert_bounded(description: &Description) {
    assert!(description.text.len() <= BODY_BYTES);
    assert!(description.candidates <= CANDIDATES);
    // It stands in the log, and in the table of sessions.
    assert!(is_one_line(&description.ice_ufrag));
    assert!(description.h264.profile_level_id <= 0xff_ff_ff);
}

/// Where ICE begins anew it is the same description by another name, and no longer than that asks.
fn assert_renamed(description: &Description) {
    let Some(credentials) = Credentials::new("ysXw", &"p".repeat(256)) else {
        return;
    };
    let text = credentials.put_into(&description.text);
    assert!(text.len() <= 2 * BODY_BYTES + 32 * 512);
    assert!(text.lines().any(|line| line == "a=ice-ufrag:ysXw"));
    assert!(!text.contains("\na=candidate:"));
}

fn is_one_line(text: &str) -> bool {
    !text.contains(['\r', '\n'])
}

fn of_path(text: &str) {
    match Route::parse(text) {
        Route::Whep(name) | Route::WebRtc(name) | Route::Mse(name) => assert_is_name(&name),
        Route::WhepSession(name, id) => {
            assert_is_name(&name);
            assert!(!id.is_empty() && !id.contains('/'), "{id:?}");
        }
        Route::Status | Route::NotFound => {}
    }
}

/// Its slot is in the directory of slots, or is that.
fn assert_is_name(name: &CameraName) {
    let directory = name.directory(Path::new("/slots"));
    let is_within = directory.parent() == Some(Path::new("/slots"));
    assert!(name.is_default() || is_within, "{name}");
    assert!(!name.as_str().starts_with('.'), "{name}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn viewer_corpus() {
        eyelid_replay::replay("viewer", super::viewer);
    }

    #[test]
    fn signalling_corpus() {
        eyelid_replay::replay("signalling", super::signalling);
    }
}
