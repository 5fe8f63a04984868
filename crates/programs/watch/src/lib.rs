//! `eyelid-watch`: watches cameras, and tells of what was asked for.
//!
//! It knows cameras only by their slots. With `--name` it watches one, listens nowhere, and writes
//! alerts as files; with sockets, or `--listen`, it is the page that shows them. `docs/watch.md`
//! says what it can tell and what not, `docs/architecture.md` how the modules hang together.

mod alert;
mod alerts;
mod area;
mod asker;
mod asking;
mod case;
mod earlier;
mod explain;
mod eye;
mod files;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod judges;
mod ledger;
mod local_clock;
mod machine;
mod moment;
mod notify;
mod page;
mod replay;
mod rules;
mod schedule;
mod settings;
mod show;
mod told;
mod watching;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use eyelid_config::{Config, ConfigError, EXIT_CONFIG, WatchOptions, camera_name};
use eyelid_daemon::sockets;
use eyelid_slot::CameraName;

use crate::asker::{Asker, Whom};
use crate::machine::Machine;
use crate::settings::{CameraSettings, Settings, Unnamed};

/// Watches a camera and tells of what was asked for, or serves the page of alerts.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "eyelid-watch",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    watch: WatchOptions,
    #[command(flatten)]
    place: Place,
    /// Watch this camera [default: none, and serve the page of alerts]
    #[arg(long, value_name = "NAME", value_parser = camera_name)]
    name: Option<CameraName>,
    /// Tell eyelid-server what the camera is watched for, at this Unix socket [default: the socket
    /// status in the directory watch-NAME that systemd has made, else none]
    #[arg(long, value_name = "SOCKET")]
    status: Option<PathBuf>,
    /// Say on stdout what is wrong with the options or the file, and end
    #[arg(long)]
    check: bool,
}

/// Where things are.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Place {
    /// Directory of the slots
    #[arg(long, value_name = "DIR")]
    pub(crate) slots: Option<PathBuf>,
    /// Read this configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl Place {
    /// The configuration file, for messages.
    pub(crate) fn config_path(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(""))
    }
}

/// What is done once, in place of watching.
#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Let the whole machine look at recorded pictures, and print each alert as a line of JSON
    Replay(replay::ReplayArguments),
    /// Say what each rule of a camera needs, what it costs a day, and where it sends pictures
    Explain(OneCamera),
    /// Ask about pictures once, and print what is said
    Try(asking::TryArguments),
    /// Draw what counts, and what is seen, into a picture of now: a JPEG on stdout
    Show(show::ShowArguments),
}

/// Which camera a command is about.
#[derive(Args, Clone, Debug)]
pub(crate) struct OneCamera {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The camera, and its rules
    #[arg(long, value_name = "NAME", value_parser = camera_name, default_value_t)]
    pub(crate) name: CameraName,
    #[command(flatten)]
    pub(crate) watch: WatchOptions,
}

impl OneCamera {
    /// What the options and the file say of it; that the file says nothing of it, though of others,
    /// is told in the log.
    pub(crate) fn settings(&self) -> anyhow::Result<(Settings, CameraSettings)> {
        let file = Config::load(self.place.config.as_deref())?;
        warn_if_unnamed(&self.place, &file, &self.name);
        self.settings_of(&file)
    }

    /// The same for its recordings, of which nobody knows but the file: that says how it is watched
    /// if it says so of others.
    pub(crate) fn settings_for_recordings(&self) -> anyhow::Result<(Settings, CameraSettings)> {
        let file = Config::load(self.place.config.as_deref())?;
        if let Some(unnamed) = Unnamed::of(&self.place, &file, &self.name) {
            unnamed.refuse_for_others(&file)?;
            log::warn!("{unnamed}");
        }
        self.settings_of(&file)
    }

    fn settings_of(&self, file: &Config) -> anyhow::Result<(Settings, CameraSettings)> {
        let settings = Settings::new(&self.place, &self.watch, file)?;
        let camera = CameraSettings::new(&self.place, file, &self.name, &settings)?;
        Ok((settings, camera))
    }
}

impl Arguments {
    /// Says whether the options are only to be checked.
    pub fn is_check(&self) -> bool {
        self.check
    }

    /// The camera that is watched.
    pub fn camera(&self) -> Option<&str> {
        self.name.as_ref().map(CameraName::as_str)
    }
}

fn warn_if_unnamed(place: &Place, file: &Config, name: &CameraName) {
    if let Some(unnamed) = Unnamed::of(place, file, name) {
        log::warn!("{unnamed}");
    }
}

/// What is asked for cannot be done.
#[derive(Debug, thiserror::Error)]
enum UsageError {
    /// Neither a camera nor a page.
    #[error(
        "nothing to do: give --name NAME to watch a camera, or --listen ADDR for the page of alerts"
    )]
    Nothing,
}

/// Who is to be asked for a camera's rules cannot be: there is no detector, or a key cannot be
/// used. A new start changes nothing of that.
#[derive(Debug, thiserror::Error)]
#[error("camera {:?}: who is to be asked for its rules cannot be", .0.as_str())]
struct UnaskableError(CameraName);

/// The exit status for an error of [`run`].
pub fn exit_status(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() || error.is::<UnaskableError>() {
        EXIT_CONFIG
    } else if error.is::<UsageError>() {
        2
    } else {
        1
    }
}

/// Does what it was told to, until it is done or told to end.
///
/// # Errors
/// Why it cannot go on; see [`exit_status`].
pub fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Some(Command::Replay(arguments)) => return replay::run(&arguments),
        Some(Command::Explain(camera)) => return explain::run(&camera),
        Some(Command::Try(arguments)) => return asking::run(&arguments),
        Some(Command::Show(arguments)) => return show::run(&arguments),
        None => {}
    }
    let place = &arguments.place;
    let file = Config::load(place.config.as_deref())?;
    // Before any thread is started, for it takes what was passed out of the environment.
    let passed = sockets::take()?;
    let settings = Settings::new(place, &arguments.watch, &file)?;
    if let Some(name) = &arguments.name {
        warn_if_unnamed(place, &file, name);
    }
    let is_page = !passed.is_empty() || !settings.listen.is_empty();
    match &arguments.name {
        Some(name) if arguments.check => {
            let camera = CameraSettings::new(place, &file, name, &settings)?;
            Machine::check(&camera)?;
            Asker::new(&settings, &camera, &Whom::Themselves { picture: None })
                .with_context(|| UnaskableError(name.clone()))?;
            notify::check_keys(place, &settings.notify)?;
            Ok(())
        }
        None if arguments.check => {
            CameraSettings::all(place, &file, &settings)?;
            Ok(())
        }
        Some(name) => watching::run(&arguments, name),
        None if is_page => page::run(&arguments, &file, passed),
        None => Err(UsageError::Nothing.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a file of this text, by each of these commands about the camera `door`: the
    /// exit status, and what is said. `HERE` is where the file lies.
    fn refused(text: &str, commands: &[&[&str]]) -> Vec<(u8, String)> {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path().display().to_string();
        let path = directory.path().join("eyelid.toml");
        std::fs::write(&path, text.replace("HERE", &here)).unwrap();
        let ended = commands.iter().map(|command| {
            let mut words = vec!["eyelid-watch".to_owned()];
            words.extend(command.iter().map(|word| word.replace("HERE", &here)));
            words.extend([
                "--name=door".to_owned(),
                format!("--config={}", path.display()),
                format!("--slots={here}/slots"),
                format!("--alerts={here}/alerts"),
                format!("--state={here}/state"),
            ]);
            let arguments = Arguments::try_parse_from(words).unwrap();
            let error = run(arguments).unwrap_err();
            assert!(!directory.path().join("state").exists(), "{error:#}");
            (exit_status(&error), format!("{error:#}"))
        });
        ended.collect()
    }

    const CHECK: &[&str] = &["--check"];
    const WATCH: &[&str] = &[];
    const REPLAY: &[&str] = &["replay", "HERE"];

    #[test]
    fn a_detector_that_is_not_there_is_an_error_of_the_configuration() {
        let text = "[watch]\ndetector = \"HERE/none.onnx\"\n\
                    [cameras.door.watch.rules.visitor]\nsees = [\"person\"]\n";
        for (status, said) in refused(text, &[CHECK, WATCH, REPLAY]) {
            assert_eq!(status, EXIT_CONFIG, "{said}");
            assert!(said.contains("rule \"visitor\""), "{said}");
            assert!(said.contains("install package eyelid-detector"), "{said}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_is_an_error_of_the_configuration() {
        let text = "[watch.model]\nurl = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n\
                    key-file = \"HERE/none\"\n[cameras.door.watch.rules.parcel]\nsays = \"x\"\n";
        let commands = [
            CHECK,
            WATCH,
            &["replay", "HERE", "--ask"],
            &["try", "HERE/eyelid.toml"],
        ];
        for (status, said) in refused(text, &commands) {
            assert_eq!(status, EXIT_CONFIG, "{said}");
            assert!(
                said.contains("[watch.model]") && said.contains("none"),
                "{said}"
            );
            assert_eq!(said.matches("No such file").count(), 1, "{said}");
        }
    }

    #[test]
    fn recordings_of_a_camera_that_is_not_named_are_an_error_of_the_configuration() {
        let text = "[cameras.doors.watch.rules.visitor]\nmotion = true\n";
        let (status, said) = refused(text, &[REPLAY]).remove(0);
        assert_eq!(status, EXIT_CONFIG, "{said}");
        assert!(said.contains("did you mean \"doors\"?"), "{said}");
    }

    #[test]
    fn a_key_of_a_way_that_cannot_be_read_is_found_by_a_check() {
        for way in [
            "ntfy = \"https://ntfy.example/topic\"",
            "webhook = \"http://127.0.0.1:1/hook\"",
            "mqtt = \"mqtt://127.0.0.1:1\"",
        ] {
            for (file, why) in [("none", "No such file"), ("", "Is a directory")] {
                let text = format!("[watch.notify.a]\n{way}\nkey-file = \"HERE/{file}\"\n");
                let (status, said) = refused(&text, &[CHECK]).remove(0);
                assert_eq!(status, EXIT_CONFIG, "{said}");
                for words in [
                    "line 3, key \"watch.notify.a.key-file\": key file \"/",
                    &format!("/{file}\": {why}"),
                    " into it, on one line, and let the user read it",
                ] {
                    assert!(said.contains(words), "{words} in {said}");
                }
            }
        }
    }
}
