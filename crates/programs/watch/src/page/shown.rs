//! An alert as the page shows it: what its file says, bounded, for some of it is a model's text,
//! and whoever may write the directory may have written the file.

use serde::Serialize;
use serde_json::Map;

use crate::alert::{Alert, AlertId, MOST_TEXT, Sighting, bounded};

/// Most boxes: more than these nobody tells apart in a picture.
const MOST_BOXES: usize = 100;

/// Longest name of a rule, and of a thing.
const MOST_NAME: usize = 64;

/// An alert, bounded.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownAlert {
    #[serde(flatten)]
    alert: Alert,
    /// A user has said that it was wrong.
    wrong: bool,
}

impl ShownAlert {
    /// Reads the file of the alert called `id`, whatever name is written in it.
    ///
    /// # Errors
    /// It is no alert.
    pub(crate) fn parse(id: &AlertId, json: &[u8], wrong: bool) -> Result<Self, serde_json::Error> {
        let mut alert = Alert::parse(json)?;
        alert.id = id.clone();
        // What nobody knows nobody has bounded.
        alert.more = Map::new();
        shorten(&mut alert.rule, MOST_NAME);
        for text in [&mut alert.asked, &mut alert.reason].into_iter().flatten() {
            shorten(text, MOST_TEXT);
        }
        alert.confidence = alert.confidence.map(share);
        alert.boxes.retain_mut(is_in_picture);
        alert.boxes.truncate(MOST_BOXES);
        Ok(Self { alert, wrong })
    }

    /// Gives the alert.
    pub(crate) fn alert(&self) -> &Alert {
        &self.alert
    }
}

/// Leaves of a box what lies in the picture. Says whether anything does.
fn is_in_picture(seen: &mut Sighting) -> bool {
    let (right, bottom) = (seen.left + seen.width, seen.top + seen.height);
    (seen.left, seen.top) = (share(seen.left), share(seen.top));
    seen.width = share(right) - seen.left;
    seen.height = share(bottom) - seen.top;
    seen.confidence = seen.confidence.map(share);
    if let Some(label) = &mut seen.label {
        shorten(label, MOST_NAME);
    }
    seen.width > 0.0 && seen.height > 0.0
}

/// JSON has no number that is none, so this is one.
fn share(number: f64) -> f64 {
    number.clamp(0.0, 1.0)
}

fn shorten(text: &mut String, most: usize) {
    *text = bounded(text, most);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn shown(more: &Value) -> Value {
        let mut alert = json!({
            "version": 1, "id": "20261128T140240.123Z-another-one", "camera": "door",
            "rule": "parcel", "kind": "seen", "at": "2026-11-28T14:02:40.123Z",
        });
        for (key, value) in more.as_object().unwrap() {
            alert[key] = value.clone();
        }
        let id = "20261128T140240.123Z-door-parcel".parse().unwrap();
        let alert = ShownAlert::parse(&id, alert.to_string().as_bytes(), true).unwrap();
        serde_json::to_value(alert).unwrap()
    }

    #[test]
    fn an_alert_is_called_as_its_file_and_says_what_is_known() {
        let shown = shown(&json!({"judge": "says", "took_ms": 7, "later": {"key": 1}}));
        assert_eq!(shown["id"], "20261128T140240.123Z-door-parcel");
        assert_eq!(
            (&shown["judge"], &shown["took_ms"]),
            (&json!("says"), &json!(7))
        );
        assert_eq!((&shown["wrong"], shown.get("later")), (&json!(true), None));
    }

    #[test]
    fn texts_boxes_and_numbers_are_bounded() {
        let long = "\u{1f4e6}\n".repeat(1000);
        let shown = shown(&json!({
            "rule": long, "reason": long, "confidence": 7,
            "boxes": [
                {"label": long, "left": -1, "top": 0.5, "width": 1.5, "height": 9},
                {"left": 2, "top": 0, "width": 1, "height": 1},
                {"left": 0.5, "top": 0, "width": -0.2, "height": 1},
            ],
        }));
        let reason = shown["reason"].as_str().unwrap();
        assert_eq!(reason.chars().count(), MOST_TEXT);
        assert!(!reason.contains('\n'));
        assert_eq!(shown["confidence"], 1.0);
        let boxes = shown["boxes"].as_array().unwrap();
        assert_eq!(boxes.len(), 1);
        let seen = |side: &str| boxes[0][side].as_f64().unwrap();
        assert_eq!(
            [seen("left"), seen("top"), seen("width"), seen("height")],
            [0.0, 0.5, 0.5, 0.5]
        );
    }
}
