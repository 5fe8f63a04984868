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
    /// The picture that `contents` has, once it became a frame.
    held: Option<Shown>,
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
            held: None,
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

    /// The writer of a file that was shown as soon as it was whole closes it: that is the same
    /// exposure, by another event.
    fn recognise(&mut self) {
        let (Some(held), Some((_, name))) = (self.held, self.picker.candidate.at_hand()) else {
            return;
        };
        let path = self.picker.folder().join(name);
        let metadata = path.symlink_metadata();
        if !metadata.is_ok_and(|metadata| Stamp::of(&metadata) == held.stamp) {
            return;
        }
        // It may be another picture of the same size, written within one tick of the clock.
        self.held = None;
        if read(&path, &mut self.contents).is_ok_and(|stamp| stamp == held.stamp)
            && hash(&self.contents) == held.hash
        {
            self.picker.candidate.repeats(held.sequence);
            self.held = Some(held);
        }
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
        // Its file may be deleted by the time somebody looks again.
        self.held = None;
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
        if self.picker.candidate.advance(now) {
            self.recognise();
        }
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
        // The same exposure again, whatever has become of its file since.
        let held = self.held.take().filter(|held| held.sequence == sequence);
        let wall = SystemTime::now();
        let shown = match held {
            Some(held) => held,
            None => {
                let path = self.picker.folder().join(&name);
                let stamp = match read(&path, &mut self.contents) {
                    Ok(stamp) => stamp,
                    Err(refusal) => {
                        return self.picker.refuse(&name, refusal, now, wall).map(|()| None);
                    }
                };
                Shown {
                    sequence,
                    stamp,
                    hash: hash(&self.contents),
                }
            }
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
        self.held = Some(shown);
        Ok(Some(EncodedFrame {
            picture,
            captured: shown.stamp.modified,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use clap::Parser;
    use std::io::Write;

    fn folder(path: &Path) -> Folder {
        let source = format!("folder:{}", path.display());
        let given = ["eyelid-capture", "--slot", "/x", "--source", &source];
        let arguments = Arguments::parse_from(given);
        Folder::new(path, &arguments.resolve().unwrap())
    }

    fn picture(shade: u8) -> Vec<u8> {
        let mut encoder = eyelid_picture::Encoder::default();
        let jpeg = encoder.encode_rgb(&[shade; 16 * 16 * 3], 16, 16, 80);
        jpeg.unwrap().to_vec()
    }

    /// What is at hand: its number, its JPEG and its moment.
    fn exposure(folder: &mut Folder, now: Instant) -> Option<(u64, Vec<u8>, SystemTime)> {
        folder.advance(now).unwrap();
        let sequence = folder.status().sequence?;
        let frame = folder.encode(now).unwrap()?;
        Some((sequence, frame.picture.jpeg.to_vec(), frame.captured))
    }

    #[test]
    fn an_exposure_can_be_had_again_even_when_its_file_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.jpg");
        std::fs::write(&path, picture(200)).unwrap();
        let (mut folder, now) = (folder(place.path()), Instant::now());
        folder.start(now).unwrap();
        let first = exposure(&mut folder, now).unwrap();
        assert_eq!(first.1, picture(200));
        assert_eq!(exposure(&mut folder, now).as_ref(), Some(&first));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(exposure(&mut folder, now).as_ref(), Some(&first));
        std::fs::write(&path, picture(50)).unwrap();
        let second = exposure(&mut folder, now).unwrap();
        assert!(second.0 > first.0 && second.1 == picture(50));
        folder.stop(now);
        std::fs::remove_file(&path).unwrap();
        folder.start(now).unwrap();
        assert_eq!(exposure(&mut folder, now), None, "nobody kept it");
    }

    #[test]
    fn a_file_that_is_closed_late_stays_the_exposure_that_was_shown() {
        let place = tempfile::tempdir().unwrap();
        let (mut folder, now) = (folder(place.path()), Instant::now());
        folder.start(now).unwrap();
        let mut file = File::create(place.path().join("a.jpg")).unwrap();
        file.write_all(&picture(200)).unwrap();
        folder.advance(now).unwrap();
        let later = now + Duration::from_secs(1);
        let shown = exposure(&mut folder, later).unwrap();
        drop(file);
        assert_eq!(exposure(&mut folder, later).as_ref(), Some(&shown));
        // Another one in its place has another number.
        std::fs::write(place.path().join("a.jpg"), picture(50)).unwrap();
        assert!(exposure(&mut folder, later).unwrap().0 > shown.0);
    }
}
