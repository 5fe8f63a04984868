//! Controls: what a camera lets one set, and settings read by it.

use eyelid_config::ControlSetting;

/// What a control takes.
#[cfg_attr(
    not(feature = "libcamera"),
    allow(
        dead_code,
        reason = "V4L2's controls that are set here are whole numbers"
    )
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    /// Whole numbers. What fits is up to [`Control::min`] and [`Control::max`].
    Integer,
    Float,
    /// Four whole numbers: x, y, width, height.
    Rectangle,
    /// Two whole numbers: width, height.
    Size,
    /// Two whole numbers: x, y.
    Point,
    /// Anything else; it cannot be set here.
    Other,
}

impl Kind {
    /// How many numbers make one element.
    fn numbers(self) -> usize {
        match self {
            Self::Rectangle => 4,
            Self::Size | Self::Point => 2,
            _ => 1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Integer => "whole number",
            Self::Float => "number",
            Self::Rectangle => "x,y,width,height",
            Self::Size => "width,height",
            Self::Point => "x,y",
            Self::Other => "cannot be set here",
        }
    }
}

/// A value, as its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(Vec<bool>),
    Integer(Vec<i64>),
    Float(Vec<f32>),
}

impl Value {
    /// Gives it as it is written on the command line.
    pub(crate) fn to_text(&self, choices: &[(i64, String)]) -> String {
        let texts: Vec<String> = match self {
            Self::Bool(values) => values.iter().map(bool::to_string).collect(),
            Self::Integer(values) => values
                .iter()
                .map(|n| {
                    let choice = choices.iter().find(|(number, _)| number == n);
                    choice.map_or_else(|| n.to_string(), |(_, name)| name.clone())
                })
                .collect(),
            Self::Float(values) => values.iter().map(f32::to_string).collect(),
        };
        texts.join(",")
    }
}

/// A control that a camera has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Control {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// How many elements it has: 1, another number, or any (`None`).
    pub(crate) elements: Option<usize>,
    pub(crate) min: Option<Value>,
    pub(crate) max: Option<Value>,
    pub(crate) default: Option<Value>,
    /// The numbers that have a name.
    pub(crate) choices: Vec<(i64, String)>,
}

impl Control {
    /// Says what it takes, for people.
    pub(crate) fn takes(&self) -> String {
        let what = if self.choices.is_empty() {
            let mut what = self.kind.name().to_owned();
            if self.elements != Some(1) {
                let count = self
                    .elements
                    .map_or("any number".to_owned(), |n| n.to_string());
                what = format!("{count} of: {what}, with commas between");
            }
            if let (Some(min), Some(max), true) = (
                &self.min,
                &self.max,
                matches!(self.kind, Kind::Integer | Kind::Float),
            ) {
                what += &format!(", {} to {}", min.to_text(&[]), max.to_text(&[]));
            }
            what
        } else {
            let names: Vec<&str> = self.choices.iter().map(|(_, name)| name.as_str()).collect();
            names.join(", ")
        };
        let default = self.default.as_ref().map_or_else(String::new, |value| {
            format!(" [default: {}]", value.to_text(&self.choices))
        });
        what + &default
    }

    /// Reads a value for this control.
    fn read(&self, text: &str) -> Option<Value> {
        let parts = || text.split(',').map(str::trim);
        let value = match self.kind {
            Kind::Bool => Value::Bool(parts().map(boolean).collect::<Option<_>>()?),
            Kind::Float => Value::Float(
                parts()
                    .map(|part| part.parse().ok().filter(|n: &f32| n.is_finite()))
                    .collect::<Option<_>>()?,
            ),
            Kind::Other => return None,
            _ => Value::Integer(
                parts()
                    .map(|part| self.integer(part))
                    .collect::<Option<_>>()?,
            ),
        };
        let count = parts().count();
        let fits = match self.elements {
            Some(elements) => count == elements * self.kind.numbers(),
            None => count.is_multiple_of(self.kind.numbers()),
        };
        (fits && self.is_in_range(&value)).then_some(value)
    }

    fn integer(&self, text: &str) -> Option<i64> {
        // libcamera prefixes the name of the choice by that of the control: AfModeContinuous.
        let named = self.choices.iter().find(|(_, name)| {
            name.eq_ignore_ascii_case(text)
                || text
                    .strip_prefix(&self.name)
                    .is_some_and(|rest| name.eq_ignore_ascii_case(rest))
        });
        match named {
            Some((number, _)) => Some(*number),
            None => text.parse().ok().filter(|number| {
                self.choices.is_empty() || self.choices.iter().any(|(there, _)| there == number)
            }),
        }
    }

    fn is_in_range(&self, value: &Value) -> bool {
        // The range of a control of several elements is that of each, as far as it is given for
        // one.
        match (value, &self.min, &self.max, self.kind) {
            (
                Value::Integer(values),
                Some(Value::Integer(min)),
                Some(Value::Integer(max)),
                Kind::Integer,
            ) => match (min.as_slice(), max.as_slice()) {
                ([min], [max]) => values.iter().all(|n| (min..=max).contains(&n)),
                _ => true,
            },
            (Value::Float(values), Some(Value::Float(min)), Some(Value::Float(max)), _) => {
                match (min.as_slice(), max.as_slice()) {
                    ([min], [max]) => values.iter().all(|n| (min..=max).contains(&n)),
                    _ => true,
                }
            }
            _ => true,
        }
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Some(true),
        "false" | "off" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Why a control cannot be set.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum ControlError {
    /// The camera does not have it.
    #[error("no control {name:?}: it has {there}")]
    Unknown {
        /// What it was called.
        name: String,
        /// What the camera has.
        there: String,
    },
    /// It does not take this value.
    #[error("control {name}={value}: use {takes}")]
    Value {
        /// The control.
        name: String,
        /// What it was to be.
        value: String,
        /// What it takes.
        takes: String,
    },
}

fn names(controls: &[Control]) -> String {
    if controls.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = controls.iter().map(|control| &*control.name).collect();
    names.join(", ")
}

/// What a control needs to do anything: its name, that of another control, and the value that this
/// other one must have.
pub(crate) type Prerequisite = (&'static str, &'static str, &'static str);

/// Adds what the settings need to do anything, where the camera has it and the user has not set it
/// otherwise.
fn complete(
    settings: &[ControlSetting],
    controls: &[Control],
    prerequisites: &[Prerequisite],
) -> Vec<ControlSetting> {
    let is_set = |name: &str| settings.iter().any(|set| set.name == name);
    let has = |name: &str| controls.iter().any(|control| control.name == name);
    let missing = prerequisites
        .iter()
        .filter(|(name, other, _)| is_set(name) && !is_set(other) && has(other))
        .map(|(_, other, value)| ControlSetting {
            name: (*other).to_owned(),
            value: (*value).to_owned(),
        });
    missing.chain(settings.iter().cloned()).collect()
}

/// Reads the settings by the controls that the camera has. Of several for one control the last one
/// counts.
///
/// # Errors
/// Which setting cannot be, and what can.
pub(crate) fn read(
    settings: &[ControlSetting],
    controls: &[Control],
    prerequisites: &[Prerequisite],
) -> Result<Vec<(u32, Value)>, ControlError> {
    let mut read: Vec<(u32, Value)> = Vec::new();
    for ControlSetting { name, value } in &complete(settings, controls, prerequisites) {
        let Some(control) = controls.iter().find(|control| control.name == *name) else {
            return Err(ControlError::Unknown {
                name: name.clone(),
                there: names(controls),
            });
        };
        let Some(value) = control.read(value) else {
            return Err(ControlError::Value {
                name: name.clone(),
                value: value.clone(),
                takes: control.takes(),
            });
        };
        read.retain(|(id, _)| *id != control.id);
        read.push((control.id, value));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(name: &str, kind: Kind, elements: Option<usize>) -> Control {
        Control {
            id: 1,
            name: name.to_owned(),
            kind,
            elements,
            min: None,
            max: None,
            default: None,
            choices: Vec::new(),
        }
    }

    fn camera() -> Vec<Control> {
        vec![
            Control {
                choices: vec![(0, "Manual".into()), (2, "Continuous".into())],
                default: Some(Value::Integer(vec![0])),
                ..control("AfMode", Kind::Integer, Some(1))
            },
            Control {
                id: 2,
                min: Some(Value::Float(vec![-1.0])),
                max: Some(Value::Float(vec![1.0])),
                default: Some(Value::Float(vec![0.0])),
                ..control("Brightness", Kind::Float, Some(1))
            },
            Control {
                id: 3,
                min: Some(Value::Integer(vec![100])),
                max: Some(Value::Integer(vec![66_666])),
                ..control("ExposureTime", Kind::Integer, Some(1))
            },
            Control {
                id: 4,
                ..control("ColourGains", Kind::Float, Some(2))
            },
            Control {
                id: 5,
                ..control("AfWindows", Kind::Rectangle, None)
            },
            Control {
                id: 6,
                ..control("AeEnable", Kind::Bool, Some(1))
            },
            Control {
                id: 7,
                ..control("Name", Kind::Other, Some(1))
            },
        ]
    }

    fn set(text: &str) -> Result<Vec<(u32, Value)>, ControlError> {
        read(&[text.parse().unwrap()], &camera(), &[])
    }

    #[test]
    fn reads_each_kind_by_the_camera() {
        for (text, id, value) in [
            ("AfMode=Continuous", 1, Value::Integer(vec![2])),
            ("AfMode=AfModeManual", 1, Value::Integer(vec![0])),
            ("AfMode=continuous", 1, Value::Integer(vec![2])),
            ("AfMode=2", 1, Value::Integer(vec![2])),
            ("Brightness=-0.25", 2, Value::Float(vec![-0.25])),
            ("ExposureTime=10000", 3, Value::Integer(vec![10_000])),
            ("ColourGains=1.5, 2", 4, Value::Float(vec![1.5, 2.0])),
            (
                "AfWindows=0,0,10,10,5,5,20,20",
                5,
                Value::Integer(vec![0, 0, 10, 10, 5, 5, 20, 20]),
            ),
            ("AeEnable=off", 6, Value::Bool(vec![false])),
        ] {
            assert_eq!(set(text), Ok(vec![(id, value)]), "{text}");
        }
    }

    #[test]
    fn says_what_it_takes_instead() {
        for (text, words) in [
            ("AfMode=1", "Manual, Continuous [default: Manual]"),
            ("AfMode=fast", "Manual, Continuous"),
            ("Brightness=2", "number, -1 to 1 [default: 0]"),
            ("Brightness=nan", "number"),
            ("ExposureTime=99", "whole number, 100 to 66666"),
            ("ExposureTime=1.5", "whole number"),
            ("ColourGains=1.5", "2 of: number"),
            ("ColourGains=1,2,3", "2 of: number"),
            ("AfWindows=1,2,3", "any number of: x,y,width,height"),
            ("AeEnable=maybe", "true or false"),
            ("Name=x", "cannot be set here"),
        ] {
            let error = set(text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("control {text}: use ")),
                "{error}"
            );
            assert!(error.contains(words), "{error}");
        }
        let error = set("Sharpnes=1").unwrap_err().to_string();
        assert!(error.contains("no control \"Sharpnes\""), "{error}");
        assert!(
            error.contains("AfMode, Brightness, ExposureTime"),
            "{error}"
        );
    }

    #[test]
    fn what_is_set_by_hand_is_taken_from_the_automatics() {
        let mut controls = camera();
        controls.push(Control {
            id: 8,
            choices: vec![(0, "Auto".into()), (1, "Manual".into())],
            ..control("ExposureTimeMode", Kind::Integer, Some(1))
        });
        let read = |settings: &[&str]| {
            let settings: Vec<ControlSetting> =
                settings.iter().map(|s| s.parse().unwrap()).collect();
            super::read(
                &settings,
                &controls,
                &[
                    ("ExposureTime", "ExposureTimeMode", "Manual"),
                    ("ColourGains", "AwbEnable", "false"),
                ],
            )
            .unwrap()
        };
        let (time, manual) = (Value::Integer(vec![500]), Value::Integer(vec![1]));
        let expected = [(8, manual), (3, time.clone())];
        assert_eq!(read(&["ExposureTime=500"]), expected);
        let automatic = Value::Integer(vec![0]);
        let expected = [(3, time), (8, automatic)];
        assert_eq!(
            read(&["ExposureTime=500", "ExposureTimeMode=Auto"]),
            expected
        );
        assert_eq!(
            read(&["ColourGains=1,2"]).len(),
            1,
            "no such automatic here"
        );
    }

    #[test]
    fn the_last_setting_of_a_control_counts() {
        let settings = ["Brightness=0.1", "AeEnable=1", "Brightness=0.2"];
        let settings: Vec<ControlSetting> = settings.iter().map(|s| s.parse().unwrap()).collect();
        let expected = vec![(6, Value::Bool(vec![true])), (2, Value::Float(vec![0.2]))];
        assert_eq!(read(&settings, &camera(), &[]), Ok(expected));
    }
}
