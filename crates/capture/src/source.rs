//! Where exposures come from.

mod command;
mod folder;
mod test;

use std::borrow::Cow;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use eyelid_config::SourceSpec;
use eyelid_picture::EncodeError;

use crate::Settings;

/// One kind of camera. It is driven by one thread and never blocks it.
pub trait Source {
    /// Starts taking exposures. Those from before are at hand no longer, unless they are still the newest there is.
    ///
    /// # Errors
    /// Why it cannot; it is stopped then.
    fn start(&mut self, now: Instant) -> Result<(), SourceError>;

    /// Stops taking exposures. What takes its time goes on in [`Source::advance`] until [`Source::deadline`] is `None`.
    fn stop(&mut self, now: Instant);

    /// The descriptors that are readable when there is something to take in.
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// When to call [`Source::advance`] although no descriptor is readable.
    fn deadline(&self) -> Option<Instant>;

    /// Takes in what has come.
    ///
    /// # Errors
    /// Why there will be no further exposure; the caller stops it then.
    fn advance(&mut self, now: Instant) -> Result<(), SourceError>;

    /// The number of the newest exposure at hand. Each has a higher number than all before it.
    fn exposure(&self) -> Option<u64>;

    /// Says whether it has shown since it was started that it works.
    fn works(&self) -> bool {
        self.exposure().is_some()
    }

    /// Makes a frame of the newest exposure. `None` where it turns out to be unusable; another may come.
    ///
    /// # Errors
    /// Why there will be no further exposure; the caller stops it then.
    fn encode(&mut self, now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError>;

    /// Frames per second it gives at most, where it knows.
    fn rate(&self) -> Option<f64> {
        None
    }
}

/// A frame that can be published.
#[derive(Clone, Debug)]
pub struct EncodedFrame<'a> {
    /// The JPEG, from SOI to EOI.
    pub jpeg: Cow<'a, [u8]>,
    /// The moment of capture.
    pub captured: SystemTime,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Why a source gives no exposures.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder cannot be used.
    #[error("folder {path:?}: cannot {what}: {reason}")]
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
    /// A picture could not be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

fn said(line: &Option<String>) -> String {
    line.as_ref()
        .map_or_else(String::new, |line| format!(" ({line:?})"))
}

/// Opens the source that the settings name, without starting it.
///
/// # Errors
/// A folder that does not exist.
pub fn open(settings: &Settings) -> Result<Box<dyn Source>, SourceError> {
    Ok(match &settings.source {
        SourceSpec::Test => Box::new(test::TestPicture::new(settings)),
        SourceSpec::Folder(path) => Box::new(folder::Folder::open(path, settings)?),
        SourceSpec::Command(shell) => Box::new(command::Command::new(shell, settings)),
    })
}
