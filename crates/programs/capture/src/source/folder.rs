//! `folder`: the newest picture that any program writes into a directory.
//!
//! inotify(7) tells of new pictures while the camera is awake. Which of them is next is decided in
//! [`candidate`]; a file is read and checked only when somebody wants a frame. One that is not
//! whole is tried again for a while: its writer may not be done.

mod candidate;
mod listing;
mod picker;
mod skipped;
mod watch;

use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use eyelid_jpeg::{FrameMaker, PictureError};
use eyelid_producer::{EncodedFrame, Source, SourceStatus};
use eyelid_slot::MAX_FRAME_BYTES;
use nix::libc;

use super::SourceError;
use crate::Settings;
use listing::Stamp;
use picker::{Picker, Shown};
use watch::{Event, Watch};

/// A folder of pictures.
pub(crate) struct Folder {
    picker: Picker,
    watch: Option<Watch>,
    delete_older_than: Option<Duration>,
    delete_at: Option<Instant>,
    maker: FrameMaker,
    contents: Vec<u8>,
}

/// Why a file is no frame.
enum Refusal {
    /// It is not there, or no regular file: nothing to tell.
    NoFile,
    /// It may be whole later.
    NotYet(String),
    /// It never will be.
    Never(String),
}

/// Says why a folder cannot be used as things are.
///
/// # Errors
/// What the system said.
pub(crate) fn check(path: &Path) -> Result<(), SourceError> {
    let entries = std::fs::read_dir(path);
    entries.map(|_| ()).map_err(|reason| SourceError::Folder {
        path: path.to_owned(),
        what: "open it",
        reason,
    })
}

impl Folder {
    /// Takes a folder, which may come later, and go and come back.
    pub(crate) fn new(path: &Path, settings: &Settings) -> Self {
        Self {
            picker: Picker::new(path),
            watch: None,
            delete_older_than: settings.delete_older_than,
            delete_at: None,
            maker: FrameMaker::new(settings.frame_options()),
            contents: Vec::new(),
        }
    }

    fn delete_old(&mut self, now: Instant, wall: SystemTime) -> Result<(), SourceError> {
        let Some(limit) = self.delete_older_than else {
            return Ok(());
        };
        if let Some(oldest) = wall.checked_sub(limit) {
            self.picker.delete_older_than(oldest)?;
        }
        self.delete_at = Some(now + listing::delete_interval(limit));
        Ok(())
    }
}

impl Source for Folder {
    type Error = SourceError;

    fn start(&mut self, now: Instant) -> Result<(), SourceError> {
        // First the watch, then the look: nothing is written in between unseen.
        self.watch = Some(Watch::new(self.picker.folder())?);
        let wall = SystemTime::now();
        self.picker.look_around(now, wall)?;
        self.delete_old(now, wall)
    }

    fn stop(&mut self, _now: Instant) {
        self.watch = None;
        self.delete_at = None;
        self.picker.candidate.pause();
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        self.watch.iter().map(Watch::descriptor).collect()
    }

    fn deadline(&self) -> Option<Instant> {
        let waiting = self.watch.is_some();
        let candidate = self.picker.candidate.deadline().filter(|_| waiting);
        candidate.into_iter().chain(self.delete_at).min()
    }

    fn advance(&mut self, now: Instant) -> Result<(), SourceError> {
        let Some(watch) = &self.watch else {
            return Ok(());
        };
        for event in watch.read(self.picker.folder())? {
            match event {
                Event::Written(name) => self.picker.candidate.written(name, now),
                Event::Finished(name) => self.picker.candidate.finished(name, now),
                Event::Overflow => self.picker.look_around(now, SystemTime::now())?,
            }
        }
        if self.delete_at.is_some_and(|at| at <= now) {
            self.delete_old(now, SystemTime::now())?;
        }
        self.picker.candidate.advance(now);
        Ok(())
    }

    fn status(&self) -> SourceStatus {
        SourceStatus {
            sequence: self.watch.as_ref().and(self.picker.candidate.sequence()),
            works: self.watch.is_some(),
            ..SourceStatus::default()
        }
    }

    fn waiting(&self) -> String {
        self.picker.waiting()
    }

    fn encode(&mut self, now: Instant) -> Result<Option<EncodedFrame<'_>>, SourceError> {
        let Some((sequence, name)) = self.picker.candidate.at_hand() else {
            return Ok(None);
        };
        let wall = SystemTime::now();
        let path = self.picker.folder().join(&name);
        let stamp = match read(&path, &mut self.contents) {
            Ok(stamp) => stamp,
            Err(refusal) => return self.picker.refuse(&name, refusal, now, wall).map(|()| None),
        };
        let shown = Shown {
            sequence,
            stamp,
            hash: hash(&self.contents),
        };
        // Its writer closes a file that was shown as soon as it was whole: that is not another
        // picture.
        if self.picker.repeats(&shown) {
            return Ok(None);
        }
        let picture = match self.maker.picture(&self.contents) {
            Ok(picture) => picture,
            Err(error) => {
                let refusal = Refusal::of(&error);
                return self.picker.refuse(&name, refusal, now, wall).map(|()| None);
            }
        };
        self.picker.show(&name, shown);
        Ok(Some(EncodedFrame {
            picture,
            captured: stamp.modified,
        }))
    }
}

impl Refusal {
    fn of(error: &PictureError) -> Self {
        match error {
            PictureError::TooManyPixels { .. }
            | PictureError::Hidden { .. }
            | PictureError::Encode(_) => Self::Never(error.to_string()),
            _ => Self::NotYet(error.to_string()),
        }
    }
}

/// Reads a file into `contents`; gives what tells it apart.
fn read(path: &Path, contents: &mut Vec<u8>) -> Result<Stamp, Refusal> {
    let mut file = open_regular(path).map_err(refusal)?;
    let before = stamp(&file)?;
    if before.bytes > MAX_FRAME_BYTES as u64 {
        return Err(Refusal::Never(format!(
            "{} bytes are more than {MAX_FRAME_BYTES}",
            before.bytes
        )));
    }
    contents.clear();
    Read::by_ref(&mut file)
        .take(MAX_FRAME_BYTES as u64 + 1)
        .read_to_end(contents)
        .map_err(refusal)?;
    if stamp(&file)? != before {
        return Err(Refusal::NotYet("it changes while it is read".to_owned()));
    }
    Ok(before)
}

/// Never follows a link and never waits for the other end of a FIFO (open(2)).
fn open_regular(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

fn stamp(file: &File) -> Result<Stamp, Refusal> {
    let metadata = file.metadata().map_err(refusal)?;
    if metadata.is_file() {
        Ok(Stamp::of(&metadata))
    } else {
        Err(Refusal::NoFile)
    }
}

fn refusal(error: io::Error) -> Refusal {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ELOOP | libc::ENXIO) => Refusal::NoFile,
        // For example EACCES: some programs change the permissions last.
        _ => Refusal::NotYet(error.to_string()),
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
