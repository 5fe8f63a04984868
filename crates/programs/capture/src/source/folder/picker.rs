//! Picks the file that is shown next.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::Refusal;
use super::candidate::{Candidate, Verdict};
use super::listing::{Listing, Stamp};
use super::skipped::Skipped;
use crate::source::SourceError;

/// Pictures that were given up are remembered so that a look at the folder does not find them
/// again. More than this many are forgotten together: they would only be tried once more.
const MOST_GIVEN_UP: usize = 1000;

/// What is known of the files in a folder.
pub(super) struct Picker {
    folder: PathBuf,
    pub(super) candidate: Candidate,
    shown: Option<Shown>,
    given_up: HashMap<OsString, Stamp>,
    skipped: Skipped,
    problem: Option<Problem>,
}

/// What is wrong with the newest file, for those who wait for it.
struct Problem {
    path: PathBuf,
    modified: SystemTime,
    text: String,
}

/// A picture that became a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) sequence: u64,
    pub(super) stamp: Stamp,
    pub(super) hash: u64,
}

impl Picker {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            candidate: Candidate::default(),
            shown: None,
            given_up: HashMap::new(),
            skipped: Skipped::default(),
            problem: None,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the newest file the candidate, unless it is the one that was shown last. It is `wall`
    /// o'clock `now`.
    pub(super) fn look_around(
        &mut self,
        now: Instant,
        wall: SystemTime,
    ) -> Result<(), SourceError> {
        let last = self.shown.map(|shown| shown.stamp);
        if let Some((name, stamp)) = self.newest()?
            && Some(stamp) != last
        {
            self.candidate.found(name, now, age(stamp.modified, wall));
        }
        Ok(())
    }

    /// Says whether this is the very picture that was shown last, by another event.
    pub(super) fn repeats(&self, shown: &Shown) -> bool {
        self.shown.is_some_and(|last| {
            last.sequence != shown.sequence && (last.stamp, last.hash) == (shown.stamp, shown.hash)
        })
    }

    /// A picture becomes a frame.
    pub(super) fn show(&mut self, name: &OsStr, shown: Shown) {
        self.given_up.remove(name);
        let is_newer = |problem: &mut Problem| problem.modified <= shown.stamp.modified;
        self.problem.take_if(is_newer);
        self.shown = Some(shown);
    }

    /// Why there is nothing to show.
    pub(super) fn waiting(&self) -> String {
        let folder = &self.folder;
        let problem = self.problem.as_ref().filter(|there| there.path.exists());
        match (problem, &self.shown) {
            (Some(problem), _) => problem.text.clone(),
            (None, Some(_)) => format!("no new picture in folder {folder:?}"),
            (None, None) => format!("no picture in folder {folder:?} (*.jpg, *.jpeg or *.png)"),
        }
    }

    /// The candidate is no frame: it is tried again, or the next best file is. It is `wall` o'clock
    /// `now`.
    pub(super) fn refuse(
        &mut self,
        name: &OsStr,
        refusal: Refusal,
        now: Instant,
        wall: SystemTime,
    ) -> Result<(), SourceError> {
        let path = self.folder.join(name);
        let metadata = path.symlink_metadata().ok();
        let reason = match refusal {
            Refusal::NoFile => None,
            Refusal::Never(reason) => Some(reason),
            Refusal::NotYet(reason) => match self.candidate.incomplete(now) {
                Verdict::TryAgain => {
                    self.note_problem(&path, metadata.as_ref(), &reason);
                    return Ok(());
                }
                Verdict::GiveUp => Some(reason),
            },
        };
        if let Some(reason) = reason {
            self.note_problem(&path, metadata.as_ref(), &reason);
            self.skipped.picture(&path, &reason, now);
        }
        if self.given_up.len() >= MOST_GIVEN_UP {
            self.given_up.clear();
        }
        if let Some(metadata) = metadata {
            self.given_up.insert(name.to_owned(), Stamp::of(&metadata));
        }
        self.fall_back(now, wall)
    }

    fn note_problem(&mut self, path: &Path, metadata: Option<&Metadata>, reason: &str) {
        let Some(metadata) = metadata else { return };
        let modified = Stamp::of(metadata).modified;
        // An older file is only tried in the place of a newer one.
        let is_older = |known: &&Problem| known.modified > modified && known.path.exists();
        if self.problem.as_ref().filter(is_older).is_none() {
            self.problem = Some(Problem {
                path: path.to_owned(),
                modified,
                text: format!("picture {path:?}: {reason}"),
            });
        }
    }

    /// Deletes the pictures from before a moment.
    pub(super) fn delete_older_than(&mut self, moment: SystemTime) -> Result<(), SourceError> {
        for name in self.list()?.older_than(moment) {
            let path = self.folder.join(name);
            match std::fs::remove_file(&path) {
                Ok(()) => log::debug!("picture {path:?} deleted"),
                Err(error) => self.skipped.undeleted(&path, &error),
            }
        }
        Ok(())
    }

    /// An older file is used instead, if it is newer than what was shown last.
    fn fall_back(&mut self, now: Instant, wall: SystemTime) -> Result<(), SourceError> {
        self.candidate.drop_it();
        let last = self.shown.map(|shown| shown.stamp.modified);
        if let Some((name, stamp)) = self.newest()?
            && Some(stamp.modified) > last
        {
            self.candidate.found(name, now, age(stamp.modified, wall));
        }
        Ok(())
    }

    fn newest(&self) -> Result<Option<(OsString, Stamp)>, SourceError> {
        let given_up = |name: &OsStr, stamp: &Stamp| self.given_up.get(name) == Some(stamp);
        Ok(self.list()?.newest(given_up))
    }

    fn list(&self) -> Result<Listing, SourceError> {
        Listing::read(&self.folder).map_err(|reason| SourceError::Folder {
            path: self.folder.clone(),
            what: "list it",
            reason,
        })
    }
}

/// How long ago that was; nothing if it lies ahead.
fn age(moment: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(moment).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    /// A time so many milliseconds after the first of the tests.
    fn at_ms(ms: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(ms)
    }

    /// A folder with these files, each last written at such a time.
    fn folder(files: &[(&str, u64)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, ms) in files {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(at_ms(*ms)).unwrap();
        }
        folder
    }

    /// The file that is worth a try now.
    fn at_hand(picker: &mut Picker, now: Instant) -> Option<OsString> {
        picker.candidate.advance(now);
        picker.candidate.at_hand().map(|(_, name)| name)
    }

    fn half() -> Refusal {
        Refusal::NotYet("it is cut off".to_owned())
    }

    #[test]
    fn an_old_half_picture_gives_way_to_an_older_one_and_a_young_one_does_not() {
        let wall = at_ms(100_000);
        // The last one was written after the clock was set back.
        for (half_ms, given_up) in [(70_000, true), (99_900, false), (130_000, false)] {
            let folder = folder(&[("whole.jpg", 40_000), ("half.jpg", half_ms)]);
            let (mut picker, now) = (Picker::new(folder.path()), Instant::now());
            picker.look_around(now, wall).unwrap();
            assert_eq!(at_hand(&mut picker, now).unwrap(), "half.jpg");
            picker
                .refuse(OsStr::new("half.jpg"), half(), now, wall)
                .unwrap();
            let next = at_hand(&mut picker, now);
            assert_eq!(next.is_some(), given_up, "{half_ms}");
            assert!(picker.waiting().ends_with("it is cut off"));
            if given_up {
                assert_eq!(next.unwrap(), "whole.jpg");
                picker.look_around(now, wall).unwrap();
                assert_eq!(at_hand(&mut picker, now).unwrap(), "whole.jpg");
            }
        }
    }

    #[test]
    fn what_was_shown_is_not_fallen_back_to_and_nothing_older_is() {
        let folder = folder(&[("older.jpg", 10_000), ("shown.jpg", 40_000)]);
        let wall = at_ms(100_000);
        let (mut picker, now) = (Picker::new(folder.path()), Instant::now());
        let path = folder.path().join("shown.jpg");
        let stamp = Stamp::of(&path.symlink_metadata().unwrap());
        let shown = Shown {
            sequence: 1,
            stamp,
            hash: 7,
        };
        picker.show(OsStr::new("shown.jpg"), shown);
        assert!(!picker.repeats(&shown), "the same event");
        assert!(picker.repeats(&Shown {
            sequence: 2,
            ..shown
        }));
        picker.look_around(now, wall).unwrap();
        assert_eq!(at_hand(&mut picker, now), None);
        picker.candidate.finished("shown.jpg".into(), now);
        let never = Refusal::Never("it is too large".to_owned());
        picker
            .refuse(OsStr::new("shown.jpg"), never, now, wall)
            .unwrap();
        assert_eq!(at_hand(&mut picker, now), None);
        assert!(picker.waiting().ends_with("it is too large"));
    }
}
