//! What lies in the directory of alerts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::bounds::Kept;
use crate::alert::AlertId;

/// How many files of others are passed over before the directory is said to be none of alerts.
const MOST_FILES: usize = 100_000;

/// Where the picture of an alert is, if it has one.
pub(crate) fn picture_path(directory: &Path, id: &AlertId) -> PathBuf {
    path(directory, id, "jpg")
}

/// The endings of an alert's files: itself, its picture, and what was before that.
pub(super) const ENDINGS: [&str; 3] = ["json", "jpg", "earlier"];

/// Where a file of an alert is: one of [`ENDINGS`].
pub(crate) fn path(directory: &Path, id: &AlertId, ending: &str) -> PathBuf {
    directory.join(format!("{id}.{ending}"))
}

/// Lists what lies there, the oldest first.
///
/// # Errors
/// What the system says of the directory.
pub(super) fn kept(directory: &Path) -> io::Result<Vec<Kept>> {
    let mut kept = std::collections::BTreeMap::new();
    for entry in fs::read_dir(directory)?.take(MOST_FILES) {
        let entry = entry?;
        let name = entry.file_name();
        let Some((stem, ending)) = name.to_str().and_then(|name| name.rsplit_once('.')) else {
            continue;
        };
        let (is_alert, Ok(id)) = (ending == "json", stem.parse::<AlertId>()) else {
            continue;
        };
        if !ENDINGS.contains(&ending) {
            continue;
        }
        // It may have been removed since.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let changed = metadata.modified().unwrap_or(UNIX_EPOCH);
        let of_this = kept.entry(id.clone()).or_insert(Kept {
            id,
            bytes: 0,
            is_alert: false,
            changed,
        });
        of_this.bytes += metadata.len();
        of_this.is_alert |= is_alert;
        of_this.changed = of_this.changed.max(changed);
    }
    Ok(kept.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Alert, Kind};

    #[test]
    fn what_is_no_alert_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let at = UNIX_EPOCH + std::time::Duration::from_secs(1_790_000_000);
        let alert = Alert::new("door".parse().unwrap(), "a", Kind::Seen, at);
        let of_alert = format!("{}.json", alert.id);
        for (name, contents) in [
            (of_alert.as_str(), &alert.to_json()[..]),
            (".20261128T140240.124Z-door-a.json.tmp", b"{}"),
            ("20261128T140240.125Z-door-a.jpg", b"jpeg"),
            ("notes.json", b"{}"),
            ("20261128T140240.123Z-door-a.txt", b""),
        ] {
            fs::write(directory.path().join(name), contents).unwrap();
        }
        fs::create_dir(directory.path().join("cases")).unwrap();
        let kept = kept(directory.path()).unwrap();
        let told: Vec<_> = kept
            .iter()
            .map(|kept| (kept.is_alert, kept.bytes))
            .collect();
        assert_eq!(told, [(true, alert.to_json().len() as u64), (false, 4)]);
    }
}
