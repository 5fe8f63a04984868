//! What is known of a camera that is acquired, the controls that it is started with, and when it
//! has taken a frame.

use std::time::SystemTime;

use super::device::LibcameraConfig;
use super::warm_start::{self, Metadata, warm_start};
use crate::Settings;
use crate::source::hardware::control::{Control, Prerequisite, Value};
use crate::source::hardware::timestamp::Clocks;
use crate::source::still::StillWay;

/// Controls that do nothing while libcamera sets them by itself (`ExposureTimeMode`,
/// `AnalogueGainMode`, `AwbEnable`).
pub(super) const PREREQUISITES: [Prerequisite; 3] = [
    ("ExposureTime", "ExposureTimeMode", "Manual"),
    ("AnalogueGain", "AnalogueGainMode", "Manual"),
    ("ColourGains", "AwbEnable", "false"),
];

/// A control by its id, and what it is set to.
pub(super) type Set = (u32, Value);

/// What is known of the camera that is acquired.
pub(super) struct Prepared {
    pub(super) id: String,
    pub(super) controls: Vec<Control>,
    /// What the user has set.
    pub(super) set: Vec<Set>,
    /// The rate of the stream, where the user has set one.
    pub(super) rate: Option<Set>,
    pub(super) stream: LibcameraConfig,
    /// For pictures in its full resolution, if that is larger.
    pub(super) full: Option<LibcameraConfig>,
    /// How it gives those, once that was tried.
    pub(super) full_way: Option<StillWay>,
}

impl Prepared {
    pub(super) fn start_controls(
        &self,
        last: &Metadata,
        settings: &Settings,
    ) -> (Vec<Set>, Vec<Set>) {
        let id = |name: &str| {
            let control = self.controls.iter().find(|control| control.name == name);
            control.map(|control| control.id)
        };
        let by_user = |name: &str| settings.control.iter().any(|set| set.name == name);
        let (start, after) = warm_start(last, |name| id(name).is_some(), by_user);
        let by_id = |controls: warm_start::Controls| {
            let controls = controls.into_iter();
            controls.filter_map(|(name, value)| Some((id(name)?, value)))
        };
        let initial = by_id(start).chain(self.set.iter().cloned()).collect();
        (initial, by_id(after).collect())
    }
}

/// The rate that was asked for, as the camera is told of it.
pub(super) fn frame_duration_limits(settings: &Settings, controls: &[Control]) -> Option<Set> {
    let name = "FrameDurationLimits";
    if settings.control.iter().any(|set| set.name == name) {
        return None;
    }
    let control = controls.iter().find(|control| control.name == name)?;
    let us = i64::try_from(settings.fps?.interval().as_micros()).unwrap_or(i64::MAX);
    let bound = |value: &Option<Value>| match value {
        Some(Value::Integer(us)) => us.first().copied().filter(|us| *us > 0),
        _ => None,
    };
    let us = us
        .max(bound(&control.min).unwrap_or(us))
        .min(bound(&control.max).unwrap_or(us));
    Some((control.id, Value::Integer(vec![us, us])))
}

/// The moment of capture, of a timestamp in nanoseconds of the sensor's clock.
pub(super) fn captured(timestamp: Option<u64>) -> SystemTime {
    let clocks = Clocks::now();
    timestamp
        .and_then(|ns| clocks.captured(ns))
        .unwrap_or(clocks.real)
}
