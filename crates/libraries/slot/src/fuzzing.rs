//! What must hold whatever bytes come. The fuzz target calls this, and the tests with what it found (`fuzz/README.md`).

use crate::State;

/// A state that can be read can be written, in one line, and read again.
///
/// # Panics
/// Where that does not hold.
pub fn state(bytes: &[u8]) {
    let Ok(state) = State::parse(bytes) else {
        return;
    };
    let json = state.to_json();
    let lines = json.iter().filter(|byte| **byte == b'\n').count();
    assert!(
        lines == 1 && json.ends_with(b"\n"),
        "{}",
        json.escape_ascii()
    );
    match State::parse(&json) {
        Ok(again) => assert_eq!(again, state),
        Err(error) => panic!("{error}: {}", json.escape_ascii()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_corpus() {
        eyelid_replay::replay("state", state);
    }
}
