//! The rules of all cameras, as they are told, and those of the page as they are made and deleted.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eyelid_slot::CameraName;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::access::Rights;
use super::rejection::Rejection;
use super::rule_name::RuleName;
use super::rules_file::{
    Asked, MOST_CHARACTERS, MOST_FILE_BYTES, MOST_RULES, RulesError, RulesFile, Sentence, Ways,
};
use super::settings::{CameraFacts, ModelFacts, PageSettings, WayFacts};
use crate::alert::{Cause, Judge};
use crate::files;
use crate::rules::{Saved, State};
use crate::settings::MOST_RULES as MOST_OF_CAMERA;

/// What a user asks for: `POST /alerts/rules`.
#[derive(Debug, Deserialize)]
pub(crate) struct NewRule {
    /// The camera.
    pub(crate) camera: CameraName,
    /// What to tell of.
    says: Sentence,
    /// How it is to be called.
    #[serde(default)]
    name: Option<RuleName>,
    /// In which ways it is to be told [default: the usual ones].
    #[serde(default)]
    notify: Option<Ways>,
}

impl NewRule {
    /// What it is to tell of, in the user's words.
    pub(crate) fn says(&self) -> &str {
        self.says.as_str()
    }

    /// What the rule is to be.
    pub(crate) fn into_asked(self) -> Asked {
        Asked {
            says: self.says,
            name: self.name,
            notify: self.notify,
        }
    }
}

/// What there is: `GET /alerts/rules`.
#[derive(Debug, Serialize)]
pub(crate) struct Overview<'a> {
    version: u32,
    rights: &'a Rights,
    /// How many rules of a camera can be made, and how long they may be.
    most_rules: usize,
    most_characters: usize,
    model: Option<&'a ModelFacts>,
    /// How people can be told.
    ways: &'a [WayFacts],
    cameras: Vec<CameraRules<'a>>,
}

/// A camera and its rules.
#[derive(Debug, Serialize)]
struct CameraRules<'a> {
    name: &'a str,
    title: Option<&'a str>,
    /// Its program has said that it watches.
    watching: bool,
    /// Why nothing can be seen.
    blind: Option<Cause>,
    rules: Vec<ToldRule>,
    /// Why the page's rules are not told.
    error: Option<String>,
}

/// A rule.
#[derive(Debug, Serialize)]
struct ToldRule {
    name: String,
    judge: Judge,
    asked: Option<String>,
    /// It was made on the page, and can be deleted there.
    made_here: bool,
    author: Option<String>,
    made: Option<String>,
    /// In which ways it is told.
    notify: Vec<String>,
    state: Option<State>,
    #[serde(with = "humantime_serde")]
    since: Option<SystemTime>,
    /// What it takes.
    needs: String,
    /// Why it is not watched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What it costs at most.
    questions_a_day: Option<u32>,
}

/// Tells what rules there are.
pub(crate) fn overview<'a>(settings: &'a PageSettings, rights: &'a Rights) -> Overview<'a> {
    let cameras = settings.cameras.iter();
    Overview {
        version: 1,
        rights,
        most_rules: MOST_RULES,
        most_characters: MOST_CHARACTERS,
        model: settings.model.as_ref(),
        ways: &settings.ways,
        cameras: cameras
            .map(|(name, facts)| camera_rules(settings, name, facts))
            .collect(),
    }
}

fn camera_rules<'a>(
    settings: &'a PageSettings,
    name: &'a CameraName,
    facts: &'a CameraFacts,
) -> CameraRules<'a> {
    let state = Saved::of_camera(&settings.state, name);
    let (made, error) = match read(&file(&settings.rules, name)) {
        Ok(file) => (file, None),
        Err(error) => (RulesFile::default(), Some(error.to_string())),
    };
    let blind = state.as_ref().and_then(|state| state.blind.as_ref());
    let model = settings.model.as_ref();
    let told = |name: &str, judge: Judge, asked: Option<&str>| {
        let now = state.as_ref().and_then(|state| state.rules.get(name));
        ToldRule {
            name: name.to_owned(),
            judge,
            asked: asked.map(str::to_owned),
            made_here: false,
            author: None,
            made: None,
            notify: Vec::new(),
            state: now.map(|now| now.state),
            since: now.and_then(|now| now.since),
            needs: needs(judge, model),
            error: None,
            questions_a_day: model
                .filter(|_| judge == Judge::Says)
                .map(|model| model.a_day),
        }
    };
    let configured = facts.rules.iter();
    let configured = configured.map(|rule| ToldRule {
        notify: rule.notify.clone(),
        ..told(&rule.name, rule.judge, rule.asked.as_deref())
    });
    let untold = state.as_ref().and_then(|state| state.made_rules.as_ref());
    let made = made.rules().iter().map(|rule| ToldRule {
        made_here: true,
        needs: untold.map_or_else(
            || needs(Judge::Says, model),
            |why| format!("what is not there, so it is not watched for: {why}"),
        ),
        error: untold.cloned(),
        author: Some(rule.author.clone()),
        made: Some(rule.made.clone()),
        notify: told_in(rule.notify.as_ref(), &settings.ways),
        ..told(rule.name.as_str(), Judge::Says, Some(rule.says.as_str()))
    });
    CameraRules {
        name: name.as_str(),
        title: facts.title.as_deref(),
        watching: state.as_ref().is_some_and(|state| state.watching),
        blind: blind.map(|trouble| trouble.cause),
        rules: configured.chain(made).collect(),
        error,
    }
}

/// In which of the ways a rule of the page is told that names these, or none.
pub(crate) fn told_in(named: Option<&Ways>, ways: &[WayFacts]) -> Vec<String> {
    let is_one = |way: &&WayFacts| match named {
        Some(named) => named.names().contains(&way.name),
        None => way.is_usual,
    };
    let told = ways.iter().filter(is_one);
    told.map(|way| way.name.clone()).collect()
}

/// What a judge takes, in a few words.
fn needs(judge: Judge, model: Option<&ModelFacts>) -> String {
    match (judge, model) {
        (Judge::Says, Some(model)) => format!(
            "the model {} at {}, which gets the pictures",
            model.model, model.host
        ),
        (Judge::Says, None) => "[watch.model] in the configuration, which is not there".to_owned(),
        (Judge::Sees, _) => "the detector (package eyelid-detector)".to_owned(),
        (Judge::Obico, _) => "your ml_api of Obico, which gets the pictures".to_owned(),
        (Judge::Motion | Judge::Left | Judge::Still, _) => "nothing else".to_owned(),
    }
}

/// Makes a rule for `user`. Gives its name.
///
/// # Errors
/// Why it is not made.
pub(crate) fn add(
    settings: &PageSettings,
    new: NewRule,
    user: &str,
    now: SystemTime,
) -> Result<RuleName, Rejection> {
    let Some(facts) = settings.cameras.get(&new.camera) else {
        return Err(no_camera(&new.camera));
    };
    if settings.model.is_none() {
        let what = "rules in words need [watch.model] in the configuration; without one the \
                    configuration's rules can have motion, left, still and sees";
        return Err(Rejection::new(StatusCode::CONFLICT, what));
    }
    let asked_ways = new.notify.as_ref().map_or(&[][..], Ways::names);
    let is_known = |name: &&String| settings.ways.iter().any(|way| way.name == **name);
    if let Some(unknown) = asked_ways.iter().find(|name| !is_known(name)) {
        let what = format!("the configuration has no [watch.notify.{unknown}]");
        return Err(Rejection::new(StatusCode::CONFLICT, what));
    }
    let camera = new.camera.clone();
    let mut rules = read(&file(&settings.rules, &camera))?;
    if facts.rules.len() + rules.rules().len() >= MOST_OF_CAMERA {
        let what = format!("the camera has {MOST_OF_CAMERA} rules already, and that is the most");
        return Err(Rejection::new(StatusCode::CONFLICT, what));
    }
    let is_other = |name: &RuleName| {
        name.as_str() == crate::alert::BLIND_RULE
            || facts.rules.iter().any(|rule| rule.name == name.as_str())
    };
    let made = humantime::format_rfc3339_seconds(now).to_string();
    let name = rules
        .add(new.into_asked(), is_other, user, made)
        .map_err(|error| Rejection::new(StatusCode::CONFLICT, error.to_string()))?;
    write(&settings.rules, &camera, &rules)?;
    Ok(name)
}

/// Deletes a rule that was made on the page. Gives what it asked.
///
/// # Errors
/// There is none, or it stays.
pub(crate) fn remove(
    settings: &PageSettings,
    camera: &CameraName,
    name: &RuleName,
) -> Result<String, Rejection> {
    let mut rules = read(&file(&settings.rules, camera))?;
    let Some(rule) = rules.remove(name) else {
        let what = format!(
            "no rule {name:?} of camera {camera:?} was made here",
            name = name.as_str(),
            camera = camera.as_str()
        );
        return Err(Rejection::new(StatusCode::NOT_FOUND, what));
    };
    write(&settings.rules, camera, &rules)?;
    Ok(rule.says.into())
}

/// Says that there is no such camera.
pub(crate) fn no_camera(camera: &CameraName) -> Rejection {
    let what = format!("the configuration has no camera {:?}", camera.as_str());
    Rejection::new(StatusCode::NOT_FOUND, what)
}

/// Why rules cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{path:?}: {reason}")]
pub(crate) struct UnreadableError {
    path: PathBuf,
    reason: Box<dyn std::error::Error>,
}

impl From<UnreadableError> for Rejection {
    fn from(error: UnreadableError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

/// Reads the file of a camera's rules; one that is not there has none.
///
/// # Errors
/// Why it cannot be read, or what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<RulesFile, UnreadableError> {
    let parsed = match files::read(path, MOST_FILE_BYTES) {
        Ok(json) => RulesFile::parse(&json),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(RulesFile::default()),
        Err(error) => Err(RulesError::Malformed(serde_json::Error::io(error))),
    };
    parsed.map_err(|error| UnreadableError {
        path: path.to_owned(),
        reason: error.into(),
    })
}

fn write(directory: &Path, camera: &CameraName, rules: &RulesFile) -> Result<(), Rejection> {
    let json = rules.to_json().map_err(std::io::Error::from);
    let written = json.and_then(|json| {
        std::fs::create_dir_all(directory)?;
        files::replace(&file(directory, camera), &json)
    });
    written.map_err(|error| Rejection::system("the rules are as they were", &error))
}

/// Where the rules of a camera are.
pub(crate) fn file(directory: &Path, camera: &CameraName) -> PathBuf {
    directory.join(format!("{camera}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::settings::RuleFacts;
    use eyelid_config::AskOnPage;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    fn settings(directory: &TempDir) -> PageSettings {
        let parcel = RuleFacts {
            name: "parcel".into(),
            judge: Judge::Says,
            asked: Some("a parcel".into()),
            notify: vec!["pause".into()],
        };
        let door = CameraFacts {
            title: None,
            slot: None,
            rules: vec![parcel],
        };
        let way = |name: &str, is_usual| WayFacts {
            name: name.to_owned(),
            how: "",
            is_usual,
        };
        PageSettings {
            ways: vec![way("phone", true), way("pause", false), way("broker", true)],
            rules: directory.path().join("rules"),
            state: directory.path().to_owned(),
            cameras: [("door".parse().unwrap(), door)].into(),
            model: Some(ModelFacts {
                model: "m".into(),
                host: "h".into(),
                a_day: 200,
                an_hour: 20,
            }),
            ..PageSettings::default()
        }
    }

    fn make(settings: &PageSettings, new: Value) -> Result<RuleName, Rejection> {
        let new = serde_json::from_value(new).unwrap();
        add(settings, new, "anna", SystemTime::UNIX_EPOCH)
    }

    fn told(settings: &PageSettings) -> Value {
        let rights = Rights::of(Some("anna"), &AskOnPage::Everybody);
        serde_json::to_value(overview(settings, &rights)).unwrap()
    }

    #[test]
    fn a_rule_is_made_told_and_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(&directory);
        let name = make(
            &settings,
            json!({"camera": "door", "says": "when a parcel"}),
        )
        .unwrap();
        assert_eq!(name.as_str(), "parcel-2", "the configuration has the other");
        let rule = &told(&settings)["cameras"][0]["rules"][1];
        assert_eq!(rule["asked"], "when a parcel");
        assert_eq!(
            (&rule["author"], &rule["made_here"]),
            (&json!("anna"), &json!(true))
        );
        assert_eq!(rule["made"], "1970-01-01T00:00:00Z");
        let door = "door".parse().unwrap();
        assert_eq!(remove(&settings, &door, &name).unwrap(), "when a parcel");
        assert_eq!(remove(&settings, &door, &name).unwrap_err().status(), 404);
        let parcel = RuleName::parse("parcel").unwrap();
        let of_the_file = remove(&settings, &door, &parcel).unwrap_err();
        assert_eq!(of_the_file.status(), 404);
    }

    #[test]
    fn a_rule_is_told_in_the_ways_that_its_user_chooses_or_the_usual_ones() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(&directory);
        for (name, notify) in [
            ("usual", json!(null)),
            ("mine", json!(["pause", "phone"])),
            ("silent", json!([])),
        ] {
            let new = json!({"camera": "door", "says": "x", "name": name, "notify": notify});
            make(&settings, new).unwrap();
        }
        let told = told(&settings);
        let rules = told["cameras"][0]["rules"].as_array().unwrap();
        let notify: Vec<_> = rules.iter().map(|rule| rule["notify"].clone()).collect();
        let expected = [
            json!(["pause"]),
            json!(["phone", "broker"]),
            json!(["phone", "pause"]),
            json!([]),
        ];
        assert_eq!(notify, expected);
        assert_eq!(told["ways"][1]["name"], "pause");
        let nobody = json!({"camera": "door", "says": "x", "notify": ["nobody"]});
        let refused = make(&settings, nobody).unwrap_err();
        assert_eq!(refused.status(), 409);
        let twice = json!({"camera": "door", "says": "x", "notify": ["phone", "phone"]});
        assert!(serde_json::from_value::<NewRule>(twice).is_err());
    }

    #[test]
    fn a_rule_that_is_not_watched_for_says_why() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(&directory);
        make(&settings, json!({"camera": "door", "says": "a dog"})).unwrap();
        let state = json!({
            "version": 1, "camera": "door", "watching": true, "made_rules": "no such key",
            "saved": {"boot": "", "boot_ms": 1, "wall": "2026-11-28T14:02:40.000Z"},
        });
        std::fs::write(directory.path().join("door.json"), state.to_string()).unwrap();
        let rules = &told(&settings)["cameras"][0]["rules"];
        let [configured, made] = [&rules[0], &rules[1]];
        assert_eq!(made["error"], "no such key");
        assert!(made["needs"].as_str().unwrap().contains("no such key"));
        let is_silent = configured["error"].is_null();
        assert!(
            is_silent
                && configured["needs"]
                    .as_str()
                    .unwrap()
                    .contains("the model m")
        );
    }

    #[test]
    fn what_cannot_be_is_refused_and_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = settings(&directory);
        for (new, status) in [
            (json!({"camera": "attic", "says": "x"}), 404),
            (
                json!({"camera": "door", "says": "x", "name": "parcel"}),
                409,
            ),
            (json!({"camera": "door", "says": "x", "name": "blind"}), 409),
        ] {
            let refused = make(&settings, new.clone()).unwrap_err();
            assert_eq!(refused.status(), status, "{new}");
        }
        for new in [
            json!({"camera": "../x", "says": "x"}),
            json!({"camera": "door", "says": "x\ny"}),
            json!({"camera": "door", "says": "x".repeat(201)}),
            json!({"camera": "door", "says": "x", "name": "a/b"}),
            json!({"says": "x"}),
        ] {
            assert!(
                serde_json::from_value::<NewRule>(new.clone()).is_err(),
                "{new}"
            );
        }
        assert!(!settings.rules.exists());
        let path = directory.path().join("rules/door.json");
        files::replace(&path, b"{").unwrap_err();
        std::fs::create_dir(&settings.rules).unwrap();
        files::replace(&path, b"{").unwrap();
        let new = json!({"camera": "door", "says": "x"});
        assert_eq!(make(&settings, new.clone()).unwrap_err().status(), 500);
        assert_eq!(
            std::fs::read(&path).unwrap(),
            b"{",
            "it may be of a later version"
        );
        let error = &told(&settings)["cameras"][0]["error"];
        assert!(error.as_str().unwrap().contains("door.json"), "{error}");
        settings.model = None;
        assert_eq!(make(&settings, new).unwrap_err().status(), 409);
    }

    #[test]
    fn a_state_is_told_where_one_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let settings = settings(&directory);
        let state = json!({
            "version": 1, "camera": "door", "watching": true,
            "saved": {"boot": "", "boot_ms": 1, "wall": "2026-11-28T14:02:40.000Z"},
            "rules": {"parcel": {"state": "standing", "judge": "says",
                                 "since": "2026-11-28T14:02:40.000Z"}},
            "blind": {"cause": "no-frames", "since": "2026-11-28T14:02:40.000Z"},
        });
        let before = told(&settings)["cameras"][0].clone();
        assert_eq!(
            (&before["watching"], &before["blind"]),
            (&json!(false), &Value::Null)
        );
        let path = directory.path().join("door.json");
        files::replace(&path, state.to_string().as_bytes()).unwrap();
        let door = told(&settings)["cameras"][0].clone();
        assert_eq!(
            (&door["watching"], &door["blind"]),
            (&json!(true), &json!("no-frames"))
        );
        assert_eq!(door["rules"][0]["state"], "standing");
    }
}
