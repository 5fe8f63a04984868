//! When the camera is watched: at its own hours, if any of its rules looks then.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::local_clock::LocalClock;
use crate::schedule::{WallClock, is_open, until_change};
use crate::settings::CameraSettings;

/// How long is waited at most before the clocks are asked again: somebody may set them, and the
/// timers of the kernel that are used here do not notice.
const ASK_AGAIN: Duration = Duration::from_secs(600);

/// The hours of a camera and its rules.
#[derive(Debug)]
pub(crate) struct Hours {
    clock: Arc<LocalClock>,
}

impl Hours {
    pub(crate) fn new(clock: Arc<LocalClock>) -> Self {
        Self { clock }
    }

    /// Says whether the camera is watched at that moment.
    pub(crate) fn are_now(&self, camera: &CameraSettings, now: SystemTime) -> bool {
        let is_open = |times| is_open(times, now, &*self.clock);
        is_open(camera.at.as_ref()) && camera.rules.iter().any(|rule| is_open(rule.at.as_ref()))
    }

    /// Says whether a rule looks at that moment.
    pub(crate) fn of_rule(&self, camera: &CameraSettings, rule: &str, now: SystemTime) -> bool {
        let mut rules = camera.rules.iter();
        let times = rules.find(|known| known.name == rule);
        times.is_none_or(|rule| is_open(rule.at.as_ref(), now, &*self.clock))
    }

    /// How far local time is ahead of UTC at that moment, in seconds.
    pub(crate) fn ahead_of_utc_s(&self, now: SystemTime) -> i32 {
        self.clock.ahead_s(now)
    }

    /// How long to wait before these may say something else; no longer than until the clocks are to
    /// be asked again.
    pub(crate) fn until_other(&self, camera: &CameraSettings, now: SystemTime) -> Duration {
        let own = [camera.at.as_ref()];
        let all = own
            .into_iter()
            .chain(camera.rules.iter().map(|rule| rule.at.as_ref()));
        let changes = all.filter_map(|times| until_change(times, now, ASK_AGAIN, &*self.clock));
        changes.min().unwrap_or(ASK_AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::RuleSettings;
    use std::time::UNIX_EPOCH;

    #[test]
    fn a_camera_is_watched_when_one_of_its_rules_looks() {
        let hours = Hours::new(Arc::new(LocalClock::utc()));
        let rule = |name: &str, at: Option<&str>| RuleSettings {
            name: name.to_owned(),
            at: at.map(|at| at.parse().unwrap()),
            ..RuleSettings::motion()
        };
        // A Monday.
        let at = |hour: u64| UNIX_EPOCH + Duration::from_secs(1_795_996_800 + hour * 3600);
        let mut camera = CameraSettings {
            at: Some("Mo 06:00-20:00".parse().unwrap()),
            ..CameraSettings::of("door")
        };
        camera.rules = vec![
            rule("early", Some("05:00-07:00")),
            rule("late", Some("18:00-22:00")),
        ];
        let watched: Vec<u64> = (0..24)
            .filter(|hour| hours.are_now(&camera, at(*hour)))
            .collect();
        assert_eq!(watched, [6, 18, 19]);
        assert!(hours.of_rule(&camera, "late", at(21)));
        assert!(!hours.of_rule(&camera, "late", at(6)));
        let minute = Duration::from_secs(60);
        assert_eq!(hours.until_other(&camera, at(6) - minute), minute);
        assert_eq!(hours.until_other(&camera, at(8)), ASK_AGAIN);
        camera.rules.push(rule("always", None));
        assert!(hours.are_now(&camera, at(12)) && !hours.are_now(&camera, at(22)));
    }
}
