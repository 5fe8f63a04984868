//! The log: the journal with its fields where stderr is the journal, else one plain line on stderr
//! for each record.
//!
//! A program that drives one camera of several says of which it speaks, in each line and in a field
//! of the journal.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::time::SystemTime;

use log::{LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// Sets the level: `error`, `warn`, `info` (the default), `debug`, `trace` or `off`.
pub const LEVEL_VARIABLE: &str = "EYELID_LOG";

/// The journal's field for the name of the camera.
pub const CAMERA_FIELD: &str = "EYELID_CAMERA";

/// Starts logging for the program called `program`, which drives the camera called `camera` if it
/// is one of several. Records before this call are lost; a second call does nothing.
pub fn start(program: &'static str, camera: Option<&str>) {
    let level = level(std::env::var(LEVEL_VARIABLE).ok().as_deref());
    log::set_max_level(level);
    let prefix = camera.map_or_else(String::new, |name| format!("{name}: "));
    if connected_to_journal()
        && let Ok(journal) = JournalLog::new()
    {
        let journal = journal
            .with_syslog_identifier(program.to_owned())
            .with_extra_fields(camera.map(|name| (CAMERA_FIELD, name)));
        let logger = Prefixed {
            inner: journal,
            prefix,
        };
        // Fails only where a logger is there already.
        let _ = log::set_boxed_logger(Box::new(logger));
        return;
    }
    let for_people = std::io::stderr().is_terminal();
    // As above.
    let _ = env_logger::Builder::new()
        .filter_level(level)
        .format(move |out, record| {
            if for_people {
                let now = humantime::format_rfc3339_seconds(SystemTime::now());
                write!(out, "{now} ")?;
            }
            let level = record.level().as_str().to_ascii_lowercase();
            writeln!(out, "{program}: {level}: {prefix}{}", record.args())
        })
        .try_init();
}

/// Says why the program ends: on stdout where it was only to check its options, else in the log.
pub fn say(error: &impl Display, is_check: bool) {
    if is_check {
        println!("{error:#}");
    } else {
        log::error!("{error:#}");
    }
}

/// A log whose messages all begin with the same words.
struct Prefixed<L> {
    inner: L,
    prefix: String,
}

impl<L: Log> Log for Prefixed<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let (prefix, message) = (&self.prefix, record.args());
        let mut record = record.to_builder();
        self.inner
            .log(&record.args(format_args!("{prefix}{message}")).build());
    }

    fn flush(&self) {
        self.inner.flush();
    }
}

fn level(text: Option<&str>) -> LevelFilter {
    text.and_then(|text| text.parse().ok())
        .unwrap_or(LevelFilter::Info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Keeps what is logged.
    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, String)>>);

    impl Log for Kept {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            let line = (record.target().to_owned(), record.args().to_string());
            self.0.lock().unwrap().push(line);
        }

        fn flush(&self) {}
    }

    #[test]
    fn every_message_begins_with_the_prefix_and_keeps_the_rest() {
        let log = Prefixed {
            inner: Kept::default(),
            prefix: "front: ".to_owned(),
        };
        let mut record = Record::builder();
        log.log(&record.target("camera").args(format_args!("awake")).build());
        let kept = log.inner.0.into_inner().unwrap();
        assert_eq!(kept, [("camera".to_owned(), "front: awake".to_owned())]);
    }

    #[test]
    fn an_unknown_level_is_info() {
        assert_eq!(level(Some("debug")), LevelFilter::Debug);
        assert_eq!(level(Some("loud")), LevelFilter::Info);
        assert_eq!(level(None), LevelFilter::Info);
    }
}
