//! What must hold whatever a server says. The fuzz target calls this, and a test with what it found
//! (`fuzz/README.md`).

use crate::Url;
use crate::challenge::fuzzing::challenge as of_challenge;

/// What a server asks for is answered in one line that is bounded and tells no password, and what
/// it points to is a URL.
///
/// # Panics
/// Where that does not hold.
pub fn challenge(bytes: &[u8]) {
    of_challenge(bytes);
    location(bytes);
}

/// A `Location` leads to http or https, or nowhere; and to the same from where it has led to.
fn location(bytes: &[u8]) {
    let Ok(base) = "https://camera.example:8443/a/b?c".parse::<Url>() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(url) = base.resolve(text) else {
        return;
    };
    let whole = url.secret();
    assert!(!whole.contains(char::is_control), "{whole:?}");
    assert!(!url.host().is_empty() && !whole.contains('#'), "{whole:?}");
    assert_eq!(url.resolve(&whole).ok(), Some(url));
}

#[cfg(test)]
mod tests {
    #[test]
    fn challenge_corpus() {
        eyelid_replay::replay("challenge", super::challenge);
    }
}
