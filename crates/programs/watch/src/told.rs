//! What this program tells the server of the camera that it watches, for `/status`
//! (`eyelid-figures`): what it has written down, for that is written whenever it changes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use eyelid_daemon::manager;
use eyelid_figures::{Answering, RuleFigures, WatchFigures};
use eyelid_slot::CameraName;

use crate::alert::{BLIND_RULE, word};
use crate::rules::Saved;

/// Listens for who asks: at this socket, or in the directory `watch-NAME` that systemd has made for
/// the unit, else nowhere. Where that cannot be, all else goes on, and the log says so.
pub(crate) fn listen(socket: Option<&Path>, camera: &CameraName) -> Option<Answering> {
    let socket = socket.map(Path::to_owned);
    let answering = Answering::bind(socket.or_else(|| of_unit(camera))?).inspect_err(|error| {
        log::warn!("/status of the server says nothing of this camera's rules: {error}");
    });
    answering.ok()
}

fn of_unit(camera: &CameraName) -> Option<PathBuf> {
    let wanted = format!("watch-{camera}");
    let mut made = manager::runtime_directories().into_iter();
    let directory = made.find(|directory| directory.ends_with(&wanted))?;
    Some(directory.join("status"))
}

/// Alerts of each rule since the program's start.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlertCounts(Rc<RefCell<BTreeMap<String, u64>>>);

impl AlertCounts {
    /// There is one more.
    pub(crate) fn add(&self, rule: &str) {
        let mut counts = self.0.borrow_mut();
        *counts.entry(rule.to_owned()).or_default() += 1;
    }

    fn of(&self, rule: &str) -> u64 {
        self.0.borrow().get(rule).copied().unwrap_or_default()
    }
}

/// What is so now, of a program that has run `since` then and keeps its state in this directory;
/// so many `questions` were asked within a day.
pub(crate) fn figures(
    state: &Path,
    camera: &CameraName,
    since: SystemTime,
    alerts: &AlertCounts,
    questions: Option<usize>,
) -> WatchFigures {
    let saved = Saved::of_camera(state, camera);
    let mut figures = WatchFigures {
        since,
        watching: false,
        blind: None,
        questions: questions.map(|count| count as u64),
        blind_alerts: alerts.of(BLIND_RULE),
        rules: Vec::new(),
    };
    let Some(saved) = saved else {
        return figures;
    };
    figures.watching = saved.watching;
    figures.blind = saved.blind.as_ref().and_then(|blind| word(&blind.cause));
    let rules = saved.rules.into_iter().filter_map(|(name, rule)| {
        Some(RuleFigures {
            alerts: alerts.of(&name),
            name,
            state: word(&rule.state)?,
            since: rule.since,
        })
    });
    figures.rules = rules.collect();
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;
    use serde_json::json;

    #[test]
    fn what_was_written_down_is_told_and_nothing_where_there_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let door = "door".parse().unwrap();
        let alerts = AlertCounts::default();
        for rule in ["parcel", "parcel", "gone"] {
            alerts.add(rule);
        }
        let since = SystemTime::UNIX_EPOCH;
        let told = || figures(directory.path(), &door, since, &alerts, Some(4));
        assert_eq!((told().watching, told().rules), (false, vec![]));
        let state = json!({
            "version": 1, "camera": "door", "watching": true,
            "saved": {"boot": "", "boot_ms": 1, "wall": "2026-11-28T14:02:40.000Z"},
            "rules": {"parcel": {"state": "standing", "judge": "says",
                                 "since": "2026-11-28T14:02:40.000Z"}},
            "blind": {"cause": "no-frames", "since": "2026-11-28T14:02:40.000Z"},
        });
        let path = directory.path().join("door.json");
        files::replace(&path, state.to_string().as_bytes()).unwrap();
        let told = serde_json::to_value(told()).unwrap();
        let expected = json!({
            "since": "1970-01-01T00:00:00.000Z", "watching": true, "blind": "no-frames",
            "questions": 4, "blind_alerts": 0,
            "rules": [{"name": "parcel", "state": "standing", "since": "2026-11-28T14:02:40Z",
                       "alerts": 2}],
        });
        assert_eq!(told, expected);
    }
}
