//! The values that camera options take.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::{Deserialize, Serialize};

use crate::watch_values::HttpUrl;

/// A value that an option does not take.
#[derive(Debug, thiserror::Error)]
pub enum ValueError {
    /// Not a source.
    #[error(
        "source {0:?}: use auto, v4l2, v4l2:/dev/video0, libcamera, test, folder:PATH, http://HOST:PORT/PATH or command:SHELL COMMAND"
    )]
    Source(String),
    /// Not a URL that can be asked. It is not shown: it may have a password in it.
    #[error(
        "source: the URL must be http://HOST:PORT/PATH or https://..., of visible ASCII characters, without a user and password (login-file or login has them)"
    )]
    SourceUrl,
    /// Not a user and a password. Not shown.
    #[error("login: must be one line of at most 1024 bytes, USER:PASSWORD")]
    Login,
    /// Not a size.
    #[error("size {0:?}: use WIDTHxHEIGHT in pixels, each from 16 to 8192, for example 1280x720")]
    Size(String),
    /// Not a rate.
    #[error("fps {0}: use a number of frames per second from 0.01 to 240")]
    Fps(String),
    /// Not a quality.
    #[error("quality {0}: use a whole number from 1 to 100")]
    Quality(String),
    /// Not a rotation.
    #[error("rotate {0}: use 0, 90, 180 or 270 (degrees clockwise)")]
    Rotation(String),
    /// Not a mirror.
    #[error("flip {0:?}: use horizontal or vertical")]
    Flip(String),
    /// Not a setting of a control.
    #[error("control {0:?}: use NAME=VALUE, for example AfMode=Continuous")]
    Control(String),
    /// Not a number of buffers.
    #[error("buffers {0}: use a whole number from 2 to 32")]
    Buffers(String),
}

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum SourceSpec {
    /// The first camera that there is: libcamera's, else V4L2's.
    Auto,
    /// A camera that the kernel drives by itself: the first one, or one by its path or a part of
    /// its name.
    V4l2(Option<String>),
    /// A camera that libcamera drives.
    Libcamera,
    /// A moving test picture.
    Test,
    /// The newest picture that lies in a directory.
    Folder(PathBuf),
    /// What another camera or server gives by HTTP: a stream, or single pictures.
    Http(HttpUrl),
    /// The JPEGs that a shell command writes to its standard output.
    Command(String),
}

impl FromStr for SourceSpec {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        match text.split_once(':') {
            None if text == "auto" => Ok(Self::Auto),
            None if text == "v4l2" => Ok(Self::V4l2(None)),
            // Paths have colons, too: /dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0.
            _ if text.starts_with("/dev/video") || text.starts_with("/dev/v4l/") => {
                Ok(Self::V4l2(Some(text.to_owned())))
            }
            Some(("v4l2", camera)) if !camera.trim().is_empty() => {
                Ok(Self::V4l2(Some(camera.to_owned())))
            }
            Some(("http" | "https", rest)) if rest.starts_with("//") => text
                .parse()
                .map(Self::Http)
                .map_err(|_| ValueError::SourceUrl),
            None if text == "libcamera" => Ok(Self::Libcamera),
            None if text == "test" => Ok(Self::Test),
            Some(("folder", path)) if !path.is_empty() => Ok(Self::Folder(path.into())),
            Some(("command", command)) if !command.trim().is_empty() => {
                Ok(Self::Command(command.to_owned()))
            }
            _ => Err(ValueError::Source(text.to_owned())),
        }
    }
}

impl fmt::Display for SourceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::V4l2(None) => f.write_str("v4l2"),
            Self::V4l2(Some(camera)) => write!(f, "v4l2:{camera}"),
            Self::Libcamera => f.write_str("libcamera"),
            Self::Test => f.write_str("test"),
            Self::Folder(path) => write!(f, "folder:{}", path.display()),
            Self::Http(url) => url.fmt(f),
            Self::Command(command) => write!(f, "command:{command}"),
        }
    }
}

/// Size of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl FromStr for Size {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let side = |t: &str| t.parse().ok().filter(|n| (16..=8192).contains(n));
        text.split_once(['x', 'X'])
            .and_then(|(width, height)| {
                Some(Self {
                    width: side(width)?,
                    height: side(height)?,
                })
            })
            .ok_or_else(|| ValueError::Size(text.to_owned()))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A rate in frames per second.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Fps(f64);

impl Fps {
    /// Gives the time between two frames.
    pub fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.0)
    }

    /// Gives the rate in frames per second.
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Fps {
    type Error = ValueError;

    fn try_from(fps: f64) -> Result<Self, ValueError> {
        if (0.01..=240.0).contains(&fps) {
            Ok(Self(fps))
        } else {
            Err(ValueError::Fps(fps.to_string()))
        }
    }
}

impl FromStr for Fps {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse::<f64>()
            .map_err(|_| ValueError::Fps(text.to_owned()))?
            .try_into()
    }
}

impl From<Fps> for f64 {
    fn from(fps: Fps) -> Self {
        fps.0
    }
}

impl fmt::Display for Fps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// JPEG quality on libjpeg's scale, 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Quality(u8);

impl Quality {
    /// Gives the quality, 1 to 100.
    pub fn percent(self) -> u8 {
        self.0
    }
}

impl From<Quality> for i64 {
    fn from(quality: Quality) -> Self {
        quality.0.into()
    }
}

impl Default for Quality {
    fn default() -> Self {
        Self(85)
    }
}

impl TryFrom<i64> for Quality {
    type Error = ValueError;

    fn try_from(quality: i64) -> Result<Self, ValueError> {
        u8::try_from(quality)
            .ok()
            .filter(|q| (1..=100).contains(q))
            .map(Self)
            .ok_or_else(|| ValueError::Quality(quality.to_string()))
    }
}

impl FromStr for Quality {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse::<i64>()
            .map_err(|_| ValueError::Quality(text.to_owned()))?
            .try_into()
    }
}

/// A clockwise turn of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(try_from = "i64", into = "i64")]
pub enum Rotation {
    /// As it comes.
    #[default]
    #[value(name = "0")]
    None,
    /// A quarter clockwise.
    #[value(name = "90")]
    Right,
    /// Upside down.
    #[value(name = "180")]
    Half,
    /// A quarter counter-clockwise.
    #[value(name = "270")]
    Left,
}

impl TryFrom<i64> for Rotation {
    type Error = ValueError;

    fn try_from(degrees: i64) -> Result<Self, ValueError> {
        match degrees {
            0 => Ok(Self::None),
            90 => Ok(Self::Right),
            180 => Ok(Self::Half),
            270 => Ok(Self::Left),
            _ => Err(ValueError::Rotation(degrees.to_string())),
        }
    }
}

impl From<Rotation> for i64 {
    fn from(rotation: Rotation) -> Self {
        match rotation {
            Rotation::None => 0,
            Rotation::Right => 90,
            Rotation::Half => 180,
            Rotation::Left => 270,
        }
    }
}

/// A mirrored picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(try_from = "String", into = "String")]
pub enum Flip {
    /// Left and right change places.
    Horizontal,
    /// Top and bottom change places.
    Vertical,
}

impl FromStr for Flip {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        <Self as ValueEnum>::from_str(text, false).map_err(|_| ValueError::Flip(text.to_owned()))
    }
}

impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.to_possible_value();
        f.write_str(word.as_ref().map_or("", PossibleValue::get_name))
    }
}

/// What a control of a camera is set to. Which there are only the camera knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ControlSetting {
    /// The control's name.
    pub name: String,
    /// Its value, as text.
    pub value: String,
}

impl FromStr for ControlSetting {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.split_once('=')
            .map(|(name, value)| (name.trim(), value.trim()))
            .filter(|(name, value)| !name.is_empty() && !value.is_empty())
            .map(|(name, value)| Self {
                name: name.to_owned(),
                value: value.to_owned(),
            })
            .ok_or_else(|| ValueError::Control(text.to_owned()))
    }
}

impl fmt::Display for ControlSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

/// How many buffers a camera fills in turn: one is being read here while it fills the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Buffers(u32);

impl Buffers {
    /// Gives the number, 2 to 32.
    pub fn count(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Buffers {
    type Error = ValueError;

    fn try_from(count: i64) -> Result<Self, ValueError> {
        u32::try_from(count)
            .ok()
            .filter(|n| (2..=32).contains(n))
            .map(Self)
            .ok_or_else(|| ValueError::Buffers(count.to_string()))
    }
}

impl From<Buffers> for i64 {
    fn from(buffers: Buffers) -> Self {
        buffers.0.into()
    }
}

impl FromStr for Buffers {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse::<i64>()
            .map_err(|_| ValueError::Buffers(text.to_owned()))?
            .try_into()
    }
}

/// What a user and a password may have.
const MOST_LOGIN_BYTES: usize = 1024;

/// The user and password by which a camera is asked: `USER:PASSWORD`. Never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoginText(String);

impl LoginText {
    /// Gives the secret.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LoginText {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Self, ValueError> {
        let has_user = text
            .split_once(':')
            .is_some_and(|(user, _)| !user.is_empty());
        if has_user && text.len() <= MOST_LOGIN_BYTES && !text.contains(char::is_control) {
            Ok(Self(text))
        } else {
            Err(ValueError::Login)
        }
    }
}

impl From<LoginText> for String {
    fn from(login: LoginText) -> Self {
        login.0
    }
}

impl fmt::Debug for LoginText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoginText(..)")
    }
}

/// Texts in the file are read by `FromStr` and written by `Display`.
macro_rules! from_and_to_string {
    ($error:ty: $($type:ty),*) => {$(
        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    )*};
}
pub(crate) use from_and_to_string;

from_and_to_string!(ValueError: SourceSpec, Size, Flip, ControlSetting);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_one_of_seven() {
        for good in [
            "auto",
            "v4l2",
            "v4l2:/dev/video0",
            "v4l2:HD Webcam: C525",
            "libcamera",
            "test",
            "folder:/a b",
            "http://pi.lan:8080/door",
            "https://[fe80::1]:8443/?action=stream",
            "command:rpicam-vid -o - | tee x:y",
        ] {
            assert_eq!(good.parse::<SourceSpec>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "tests",
            "folder",
            "folder:",
            "command: ",
            "libcamera:0",
            "test:",
            "v4l2:",
            "v4l2: ",
            "auto:0",
            "/dev/shm/pictures",
            "http:pi.lan",
            "http://",
            "http://:8080/",
            "https://pi lan/",
            "http://admin:secret@pi.lan/",
        ] {
            let error = bad.parse::<SourceSpec>().unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        for path in [
            "/dev/video0",
            "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:1:1.0-video-index0",
        ] {
            let camera = path.parse::<SourceSpec>().unwrap();
            assert_eq!(camera, SourceSpec::V4l2(Some(path.to_owned())));
        }
    }

    #[test]
    fn a_login_is_never_shown() {
        for good in ["admin:secret", "admin:", "a:b:secret"] {
            let login = LoginText::try_from(good.to_owned()).unwrap();
            assert!(!format!("{login:?}").contains("secret"));
            assert_eq!(login.secret(), good);
        }
        for bad in [
            "",
            "secret",
            ":secret",
            "a:secret\n",
            &"a:secret".repeat(200),
        ] {
            let error = LoginText::try_from(bad.to_owned()).unwrap_err();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(
            "1280x720".parse::<Size>().unwrap(),
            Size {
                width: 1280,
                height: 720
            }
        );
        for bad in [
            "",
            "x",
            "640",
            "0x480",
            "640x",
            "640x480x3",
            "8193x16",
            "-1x5",
        ] {
            assert!(bad.parse::<Size>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "12.5".parse::<Fps>().unwrap().interval(),
            Duration::from_millis(80)
        );
        for bad in ["0", "-1", "nan", "inf", "241", "fast"] {
            assert!(bad.parse::<Fps>().is_err(), "{bad:?}");
        }
        assert!("0".parse::<Quality>().is_err() && "101".parse::<Quality>().is_err());
        assert_eq!("100".parse::<Quality>().unwrap().percent(), 100);
        assert!(Rotation::try_from(45).is_err());
        assert!("1".parse::<Buffers>().is_err() && "33".parse::<Buffers>().is_err());
        assert_eq!("4".parse::<Buffers>().unwrap().count(), 4);
    }

    #[test]
    fn a_control_has_a_name_and_a_value() {
        let setting = "ColourGains = 1.5,2=x".parse::<ControlSetting>().unwrap();
        assert_eq!(
            (setting.name.as_str(), setting.value.as_str()),
            ("ColourGains", "1.5,2=x")
        );
        for bad in ["", "AfMode", "=1", "AfMode=", " = "] {
            assert!(bad.parse::<ControlSetting>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn words_are_the_same_as_a_flag_and_as_a_key() {
        for rotation in Rotation::value_variants() {
            let flag = rotation.to_possible_value().unwrap();
            assert_eq!(flag.get_name(), i64::from(*rotation).to_string());
            assert_eq!(Rotation::try_from(i64::from(*rotation)).unwrap(), *rotation);
        }
        assert_eq!("vertical".parse::<Flip>().unwrap(), Flip::Vertical);
        assert_eq!(Flip::Horizontal.to_string(), "horizontal");
        assert!("both".parse::<Flip>().is_err());
    }
}
