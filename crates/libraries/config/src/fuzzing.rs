//! What must hold whatever is in the file. The fuzz target calls this, and a test with what it found (`fuzz/README.md`).

use std::path::Path;

use crate::{Config, ConfigError};

/// A file is refused in one line that names a line of it, or what it says can be written down and read again.
///
/// # Panics
/// Where that does not hold.
pub fn config(bytes: &[u8]) {
    // A file that is not UTF-8 is refused when it is read.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let path = Path::new("eyelid.toml");
    match Config::parse(text, path) {
        Ok(config) => {
            let written =
                toml::to_string(&config).unwrap_or_else(|error| panic!("{error} in {config:?}"));
            match Config::parse(&written, path) {
                Ok(again) => assert_eq!(again, config, "{written}"),
                Err(error) => panic!("{error}: {written}"),
            }
        }
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains(char::is_control), "{message:?}");
            let ConfigError::Content { line, .. } = error else {
                panic!("{message}");
            };
            assert!(
                (1..=text.matches('\n').count() + 1).contains(&line),
                "{message}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn config_corpus() {
        eyelid_replay::replay("config", super::config);
    }
}
