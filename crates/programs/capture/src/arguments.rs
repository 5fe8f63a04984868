//! What the command line and the configuration file say, put together.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use eyelid_config::{
    Buffers, CameraOptions, Config, ConfigError, ControlSetting, Flip, Fps, LoginText, Quality,
    Rotation, Section, Size, SourceSpec, camera_name,
};
use eyelid_jpeg::{FrameOptions, Turn};
use eyelid_picture::Tables;
use eyelid_slot::CameraName;

use crate::fit::{Misfit, misfit};

/// Clients reopen their streams every 10 s (Mainsail): a camera must not stop in between.
const LINGER: Duration = Duration::from_secs(15);

/// What a source in the file looks like.
const SOURCE_EXAMPLE: &str = "source = \"auto\"";

/// Version and features of this build: two builds of one version are not the same.
const VERSION: &str = match (cfg!(feature = "libcamera"), cfg!(feature = "turbojpeg")) {
    (false, false) => env!("CARGO_PKG_VERSION"),
    (true, false) => concat!(env!("CARGO_PKG_VERSION"), " with libcamera"),
    (false, true) => concat!(env!("CARGO_PKG_VERSION"), " with turbojpeg"),
    (true, true) => concat!(env!("CARGO_PKG_VERSION"), " with libcamera,turbojpeg"),
};

/// Puts the frames of one camera into its slot while somebody looks.
#[derive(Clone, Debug, Parser)]
#[command(name = "eyelid-capture", version = VERSION, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    options: CameraOptions,
    /// Configuration file; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which camera of the configuration file this is [default: default]
    #[arg(long, value_name = "NAME", value_parser = camera_name)]
    name: Option<CameraName>,
    /// List the cameras that are found, with their formats, sizes and rates
    #[arg(long, conflicts_with = "list_controls")]
    list: bool,
    /// List what --control can set on the camera
    #[arg(long)]
    list_controls: bool,
    /// List as JSON
    #[arg(long)]
    json: bool,
    /// Say on stdout what is wrong with the options, the file or the source, and end; no camera is
    /// opened
    #[arg(long, conflicts_with_all = ["list", "list_controls"])]
    check: bool,
}

/// A list to print instead of capturing.
#[derive(Clone, Debug, PartialEq)]
pub struct ListRequest {
    /// What to list.
    pub what: ListWhat,
    /// Whose cameras.
    pub source: SourceSpec,
    /// Which camera: a part of its id or name.
    pub camera: Option<String>,
    /// As JSON, not as text.
    pub json: bool,
}

/// What can be listed.
#[derive(Clone, Debug, PartialEq)]
pub enum ListWhat {
    /// All cameras.
    Cameras,
    /// The controls of one camera.
    Controls,
}

/// Everything that is known of one camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The camera's name.
    pub name: CameraName,
    /// The directory of its slot.
    pub slot: PathBuf,
    /// Where its frames come from.
    pub source: SourceSpec,
    /// The file of the user and password by which it is asked.
    pub login_file: Option<PathBuf>,
    /// These themselves, where there is no file.
    pub login: Option<LoginText>,
    /// Certificates that are believed, too.
    pub ca_file: Option<PathBuf>,
    /// Which camera: a part of its id or name.
    pub camera: Option<String>,
    /// The size asked for.
    pub size: Option<Size>,
    /// Which sizes to choose from where none was asked for.
    pub limits: SizeLimits,
    /// The highest rate asked for.
    pub fps: Option<Fps>,
    /// JPEG quality of what is encoded here.
    pub quality: Quality,
    /// Whether Huffman tables are computed for each picture.
    pub optimize: bool,
    /// How the picture is turned.
    pub rotate: Rotation,
    /// How it is mirrored before that.
    pub flip: Option<Flip>,
    /// What the camera's controls are set to; of one name the last setting counts.
    pub control: Vec<ControlSetting>,
    /// How many buffers the camera fills in turn.
    pub buffers: Option<Buffers>,
    /// How long the camera may give nothing.
    pub frame_timeout: Option<Duration>,
    /// How long the camera stays awake with no demand.
    pub linger: Duration,
    /// From which age on pictures in the folder are deleted.
    pub delete_older_than: Option<Duration>,
}

impl Settings {
    /// What is done to a picture that is upright.
    pub(crate) fn turn(&self) -> Turn {
        crate::turn::wished(self.flip, self.rotate)
    }

    /// The Huffman tables of what is encoded here.
    pub(crate) fn tables(&self) -> Tables {
        if self.optimize {
            Tables::Optimised
        } else {
            Tables::Standard
        }
    }

    /// How frames are made of pictures.
    pub(crate) fn frame_options(&self) -> FrameOptions {
        FrameOptions {
            turn: self.turn(),
            quality_percent: self.quality.percent(),
            tables: self.tables(),
        }
    }
}

/// Which of a camera's sizes are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SizeLimits {
    /// At least this wide and this high.
    pub min: Option<Size>,
    /// At most this wide and this high.
    pub max: Option<Size>,
    /// The smallest of those, not the largest.
    pub smallest: bool,
}

/// Why the options make no camera.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration file does not have the camera.
    #[error("camera {name:?} is not in configuration {file:?}, which has {there}")]
    Camera {
        /// The camera's name.
        name: String,
        /// The configuration file.
        file: PathBuf,
        /// The cameras that it has.
        there: String,
    },
    /// No slot was given.
    #[error("no slot: give --slot DIR, or slot or [server] slots in the configuration file")]
    Slot,
    /// No source was given.
    #[error(
        "no source: give --source auto, v4l2, v4l2:/dev/video0, libcamera, test, folder:PATH, http://HOST:PORT/PATH or command:SHELL COMMAND"
    )]
    NoSource,
    /// Options that do not go together.
    #[error("--{option}: {what}")]
    Misfit {
        /// One of them.
        option: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

impl Arguments {
    /// The list that is asked for, if one is.
    pub fn list(&self) -> Option<ListRequest> {
        let what = if self.list {
            ListWhat::Cameras
        } else if self.list_controls {
            ListWhat::Controls
        } else {
            return None;
        };
        Some(ListRequest {
            what,
            source: self.options.source.clone().unwrap_or(SourceSpec::Auto),
            camera: self.options.camera.clone(),
            json: self.json,
        })
    }

    /// Says whether the options are only to be checked.
    pub fn is_check(&self) -> bool {
        self.check
    }

    /// The camera's name, if it was given one.
    pub fn camera_of_several(&self) -> Option<&str> {
        let name = self.name.as_ref()?;
        (!name.is_default()).then(|| name.as_str())
    }

    /// Reads the configuration file and puts both together.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn resolve(self) -> Result<Settings, SetupError> {
        let config = Config::load(self.config.as_deref())?;
        let name = self.name.clone().unwrap_or_default();
        let is_in_file = config.cameras.contains_key(&name);
        // A camera that is described by flags alone needs no section of its own, unless it was
        // asked for by its name.
        if let (Some(_), Some(file), false) = (&self.name, &self.config, is_in_file) {
            return Err(SetupError::Camera {
                name: name.to_string(),
                file: file.clone(),
                there: list(&config),
            });
        }
        let options = self.options.clone().or(config.of_camera(&name)?);
        let slots = config.slots;
        let slot = options.slot.clone();
        let slot = slot
            .or_else(|| slots.map(|slots| name.directory(&slots)))
            .ok_or(SetupError::Slot)?;
        let source = options.source.clone();
        let source = source.ok_or_else(|| self.no_source(&name))?;
        if let Some(misfit) = misfit(&options, &source, &slot) {
            return Err(self.refused(&name, misfit));
        }
        Ok(Settings {
            name,
            slot,
            source,
            login_file: options.login_file,
            login: options.login,
            ca_file: options.ca_file,
            camera: options.camera,
            size: options.size,
            limits: SizeLimits {
                min: options.min_size,
                max: options.max_size,
                smallest: options.smallest.unwrap_or(false),
            },
            fps: options.fps,
            quality: options.quality.unwrap_or_default(),
            optimize: options.optimize.unwrap_or(false),
            rotate: options.rotate.unwrap_or_default(),
            flip: options.flip,
            control: options.control,
            buffers: options.buffers,
            frame_timeout: options.frame_timeout,
            linger: options.linger.unwrap_or(LINGER),
            delete_older_than: options.delete_older_than,
        })
    }

    /// Names the place in the file where a camera is that has no source.
    fn no_source(&self, name: &CameraName) -> SetupError {
        match (&self.config, &self.name) {
            (Some(file), Some(_)) => {
                let what = format!("no source: give one, for example {SOURCE_EXAMPLE}");
                ConfigError::camera(file, name, None, what).into()
            }
            _ => SetupError::NoSource,
        }
    }

    /// Names the place in the file where an option is that was not a flag.
    fn refused(&self, name: &CameraName, misfit: Misfit) -> SetupError {
        let Misfit { option, what } = misfit;
        match &self.config {
            Some(file) if !self.options.is_set(option) => {
                ConfigError::camera(file, name, Some(option), what).into()
            }
            _ => SetupError::Misfit { option, what },
        }
    }
}

fn list(config: &Config) -> String {
    if config.cameras.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = config.cameras.keys().map(CameraName::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(arguments: &[&str]) -> Result<Settings, String> {
        let program = std::iter::once(&"eyelid-capture");
        Arguments::try_parse_from(program.chain(arguments))
            .map_err(|e| e.to_string())?
            .resolve()
            .map_err(|e| e.to_string())
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = file(
            "[server]\nslots = \"/run/webcam\"\n[cameras.front]\nsource = \"test\"\nfps = 5\nquality = 50",
        );
        let path = file.path().to_str().unwrap();
        let settings = resolve(&["--config", path, "--name", "front", "--fps", "7"]).unwrap();
        assert_eq!(settings.slot, PathBuf::from("/run/webcam/front"));
        assert_eq!(settings.source, SourceSpec::Test);
        assert_eq!(settings.fps.unwrap().per_second(), 7.0);
        assert_eq!(settings.quality.percent(), 50);
        // Mainsail opens its stream again and again; the camera must not fall asleep in between.
        assert_eq!(settings.linger, Duration::from_secs(15));
    }

    #[test]
    fn what_is_missing_is_named() {
        let file = file("[cameras.front]\n[cameras.back]\n");
        let path = file.path().to_str().unwrap();
        for (arguments, words) in [
            (&["--slot", "/x"][..], "--source"),
            (&["--source", "test"], "--slot"),
            (&["--config", path, "--name", "side"], "front, back"),
            (&["--config", path, "--source", "test"], "--slot"),
            (
                &[
                    "--slot",
                    "/x",
                    "--source",
                    "test",
                    "--delete-older-than",
                    "1h",
                ],
                "folder:",
            ),
            (
                &["--slot", "/x", "--source", "test", "--control", "A=1"],
                "--control: works with sources auto, v4l2 and libcamera only, not with test",
            ),
            (
                &["--config", "/nowhere/eyelid.toml"],
                "/nowhere/eyelid.toml",
            ),
        ] {
            let error = resolve(arguments).unwrap_err();
            assert!(error.contains(words), "{arguments:?}: {error}");
        }
        let twelve = resolve(&["--slot", "/x", "--source", "test", "--size", "4056x3040"]);
        assert!(twelve.is_ok());
        let bare = resolve(&["--config", path, "--source", "test", "--slot", "/x"]);
        assert!(bare.unwrap().name.is_default());
    }

    #[test]
    fn options_that_do_not_go_together_are_named_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let file = file(&format!(
            "[server]\nslots = \"/s\"\n[cameras.a]\nsource = \"test\"\nsize = \"8000x8000\"\n\
             [cameras.b]\nsource = \"test\"\ncontrol = [\"A=1\"]\n[cameras.c]\n\
             [cameras.d]\nsource = \"folder:{folder}\"\nslot = \"{folder}/.\"\n"
        ));
        let path = file.path().to_str().unwrap();
        for (camera, line, key, words) in [
            ("a", 5, ".size", "8000x8000 is too large for source test"),
            ("b", 8, ".control", "works with sources auto"),
            ("c", 9, "", "no source: give one"),
            ("d", 12, ".slot", "is the folder of the pictures"),
        ] {
            let error = resolve(&["--config", path, "--name", camera]).unwrap_err();
            let start =
                format!("configuration {path:?}, line {line}, key \"cameras.{camera}{key}\": ");
            assert!(
                error.starts_with(&start) && error.contains(words),
                "{error}"
            );
        }
        let flag = resolve(&["--config", path, "--name", "b", "--control", "B=2"]).unwrap_err();
        assert!(flag.starts_with("--control: works"), "{flag}");
    }

    #[test]
    fn the_definition_is_sound() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }
}
