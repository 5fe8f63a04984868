//! The log: the journal with its fields where stderr is the journal, else one plain line on stderr for each record.

use std::io::Write;

use log::LevelFilter;
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// Sets the level: `error`, `warn`, `info` (the default), `debug`, `trace` or `off`.
pub const LEVEL_VARIABLE: &str = "EYELID_LOG";

/// Starts logging for the program called `program`. Records before this call are lost; a second call does nothing.
pub fn start(program: &'static str) {
    let level = level(std::env::var(LEVEL_VARIABLE).ok().as_deref());
    if connected_to_journal()
        && let Ok(journal) = JournalLog::new()
        && journal
            .with_syslog_identifier(program.to_owned())
            .install()
            .is_ok()
    {
        log::set_max_level(level);
        return;
    }
    // Fails only where a logger is there already.
    let _ = env_logger::Builder::new()
        .filter_level(level)
        .format(move |out, record| {
            writeln!(
                out,
                "{program}: {}: {}",
                record.level().as_str().to_ascii_lowercase(),
                record.args()
            )
        })
        .try_init();
}

fn level(text: Option<&str>) -> LevelFilter {
    text.and_then(|text| text.parse().ok())
        .unwrap_or(LevelFilter::Info)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_level_is_info() {
        assert_eq!(level(Some("debug")), LevelFilter::Debug);
        assert_eq!(level(Some("loud")), LevelFilter::Info);
        assert_eq!(level(None), LevelFilter::Info);
    }
}
