//! Where frames come from.

#[cfg(feature = "libcamera")]
mod auto;
mod command;
mod folder;
mod hardware;
mod http;
#[cfg(feature = "libcamera")]
mod libcamera;
mod opening;
mod still;
mod test;
mod v4l2;

use std::io::{self, Write};
use std::path::PathBuf;

use eyelid_config::{Size, SourceSpec};
use eyelid_picture::EncodeError;
use eyelid_producer::{Source, SourceFailure};
use eyelid_slot::{MAX_FRAME_BYTES, Rendition, RenditionSet};

use crate::{ListRequest, ListWhat, Settings};
use hardware::control::Control;
use hardware::list::{self, ListedCamera, ListedControl};

#[cfg(any(test, fuzzing))]
pub(crate) use http::fuzzing;

/// Any source.
pub type AnySource = Box<dyn Source<Error = SourceError>>;

/// Why a source gives no frames.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder cannot be used.
    #[error("folder {path:?}: cannot {what}: {reason}{}", make_it(.reason))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// The folder was deleted, renamed or unmounted.
    #[error("folder {0:?} is gone")]
    FolderGone(PathBuf),
    /// The system could not start or watch a command.
    #[error("command: cannot {what}: {reason}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// The command gives no frames any more.
    #[error("command {what}{}", said(.last_line))]
    Command {
        /// What it did instead.
        what: String,
        /// The last line that it wrote to stderr.
        last_line: Option<String>,
    },
    /// Who is asked by HTTP gives no frames: who that is, and why, in their own words.
    #[error("{0}")]
    Http(String),
    /// The URL, the login or the certificates for it cannot be used.
    #[error("{0}")]
    HttpSetup(String),
    /// The system keeps somebody from being asked.
    #[error("source http: cannot {what}: {reason}")]
    HttpSystem {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        reason: io::Error,
    },
    /// libcamera, or all of its cameras.
    #[error("libcamera: {what}{}", because(.reason))]
    Libcamera {
        /// What is wrong.
        what: String,
        /// The system's reason, where there is one.
        reason: Option<io::Error>,
    },
    /// All of V4L2's cameras.
    #[error("v4l2: {what}")]
    V4l2 {
        /// What is wrong.
        what: String,
    },
    /// A camera cannot be used.
    #[error("camera {id:?}: {what}: {reason}")]
    Camera {
        /// Its id.
        id: String,
        /// What cannot be done.
        what: String,
        /// The system's reason.
        reason: io::Error,
    },
    /// A camera does not have what was asked for.
    #[error("camera {id:?}: {what}")]
    Unsuitable {
        /// Its id.
        id: String,
        /// What it does not have, and what it has.
        what: String,
    },
    /// A camera was unplugged.
    #[error("camera {id:?} is gone")]
    Unplugged {
        /// Its id.
        id: String,
    },
    /// A camera gives nothing, whatever is done to it.
    #[error("camera {id:?} gave no frame for {seconds}s, not even acquired anew; giving up")]
    Hung {
        /// Its id.
        id: String,
        /// The time without a frame.
        seconds: f64,
    },
    /// The program cannot do what was asked for.
    #[error(
        "source libcamera: this eyelid-capture was built without it; install package \
         eyelid-capture-libcamera, build it with --features libcamera, or use source v4l2 for a \
         USB camera, command:rpicam-vid ... for one of a Raspberry Pi (docs/raspberry-pi.md)"
    )]
    NotBuilt,
    /// A picture could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl SourceError {
    /// Says whether the configuration asks for what this camera or build cannot do, so that trying
    /// again changes nothing.
    pub fn is_setup(&self) -> bool {
        matches!(
            self,
            Self::Unsuitable { .. } | Self::HttpSetup(_) | Self::NotBuilt
        )
    }
}

impl SourceFailure for SourceError {
    fn is_fatal(&self) -> bool {
        matches!(self, Self::Hung { .. })
    }
}

fn make_it(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::NotFound => "; make it",
        _ => "",
    }
}

fn because(reason: &Option<io::Error>) -> String {
    reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(": {reason}"))
}

fn said(line: &Option<String>) -> String {
    line.as_ref()
        .map_or_else(String::new, |line| format!(" ({line:?})"))
}

/// What can be made of frames of this size that are planes before they are encoded.
fn renditions_of_planes(size: Size) -> RenditionSet {
    let mut renditions = renditions_of_jpegs();
    let pixels = u64::from(size.width) * u64::from(size.height);
    // A slot takes no larger file; brightness, colour of half as many bytes, and room for its head
    // and odd sides.
    if pixels * 3 / 2 + (256 << 10) <= MAX_FRAME_BYTES as u64 {
        renditions.insert(Rendition::Y4m);
    }
    renditions
}

/// What can be made of frames that come as JPEGs.
fn renditions_of_jpegs() -> RenditionSet {
    [Rendition::Low, Rendition::Half, Rendition::Quarter]
        .into_iter()
        .collect()
}

/// Opens the source that the settings name, without starting it.
///
/// # Errors
/// A camera that does not have what was asked for, a source that this build lacks.
pub fn open(settings: &Settings) -> Result<AnySource, SourceError> {
    Ok(match &settings.source {
        #[cfg(feature = "libcamera")]
        SourceSpec::Libcamera => Box::new(libcamera::Libcamera::open(settings)?),
        #[cfg(not(feature = "libcamera"))]
        SourceSpec::Libcamera => return Err(SourceError::NotBuilt),
        #[cfg(feature = "libcamera")]
        SourceSpec::Auto => Box::new(auto::Auto::open(settings)?),
        #[cfg(not(feature = "libcamera"))]
        SourceSpec::Auto => Box::new(v4l2::V4l2::open(None, settings)?),
        SourceSpec::V4l2(camera) => Box::new(v4l2::V4l2::open(camera.as_deref(), settings)?),
        SourceSpec::Test => Box::new(test::TestPicture::new(settings)),
        SourceSpec::Folder(path) => Box::new(folder::Folder::new(path, settings)),
        SourceSpec::Http(url) => Box::new(http::Http::open(url, settings)?),
        SourceSpec::Command(shell) => Box::new(command::Command::new(shell, settings)),
    })
}

/// Says, without opening a camera, why a source cannot be used as things are.
///
/// # Errors
/// A folder that does not exist, a source that this build lacks.
pub fn check(settings: &Settings) -> Result<(), SourceError> {
    match &settings.source {
        #[cfg(not(feature = "libcamera"))]
        SourceSpec::Libcamera => Err(SourceError::NotBuilt),
        SourceSpec::Folder(path) => folder::check(path),
        SourceSpec::Http(url) => http::check(url, settings),
        _ => Ok(()),
    }
}

/// Prints a list of cameras, or of what can be set on one.
///
/// # Errors
/// Why it cannot.
pub fn print(request: &ListRequest) -> Result<(), SourceError> {
    let text = match request.what {
        ListWhat::Cameras => {
            let cameras = cameras(request)?;
            if request.json {
                list::json(&cameras)
            } else {
                cameras.iter().map(list::camera_text).collect()
            }
        }
        ListWhat::Controls => {
            let controls = controls(request)?;
            if request.json {
                list::json(&controls.iter().map(ListedControl::from).collect::<Vec<_>>())
            } else {
                list::controls_text(&controls)
            }
        }
    };
    // A reader that has seen enough (head) is no error.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// Lists the cameras of one source, or of both.
fn cameras(request: &ListRequest) -> Result<Vec<ListedCamera>, SourceError> {
    let listed = match &request.source {
        SourceSpec::Libcamera => libcameras(),
        SourceSpec::V4l2(camera) => v4l2::cameras(camera.as_deref()),
        _ => match (libcameras(), v4l2::cameras(None)) {
            (Ok(cameras), Ok(more)) => Ok(cameras.into_iter().chain(more).collect()),
            (Ok(cameras), Err(_)) | (Err(_), Ok(cameras)) => Ok(cameras),
            (Err(SourceError::NotBuilt), Err(error)) | (Err(error), Err(_)) => Err(error),
        },
    };
    match listed {
        // No camera is a list, too.
        Err(SourceError::Libcamera { reason: None, .. } | SourceError::V4l2 { .. })
            if request.json =>
        {
            Ok(Vec::new())
        }
        listed => listed,
    }
}

/// Lists the controls of one camera: that of the source, or the first one that there is.
fn controls(request: &ListRequest) -> Result<Vec<Control>, SourceError> {
    let camera = request.camera.as_deref();
    match &request.source {
        SourceSpec::Libcamera => libcamera_controls(camera),
        SourceSpec::V4l2(named) => v4l2::controls(named.as_deref().or(camera)),
        _ => match libcamera_controls(camera) {
            Ok(controls) => Ok(controls),
            Err(SourceError::NotBuilt) => v4l2::controls(camera),
            Err(error) => v4l2::controls(camera).map_err(|_| error),
        },
    }
}

#[cfg(feature = "libcamera")]
use libcamera::{cameras as libcameras, controls as libcamera_controls};

#[cfg(not(feature = "libcamera"))]
fn libcameras() -> Result<Vec<ListedCamera>, SourceError> {
    Err(SourceError::NotBuilt)
}

#[cfg(not(feature = "libcamera"))]
fn libcamera_controls(_camera: Option<&str>) -> Result<Vec<Control>, SourceError> {
    Err(SourceError::NotBuilt)
}
