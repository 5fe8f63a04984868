//! What must hold whatever is in the file. The fuzz target calls this, and a test with what it
//! found (`fuzz/README.md`).

use std::path::Path;

use toml::de::DeTable;

use crate::sections::{TABLES, each_table};
use crate::{Config, ConfigError};

/// A file is refused in one line that names a line of it, or what each program reads of it can be
/// written down and read again.
///
/// # Panics
/// Where that does not hold.
pub fn config(bytes: &[u8]) {
    // A file that is not UTF-8 is refused when it is read.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let path = Path::new("eyelid.toml");
    if let Err(error) = Config::parse(text, path) {
        return refusal(&error, text);
    }
    let root = DeTable::parse(text).unwrap_or_else(|error| panic!("{error}"));
    each_table(root.get_ref(), &mut Vec::new(), &mut |place, value| {
        for table in TABLES.iter().filter(|table| table.is_at(place)) {
            if let Err(error) = (table.read_again)(value.clone()) {
                refusal(&ConfigError::of_toml(text, path, &error), text);
            }
        }
    });
}

fn refusal(error: &ConfigError, text: &str) {
    let message = error.to_string();
    assert!(!message.contains(char::is_control), "{message:?}");
    let ConfigError::Content { line, .. } = error else {
        panic!("{message}");
    };
    let lines = text.matches('\n').count() + 1;
    assert!((1..=lines).contains(line), "{message}");
}

#[cfg(test)]
mod tests {
    #[test]
    fn config_corpus() {
        eyelid_replay::replay("config", super::config);
    }
}
