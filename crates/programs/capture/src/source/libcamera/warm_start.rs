//! What a camera knew of the light when it fell asleep, and whether it has found it again.

use std::time::{Duration, Instant};

use crate::source::hardware::control::Value;
use crate::source::still::AutoExposure;

/// After this long a camera counts as settled whatever it says: some never say so under flickering
/// light.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the metadata of one frame say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metadata {
    /// `ExposureTime` in microseconds.
    pub(super) exposure_time: Option<i64>,
    /// `AnalogueGain`.
    pub(super) analogue_gain: Option<f32>,
    /// `ColourGains`, of red and blue.
    pub(super) colour_gains: Option<[f32; 2]>,
    /// `AeState` is "searching".
    pub(super) searching: Option<bool>,
    /// The camera says that the frame is one of those that come while it starts.
    pub(super) startup: bool,
}

impl Metadata {
    /// What it says of the automatic exposure.
    pub(super) fn exposure(&self) -> AutoExposure {
        match self.searching {
            _ if self.startup => AutoExposure::Searching,
            Some(true) => AutoExposure::Searching,
            Some(false) => AutoExposure::Settled,
            None => AutoExposure::Unknown,
        }
    }
}

/// Controls by their names.
pub(super) type Controls = Vec<(&'static str, Value)>;

/// Gives the controls that start a camera as it was, and those that hand them back to its
/// automatics afterwards.
///
/// Where the user has set one of a group, the group is left alone. `has` says which controls the
/// camera has.
pub(super) fn warm_start(
    last: &Metadata,
    has: impl Fn(&str) -> bool,
    set_by_user: impl Fn(&str) -> bool,
) -> (Controls, Controls) {
    let (mut start, mut after) = (Vec::new(), Vec::new());
    let free = |names: &[&str]| {
        names.iter().all(|name| has(name)) && !names.iter().any(|name| set_by_user(name))
    };
    // 0 is automatic, 1 manual (libcamera's ExposureTimeMode and AnalogueGainMode, since 0.5).
    let automatic = |manual: i64| Value::Integer(vec![manual]);
    if let (Some(time), Some(gain)) = (last.exposure_time, last.analogue_gain)
        && free(&[
            "ExposureTime",
            "AnalogueGain",
            "ExposureTimeMode",
            "AnalogueGainMode",
        ])
        && !set_by_user("AeEnable")
    {
        start.extend([
            ("ExposureTimeMode", automatic(1)),
            ("ExposureTime", Value::Integer(vec![time])),
            ("AnalogueGainMode", automatic(1)),
            ("AnalogueGain", Value::Float(vec![gain])),
        ]);
        after.extend([
            ("ExposureTimeMode", automatic(0)),
            ("AnalogueGainMode", automatic(0)),
        ]);
    }
    if let Some(gains) = last.colour_gains
        && free(&["ColourGains", "AwbEnable"])
        && !set_by_user("AwbMode")
        && !set_by_user("ColourTemperature")
    {
        start.extend([
            ("AwbEnable", Value::Bool(vec![false])),
            ("ColourGains", Value::Float(gains.to_vec())),
        ]);
        after.push(("AwbEnable", Value::Bool(vec![true])));
    }
    (start, after)
}

/// Whether a camera that was started is still looking for its exposure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settling {
    since: Instant,
    over: bool,
}

impl Settling {
    /// Begins when the camera starts.
    pub(super) fn begin(now: Instant) -> Self {
        Self {
            since: now,
            over: false,
        }
    }

    /// Takes in what a frame says. Once settled, a camera stays so until it is started again.
    pub(super) fn see(&mut self, metadata: &Metadata, now: Instant) {
        let settled = !metadata.startup && metadata.searching != Some(true);
        self.over |= settled || now.duration_since(self.since) >= PATIENCE;
    }

    /// Says whether it has not settled yet.
    pub(super) fn holds(&self) -> bool {
        !self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn night() -> Metadata {
        Metadata {
            exposure_time: Some(66_000),
            analogue_gain: Some(8.0),
            colour_gains: Some([1.5, 2.0]),
            ..Metadata::default()
        }
    }

    fn names(controls: &Controls) -> Vec<&str> {
        controls.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn starts_as_it_was_and_hands_back_to_the_automatics() {
        let (start, after) = warm_start(&night(), |_| true, |_| false);
        assert!(start.contains(&("ExposureTime", Value::Integer(vec![66_000]))));
        assert!(start.contains(&("ColourGains", Value::Float(vec![1.5, 2.0]))));
        assert!(start.contains(&("ExposureTimeMode", Value::Integer(vec![1]))));
        assert_eq!(
            names(&after),
            ["ExposureTimeMode", "AnalogueGainMode", "AwbEnable"]
        );
        assert!(after.contains(&("ExposureTimeMode", Value::Integer(vec![0]))));
    }

    #[test]
    fn sets_nothing_that_the_camera_lacks_the_user_has_set_or_nobody_knows() {
        let nothing = (Vec::new(), Vec::new());
        assert_eq!(warm_start(&night(), |_| false, |_| false), nothing);
        assert_eq!(
            warm_start(&Metadata::default(), |_| true, |_| false),
            nothing
        );
        let old = |name: &str| !name.ends_with("Mode");
        let (start, _) = warm_start(&night(), old, |_| false);
        assert_eq!(names(&start), ["AwbEnable", "ColourGains"]);
        for fixed in [
            "AeEnable",
            "ExposureTime",
            "AnalogueGain",
            "ExposureTimeMode",
        ] {
            let (start, after) = warm_start(&night(), |_| true, |name| name == fixed);
            assert_eq!(names(&start), ["AwbEnable", "ColourGains"], "{fixed}");
            assert_eq!(names(&after), ["AwbEnable"], "{fixed}");
        }
        for fixed in ["AwbEnable", "AwbMode", "ColourGains", "ColourTemperature"] {
            let (start, _) = warm_start(&night(), |_| true, |name| name == fixed);
            assert!(!names(&start).contains(&"ColourGains"), "{fixed}");
        }
    }

    #[test]
    fn settles_once_and_not_for_ever() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let seen = |searching, startup| Metadata {
            searching,
            startup,
            ..Metadata::default()
        };
        let mut settling = Settling::begin(start);
        assert!(settling.holds());
        settling.see(&seen(Some(true), false), at(30));
        settling.see(&seen(Some(false), true), at(60));
        assert!(settling.holds());
        settling.see(&seen(Some(false), false), at(90));
        assert!(!settling.holds());
        settling.see(&seen(Some(true), false), at(120));
        assert!(
            !settling.holds(),
            "the light has changed, but it was found once"
        );
        let mut silent = Settling::begin(start);
        silent.see(&seen(None, false), at(1));
        assert!(!silent.holds(), "a camera that says nothing of it");
        let mut flicker = Settling::begin(start);
        flicker.see(&seen(Some(true), false), at(9_999));
        assert!(flicker.holds());
        flicker.see(&seen(Some(true), false), at(10_000));
        assert!(!flicker.holds());
    }
}
