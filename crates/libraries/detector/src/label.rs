//! What the network has names for.

use std::fmt;
use std::str::FromStr;

/// The model's label map, in its order (`object_detection_oidv4_labelmap.txt`), in lower case.
/// Its first line, `???`, is the background, and nothing that could be seen.
const NAMES: [&str; 23] = [
    "bicycle",
    "boot",
    "laptop",
    "person",
    "chair",
    "cattle",
    "desk",
    "cat",
    "computer mouse",
    "computer monitor",
    "box",
    "mug",
    "coffee cup",
    "stationary bicycle",
    "table",
    "bottle",
    "high heels",
    "vehicle",
    "footwear",
    "dog",
    "book",
    "camera",
    "car",
];

/// What a thing is, by the name that the network has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(u8);

impl Label {
    /// How many there are.
    pub const COUNT: usize = NAMES.len();

    /// Gives all, in the order of the model.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..).take(Self::COUNT).map(Self)
    }

    /// Gives its name, in lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.0)]
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The network has no name for that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{asked}\" is nothing that the detector knows{}: it knows {}",
    .nearest.map(|label| format!(" (did you mean \"{label}\"?)")).unwrap_or_default(),
    NAMES.join(", ")
)]
pub struct UnknownLabel {
    /// What was asked for.
    pub asked: String,
    /// What was meant, perhaps.
    pub nearest: Option<Label>,
}

impl FromStr for Label {
    type Err = UnknownLabel;

    /// Finds a label by its name, as people write it: `Person`, `high-heels`.
    fn from_str(asked: &str) -> Result<Self, Self::Err> {
        let plain = asked.trim().to_lowercase().replace(['-', '_'], " ");
        Self::all()
            .find(|label| label.name() == plain)
            .ok_or_else(|| UnknownLabel {
                asked: asked.to_owned(),
                nearest: nearest(&plain),
            })
    }
}

/// Everyday words for what the network has another name for. Those for people and vehicles are what
/// others' detectors call them, too (COCO's names).
const OTHER_WORDS: [(&str, &str); 21] = [
    ("people", "person"),
    ("human", "person"),
    ("man", "person"),
    ("woman", "person"),
    ("child", "person"),
    ("somebody", "person"),
    ("truck", "vehicle"),
    ("lorry", "vehicle"),
    ("bus", "vehicle"),
    ("van", "vehicle"),
    ("motorcycle", "vehicle"),
    ("automobile", "car"),
    ("bike", "bicycle"),
    ("cow", "cattle"),
    ("kitten", "cat"),
    ("puppy", "dog"),
    ("parcel", "box"),
    ("package", "box"),
    ("shoe", "footwear"),
    ("cup", "mug"),
    ("monitor", "computer monitor"),
];

/// As much alike as that is a slip of the finger: `persom` and `person` are 0.83.
const ALIKE: f64 = 0.6;

fn nearest(plain: &str) -> Option<Label> {
    let meant = OTHER_WORDS
        .iter()
        .find(|(word, _)| *word == plain || plain.strip_suffix('s') == Some(word));
    if let Some((_, name)) = meant {
        return Label::all().find(|label| label.name() == *name);
    }
    Label::all()
        .map(|label| {
            (
                strsim::normalized_damerau_levenshtein(plain, label.name()),
                label,
            )
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_name() {
        for label in Label::all() {
            assert_eq!(label.name().parse(), Ok(label));
        }
        assert_eq!(Label::all().count(), Label::COUNT);
    }

    #[test]
    fn case_hyphens_and_blanks_do_not_matter() {
        for written in ["Person", " person ", "PERSON"] {
            assert_eq!(written.parse::<Label>().unwrap().name(), "person");
        }
        for written in ["high-heels", "High heels", "high_heels"] {
            assert_eq!(written.parse::<Label>().unwrap().name(), "high heels");
        }
    }

    #[test]
    fn an_unknown_one_lists_all_and_the_nearest() {
        for (asked, meant) in [
            ("persom", Some("person")),
            ("truck", Some("vehicle")),
            ("cars", Some("car")),
            ("trucks", Some("vehicle")),
            ("people", Some("person")),
            ("spaghetti", None),
            ("???", None),
            ("", None),
        ] {
            let error = asked.parse::<Label>().unwrap_err();
            assert_eq!(error.nearest.map(Label::name), meant, "{asked}");
            let said = error.to_string();
            assert!(said.contains("person, chair"), "{said}");
            if let Some(meant) = meant {
                assert!(
                    said.contains(&format!("did you mean \"{meant}\"")),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn other_words_stand_for_names_that_there_are() {
        for (word, name) in OTHER_WORDS {
            assert!(name.parse::<Label>().is_ok(), "{word}");
            assert!(word.parse::<Label>().is_err(), "{word}");
        }
    }
}
