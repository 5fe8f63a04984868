//! What an alert says, and what it is called ([`AlertId`]). One JSON object, read by the page, by
//! those who are notified, and by scripts; keys that this program does not know survive.

mod id;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eyelid_slot::CameraName;
use serde::{Deserialize, Serialize};

pub(crate) use id::AlertId;

/// The version of the form that is written here.
pub(crate) const VERSION: u32 = 1;

/// How many characters of a text, a model's or a user's, go into an alert.
pub(crate) const MOST_TEXT: usize = 500;

/// How many bytes the JSON of an alert may have that is read.
pub(crate) const MOST_JSON_BYTES: u64 = 64 * 1024;

/// The rule that alerts of blindness and of its end are said to be of. No rule is called so.
pub(crate) const BLIND_RULE: &str = "blind";

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// What the rule asks for.
    Seen,
    /// It can no longer be seen whether it is; `cause` and `reason` say why.
    Blind,
    /// It can again.
    SeesAgain,
    /// More alerts of the rule than an hour may have are over; `held_back` says how many were not
    /// told.
    HeldBack,
}

/// What looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Judge {
    /// Something moves that is not light.
    Motion,
    /// Something was left behind, or taken away.
    Left,
    /// Nothing moves any more.
    Still,
    /// A detector: people, cars, animals.
    Sees,
    /// A model that was asked in words.
    Says,
    /// Obico's detector of failing prints.
    Obico,
}

impl Judge {
    /// The word for it in configuration and JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Motion => "motion",
            Self::Left => "left",
            Self::Still => "still",
            Self::Sees => "sees",
            Self::Says => "says",
            Self::Obico => "obico",
        }
    }

    /// Says whether it looks at every picture, and asks nobody.
    pub(crate) fn is_of_every_picture(self) -> bool {
        matches!(self, Self::Motion | Self::Left | Self::Still)
    }
}

impl fmt::Display for Judge {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why nothing can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// The camera gives no picture, or none that can be decoded.
    NoFrames,
    /// Who is asked does not answer, or answers with errors.
    EndpointDown,
    /// What may be asked in an hour or a day has been.
    BudgetSpent,
    /// What is answered is no answer.
    AnswersInvalid,
}

impl Cause {
    /// All of them, the worst first.
    pub(crate) const ALL: [Self; 4] = [
        Self::NoFrames,
        Self::EndpointDown,
        Self::BudgetSpent,
        Self::AnswersInvalid,
    ];
}

/// Something at a place of the picture. The place is in shares of it, 0 to 1, from the left and the
/// top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sighting {
    /// What it is, as far as the judge tells.
    #[serde(default)]
    pub(crate) label: Option<String>,
    /// How sure the judge is, 0 to 1.
    #[serde(default)]
    pub(crate) confidence: Option<f64>,
    /// Where it begins from the left.
    pub(crate) left: f64,
    /// Where it begins from the top.
    pub(crate) top: f64,
    /// Its width.
    pub(crate) width: f64,
    /// Its height.
    pub(crate) height: f64,
}

/// What a box of a rule with `left` is about: something is there that was not...
pub(crate) const LEFT: &str = "left";
/// ...or is not there any more.
pub(crate) const TAKEN: &str = "taken";

impl Sighting {
    /// The share of both areas together that both have: 1 for the same place, 0 for two apart.
    pub(crate) fn overlap(&self, other: &Self) -> f64 {
        let common = |a: f64, a_size: f64, b: f64, b_size: f64| {
            ((a + a_size).min(b + b_size) - a.max(b)).max(0.0)
        };
        let both = common(self.left, self.width, other.left, other.width)
            * common(self.top, self.height, other.top, other.height);
        let either = self.width * self.height + other.width * other.height - both;
        if either > 0.0 { both / either } else { 0.0 }
    }

    /// Says whether the middle of one lies in the other.
    pub(crate) fn is_about_where(&self, other: &Self) -> bool {
        self.has_middle_of(other) || other.has_middle_of(self)
    }

    fn has_middle_of(&self, other: &Self) -> bool {
        let inside = |middle: f64, begin: f64, size: f64| middle >= begin && middle <= begin + size;
        inside(other.left + other.width / 2.0, self.left, self.width)
            && inside(other.top + other.height / 2.0, self.top, self.height)
    }
}

/// An alert, as it lies on the disk and goes to those who are notified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alert {
    /// Of the form, [`VERSION`].
    pub(crate) version: u32,
    /// Its name, and that of its files.
    pub(crate) id: AlertId,
    /// Whose picture it is of.
    pub(crate) camera: CameraName,
    /// The rule's name, or [`BLIND_RULE`].
    pub(crate) rule: String,
    /// What happened.
    pub(crate) kind: Kind,
    /// What looked; nothing where no picture was there to be looked at.
    #[serde(default)]
    pub(crate) judge: Option<Judge>,
    /// The user's words, of a rule in words.
    #[serde(default)]
    pub(crate) asked: Option<String>,
    /// When the picture was captured that it was seen in.
    #[serde(with = "crate::moment::rfc3339")]
    pub(crate) at: SystemTime,
    /// Why, in the judge's words. Strangers' text: to be shown as text.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// How sure the judge is, 0 to 1.
    #[serde(default)]
    pub(crate) confidence: Option<f64>,
    /// How long the judge took for the picture, in milliseconds.
    #[serde(default)]
    pub(crate) took_ms: Option<u64>,
    /// Where it was seen.
    #[serde(default)]
    pub(crate) boxes: Vec<Sighting>,
    /// There is a picture beside it.
    #[serde(default)]
    pub(crate) picture: bool,
    /// How many alerts of the rule were not told before this one, because there were too many.
    #[serde(default)]
    pub(crate) held_back: u32,
    /// Why nothing can be seen, or could not until now.
    #[serde(default)]
    pub(crate) cause: Option<Cause>,
    /// What this program does not know.
    #[serde(flatten)]
    pub(crate) more: serde_json::Map<String, serde_json::Value>,
}

impl Alert {
    /// An alert of which nothing else is known.
    pub(crate) fn new(camera: CameraName, rule: &str, kind: Kind, at: SystemTime) -> Self {
        let at = to_millis(at);
        Self {
            version: VERSION,
            id: AlertId::new(at, &camera, rule),
            camera,
            rule: rule.to_owned(),
            kind,
            judge: None,
            asked: None,
            at,
            reason: None,
            confidence: None,
            took_ms: None,
            boxes: Vec::new(),
            picture: false,
            held_back: 0,
            cause: None,
            more: serde_json::Map::new(),
        }
    }

    /// Parses the JSON of one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// Gives its JSON, on one line.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// What happened in a few words, for where there is room for one line.
    pub(crate) fn headline(&self) -> String {
        let camera = self.camera.as_str();
        match self.kind {
            Kind::Seen => match self.told_labels() {
                Some(labels) => format!("{camera}: {} ({labels})", self.rule),
                None => format!("{camera}: {}", self.rule),
            },
            Kind::Blind => format!("{camera}: cannot see"),
            Kind::SeesAgain => format!("{camera}: sees again"),
            Kind::HeldBack if self.rule == BLIND_RULE => {
                format!("{camera}: could not see, {} times more", self.held_back)
            }
            Kind::HeldBack => format!("{camera}: {}, {} more", self.rule, self.held_back),
        }
    }

    /// The labels of what was seen, each once, where they say more than the rule's name.
    fn told_labels(&self) -> Option<String> {
        let mut labels: Vec<&str> = Vec::new();
        for label in self.boxes.iter().filter_map(|seen| seen.label.as_deref()) {
            if label != self.rule && !labels.contains(&label) {
                labels.push(label);
            }
        }
        (!labels.is_empty()).then(|| bounded(&labels.join(", "), 100))
    }
}

/// Drops what is not written: an alert is to be the same when it is read again.
fn to_millis(at: SystemTime) -> SystemTime {
    let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// The word for it in JSON.
pub(crate) fn word(value: &impl Serialize) -> Option<String> {
    Some(serde_json::to_value(value).ok()?.as_str()?.to_owned())
}

/// A text of strangers, for an alert or a log: at most so many characters, none of them one that
/// controls, all space as one.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    let plain = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut bounded = String::new();
    let mut count = 0;
    for word in plain.filter(|word| !word.is_empty()) {
        let space = (count > 0).then_some(' ');
        for character in space.into_iter().chain(word.chars()) {
            if count == most {
                return bounded;
            }
            bounded.push(character);
            count += 1;
        }
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> SystemTime {
        humantime::parse_rfc3339("2026-11-28T14:02:40.123Z").unwrap()
    }

    fn alert() -> Alert {
        Alert::new("door".parse().unwrap(), "parcel", Kind::Seen, at())
    }

    #[test]
    fn an_alert_is_read_as_it_was_written_with_what_is_not_known() {
        let json = r#"{"version":1,"id":"20261128T140240.123Z-door-parcel","camera":"door",
            "rule":"parcel","kind":"sees-again","judge":"says","asked":"a parcel","reason":"it is",
            "at":"2026-11-28T14:02:40.123Z","confidence":0.93,"took_ms":1234,"held_back":0,
            "boxes":[{"label":"person","confidence":0.8,"left":0.1,"top":0.2,"width":0.1,"height":0.3}],
            "picture":true,"mood":["good"]}"#;
        let alert = Alert::parse(json.as_bytes()).unwrap();
        assert_eq!(
            (alert.kind, alert.judge),
            (Kind::SeesAgain, Some(Judge::Says))
        );
        assert_eq!(Alert::parse(&alert.to_json()).unwrap(), alert);
        let written: serde_json::Value = serde_json::from_slice(&alert.to_json()).unwrap();
        let given: serde_json::Value = serde_json::from_str(json).unwrap();
        for (key, value) in given.as_object().unwrap() {
            assert_eq!(&written[key], value, "{key}");
        }
        assert_eq!(written["cause"], serde_json::Value::Null);
    }

    #[test]
    fn the_documented_alert_is_what_is_written() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/watch.md");
        let docs = std::fs::read_to_string(docs).unwrap();
        let (_, example) = docs.split_once("```json\n").unwrap();
        let (example, after) = example.split_once("```").unwrap();
        let alert = Alert::parse(example.as_bytes()).unwrap();
        let value = |json: &[u8]| serde_json::from_slice::<serde_json::Value>(json).unwrap();
        assert_eq!(value(example.as_bytes()), value(&alert.to_json()));
        for cause in Cause::ALL {
            let cause = format!("`{}`", word(&cause).unwrap());
            assert!(after.contains(&cause), "{cause}");
        }
    }

    #[test]
    fn texts_are_one_bounded_line() {
        assert_eq!(bounded("  a\n\tb \u{7}c\u{0} ", 500), "a b c");
        assert_eq!(bounded("äöü äöü", 5), "äöü ä");
        assert_eq!(bounded("", 5), "");
    }

    #[test]
    fn a_headline_says_what_happened() {
        let mut alert = alert();
        assert_eq!(alert.headline(), "door: parcel");
        let seen = |label: &str| Sighting {
            label: Some(label.to_owned()),
            confidence: None,
            left: 0.0,
            top: 0.0,
            width: 0.5,
            height: 0.5,
        };
        alert.boxes = vec![seen("person"), seen("car"), seen("person")];
        assert_eq!(alert.headline(), "door: parcel (person, car)");
        alert.kind = Kind::Blind;
        assert_eq!(alert.headline(), "door: cannot see");
    }

    #[test]
    fn places_overlap_or_do_not() {
        let place = |left, width| Sighting {
            label: None,
            confidence: None,
            left,
            top: 0.0,
            width,
            height: 1.0,
        };
        assert_eq!(place(0.0, 0.5).overlap(&place(0.0, 0.5)), 1.0);
        assert_eq!(place(0.0, 0.5).overlap(&place(0.5, 0.5)), 0.0);
        assert!((place(0.0, 0.4).overlap(&place(0.2, 0.4)) - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(place(0.0, 0.0).overlap(&place(0.0, 0.0)), 0.0);
        assert!(place(0.0, 0.4).is_about_where(&place(0.15, 0.1)));
        assert!(!place(0.0, 0.4).is_about_where(&place(0.5, 0.4)));
    }
}
