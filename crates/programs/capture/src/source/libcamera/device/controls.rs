//! Between libcamera's controls and ours.

use libcamera::control::{ControlInfo, ControlInfoMap, ControlList};
use libcamera::control_value::{ControlType, ControlValue};
use libcamera::controls::{self, ControlId};
use libcamera::geometry::{Point, Rectangle, Size};

use crate::source::hardware::control::{Control, Kind, Value};
use crate::source::libcamera::warm_start::Metadata;

/// `ControlId::size` of controls that take any number of elements.
const ANY_NUMBER: usize = usize::MAX;

/// Describes the controls that a camera has, by their names.
pub(super) fn describe(controls: &ControlInfoMap) -> Vec<Control> {
    let mut described: Vec<Control> = controls
        .into_iter()
        // Controls of vendors that this build does not know have no name.
        .filter_map(|(id, info)| Some(control(ControlId::try_from(id).ok()?, info)))
        .collect();
    described.sort_by(|a, b| a.name.cmp(&b.name));
    described
}

fn control(id: ControlId, info: &ControlInfo) -> Control {
    let name = id.name();
    let offered: Vec<i64> = info
        .values()
        .into_iter()
        .filter_map(|value| match value_of(value)? {
            Value::Integer(numbers) => numbers.first().copied(),
            _ => None,
        })
        .collect();
    let mut choices: Vec<(i64, String)> = id
        .enumerators_map()
        .into_iter()
        .map(|(number, choice)| (i64::from(number), choice))
        .filter(|(number, _)| offered.is_empty() || offered.contains(number))
        .map(|(number, choice)| (number, choice.trim_start_matches(&name).to_owned()))
        .collect();
    choices.sort_unstable();
    Control {
        id: id.id(),
        kind: kind(&id.control_type()),
        elements: if !id.is_array() {
            Some(1)
        } else {
            Some(id.size()).filter(|size| (1..ANY_NUMBER).contains(size))
        },
        min: value_of(info.min()),
        max: value_of(info.max()),
        default: value_of(info.def()),
        choices,
        name,
    }
}

fn kind(of: &ControlType) -> Kind {
    match of {
        ControlType::Bool => Kind::Bool,
        ControlType::Byte
        | ControlType::Uint16
        | ControlType::Uint32
        | ControlType::Int32
        | ControlType::Int64 => Kind::Integer,
        ControlType::Float => Kind::Float,
        ControlType::Rectangle => Kind::Rectangle,
        ControlType::Size => Kind::Size,
        ControlType::Point => Kind::Point,
        ControlType::None | ControlType::String => Kind::Other,
    }
}

fn value_of(value: ControlValue) -> Option<Value> {
    let integers = |numbers: Vec<i64>| Some(Value::Integer(numbers));
    match value {
        ControlValue::Bool(values) => Some(Value::Bool(values.to_vec())),
        ControlValue::Float(values) => Some(Value::Float(values.to_vec())),
        ControlValue::Byte(values) => integers(values.into_iter().map(i64::from).collect()),
        ControlValue::Uint16(values) => integers(values.into_iter().map(i64::from).collect()),
        ControlValue::Uint32(values) => integers(values.into_iter().map(i64::from).collect()),
        ControlValue::Int32(values) => integers(values.into_iter().map(i64::from).collect()),
        ControlValue::Int64(values) => integers(values.to_vec()),
        ControlValue::Rectangle(values) => integers(
            values
                .iter()
                .flat_map(|r| [r.x.into(), r.y.into(), r.width.into(), r.height.into()])
                .collect(),
        ),
        ControlValue::Size(values) => integers(
            values
                .iter()
                .flat_map(|s| [s.width.into(), s.height.into()])
                .collect(),
        ),
        ControlValue::Point(values) => integers(
            values
                .iter()
                .flat_map(|p| [p.x.into(), p.y.into()])
                .collect(),
        ),
        ControlValue::None | ControlValue::String(_) => None,
    }
}

/// Puts a value into a list, in the type that the control has. Values that do not fit it were
/// refused when they were read.
pub(super) fn set(list: &mut ControlList, id: u32, value: &Value) {
    let Some(raw) = ControlId::try_from(id)
        .ok()
        .and_then(|id| raw(&id.control_type(), value))
    else {
        log::debug!("libcamera: control {id} cannot be {value:?}");
        return;
    };
    if let Err(error) = list.set_raw(id, raw) {
        log::debug!("libcamera: control {id}: {error}");
    }
}

fn raw(kind: &ControlType, value: &Value) -> Option<ControlValue> {
    match (kind, value) {
        (ControlType::Bool, Value::Bool(values)) => {
            Some(ControlValue::Bool(values.iter().copied().collect()))
        }
        (ControlType::Float, Value::Float(values)) => {
            Some(ControlValue::Float(values.iter().copied().collect()))
        }
        (kind, Value::Integer(numbers)) => raw_integers(kind, numbers),
        _ => None,
    }
}

fn raw_integers(kind: &ControlType, numbers: &[i64]) -> Option<ControlValue> {
    fn all<T: TryFrom<i64>, C: FromIterator<T>>(numbers: &[i64]) -> Option<C> {
        numbers.iter().map(|n| T::try_from(*n).ok()).collect()
    }
    Some(match kind {
        ControlType::Byte => ControlValue::Byte(all(numbers)?),
        ControlType::Uint16 => ControlValue::Uint16(all(numbers)?),
        ControlType::Uint32 => ControlValue::Uint32(all(numbers)?),
        ControlType::Int32 => ControlValue::Int32(all(numbers)?),
        ControlType::Int64 => ControlValue::Int64(all(numbers)?),
        ControlType::Rectangle => ControlValue::Rectangle(
            numbers
                .chunks_exact(4)
                .map(|n| {
                    Some(Rectangle {
                        x: n[0].try_into().ok()?,
                        y: n[1].try_into().ok()?,
                        width: n[2].try_into().ok()?,
                        height: n[3].try_into().ok()?,
                    })
                })
                .collect::<Option<_>>()?,
        ),
        ControlType::Size => ControlValue::Size(
            numbers
                .chunks_exact(2)
                .map(|n| {
                    Some(Size {
                        width: n[0].try_into().ok()?,
                        height: n[1].try_into().ok()?,
                    })
                })
                .collect::<Option<_>>()?,
        ),
        ControlType::Point => ControlValue::Point(
            numbers
                .chunks_exact(2)
                .map(|n| {
                    Some(Point {
                        x: n[0].try_into().ok()?,
                        y: n[1].try_into().ok()?,
                    })
                })
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

/// Gives the slowest and the fastest rate that a configured camera can have, in frames per second.
pub(super) fn rate(controls: &ControlInfoMap) -> Option<(f64, f64)> {
    let limits = controls.find(ControlId::FrameDurationLimits.id()).ok()?;
    let us = |value| match value_of(value)? {
        Value::Integer(numbers) => numbers.first().copied().filter(|us| *us > 0),
        _ => None,
    };
    let fps = |us: i64| 1e6 / us as f64;
    Some((fps(us(limits.max())?), fps(us(limits.min())?)))
}

/// Reads what is of use later out of a frame's metadata.
pub(super) fn metadata(list: &ControlList) -> Metadata {
    Metadata {
        exposure_time: list
            .get::<controls::ExposureTime>()
            .ok()
            .map(|t| t.0.into()),
        analogue_gain: list.get::<controls::AnalogueGain>().ok().map(|g| g.0),
        colour_gains: list.get::<controls::ColourGains>().ok().map(|g| g.0),
        searching: list
            .get::<controls::AeState>()
            .ok()
            .map(|state| state == controls::AeState::Searching),
        startup: false,
    }
}

/// Reads the sensor's timestamp in nanoseconds.
pub(super) fn sensor_timestamp(list: &ControlList) -> Option<u64> {
    let timestamp = list.get::<controls::SensorTimestamp>().ok()?;
    u64::try_from(timestamp.0).ok().filter(|ns| *ns > 0)
}
