//! What the program was told, with the defaults filled in: what is wrong is told with its line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use eyelid_config::{
    Address, AskOnPage, Config, ConfigError, HttpUrl, Polygon, PushedWatchCameraOptions,
    PushedWatchRuleOptions, Votes, WatchCameraOptions, WatchModelOptions, WatchOptions,
    WatchRuleOptions, WeekTimes, Words,
};
use eyelid_detector::{DEFAULT_MODEL, Label};
use eyelid_slot::CameraName;
use eyelid_words::BudgetLimits;

use crate::Place;
use crate::alert::Judge;
use crate::alerts::Bounds;

mod named;
pub(crate) mod notify;
mod rules;
mod wire;

pub(crate) use named::Unnamed;
use notify::NotifySettings;
use rules::rule;

/// Frames a second that are looked at where nothing is said. docs/eyelid.toml promises it.
const FPS: f64 = 2.0;

/// How many rules a camera may have, those of the page among them: all of them are in one question.
pub(crate) const MOST_RULES: usize = 32;

const ALERTS: &str = "/var/lib/eyelid/alerts";
const STATE: &str = "/var/lib/eyelid/watch";
const RULES: &str = "/var/lib/eyelid/rules";

/// Where things are, and what all cameras have in common.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The slots directory.
    pub(crate) slots: Option<PathBuf>,
    /// The directory of the alerts.
    pub(crate) alerts: PathBuf,
    /// The directory of what is to be known after a restart.
    pub(crate) state: PathBuf,
    /// The directory of the rules that were made on the page.
    pub(crate) rules: PathBuf,
    /// The file of the detector.
    pub(crate) detector: PathBuf,
    /// The library that runs it; nothing: it is run in Rust.
    pub(crate) onnxruntime: Option<PathBuf>,
    /// How much is kept of alerts.
    pub(crate) keeping: Bounds,
    /// Who may make rules on the page, and keep cases there.
    pub(crate) ask_on_page: AskOnPage,
    /// Where the page is served, besides the sockets that were passed.
    pub(crate) listen: Vec<Address>,
    /// When the page ends for want of connections.
    pub(crate) idle_exit: Option<Duration>,
    /// Certificates that are believed beside the system's, of all who are asked or told by https.
    pub(crate) ca_file: Option<PathBuf>,
    /// Who is asked in words, if anybody.
    pub(crate) model: Option<ModelSettings>,
    /// Who can be told.
    pub(crate) notify: Vec<NotifySettings>,
}

/// Who is asked in words.
#[derive(Clone, Debug)]
pub(crate) struct ModelSettings {
    pub(crate) url: HttpUrl,
    pub(crate) model: String,
    pub(crate) key_file: Option<PathBuf>,
    /// Questions at most, of all cameras.
    pub(crate) budget: BudgetLimits,
    /// How long an answer is waited for.
    pub(crate) timeout: Duration,
    /// As of [`Settings`].
    pub(crate) ca_file: Option<PathBuf>,
}

/// How one camera is watched.
#[derive(Clone, Debug)]
pub(crate) struct CameraSettings {
    pub(crate) name: CameraName,
    /// Its slot.
    pub(crate) slot: Option<PathBuf>,
    /// Frames a second while nothing moves.
    pub(crate) fps: f64,
    /// What does not count.
    pub(crate) mask: Vec<Polygon>,
    /// What alone counts; all, if nothing is said.
    pub(crate) area: Vec<Polygon>,
    /// When it is watched; always, if nothing is said.
    pub(crate) at: Option<WeekTimes>,
    /// Whether only that is looked at which others look at.
    pub(crate) follow: bool,
    /// At least one.
    pub(crate) rules: Vec<RuleSettings>,
}

/// What is to be told of a camera.
#[derive(Clone, Debug)]
pub(crate) struct RuleSettings {
    pub(crate) name: String,
    pub(crate) judge: JudgeSettings,
    /// Where alone it looks; everywhere, if nothing is said.
    pub(crate) area: Vec<Polygon>,
    /// When it looks; always, if nothing is said.
    pub(crate) at: Option<WeekTimes>,
    /// How often it looks whatever moves; else only when something moves.
    pub(crate) every: Option<Duration>,
    pub(crate) votes: Votes,
    /// How sure its judge has to be, 0 to 1.
    pub(crate) confidence: f64,
    pub(crate) cool_down: Duration,
    pub(crate) an_hour: u32,
    /// Who is told: names of [`Settings::notify`].
    pub(crate) notify: Vec<String>,
}

/// Who judges.
#[derive(Clone, Debug)]
pub(crate) enum JudgeSettings {
    /// Something moves that is not light.
    Motion,
    /// Something was left behind, or taken away.
    Left,
    /// Nothing has moved for so long.
    Still(Duration),
    /// The detector sees one of these labels.
    Sees(Vec<Label>),
    /// A model says yes to this.
    Says(Words),
    /// Obico's ml_api.
    Obico {
        /// Where it is.
        url: HttpUrl,
        /// Where it gets the picture.
        picture: HttpUrl,
        /// The file of its token.
        key_file: Option<PathBuf>,
    },
}

impl JudgeSettings {
    /// Which judge it is, as alerts have it.
    pub(crate) fn name(&self) -> Judge {
        match self {
            Self::Motion => Judge::Motion,
            Self::Left => Judge::Left,
            Self::Still(_) => Judge::Still,
            Self::Sees(_) => Judge::Sees,
            Self::Says(_) => Judge::Says,
            Self::Obico { .. } => Judge::Obico,
        }
    }

    /// Says whether a model is asked.
    pub(crate) fn is_in_words(&self) -> bool {
        matches!(self, Self::Says(_))
    }
}

impl Settings {
    /// Merges flags and file, flags first.
    pub(crate) fn new(place: &Place, own: &WatchOptions, file: &Config) -> anyhow::Result<Self> {
        let options = own.clone().or(file.section()?);
        let kept = Bounds::default();
        Ok(Self {
            slots: place.slots.clone().or(file.slots.clone()),
            alerts: options.alerts.unwrap_or_else(|| ALERTS.into()),
            state: options.state.unwrap_or_else(|| STATE.into()),
            rules: options.rules.unwrap_or_else(|| RULES.into()),
            detector: options.detector.unwrap_or_else(|| DEFAULT_MODEL.into()),
            onnxruntime: options.onnxruntime,
            keeping: Bounds {
                age: options.keep_for.unwrap_or(kept.age),
                count: options
                    .keep_count
                    .map_or(kept.count, |count| count as usize),
                bytes: options.keep_bytes.map_or(kept.bytes, |size| size.bytes()),
            },
            ask_on_page: options.ask_on_page.unwrap_or_default(),
            listen: options.listen,
            idle_exit: options.idle_exit,
            model: ModelSettings::new(
                place.config.as_deref(),
                file.section()?,
                options.ca_file.as_deref(),
            )?,
            notify: notify::all(place, file)?,
            ca_file: options.ca_file,
        })
    }

    /// Gives the slots directory.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn slots(&self) -> anyhow::Result<&Path> {
        self.slots.as_deref().context(
            "no slots directory: give --slots DIR, or slots in [server] of the configuration",
        )
    }
}

impl ModelSettings {
    fn new(
        config: Option<&Path>,
        options: WatchModelOptions,
        ca_file: Option<&Path>,
    ) -> Result<Option<Self>, ConfigError> {
        let Some(url) = options.url.clone() else {
            let Some(path) = config.filter(|_| options != WatchModelOptions::default()) else {
                return Ok(None);
            };
            let message = "missing; [watch.model] needs the URL of what speaks chat/completions";
            let error = ConfigError::section::<WatchModelOptions>(path, "url", message.into());
            return Err(error);
        };
        let model = options.model.ok_or_else(|| {
            let message = "missing; say what the model is called at that URL".to_owned();
            let path = config.unwrap_or(Path::new(""));
            ConfigError::section::<WatchModelOptions>(path, "model", message)
        })?;
        if options.key_file.is_some() {
            wire::check("key", &url).map_err(|message| {
                let path = config.unwrap_or(Path::new(""));
                ConfigError::section::<WatchModelOptions>(path, "key-file", message)
            })?;
        }
        let usual = BudgetLimits::default();
        Ok(Some(Self {
            url,
            model,
            key_file: options.key_file,
            budget: BudgetLimits {
                an_hour: options.an_hour.unwrap_or(usual.an_hour),
                a_day: options.a_day.unwrap_or(usual.a_day),
            },
            timeout: options.timeout.unwrap_or(Duration::from_secs(60)),
            ca_file: ca_file.map(Path::to_owned),
        }))
    }
}

impl CameraSettings {
    /// Those of a camera that nothing is said of.
    #[cfg(test)]
    pub(crate) fn of(name: &str) -> Self {
        Self {
            name: name.parse().unwrap(),
            slot: None,
            fps: FPS,
            mask: Vec::new(),
            area: Vec::new(),
            at: None,
            follow: false,
            rules: vec![RuleSettings::motion()],
        }
    }

    /// What the file says of a camera; one that it does not name has no options.
    pub(crate) fn new(
        place: &Place,
        file: &Config,
        name: &CameraName,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let is_pushed = file.pushed_cameras.contains_key(name);
        let (options, rules) = if is_pushed {
            let options: PushedWatchCameraOptions = file.of_camera(name)?;
            let rules = file.named_of_camera::<PushedWatchRuleOptions>(name)?;
            let rules = rules.into_iter().map(|(name, rule)| (name, rule.0));
            (options.0, rules.collect())
        } else {
            let options: WatchCameraOptions = file.of_camera(name)?;
            (options, file.named_of_camera::<WatchRuleOptions>(name)?)
        };
        let wrong = |rule: &str, key: &str, message: String| {
            let (path, names) = (place.config_path(), [name.as_str(), rule]);
            if is_pushed {
                ConfigError::named::<PushedWatchRuleOptions>(path, &names, key, message)
            } else {
                ConfigError::named::<WatchRuleOptions>(path, &names, key, message)
            }
        };
        if let Some((last, _)) = rules.get_index(MOST_RULES) {
            let message = format!("a camera has {MOST_RULES} rules at most");
            return Err(wrong(last, "rules", message).into());
        }
        let mut known = Vec::new();
        for (name, options) in rules {
            let rule = rule(&name, options, settings)
                .map_err(|error| wrong(&name, error.key, error.message))?;
            known.push(rule);
        }
        if known.is_empty() {
            known.push(RuleSettings::motion());
        }
        let slots = settings.slots.as_deref();
        let known_slot = file.cameras.get(name).or(file.pushed_cameras.get(name));
        Ok(Self {
            name: name.clone(),
            slot: (known_slot.and_then(|camera| camera.slot.clone()))
                .or_else(|| slots.map(|slots| name.directory(slots))),
            fps: options.fps.map_or(FPS, |fps| fps.per_second()),
            mask: options.mask,
            area: options.area,
            at: options.at,
            follow: options.follow.unwrap_or(false),
            rules: known,
        })
    }

    /// Those of all cameras of the file.
    pub(crate) fn all(
        place: &Place,
        file: &Config,
        settings: &Settings,
    ) -> anyhow::Result<Vec<Self>> {
        let names = file.cameras.keys().chain(file.pushed_cameras.keys());
        names
            .map(|name| Self::new(place, file, name, settings))
            .collect()
    }
}

#[cfg(test)]
mod tests;
