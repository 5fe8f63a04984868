//! The options of the program that watches cameras: `[watch]` in the file with the tables below it,
//! and `[cameras.NAME.watch]` with the rules of each camera.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::ask_on_page::AskOnPage;
use crate::section::{CAMERA, NAME};
use crate::watch_values::{HttpUrl, Polygon, Share, StoreBytes, Votes, Words};
use crate::week_times::WeekTimes;
use crate::{Address, Fps, Section, duration};

/// Options of `eyelid-watch`. What is not given is `None` (or empty).
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", default, expecting = "a table, [watch]")]
pub struct WatchOptions {
    /// Where to serve the page of alerts, besides sockets that were passed.
    #[arg(
        long,
        value_name = "ADDR",
        help = "Serve the page of alerts here, without eyelid-server: HOST:PORT, [V6]:PORT or unix:PATH; may be repeated [default: sockets passed by systemd]"
    )]
    pub listen: Vec<Address>,
    /// Directory of the alerts [default: /var/lib/eyelid/alerts]
    #[arg(long, value_name = "DIR")]
    pub alerts: Option<PathBuf>,
    /// Directory of what is to be known after a restart [default: /var/lib/eyelid/watch]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Directory of the rules that were made on the page [default: /var/lib/eyelid/rules]
    #[arg(long, value_name = "DIR")]
    pub rules: Option<PathBuf>,
    /// The file of the detector [default: /usr/share/eyelid/detector.onnx]
    #[arg(long, value_name = "FILE")]
    pub detector: Option<PathBuf>,
    /// Run the detector by this libonnxruntime [default: in Rust]
    #[arg(long, value_name = "FILE")]
    pub onnxruntime: Option<PathBuf>,
    /// Believe the certificates in this PEM file beside the system's, of all who are asked or told
    /// by https [default: none]
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Keep alerts so long [default: 30days]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse_lasting,
        allow_hyphen_values = true
    )]
    #[serde(
        serialize_with = "duration::serialize",
        deserialize_with = "duration::deserialize_lasting"
    )]
    pub keep_for: Option<Duration>,
    /// Keep so many alerts at most [default: 1000]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        allow_negative_numbers = true
    )]
    #[serde(deserialize_with = "crate::server::at_least_one")]
    pub keep_count: Option<u32>,
    /// Keep so many bytes of alerts at most: 200M, 1G [default: 200M]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    pub keep_bytes: Option<StoreBytes>,
    /// Let users who are signed in make rules on the page, or only these of them, with commas
    /// between [default: false]
    #[arg(
        long,
        value_name = "BOOL|USERS",
        num_args = 0..=1,
        default_missing_value = "true",
        require_equals = true
    )]
    pub ask_on_page: Option<AskOnPage>,
    /// End the page after this long without a connection [default: never]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub idle_exit: Option<Duration>,
}

impl Section for WatchOptions {
    const PLACE: &'static [&'static str] = &["watch"];
}

impl WatchOptions {
    /// Fills what is not given here from `file`.
    pub fn or(self, file: Self) -> Self {
        Self {
            listen: crate::server::given(self.listen, file.listen),
            alerts: self.alerts.or(file.alerts),
            state: self.state.or(file.state),
            rules: self.rules.or(file.rules),
            detector: self.detector.or(file.detector),
            onnxruntime: self.onnxruntime.or(file.onnxruntime),
            ca_file: self.ca_file.or(file.ca_file),
            keep_for: self.keep_for.or(file.keep_for),
            keep_count: self.keep_count.or(file.keep_count),
            keep_bytes: self.keep_bytes.or(file.keep_bytes),
            ask_on_page: self.ask_on_page.or(file.ask_on_page),
            idle_exit: self.idle_exit.or(file.idle_exit),
        }
    }
}

/// The model that is asked in words; keys of the file alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    rename_all = "kebab-case",
    default,
    expecting = "a table, [watch.model]"
)]
pub struct WatchModelOptions {
    /// Where `chat/completions` is: anything that speaks as OpenAI does.
    pub url: Option<HttpUrl>,
    /// What the model is called there.
    pub model: Option<String>,
    /// The file of the key.
    pub key_file: Option<PathBuf>,
    /// Questions a day at most, of all cameras together.
    #[serde(deserialize_with = "crate::server::at_least_one")]
    pub a_day: Option<u32>,
    /// Questions an hour at most, of all cameras together.
    #[serde(deserialize_with = "crate::server::at_least_one")]
    pub an_hour: Option<u32>,
    /// How long an answer is waited for.
    #[serde(
        serialize_with = "duration::serialize",
        deserialize_with = "duration::deserialize_lasting"
    )]
    pub timeout: Option<Duration>,
}

impl Section for WatchModelOptions {
    const PLACE: &'static [&'static str] = &["watch", "model"];
}

/// One way to tell people of alerts; keys of the file alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    rename_all = "kebab-case",
    default,
    expecting = "a table, [watch.notify.NAME]"
)]
pub struct WatchNotifyOptions {
    /// The URL of a topic of ntfy.
    pub ntfy: Option<HttpUrl>,
    /// A URL that takes the alert's JSON.
    pub webhook: Option<HttpUrl>,
    /// A shell command that gets the alert's JSON on its stdin.
    pub command: Option<String>,
    /// A broker: `mqtt://HOST:PORT`.
    pub mqtt: Option<String>,
    /// The file of the token, or of the broker's USER:PASSWORD.
    pub key_file: Option<PathBuf>,
    /// Whether the picture goes along.
    pub picture: Option<bool>,
    /// Where a click on the notification leads.
    pub click: Option<HttpUrl>,
    /// How urgent it is: 1 to 5, as ntfy has it.
    pub priority: Option<u8>,
    /// For how long an alert is worth being told.
    #[serde(
        serialize_with = "duration::serialize",
        deserialize_with = "duration::deserialize_lasting"
    )]
    pub within: Option<Duration>,
    /// What the broker's topics begin with.
    pub topic: Option<String>,
    /// What the topics begin with by which Home Assistant discovers devices.
    pub discovery: Option<String>,
    /// Whether the broker's password may go over a network that anybody on it can read.
    pub password_in_the_clear: Option<bool>,
}

impl Section for WatchNotifyOptions {
    const PLACE: &'static [&'static str] = &["watch", "notify", NAME];
}

/// How one camera is watched; keys of the file alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    rename_all = "kebab-case",
    default,
    expecting = "a table, [cameras.NAME.watch]"
)]
pub struct WatchCameraOptions {
    /// Frames a second that are looked at while nothing moves.
    pub fps: Option<Fps>,
    /// Where nothing is looked at.
    pub mask: Vec<Polygon>,
    /// Where alone is looked.
    pub area: Vec<Polygon>,
    /// When the camera is watched.
    pub at: Option<WeekTimes>,
    /// Whether only that is looked at which others look at anyway.
    pub follow: Option<bool>,
}

impl Section for WatchCameraOptions {
    const PLACE: &'static [&'static str] = &["cameras", CAMERA, "watch"];
}

/// The same of a camera that pushes its frames: it has its table elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PushedWatchCameraOptions(pub WatchCameraOptions);

impl Section for PushedWatchCameraOptions {
    const PLACE: &'static [&'static str] = &["receive", "cameras", CAMERA, "watch"];
}

/// One rule of a camera: what is to be told, by exactly one judge; keys of the file alone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    rename_all = "kebab-case",
    default,
    expecting = "a table, [cameras.NAME.watch.rules.RULE]"
)]
pub struct WatchRuleOptions {
    /// Something that is not light moves.
    pub motion: Option<bool>,
    /// Something was left behind or taken away.
    pub left: Option<bool>,
    /// Nothing has moved for so long.
    #[serde(
        serialize_with = "duration::serialize",
        deserialize_with = "duration::deserialize_lasting"
    )]
    pub still: Option<Duration>,
    /// The detector sees one of these.
    pub sees: Vec<String>,
    /// The model says yes to this.
    pub says: Option<Words>,
    /// Obico's ml_api at this URL sees a failed print.
    pub obico: Option<HttpUrl>,
    /// The file of ml_api's token.
    pub key_file: Option<PathBuf>,
    /// Where ml_api gets the camera's picture.
    pub picture: Option<HttpUrl>,
    /// Where alone this rule looks.
    pub area: Vec<Polygon>,
    /// When this rule is watched.
    pub at: Option<WeekTimes>,
    /// Judge so often, whatever moves.
    #[serde(
        serialize_with = "duration::serialize",
        deserialize_with = "duration::deserialize_lasting"
    )]
    pub every: Option<Duration>,
    /// How many yeses of how many answers make an alert.
    pub yes: Option<Votes>,
    /// How sure a judge has to be.
    pub confidence: Option<Share>,
    /// How long there is no second alert.
    #[serde(with = "duration")]
    pub cool_down: Option<Duration>,
    /// How many alerts an hour there are at most.
    #[serde(deserialize_with = "crate::server::at_least_one")]
    pub an_hour: Option<u32>,
    /// Who is told: names of `[watch.notify]`.
    pub notify: Vec<String>,
}

impl Section for WatchRuleOptions {
    const PLACE: &'static [&'static str] = &["cameras", CAMERA, "watch", "rules", NAME];
}

/// The same of a camera that pushes its frames.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PushedWatchRuleOptions(pub WatchRuleOptions);

impl Section for PushedWatchRuleOptions {
    const PLACE: &'static [&'static str] = &["receive", "cameras", CAMERA, "watch", "rules", NAME];
}
