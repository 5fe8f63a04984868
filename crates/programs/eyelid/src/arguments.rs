//! The command line: the options of the other two programs, and a few of its own.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use eyelid_config::{CameraOptions, Config, Section, ServerOptions};

use crate::slots::shared_parents;

/// A camera that opens only while someone looks: server and capture without systemd.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "eyelid",
    version,
    max_term_width = 100,
    mut_arg("listen", |arg| arg.help("Listen here: HOST:PORT, [V6]:PORT or unix:PATH; may be repeated [default: 127.0.0.1:8080 and [::1]:8080]")),
    mut_arg("slots", |arg| arg.help("Directory of the slots [default: /run/webcam, or a private one where that cannot be written]")),
    mut_arg("doors", |arg| arg.help("Directory of the sockets at which other programs take requests over [default: .doors in the directory of the slots]")),
    mut_arg("idle_exit", |arg| arg.help("End server and capture after this long without a connection [default: 30s]")),
    mut_arg("source", |arg| arg.help("Where frames come from: auto, v4l2, v4l2:/dev/video0, libcamera, test, folder:PATH, http://HOST:PORT/PATH or command:SHELL COMMAND [default: test]")),
)]
pub struct Arguments {
    #[command(flatten)]
    pub(crate) server: ServerOptions,
    /// Read this configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Ask the eyelid that has the slots directory whether it is well, start nothing, and end with
    /// 0 if it is
    #[arg(long)]
    pub(crate) healthcheck: bool,
    /// Say on stdout what is wrong with the options, the file, the passwords or the sources, and
    /// end
    #[arg(long, conflicts_with = "healthcheck")]
    pub(crate) check: bool,
    /// List the cameras that are there, with their formats, sizes and rates, as eyelid-capture does
    #[arg(long, conflicts_with_all = ["list_controls", "healthcheck", "check"])]
    list: bool,
    /// List what --control can set on the camera, as eyelid-capture does
    #[arg(long, conflicts_with_all = ["healthcheck", "check"])]
    list_controls: bool,
    /// List as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "The default camera")]
    pub(crate) camera: CameraOptions,
}

impl Arguments {
    /// Reads the command line; says what is wrong with it, or how to use it, and ends.
    pub fn parse_or_exit() -> Self {
        Self::try_parse().unwrap_or_else(|error| advise(error).exit())
    }

    /// Says whether they are only to be checked.
    pub fn is_check(&self) -> bool {
        self.check
    }

    /// With what eyelid-capture prints the list that is asked for, if one is.
    ///
    /// # Errors
    /// A path that is not UTF-8.
    pub(crate) fn list(&self) -> anyhow::Result<Option<Vec<OsString>>> {
        let lists = [
            ("--list", self.list),
            ("--list-controls", self.list_controls),
        ];
        let Some((list, _)) = lists.into_iter().find(|(_, wanted)| *wanted) else {
            return Ok(None);
        };
        let mut arguments = self
            .camera
            .to_flags()
            .context("cannot hand on the options")?;
        arguments.push(list.into());
        arguments.extend(self.json.then(|| "--json".into()));
        Ok(Some(arguments))
    }

    /// The slots directory of an `eyelid` that was started with these.
    pub(crate) fn slots(&self) -> anyhow::Result<PathBuf> {
        let file = Config::load(self.config.as_deref())?;
        if let Some(slots) = self.server.slots.clone().or(file.slots) {
            return Ok(slots);
        }
        shared_parents()
            .map(|parent| parent.join("webcam"))
            .find(|slots| slots.is_dir())
            .context("it is not clear which slots directory is meant: name it with --slots DIR")
    }
}

/// Answers who knows `--name` from `eyelid-capture`.
fn advise(mut error: clap::Error) -> clap::Error {
    let is_name = matches!(
        error.get(ContextKind::InvalidArg),
        Some(ContextValue::String(flag)) if flag == "--name"
    );
    if is_name {
        let tip = "eyelid runs every camera of --config FILE; for one of them start eyelid-capture";
        // Which has it for a slip of --camera.
        error.remove(ContextKind::SuggestedArg);
        error.remove(ContextKind::Usage);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![tip.into()]),
        );
    }
    error
}
