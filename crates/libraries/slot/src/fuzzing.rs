//! What must hold whatever bytes come. The fuzz target calls this, and the tests with what it found
//! (`fuzz/README.md`).

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::{Phase, State};

/// A state that can be read can be written, in one line, and read again; what it says more than a
/// [`State`] knows is as it was.
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
    let (before, after) = (object(bytes), object(&json));
    let known = object(&State::new(Phase::Awake, SystemTime::UNIX_EPOCH).to_json());
    for (key, value) in before {
        if !known.contains_key(&key) {
            assert_eq!(after.get(&key), Some(&value), "{key:?}");
        }
    }
}

fn object(json: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(json).unwrap_or_else(|error| panic!("{error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_corpus() {
        eyelid_replay::replay("state", state);
    }
}
