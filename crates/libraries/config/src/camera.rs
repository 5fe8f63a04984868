//! The options of one camera: `[cameras.NAME]` in the file.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::section::CAMERA;
use crate::title::Title;
use crate::values::{
    Buffers, ControlSetting, Flip, Fps, LoginText, Quality, Rotation, Size, SourceSpec,
};
use crate::{Section, duration, flags};

/// Options of `eyelid-capture` for one camera. What is not given is `None`.
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(
    rename_all = "kebab-case",
    default,
    expecting = "a table, [cameras.NAME]"
)]
pub struct CameraOptions {
    /// How the viewer page calls the camera; a key of the file alone, for only the server uses it.
    #[arg(skip)]
    pub title: Option<Title>,
    /// Directory of this camera's slot
    #[arg(long, value_name = "DIR")]
    pub slot: Option<PathBuf>,
    /// Where frames come from: auto, v4l2, v4l2:/dev/video0, libcamera, test, folder:PATH,
    /// http://HOST:PORT/PATH (https, too) or command:SHELL COMMAND
    #[arg(long, value_name = "SPEC")]
    pub source: Option<SourceSpec>,
    /// Ask with the user and password that are the one line of this file, USER:PASSWORD (source
    /// http)
    #[arg(long, value_name = "FILE")]
    pub login_file: Option<PathBuf>,
    /// The same in the configuration itself: a key of the file alone, for flags are everybody's to
    /// read.
    #[arg(skip)]
    pub login: Option<LoginText>,
    /// Believe the certificates in this PEM file, too: those of authorities, or the camera's own
    /// (source https)
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Which camera (sources auto, v4l2, libcamera): a part of its name or id that no other has
    /// [default: the first camera]
    #[arg(long, value_name = "ID")]
    pub camera: Option<String>,
    /// Size of the picture in pixels, exactly [default for test: 640x480, for cameras: the largest
    /// up to 1280x720]
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,
    /// Smallest size to choose of those that the camera has
    #[arg(long, value_name = "WxH")]
    pub min_size: Option<Size>,
    /// Largest size to choose of those that the camera has
    #[arg(long, value_name = "WxH")]
    pub max_size: Option<Size>,
    /// Choose the smallest size within the limits, not the largest
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub smallest: Option<bool>,
    /// Frames per second at most [default for test: 30]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub fps: Option<Fps>,
    /// JPEG quality, 1 to 100 [default: 85]
    #[arg(long, value_name = "Q", allow_negative_numbers = true)]
    pub quality: Option<Quality>,
    /// Compute Huffman tables for each picture: some 5 % fewer bytes for more time
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub optimize: Option<bool>,
    /// Turn the picture clockwise by 0, 90, 180 or 270 degrees [default: 0]
    #[arg(
        long,
        value_name = "D",
        allow_negative_numbers = true,
        hide_possible_values = true
    )]
    pub rotate: Option<Rotation>,
    /// Mirror the picture before it is turned: horizontal (left and right change places) or
    /// vertical
    #[arg(long, value_name = "HOW", hide_possible_values = true)]
    pub flip: Option<Flip>,
    /// Set a control of the camera (--list-controls shows which); may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub control: Vec<ControlSetting>,
    /// Buffers that the camera fills in turn, 2 to 32 [default for v4l2: 4, for libcamera: as many
    /// as the camera likes]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub buffers: Option<Buffers>,
    /// Restart a camera that gives nothing for this long [default: 5s]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub frame_timeout: Option<Duration>,
    /// Stay awake this long after the last look [default: 15s]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub linger: Option<Duration>,
    /// Delete pictures older than this from the folder (source folder) [default: never]
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = duration::parse,
        allow_hyphen_values = true
    )]
    #[serde(with = "duration")]
    pub delete_older_than: Option<Duration>,
}

impl Section for CameraOptions {
    const PLACE: &'static [&'static str] = &["cameras", CAMERA];

    fn to_flags(&self) -> Result<Vec<OsString>, toml::ser::Error> {
        flags::of(&Self {
            // Keys alone.
            title: None,
            login: None,
            ..self.clone()
        })
    }
}

impl CameraOptions {
    /// Fills what is not given here from `file`.
    pub fn or(self, file: Self) -> Self {
        Self {
            title: self.title.or(file.title),
            slot: self.slot.or(file.slot),
            source: self.source.or(file.source),
            login_file: self.login_file.or(file.login_file),
            login: self.login.or(file.login),
            ca_file: self.ca_file.or(file.ca_file),
            camera: self.camera.or(file.camera),
            size: self.size.or(file.size),
            min_size: self.min_size.or(file.min_size),
            max_size: self.max_size.or(file.max_size),
            smallest: self.smallest.or(file.smallest),
            fps: self.fps.or(file.fps),
            quality: self.quality.or(file.quality),
            optimize: self.optimize.or(file.optimize),
            rotate: self.rotate.or(file.rotate),
            flip: self.flip.or(file.flip),
            // Each control by itself: a flag replaces the file's setting of the same name.
            control: [file.control, self.control].concat(),
            buffers: self.buffers.or(file.buffers),
            frame_timeout: self.frame_timeout.or(file.frame_timeout),
            linger: self.linger.or(file.linger),
            delete_older_than: self.delete_older_than.or(file.delete_older_than),
        }
    }
}
