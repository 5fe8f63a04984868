//! What must hold whatever strangers send. The fuzz target calls this, and a test with what it
//! found (`fuzz/README.md`).

use std::path::Path;

use eyelid_slot::CameraName;

use crate::mse::fuzzing::heard;
use crate::route::Route;
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
}
