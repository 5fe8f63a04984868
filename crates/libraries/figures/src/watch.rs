//! The figures of an `eyelid-watch` that watches a camera, as they go over its socket and as they
//! stand in `/status` (docs/status.schema.json).

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::rfc3339;

/// How a camera is watched, and what for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchFigures {
    /// When the program started.
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// It is watched now: the time is one at which that is to be done.
    pub watching: bool,
    /// Why nothing can be seen: `no-frames`, `endpoint-down`, `budget-spent`, `answers-invalid`.
    pub blind: Option<String>,
    /// Questions asked of the model within a day, of all cameras together; nothing where there is
    /// no model.
    #[serde(default)]
    pub questions: Option<u64>,
    /// Alerts of blindness and of its end since the start.
    #[serde(default)]
    pub blind_alerts: u64,
    /// Its rules, by name.
    pub rules: Vec<RuleFigures>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleFigures {
    /// Its name.
    pub name: String,
    /// `quiet`, `asked` (it may be so, and that is being confirmed) or `standing`.
    pub state: String,
    /// Since when.
    #[serde(with = "humantime_serde")]
    pub since: Option<SystemTime>,
    /// Alerts since the program's start.
    #[serde(default)]
    pub alerts: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn is_flat_json_and_comes_back_from_it() {
        let told = json!({
            "since": "2026-11-29T06:00:00.000Z",
            "watching": true,
            "blind": null,
            "questions": 7,
            "blind_alerts": 2,
            "rules": [
                {"name": "parcel", "state": "standing", "since": "2026-11-29T06:00:01Z",
                 "alerts": 3},
                {"name": "jam", "state": "quiet", "since": null, "alerts": 0},
            ],
        });
        let figures: WatchFigures = serde_json::from_value(told.clone()).unwrap();
        assert_eq!(figures.rules[0].name, "parcel");
        assert_eq!(serde_json::to_value(figures).unwrap(), told);
    }
}
