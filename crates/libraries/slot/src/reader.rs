//! The reading side of a slot.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use nix::libc;
use nix::sys::statvfs::statvfs;
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::directory::{Directory, open_file};
use crate::{FRAME_FILE, Frame, MAX_FRAME_BYTES, Rendition, STATE_FILE, State};

/// What a JPEG starts with (ITU-T T.81, SOI) and ends with (EOI): all that a slot knows of one.
const START: &[u8] = b"\xFF\xD8";
const END: &[u8] = b"\xFF\xD9";

/// What a YUV4MPEG2 file starts with (yuv4mpeg(5) of mjpegtools).
const Y4M_START: &[u8] = b"YUV4MPEG2 ";

/// Reads frames out of one slot.
#[derive(Clone, Debug)]
pub struct Reader {
    directory: PathBuf,
    rendition: Option<Rendition>,
    name: &'static str,
    frame: Arc<Path>,
    /// The frame cannot be opened in one call ([`open_file`]).
    takes_steps: Cell<bool>,
}

/// Which published frame a file is. Two frames of one slot never share it while either is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameId {
    inode: u64,
    modified_ns: i128,
}

impl FrameId {
    fn of(metadata: &Metadata) -> Self {
        let modified_ns =
            i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self {
            inode: metadata.ino(),
            modified_ns,
        }
    }
}

/// The newest frame's file, open. Dropping it closes the file, which asks the producer for the next
/// frame (`docs/slot.md`, readers): hold it for as long as the next one would come too early.
#[derive(Debug)]
pub struct OpenFrame {
    /// Which frame it is.
    pub id: FrameId,
    /// Its moment of capture.
    pub captured: SystemTime,
    /// How many bytes the JPEG has.
    pub bytes: usize,
    rendition: Option<Rendition>,
    path: Arc<Path>,
    file: File,
}

/// A frame that was read, and its file, still open ([`OpenFrame`]).
#[derive(Debug)]
pub struct Held {
    /// The frame.
    pub frame: Frame,
    /// Which frame it is.
    pub id: FrameId,
    _file: OpenFrame,
}

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The slot holds no frame yet, or does not exist.
    #[error("slot {0:?}: no frame yet")]
    Missing(PathBuf),
    /// What lies there is not a frame as the contract wants it.
    #[error("slot {path:?}: {what} (its producer must rename whole JPEGs into place)")]
    NotAFrame {
        /// The frame's path.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// The file system refused.
    #[error("slot {path:?}: {reason}")]
    Io {
        /// The frame's path.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
}

impl Reader {
    /// Makes a reader of the slot in `directory`, which need not exist yet.
    pub fn new(directory: &Path) -> Self {
        Self::of(directory, None)
    }

    /// Reads the slot in this directory: its frame (`None`), or a rendition of it. What is said
    /// below of the frame is then true of that file.
    pub fn of(directory: &Path, rendition: Option<Rendition>) -> Self {
        let name = rendition.map_or(FRAME_FILE, Rendition::file);
        Self {
            directory: directory.to_owned(),
            rendition,
            name,
            frame: directory.join(name).into(),
            takes_steps: Cell::new(false),
        }
    }

    /// Where the frame lies.
    pub fn path(&self) -> &Path {
        &self.frame
    }

    /// Opens the newest frame. This wakes a sleeping camera; closing it is the wish for the next
    /// one.
    ///
    /// # Errors
    /// See [`ReadError`]. A symbolic link, for the frame or for its directory, a FIFO and a file
    /// that is too large are errors, never followed or waited for.
    pub fn open(&self) -> Result<OpenFrame, ReadError> {
        let explain = |reason| self.explain(reason);
        let file = self.file().map_err(explain)?;
        let metadata = file.metadata().map_err(explain)?;
        if !metadata.is_file() {
            return Err(not_a_frame(&self.frame, "not a regular file"));
        }
        let bytes = usize::try_from(metadata.size()).unwrap_or(usize::MAX);
        if bytes > MAX_FRAME_BYTES {
            return Err(not_a_frame(&self.frame, "larger than any frame"));
        }
        Ok(OpenFrame {
            id: FrameId::of(&metadata),
            captured: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            bytes,
            rendition: self.rendition,
            path: self.frame.clone(),
            file,
        })
    }

    /// Opens and reads the newest frame.
    ///
    /// # Errors
    /// As [`Reader::open`] and [`OpenFrame::append_to`].
    pub fn read(&self) -> Result<Held, ReadError> {
        let open = self.open()?;
        let mut jpeg = Vec::new();
        open.append_to(&mut jpeg)?;
        Ok(Held {
            frame: Frame {
                jpeg: Bytes::from(jpeg),
                captured: open.captured,
            },
            id: open.id,
            _file: open,
        })
    }

    /// Opens and closes the frame: wakes the camera and asks for the next frame without reading
    /// this one.
    ///
    /// # Errors
    /// [`ReadError::Missing`] or [`ReadError::Io`].
    pub fn wish(&self) -> Result<(), ReadError> {
        match self.file() {
            Ok(_) => Ok(()),
            Err(reason) => Err(self.explain(reason)),
        }
    }

    /// Says whether the slot's file system has no room for a frame.
    pub fn is_full(&self) -> bool {
        // A block of tmpfs is a page of memory, mostly of 4 KiB; few frames take less than 16.
        statvfs(&self.directory).is_ok_and(|found| found.blocks_available() < 16)
    }

    /// Says which frame lies in the slot without opening it, so that no camera wakes. `None`
    /// without one.
    pub fn newest(&self) -> Option<FrameId> {
        Some(FrameId::of(&self.metadata().ok()?))
    }

    /// Gives the moment of capture of the newest frame without opening it, so that no camera wakes.
    /// `None` without one.
    pub fn captured(&self) -> Option<SystemTime> {
        self.metadata().ok()?.modified().ok()
    }

    /// Reads what the producer says it is doing; `None` where it says nothing that can be
    /// understood. Wakes no camera.
    pub fn state(&self) -> Option<State> {
        let mut json = Vec::new();
        let directory = Directory::open(&self.directory).ok()?;
        let file = directory.file(STATE_FILE).ok()?;
        file.take(64 << 10).read_to_end(&mut json).ok()?;
        State::parse(&json).ok()
    }

    fn file(&self) -> io::Result<File> {
        open_file(&self.directory, self.name, &self.frame, &self.takes_steps)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        Directory::open(&self.directory)?.metadata(self.name)
    }

    fn explain(&self, reason: io::Error) -> ReadError {
        let path = self.frame.to_path_buf();
        match reason.raw_os_error() {
            Some(libc::ENOTDIR) if self.directory.is_symlink() => {
                not_a_frame(&path, "behind a symbolic link")
            }
            Some(libc::ENOENT | libc::ENOTDIR) => ReadError::Missing(path),
            Some(libc::ELOOP) => not_a_frame(&path, "a symbolic link"),
            _ => ReadError::Io { path, reason },
        }
    }
}

impl OpenFrame {
    /// Appends the JPEG to `buffer`, whose room is used: one that is large enough does not grow.
    /// After an error, what the buffer holds beyond its former length means nothing.
    ///
    /// # Errors
    /// [`ReadError::NotAFrame`] where it is no whole JPEG, [`ReadError::Io`].
    pub fn append_to(&self, buffer: &mut Vec<u8>) -> Result<(), ReadError> {
        let start = buffer.len();
        self.read_to_end(buffer).map_err(|errno| ReadError::Io {
            path: self.path.to_path_buf(),
            reason: errno.into(),
        })?;
        let read = &buffer[start..];
        let (looks_right, what) = match self.rendition {
            Some(Rendition::Y4m) => (read.starts_with(Y4M_START), "not a whole YUV4MPEG2 file"),
            _ => (
                read.starts_with(START) && read.ends_with(END),
                "not a whole JPEG",
            ),
        };
        if looks_right && read.len() == self.bytes {
            Ok(())
        } else {
            Err(not_a_frame(&self.path, what))
        }
    }

    /// Appends as many bytes as the file had when it was opened, or fewer, in one read as a rule:
    /// std's `read_to_end` feels its way by 8 KiB, 16 and so on, as it cannot know that so many are
    /// there.
    fn read_to_end(&self, buffer: &mut Vec<u8>) -> rustix::io::Result<()> {
        let end = buffer.len() + self.bytes;
        buffer.reserve(self.bytes);
        while buffer.len() < end {
            match rustix::io::read(&self.file, spare_capacity(buffer)) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        // There may have been room for more, and a file may grow, though no producer's does.
        buffer.truncate(end);
        Ok(())
    }
}

fn not_a_frame(path: &Path, what: &'static str) -> ReadError {
    ReadError::NotAFrame {
        path: path.to_owned(),
        what,
    }
}
