//! What must hold whatever strangers, and files, say. The fuzz targets call this, and a test with
//! what they found (`fuzz/README.md`).

use crate::alert::Alert;

/// See `page`'s own.
///
/// # Panics
/// Where that does not hold.
pub fn page(bytes: &[u8]) {
    crate::page::fuzzing::page(bytes);
}

/// A state of rules can be read and goes on, or begins anew: whatever it says, it is the same when
/// it is written and read again, and what follows is as it would be of rules that came to it by
/// themselves. An alert is the same when it is written and read again.
///
/// # Panics
/// Where that does not hold.
pub fn watched(bytes: &[u8]) {
    crate::rules::fuzzing::state(bytes);
    if let Ok(alert) = Alert::parse(bytes) {
        let json = alert.to_json();
        let again = Alert::parse(&json).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.to_json(), json);
        assert_eq!(json.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(!alert.id.as_str().contains('/') && !alert.id.as_str().starts_with('.'));
        assert!(alert.headline().chars().count() < 1000);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn watched_corpus() {
        eyelid_replay::replay("watched", super::watched);
    }

    #[test]
    fn page_corpus() {
        eyelid_replay::replay("alerts_page", super::page);
    }
}
