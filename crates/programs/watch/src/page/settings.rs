//! What the page was told, with the defaults filled in.

use std::path::PathBuf;

use eyelid_config::{Address, AskOnPage, Config, PASSWORD_VARIABLE, ServerOptions};
use eyelid_http::{Password, ServeOptions};
use eyelid_slot::CameraName;
use indexmap::IndexMap;

use super::followers;
use crate::Arguments;
use crate::alert::Judge;
use crate::settings::notify::{NotifySettings, Way};
use crate::settings::{CameraSettings, JudgeSettings, ModelSettings, RuleSettings, Settings};

/// How many requests are answered at once, besides those that follow alerts.
const MOST_REQUESTS: usize = 64;

/// Settings of the page.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageSettings {
    /// Where to listen, besides the sockets that were passed. Fixed for the life of the process, as
    /// the next three are.
    pub(crate) listen: Vec<Address>,
    /// The directory of alerts.
    pub(crate) alerts: PathBuf,
    /// The directory of what cameras and their rules are in.
    pub(crate) state: PathBuf,
    /// The directory of rules that were made on the page.
    pub(crate) rules: PathBuf,
    /// The slots directory, if one is named.
    pub(crate) slots: Option<PathBuf>,
    /// Who is asked in words, if anybody.
    pub(crate) asked: Option<ModelSettings>,
    /// Who may make rules.
    pub(crate) ask: AskOnPage,
    /// The cameras of the configuration.
    pub(crate) cameras: IndexMap<CameraName, CameraFacts>,
    /// What is told of who is asked.
    pub(crate) model: Option<ModelFacts>,
    /// How people can be told.
    pub(crate) ways: Vec<WayFacts>,
    /// How clients are served that no server hands over.
    pub(crate) serve: ServeOptions,
}

/// What the configuration says of a camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CameraFacts {
    /// How people call it.
    pub(crate) title: Option<String>,
    /// Its slot, if that is known.
    pub(crate) slot: Option<PathBuf>,
    /// Its rules.
    pub(crate) rules: Vec<RuleFacts>,
}

/// What the configuration says of a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleFacts {
    /// Its name.
    pub(crate) name: String,
    /// What judges.
    pub(crate) judge: Judge,
    /// What it asks, in its user's words or in few of ours.
    pub(crate) asked: Option<String>,
    /// In which ways it is told.
    pub(crate) notify: Vec<String>,
}

/// What the configuration says of a way to tell people: no address and no topic, which may be
/// secrets.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct WayFacts {
    /// What rules call it.
    pub(crate) name: String,
    /// `ntfy`, `webhook`, `command` or `mqtt`.
    pub(crate) how: &'static str,
    /// A rule of the page is told in it if nobody says otherwise. What runs a command, or asks a
    /// program to do something, is to be chosen: it may pause a print.
    #[serde(rename = "usual")]
    pub(crate) is_usual: bool,
}

/// What the configuration says of the model.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(crate) struct ModelFacts {
    /// Its name.
    pub(crate) model: String,
    /// Where pictures go to be judged: host, and port if it is none of the usual.
    pub(crate) host: String,
    /// How many questions a day there are at most, of all cameras.
    pub(crate) a_day: u32,
    /// ...and an hour.
    pub(crate) an_hour: u32,
}

impl PageSettings {
    /// Reads flags and file, flags first. What the file says for the server of who may look holds
    /// for who comes past it; with sockets that were `passed` nobody does, and its files of
    /// passwords may be out of reach.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn new(arguments: &Arguments, file: &Config, passed: bool) -> anyhow::Result<Self> {
        let settings = Settings::new(&arguments.place, &arguments.watch, file)?;
        let mut cameras = IndexMap::new();
        for camera in CameraSettings::all(&arguments.place, file, &settings)? {
            let known = file.cameras.get(&camera.name);
            let known = known.or(file.pushed_cameras.get(&camera.name));
            let title = known.and_then(|known| known.title.as_ref());
            let facts = CameraFacts {
                title: title.map(ToString::to_string),
                slot: camera.slot,
                rules: camera.rules.iter().map(RuleFacts::of).collect(),
            };
            cameras.insert(camera.name, facts);
        }
        let serve = ServeOptions {
            max_clients: followers::MOST + MOST_REQUESTS,
            idle_exit: settings.idle_exit,
            ..match passed {
                true => ServeOptions::default(),
                false => of_server(file.section()?),
            }
        };
        Ok(Self {
            listen: settings.listen,
            alerts: settings.alerts,
            state: settings.state,
            rules: settings.rules,
            ask: settings.ask_on_page,
            slots: settings.slots,
            ways: settings.notify.iter().map(WayFacts::of).collect(),
            model: settings.model.as_ref().map(ModelFacts::of),
            asked: settings.model,
            cameras,
            serve,
        })
    }
}

/// Who may look, as it is for the server.
fn of_server(options: ServerOptions) -> ServeOptions {
    let variable = std::env::var(PASSWORD_VARIABLE).ok();
    let file = options.password_file.map(Password::File);
    ServeOptions {
        allow_host: options.allow_host,
        allow_origin: options.allow_origin,
        auth_file: options.auth_file,
        password: variable.map(Password::Environment).or(file),
        ..ServeOptions::default()
    }
}

impl RuleFacts {
    fn of(rule: &RuleSettings) -> Self {
        let asked = match &rule.judge {
            JudgeSettings::Still(time) => {
                let time = humantime::format_duration(*time);
                Some(format!("nothing moves for {time}"))
            }
            JudgeSettings::Sees(labels) => {
                let names: Vec<_> = labels.iter().map(|label| label.name()).collect();
                Some(names.join(", "))
            }
            JudgeSettings::Says(words) => Some(words.to_string()),
            JudgeSettings::Motion | JudgeSettings::Left | JudgeSettings::Obico { .. } => None,
        };
        Self {
            name: rule.name.clone(),
            judge: rule.judge.name(),
            asked,
            notify: rule.notify.clone(),
        }
    }
}

impl WayFacts {
    /// Those of one.
    pub(crate) fn of(way: &NotifySettings) -> Self {
        let (how, is_usual) = match way.way {
            Way::Ntfy(_) => ("ntfy", true),
            Way::Mqtt(_) => ("mqtt", true),
            Way::Webhook(_) => ("webhook", false),
            Way::Command(_) => ("command", false),
        };
        Self {
            name: way.name.clone(),
            how,
            is_usual,
        }
    }
}

impl ModelFacts {
    fn of(model: &ModelSettings) -> Self {
        Self {
            model: model.model.clone(),
            host: model.url.host_and_port().to_owned(),
            a_day: model.budget.a_day,
            an_hour: model.budget.an_hour,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn rules_and_model_are_told_without_paths_and_keys() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eyelid.toml");
        let text = "[watch]\nask-on-page = true\n[watch.model]\nurl = \"https://h:1/v1/secret\"\n\
                    model = \"m\"\n[cameras.door]\ntitle = \"Front\"\n\
                    [cameras.door.watch.rules.parcel]\nsays = \"a parcel\"\n\
                    [receive.cameras.attic.watch.rules.jam]\nstill = \"5min\"\n\
                    [watch.notify.phone]\nntfy = \"https://ntfy.sh/secret\"\n\
                    [watch.notify.pause]\ncommand = \"secret\"\n";
        std::fs::write(&path, text).unwrap();
        let config = format!("--config={}", path.display());
        let flags = ["eyelid-watch", "--alerts=/a", &config];
        let arguments = Arguments::try_parse_from(flags).unwrap();
        let file = Config::load(Some(&path)).unwrap();
        let page = PageSettings::new(&arguments, &file, true).unwrap();
        assert!(page.ask == AskOnPage::Everybody && page.alerts.as_os_str() == "/a");
        let model = page.model.unwrap();
        assert_eq!((model.host.as_str(), model.model.as_str()), ("h:1", "m"));
        let ways = serde_json::to_value(&page.ways).unwrap();
        let expected = serde_json::json!([
            {"name": "phone", "how": "ntfy", "usual": true},
            {"name": "pause", "how": "command", "usual": false},
        ]);
        assert_eq!(ways, expected);
        let [door, attic] =
            ["door", "attic"].map(|name| &page.cameras[&name.parse::<CameraName>().unwrap()]);
        assert_eq!(door.title.as_deref(), Some("Front"));
        let said =
            |facts: &CameraFacts| (facts.rules[0].judge.as_str(), facts.rules[0].asked.clone());
        assert_eq!(said(door), ("says", Some("a parcel".into())));
        assert_eq!(said(attic), ("still", Some("nothing moves for 5m".into())));
    }
}
