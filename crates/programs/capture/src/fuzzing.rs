//! What must hold whatever another server sends. The fuzz target calls this, and a test with what
//! it found (`fuzz/README.md`).

use crate::source::fuzzing::part_head;

/// What stands before a JPEG in a stream says a moment that is one, or none.
///
/// # Panics
/// Where that does not hold.
pub fn stream(bytes: &[u8]) {
    part_head(bytes);
}

#[cfg(test)]
mod tests {
    #[test]
    fn stream_corpus() {
        eyelid_replay::replay("far", super::stream);
    }
}
