//! From V4L2's controls to ours.
//!
//! A driver's names are for people: "White Balance, Automatic". They are made what `v4l2-ctl` makes
//! of them, `white_balance_automatic`, and so are the names of choices; what a user gives is read
//! either way.

use std::io;

use eyelid_config::ControlSetting;
use eyelid_v4l2::{Node, QueryControl};

use crate::source::hardware::control::{Control, Kind, Prerequisite, Value};

/// Controls that do nothing while an automatic sets them: by the kernel's names since 5.16 and
/// those before.
pub(super) const PREREQUISITES: [Prerequisite; 8] = [
    ("exposure_time_absolute", "auto_exposure", "manual_mode"),
    ("exposure_absolute", "exposure_auto", "manual_mode"),
    ("exposure", "auto_exposure", "manual_mode"),
    ("gain", "gain_automatic", "false"),
    ("focus_absolute", "focus_automatic_continuous", "false"),
    ("focus_absolute", "focus_auto", "false"),
    (
        "white_balance_temperature",
        "white_balance_automatic",
        "false",
    ),
    (
        "white_balance_temperature",
        "white_balance_temperature_auto",
        "false",
    ),
];

const INTEGER: u32 = 1;
const BOOLEAN: u32 = 2;
const MENU: u32 = 3;
const BUTTON: u32 = 4;
const HEADING: u32 = 6;
const BITMASK: u32 = 8;
const INTEGER_MENU: u32 = 9;

const DISABLED: u32 = 0x1;
const READ_ONLY: u32 = 0x4;

/// Describes the controls that a camera has, by their names.
pub(super) fn describe(node: &Node) -> Vec<Control> {
    let mut controls = Vec::new();
    let mut id = 0;
    while let Some(query) = node.control_after(id) {
        id = query.id;
        if query.flags & DISABLED == 0 && query.kind != HEADING {
            controls.push(control(&query, |index| node.menu_item(query.id, index)));
        }
    }
    controls.sort_by(|a: &Control, b: &Control| a.name.cmp(&b.name));
    controls
}

fn control(query: &QueryControl, item: impl Fn(u32) -> Option<[u8; 32]>) -> Control {
    let choices = match query.kind {
        MENU | INTEGER_MENU => (query.minimum.max(0)..=query.maximum)
            .filter_map(|index| {
                let item = item(index.unsigned_abs())?;
                Some((index.into(), choice(query.kind, &item)))
            })
            .collect(),
        _ => Vec::new(),
    };
    let kind = match query.kind {
        _ if query.flags & READ_ONLY != 0 => Kind::Other,
        INTEGER | BITMASK | MENU | INTEGER_MENU => Kind::Integer,
        // What is pushed is set to anything.
        BOOLEAN | BUTTON => Kind::Bool,
        _ => Kind::Other,
    };
    let value = |number: i32| match kind {
        Kind::Bool => Some(Value::Bool(vec![number != 0])),
        Kind::Integer => Some(Value::Integer(vec![number.into()])),
        _ => None,
    };
    Control {
        id: query.id,
        name: plain(&text(&query.name)),
        kind,
        elements: Some(1),
        // The bits of a mask are no order.
        min: value(query.minimum).filter(|_| query.kind != BITMASK),
        max: value(query.maximum).filter(|_| query.kind != BITMASK),
        default: value(query.default).filter(|_| query.kind != BUTTON),
        choices,
    }
}

fn choice(kind: u32, item: &[u8; 32]) -> String {
    if kind == INTEGER_MENU {
        let [a, b, c, d, e, f, g, h, ..] = *item;
        return i64::from_ne_bytes([a, b, c, d, e, f, g, h]).to_string();
    }
    plain(&text(item))
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Letters and digits in lower case, and one `_` for all between them.
fn plain(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("_")
}

/// Gives the user's settings in the form that names have here.
pub(super) fn plainly(settings: &[ControlSetting], controls: &[Control]) -> Vec<ControlSetting> {
    settings
        .iter()
        .map(|set| {
            let name = plain(&set.name);
            let has_choices = controls
                .iter()
                .any(|control| control.name == name && !control.choices.is_empty());
            // Numbers are left alone: -1 is not 1.
            let value = if has_choices && set.value.parse::<i64>().is_err() {
                plain(&set.value)
            } else {
                set.value.clone()
            };
            ControlSetting { name, value }
        })
        .collect()
}

/// Sets controls, in this order. One that the camera refuses is told of and left.
pub(super) fn set(node: &Node, camera: &str, values: &[(u32, Value)], controls: &[Control]) {
    for (id, value) in values {
        if let Err(error) = set_one(node, *id, value) {
            let control = controls.iter().find(|control| control.id == *id);
            let name = control.map_or("", |control| control.name.as_str());
            log::warn!("camera {camera:?}: control {name} cannot be set: {error}");
        }
    }
}

fn set_one(node: &Node, id: u32, value: &Value) -> io::Result<()> {
    let number = match value {
        Value::Bool(values) => values.first().map(|value| i64::from(*value)),
        Value::Integer(values) => values.first().copied(),
        Value::Float(_) => None,
    };
    let number = number
        .and_then(|number| i32::try_from(number).ok())
        .ok_or_else(|| io::Error::other("it takes no such number"))?;
    node.set_control(id, number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::hardware::control::{ControlError, read};

    fn query(
        id: u32,
        kind: u32,
        name: &str,
        (minimum, maximum, default): (i32, i32, i32),
    ) -> QueryControl {
        let mut query = QueryControl::default();
        (query.id, query.kind) = (id, kind);
        (query.minimum, query.maximum, query.default) = (minimum, maximum, default);
        query.name[..name.len()].copy_from_slice(name.as_bytes());
        query
    }

    fn name(text: &str) -> [u8; 32] {
        let mut name = [0; 32];
        name[..text.len()].copy_from_slice(text.as_bytes());
        name
    }

    fn camera() -> Vec<Control> {
        // A webcam's exposure has no choices 0 and 2.
        let exposure = |index| match index {
            1 => Some(name("Manual Mode")),
            3 => Some(name("Aperture Priority Mode")),
            _ => None,
        };
        let frequency = |index: u32| {
            let mut item = [0; 32];
            item[..8].copy_from_slice(&(i64::from(index) * 10_000).to_ne_bytes());
            Some(item)
        };
        let none = |_| None;
        let mut read_only = query(6, INTEGER, "Lens", (0, 9, 0));
        read_only.flags = READ_ONLY;
        vec![
            control(&query(1, INTEGER, "Brightness", (-64, 64, 0)), none),
            control(
                &query(2, BOOLEAN, "White Balance, Automatic", (0, 1, 1)),
                none,
            ),
            control(&query(3, MENU, "Auto Exposure", (0, 3, 3)), exposure),
            control(
                &query(4, INTEGER, "Exposure Time, Absolute", (1, 5000, 157)),
                none,
            ),
            control(
                &query(5, INTEGER_MENU, "Link Frequency", (1, 2, 1)),
                frequency,
            ),
            control(&read_only, none),
        ]
    }

    fn set(text: &str) -> Result<Vec<(u32, Value)>, ControlError> {
        let controls = camera();
        let settings = plainly(&[text.parse().unwrap()], &controls);
        read(&settings, &controls, &PREREQUISITES)
    }

    #[test]
    fn names_are_those_of_v4l2_ctl_and_the_drivers() {
        let integer = |id, number| Ok(vec![(id, Value::Integer(vec![number]))]);
        assert_eq!(set("brightness=-20"), integer(1, -20));
        assert_eq!(set("Brightness=5"), integer(1, 5));
        let off = Ok(vec![(2, Value::Bool(vec![false]))]);
        assert_eq!(set("white_balance_automatic=0"), off);
        assert_eq!(set("White Balance, Automatic=off"), off);
        for manual in [
            "auto_exposure=manual_mode",
            "auto_exposure=Manual Mode",
            "auto_exposure=1",
        ] {
            assert_eq!(set(manual), integer(3, 1), "{manual}");
        }
        assert_eq!(set("link_frequency=20000"), integer(5, 2));
    }

    #[test]
    fn what_is_set_by_hand_is_taken_from_the_automatics_first() {
        let expected = [(3, Value::Integer(vec![1])), (4, Value::Integer(vec![300]))];
        assert_eq!(set("exposure_time_absolute=300").unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_lists_what_can() {
        for (text, words) in [
            ("brightness=65", "whole number, -64 to 64 [default: 0]"),
            (
                "auto_exposure=2",
                "manual_mode, aperture_priority_mode [default: aperture_priority_mode]",
            ),
            ("auto_exposure=auto", "manual_mode, aperture_priority_mode"),
            ("lens=3", "cannot be set here"),
            (
                "zoom=3",
                "no control \"zoom\": it has brightness, white_balance_automatic",
            ),
        ] {
            let error = set(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
