//! One rule as the file has it: what goes together, and the defaults.

use eyelid_config::Share;
use eyelid_detector::{Label, UnknownLabel};
use eyelid_slot::CameraName;

use super::notify::may_have_keys;
use super::{HttpUrl, JudgeSettings, RuleSettings, Settings, Votes, WatchRuleOptions, Words};

use crate::alert::{BLIND_RULE, Judge};
use crate::rules::cool_down;

/// The rule of a camera that has none.
pub(super) const MOTION: &str = "motion";

/// How sure the detector has to be where nothing is said: the best of five thresholds that were
/// tried on labelled pictures (tests/watch).
const DETECTOR_CONFIDENCE: f64 = 0.4;

/// What is wrong with a rule, and with which of its keys.
#[derive(Debug)]
pub(super) struct WrongRule {
    pub(super) key: &'static str,
    pub(super) message: String,
}

impl RuleSettings {
    /// The rule of a camera that has none.
    pub(crate) fn motion() -> Self {
        Self {
            name: MOTION.to_owned(),
            judge: JudgeSettings::Motion,
            area: Vec::new(),
            at: None,
            every: None,
            votes: ONCE,
            confidence: 0.0,
            cool_down: cool_down(Judge::Motion),
            an_hour: an_hour(&JudgeSettings::Motion),
            notify: Vec::new(),
        }
    }

    /// A rule in words, as it is made on the page.
    pub(crate) fn words(name: String, says: Words, notify: Vec<String>) -> Self {
        let judge = JudgeSettings::Says(says);
        Self {
            name,
            votes: TWICE,
            cool_down: cool_down(judge.name()),
            an_hour: an_hour(&judge),
            judge,
            notify,
            ..Self::motion()
        }
    }
}

const ONCE: Votes = Votes { yes: 1, of: 1 };

/// Who may be wrong once is asked again.
const TWICE: Votes = Votes { yes: 2, of: 3 };

/// Gives a rule out of its options.
pub(super) fn rule(
    name: &str,
    options: WatchRuleOptions,
    settings: &Settings,
) -> Result<RuleSettings, WrongRule> {
    check_name(name)?;
    let judge = judge(&options)?;
    let judges_every_picture = judge.name().is_of_every_picture();
    let wrong = |key, message: &str| {
        Err(WrongRule {
            key,
            message: message.to_owned(),
        })
    };
    if judges_every_picture && options.every.is_some() {
        return wrong(
            "every",
            "only with sees, says and obico: all else is judged with every picture",
        );
    }
    if judges_every_picture && options.confidence.is_some() {
        return wrong(
            "confidence",
            "only with sees, says and obico: all else is never unsure",
        );
    }
    if !matches!(judge, JudgeSettings::Obico { .. }) {
        for (key, is_given) in [
            ("picture", options.picture.is_some()),
            ("key-file", options.key_file.is_some()),
        ] {
            if is_given {
                return wrong(key, "only with obico");
            }
        }
    }
    if let JudgeSettings::Says(words) = &judge
        && settings.model.is_none()
    {
        let message = format!(
            "{:?} needs [watch.model]; {}",
            words.as_str(),
            nearest_judge(words.as_str())
        );
        return wrong("says", &message);
    }
    for way in &options.notify {
        if !settings.notify.iter().any(|known| known.name == *way) {
            return wrong("notify", &format!("there is no [watch.notify.{way}]"));
        }
    }
    let confidence = match judge {
        JudgeSettings::Sees(_) => DETECTOR_CONFIDENCE,
        _ => 0.0,
    };
    Ok(RuleSettings {
        name: name.to_owned(),
        area: options.area,
        at: options.at,
        every: options.every,
        votes: options
            .yes
            .unwrap_or(if judges_every_picture { ONCE } else { TWICE }),
        confidence: options.confidence.map_or(confidence, Share::get),
        cool_down: options.cool_down.unwrap_or_else(|| cool_down(judge.name())),
        an_hour: options.an_hour.unwrap_or_else(|| an_hour(&judge)),
        notify: options.notify,
        judge,
    })
}

/// As many alerts in an hour as somebody looks at.
fn an_hour(judge: &JudgeSettings) -> u32 {
    match judge {
        JudgeSettings::Motion | JudgeSettings::Left => 20,
        _ => 6,
    }
}

/// A rule's name is part of the names of files and URLs, as a camera's is.
fn check_name(name: &str) -> Result<(), WrongRule> {
    let wrong = |message| {
        Err(WrongRule {
            key: "rules",
            message,
        })
    };
    if name == BLIND_RULE {
        return wrong(format!(
            "rule {name:?} is the program's own; choose another name"
        ));
    }
    match name.parse::<CameraName>() {
        Ok(_) => Ok(()),
        Err(_) => wrong(format!(
            "rule name {name:?}: use 1 to 64 of A-Z a-z 0-9 _ - . and no . in front"
        )),
    }
}

/// The one judge of a rule.
fn judge(options: &WatchRuleOptions) -> Result<JudgeSettings, WrongRule> {
    let given = [
        ("motion", options.motion.is_some()),
        ("left", options.left.is_some()),
        ("still", options.still.is_some()),
        ("sees", !options.sees.is_empty()),
        ("says", options.says.is_some()),
        ("obico", options.obico.is_some()),
    ];
    let mut given = given.iter().filter(|(_, is_given)| *is_given);
    let Some((key, _)) = given.next() else {
        return Err(WrongRule {
            key: "motion",
            message: "a rule has one judge: motion = true, left = true, still = \"5min\", sees = [\"person\"], says = \"...\" or obico = \"http://...\"".to_owned(),
        });
    };
    if let Some((other, _)) = given.next() {
        return Err(WrongRule {
            key: other,
            message: format!("the rule has two judges, {key} and {other}: make two rules of it"),
        });
    }
    if options.motion == Some(false) || options.left == Some(false) {
        return Err(WrongRule {
            key,
            message: format!("{key} = false asks for nothing: leave the rule out"),
        });
    }
    Ok(match (options.still, &options.says, &options.obico) {
        (Some(still), _, _) => JudgeSettings::Still(still),
        (_, Some(says), _) => JudgeSettings::Says(says.clone()),
        (_, _, Some(url)) => obico(options, url)?,
        _ if options.motion.is_some() => JudgeSettings::Motion,
        _ if options.left.is_some() => JudgeSettings::Left,
        _ => JudgeSettings::Sees(labels(&options.sees)?),
    })
}

fn labels(names: &[String]) -> Result<Vec<Label>, WrongRule> {
    let labels = names.iter().map(|name| name.parse());
    labels
        .collect::<Result<_, UnknownLabel>>()
        .map_err(|error| WrongRule {
            key: "sees",
            message: error.to_string(),
        })
}

fn obico(options: &WatchRuleOptions, url: &HttpUrl) -> Result<JudgeSettings, WrongRule> {
    let picture = options.picture.clone().ok_or_else(|| WrongRule {
        key: "obico",
        message: "ml_api gets the picture itself: say where, for example picture = \"http://192.0.2.10:8080/printer/snapshot\"".to_owned(),
    })?;
    if options.key_file.is_some() && !may_have_keys(url.as_str()) {
        let to = url.host_and_port();
        let message =
            format!("the token would go to {to} in the clear: use https, or leave key-file out");
        return Err(WrongRule {
            key: "key-file",
            message,
        });
    }
    Ok(JudgeSettings::Obico {
        url: url.clone(),
        picture,
        key_file: options.key_file.clone(),
    })
}

/// What people write, and the judge that tells what is nearest to it. The first that fits counts.
const NEAREST: [(&[&str], &str); 8] = [
    (
        &[
            "parcel",
            "package",
            "box",
            "left",
            "delivered",
            "missing",
            "stolen",
            "taken",
        ],
        "`left = true` tells that something was put down or taken away",
    ),
    (
        &[
            "stop",
            "stopped",
            "finished",
            "done",
            "still",
            "nothing moves",
            "jam",
        ],
        "`still = \"5min\"` tells that nothing moves any more",
    ),
    (
        &["spaghetti", "filament", "print", "bed", "loose"],
        "`obico = \"http://...\"` tells of failed prints, `still = \"5min\"` that nothing moves any more",
    ),
    (
        &[
            "somebody", "someone", "person", "people", "man", "woman", "child", "visitor", "guest",
            "postman", "burglar", "who",
        ],
        "`sees = [\"person\"]` tells that somebody is there",
    ),
    (
        &["car", "truck", "van", "vehicle"],
        "`sees = [\"car\"]` tells that one is there",
    ),
    (&["dog"], "`sees = [\"dog\"]` tells that one is there"),
    (&["cat"], "`sees = [\"cat\"]` tells that one is there"),
    (
        &["bicycle", "bike"],
        "`sees = [\"bicycle\"]` tells that one is there",
    ),
];

/// Says which judge that needs no model is nearest to what somebody asked in words.
pub(crate) fn nearest_judge(words: &str) -> &'static str {
    let words = words.to_lowercase();
    let has = |wanted: &str| {
        let mut single = words.split(|c: char| !c.is_alphanumeric());
        if wanted.contains(' ') {
            words.contains(wanted)
        } else {
            single.any(|word| word == wanted)
        }
    };
    let found = NEAREST
        .iter()
        .find(|(known, _)| known.iter().any(|word| has(word)));
    found.map_or(
        "without one, `motion = true` tells that something moves",
        |(_, judge)| judge,
    )
}
