//! What must hold whatever strangers send. The fuzz target calls this, and the tests with what it
//! found (`fuzz/README.md`).

pub use crate::source::check_splitter as splitter;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitter_corpus() {
        eyelid_replay::replay("splitter", splitter);
    }
}
