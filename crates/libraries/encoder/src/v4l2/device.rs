//! Which device encodes: that of a Raspberry Pi, else the first that says it can.

use std::io;
use std::path::{Path, PathBuf};

use eyelid_v4l2::{Node, Queue};

use super::{H264, I420};

/// Where a Raspberry Pi has it (`encode_video_nr` of the driver bcm2835-codec).
const USUAL: u32 = 11;
/// There are no more (`VIDEO_NUM_DEVICES` of the kernel).
const MOST: u32 = 256;

/// A device that makes H.264 of I420.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V4l2Device {
    path: PathBuf,
    card: String,
}

/// There is none that could be used.
#[derive(Debug, thiserror::Error)]
pub enum NoDevice {
    /// Of all there are, none encodes.
    #[error(
        "no /dev/video* that is let in here encodes H.264 (a Raspberry Pi 5 has none that does; a \
         unit has no devices without docs/video.md's drop-in)"
    )]
    None,
    /// One that may be it cannot be opened.
    #[error(
        "{}: {error} (the program has to be in its group, video, and its unit has to have the \
         device: docs/video.md)",
        path.display()
    )]
    Unusable {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl V4l2Device {
    /// Looks for one. Each device is opened for that, the likeliest first.
    ///
    /// # Errors
    /// There is none, or none that may be opened.
    pub fn find() -> Result<Self, NoDevice> {
        let mut unusable = None;
        for number in std::iter::once(USUAL).chain(0..MOST) {
            let path = PathBuf::from(format!("/dev/video{number}"));
            match probe(&path) {
                Ok(Some(card)) => return Ok(Self { path, card }),
                Ok(None) => {}
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    unusable.get_or_insert(NoDevice::Unusable { path, error });
                }
            }
        }
        Err(unusable.unwrap_or(NoDevice::None))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is and how it calls itself.
    pub fn description(&self) -> String {
        format!("{} ({})", self.path.display(), self.card)
    }

    /// One of this path, whatever it is.
    #[cfg(test)]
    pub(super) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            card: "a test's".to_owned(),
        }
    }
}

/// No such file, or one behind which there is no device (any more).
fn is_absent(error: &io::Error) -> bool {
    use nix::errno::Errno;
    let absent = [Errno::ENOENT, Errno::ENODEV, Errno::ENXIO];
    let errno = error.raw_os_error().map(Errno::from_raw);
    errno.is_some_and(|errno| absent.contains(&errno))
}

/// How a device calls itself that takes I420 and gives H.264; `None`: it does something else.
fn probe(path: &Path) -> io::Result<Option<String>> {
    let node = Node::open(path)?;
    let Ok(capability) = node.capability() else {
        return Ok(None);
    };
    let is_encoder = capability.is_memory_to_memory()
        && node
            .formats(Queue::CaptureMplane)
            .any(|fourcc| fourcc == H264)
        && node
            .formats(Queue::OutputMplane)
            .any(|fourcc| fourcc == I420);
    let name = capability.card.split(|byte| *byte == 0).next();
    let name = String::from_utf8_lossy(name.unwrap_or_default());
    Ok(is_encoder.then(|| name.into_owned()))
}
