//! Which judge without a model comes closest to some words: what is named in the error where there
//! is no model. It guesses for a message, never for a rule.

/// A judge that needs no model, and how it is written in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearestJudge {
    /// As in the configuration, ready to be copied.
    pub setting: &'static str,
    /// What it can tell, and what not.
    pub tells: &'static str,
}

const PERSON: NearestJudge = NearestJudge {
    setting: "sees = [\"person\"]",
    tells: "tells that a person is there, not who and not what they do",
};

/// Stems of words, and the judge that comes closest; the first that is found counts. What is done
/// with a thing comes before who does it: "somebody has left a parcel".
const TABLE: [(&[&str], NearestJudge); 9] = [
    (
        &[
            "spaghetti",
            "filament",
            "print",
            "nozzle",
            "detached",
            "warp",
        ],
        NearestJudge {
            setting: "obico = \"http://HOST:3333\"",
            tells: "tells failing prints, by the container that you run",
        },
    ),
    (
        &[
            "left",
            "parcel",
            "package",
            "delivered",
            "taken",
            "stolen",
            "missing",
            "gone",
            "removed",
            "box",
            "bag",
        ],
        NearestJudge {
            setting: "left = true",
            tells: "tells that something was put down or taken away, not what",
        },
    ),
    (
        &[
            "stops", "stopped", "still", "finished", "stuck", "jam", "idle", "ended",
        ],
        NearestJudge {
            setting: "still = \"5min\"",
            tells: "tells that nothing moves any more, not why",
        },
    ),
    (
        &["dog", "puppy"],
        NearestJudge {
            setting: "sees = [\"dog\"]",
            tells: "tells that a dog is there, not which",
        },
    ),
    (
        &["cat", "kitten"],
        NearestJudge {
            setting: "sees = [\"cat\"]",
            tells: "tells that a cat is there, not which",
        },
    ),
    (
        &["bicycle", "bike", "cyclist"],
        NearestJudge {
            setting: "sees = [\"bicycle\"]",
            tells: "tells that a bicycle is there, not whose",
        },
    ),
    (
        &[
            "car", "van", "truck", "vehicle", "lorry", "parked", "driveway",
        ],
        NearestJudge {
            setting: "sees = [\"car\", \"vehicle\"]",
            tells: "tells that a car is there, not whose",
        },
    ),
    (
        &[
            "person", "people", "somebody", "someone", "anybody", "anyone", "man", "woman",
            "child", "kid", "visitor", "postman", "courier", "burglar", "stranger", "who",
        ],
        PERSON,
    ),
    (
        &[
            "moves", "moving", "movement", "motion", "happens", "enters", "comes", "opens",
            "anything",
        ],
        NearestJudge {
            setting: "motion = true",
            tells: "tells that something moves, not what",
        },
    ),
];

/// The judge that comes closest to `words`, if any does.
pub fn nearest_judge(words: &str) -> Option<NearestJudge> {
    let words = words.to_lowercase();
    let words: Vec<&str> = words
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let meant = |stems: &[&str]| {
        words
            .iter()
            .any(|word| stems.iter().any(|it| is_of(word, it)))
    };
    let found = TABLE.iter().find(|(stems, _)| meant(stems));
    found.map(|(_, judge)| *judge)
}

/// A word is of a stem if it is that, or a plural or another form of it.
fn is_of(word: &str, stem: &str) -> bool {
    let endings = ["", "s", "es", "ing", "ed"];
    word.strip_prefix(stem)
        .is_some_and(|rest| endings.contains(&rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_comes_closest() {
        for (words, setting) in [
            ("somebody enters the room", "sees = [\"person\"]"),
            ("A parcel has been left at the door", "left = true"),
            ("the packages are gone", "left = true"),
            (
                "the print has come loose from the bed",
                "obico = \"http://HOST:3333\"",
            ),
            ("the cat sits on the sofa", "sees = [\"cat\"]"),
            (
                "Cars are parked in front of the garage",
                "sees = [\"car\", \"vehicle\"]",
            ),
            ("the machine has stopped", "still = \"5min\""),
            ("the curtain moves", "motion = true"),
        ] {
            let judge = nearest_judge(words).unwrap();
            assert_eq!(judge.setting, setting, "{words}");
        }
        for words in ["", "the light is on", "category", "scar"] {
            assert_eq!(nearest_judge(words), None, "{words}");
        }
    }
}
