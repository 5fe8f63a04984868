//! What each `eyelid-watch` tells of the camera that it watches, as metrics.

use eyelid_figures::WatchFigures;
use eyelid_slot::CameraName;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::CameraLabels;
use crate::watchers::WatchedCameras;

/// All states that a rule is in, one at a time.
const STATES: [&str; 3] = ["quiet", "asked", "standing"];

/// The rule that alerts of blindness are of, here as in alerts.
const BLIND: &str = "blind";

/// The families.
#[derive(Default)]
pub(super) struct WatchMetrics {
    watching: Family<CameraLabels, Gauge>,
    blind: Family<CameraLabels, Gauge>,
    states: Family<StateLabels, Gauge>,
    alerts: Family<RuleLabels, Counter>,
    questions: Family<CameraLabels, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabels {
    camera: String,
    rule: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    camera: String,
    rule: String,
    state: &'static str,
}

impl WatchMetrics {
    /// Makes them known.
    pub(super) fn register(&self, registry: &mut Registry) {
        for (name, help, family) in [
            (
                "watch_watching",
                "1 where the camera is watched now, 0 outside of its hours",
                &self.watching,
            ),
            (
                "watch_blind",
                "1 where watching cannot see, or who is asked does not answer",
                &self.blind,
            ),
            (
                "watch_questions_day",
                "Questions asked of the model within a day, of all cameras together",
                &self.questions,
            ),
        ] {
            registry.register(name, help, family.clone());
        }
        let help = "1 for the state that the rule is in";
        registry.register("watch_rule_state", help, self.states.clone());
        let help = "Alerts of a rule; of the rule blind, that watching cannot see, or sees again";
        registry.register("watch_alerts", help, self.alerts.clone());
    }

    /// Has these values. Those of a program that does not run are gone, and its alerts count anew
    /// when it runs again, which is what a counter may do.
    pub(super) fn set(&self, cameras: &WatchedCameras) {
        for family in [&self.watching, &self.blind, &self.questions] {
            family.clear();
        }
        self.states.clear();
        self.alerts.clear();
        for (camera, figures) in cameras {
            self.add(camera, figures);
        }
    }

    fn add(&self, camera: &CameraName, figures: &WatchFigures) {
        let labels = CameraLabels::of(camera);
        let set = |family: &Family<CameraLabels, Gauge>, value: i64| {
            family.get_or_create(&labels).set(value);
        };
        set(&self.watching, figures.watching.into());
        set(&self.blind, figures.blind.is_some().into());
        if let Some(questions) = figures.questions {
            set(
                &self.questions,
                i64::try_from(questions).unwrap_or(i64::MAX),
            );
        }
        let told = figures.rules.iter().map(|rule| (&*rule.name, rule.alerts));
        for (rule, count) in told.chain([(BLIND, figures.blind_alerts)]) {
            let labels = RuleLabels {
                camera: camera.to_string(),
                rule: rule.to_owned(),
            };
            self.alerts.get_or_create(&labels).inc_by(count);
        }
        for rule in &figures.rules {
            for state in STATES {
                let labels = StateLabels {
                    camera: camera.to_string(),
                    rule: rule.name.clone(),
                    state,
                };
                let is_so = rule.state == state;
                self.states.get_or_create(&labels).set(is_so.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::rc::Rc;

    #[test]
    fn a_rule_is_in_one_state_and_what_does_not_run_is_not_there() {
        let mut registry = Registry::with_prefix("eyelid");
        let metrics = WatchMetrics::default();
        metrics.register(&mut registry);
        let encoded = |cameras: &WatchedCameras| {
            metrics.set(cameras);
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        let figures = json!({
            "since": "2026-11-29T06:00:00.000Z",
            "watching": true,
            "blind": "no-frames",
            "questions": 7,
            "blind_alerts": 1,
            "rules": [{"name": "parcel", "state": "standing", "since": null, "alerts": 3}],
        });
        let figures = Rc::new(serde_json::from_value(figures).unwrap());
        let cameras: WatchedCameras = [("door".parse().unwrap(), figures)].into();
        encoded(&cameras);
        let text = encoded(&cameras); // no more than the first time
        for line in [
            r#"eyelid_watch_watching{camera="door"} 1"#,
            r#"eyelid_watch_blind{camera="door"} 1"#,
            r#"eyelid_watch_rule_state{camera="door",rule="parcel",state="standing"} 1"#,
            r#"eyelid_watch_rule_state{camera="door",rule="parcel",state="quiet"} 0"#,
            r#"eyelid_watch_alerts_total{camera="door",rule="parcel"} 3"#,
            r#"eyelid_watch_alerts_total{camera="door",rule="blind"} 1"#,
            r#"eyelid_watch_questions_day{camera="door"} 7"#,
        ] {
            assert!(text.contains(&format!("{line}\n")), "{line} in {text}");
        }
        assert!(!encoded(&WatchedCameras::default()).contains("door"));
    }
}
