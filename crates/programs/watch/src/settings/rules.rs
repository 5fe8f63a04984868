//! One rule as the file has it: what goes together, and the defaults.

use eyelid_config::Share;
use eyelid_detector::{Label, UnknownLabel};
use eyelid_slot::CameraName;

use super::{HttpUrl, JudgeSettings, RuleSettings, Settings, Votes, WatchRuleOptions, Words, wire};

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
    /// A rule of which nothing is said but who judges.
    fn usual(name: String, judge: JudgeSettings) -> Self {
        let is_of_every_picture = judge.name().is_of_every_picture();
        Self {
            name,
            area: Vec::new(),
            at: None,
            every: None,
            votes: if is_of_every_picture { ONCE } else { TWICE },
            confidence: match judge {
                JudgeSettings::Sees(_) => DETECTOR_CONFIDENCE,
                _ => 0.0,
            },
            cool_down: cool_down(judge.name()),
            an_hour: an_hour(&judge),
            notify: Vec::new(),
            judge,
        }
    }

    /// The rule of a camera that has none.
    pub(crate) fn motion() -> Self {
        Self::usual(MOTION.to_owned(), JudgeSettings::Motion)
    }

    /// A rule in words, as it is made on the page.
    pub(crate) fn words(name: String, says: Words, notify: Vec<String>) -> Self {
        Self {
            notify,
            ..Self::usual(name, JudgeSettings::Says(says))
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
    check_keys(&options, &judge)?;
    check_model(&judge, settings)?;
    check_ways(&options.notify, settings)?;
    let usual = RuleSettings::usual(name.to_owned(), judge);
    Ok(RuleSettings {
        area: options.area,
        at: options.at,
        every: options.every,
        votes: options.yes.unwrap_or(usual.votes),
        confidence: options.confidence.map_or(usual.confidence, Share::get),
        cool_down: options.cool_down.unwrap_or(usual.cool_down),
        an_hour: options.an_hour.unwrap_or(usual.an_hour),
        notify: options.notify,
        ..usual
    })
}

impl WrongRule {
    fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self {
            key,
            message: message.into(),
        }
    }
}

/// Do all keys belong to its judge?
fn check_keys(options: &WatchRuleOptions, judge: &JudgeSettings) -> Result<(), WrongRule> {
    let wrong = |key, message: &str| Err(WrongRule::new(key, message));
    if judge.name().is_of_every_picture() {
        let only = "only with sees, says and obico: all else is";
        if options.every.is_some() {
            return wrong("every", &format!("{only} judged with every picture"));
        }
        if options.confidence.is_some() {
            return wrong("confidence", &format!("{only} never unsure"));
        }
    }
    if judge.name() != Judge::Obico {
        if options.picture.is_some() {
            return wrong("picture", "only with obico");
        }
        if options.key_file.is_some() {
            return wrong("key-file", "only with obico");
        }
    }
    Ok(())
}

/// Is there somebody who can be asked in words?
fn check_model(judge: &JudgeSettings, settings: &Settings) -> Result<(), WrongRule> {
    match judge {
        JudgeSettings::Says(words) if settings.model.is_none() => {
            let (words, nearest) = (words.as_str(), nearest_judge(words.as_str()));
            let message = format!("{words:?} needs [watch.model]; {nearest}");
            Err(WrongRule::new("says", message))
        }
        _ => Ok(()),
    }
}

/// Are there the ways in which it is told?
fn check_ways(notify: &[String], settings: &Settings) -> Result<(), WrongRule> {
    let is_missing = |way: &&String| settings.notify.iter().all(|known| known.name != **way);
    match notify.iter().find(is_missing) {
        Some(way) => {
            let message = format!("there is no [watch.notify.{way}]");
            Err(WrongRule::new("notify", message))
        }
        None => Ok(()),
    }
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
    let message = if name == BLIND_RULE {
        format!("rule {name:?} is the program's own; choose another name")
    } else if name.parse::<CameraName>().is_err() {
        format!("rule name {name:?}: use 1 to 64 of A-Z a-z 0-9 _ - . and no . in front")
    } else {
        return Ok(());
    };
    Err(WrongRule::new("rules", message))
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
        let message = "a rule has one judge: motion = true, left = true, still = \"5min\", \
                       sees = [\"person\"], says = \"...\" or obico = \"http://...\"";
        return Err(WrongRule::new("motion", message));
    };
    if let Some((other, _)) = given.next() {
        let message = format!("the rule has two judges, {key} and {other}: make two rules of it");
        return Err(WrongRule::new(other, message));
    }
    if options.motion == Some(false) || options.left == Some(false) {
        let message = format!("{key} = false asks for nothing: leave the rule out");
        return Err(WrongRule::new(key, message));
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
        .map_err(|error| WrongRule::new("sees", error.to_string()))
}

fn obico(options: &WatchRuleOptions, url: &HttpUrl) -> Result<JudgeSettings, WrongRule> {
    let picture = options.picture.clone().ok_or_else(|| {
        let message = "ml_api gets the picture itself: say where, for example \
                       picture = \"http://192.0.2.10:8080/printer/snapshot\"";
        WrongRule::new("obico", message)
    })?;
    if options.key_file.is_some() {
        wire::check("token", url).map_err(|message| WrongRule::new("key-file", message))?;
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
