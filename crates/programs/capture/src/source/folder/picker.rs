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

    /// Makes the newest file the candidate, unless it is the one that was shown last.
    pub(super) fn look_around(&mut self, now: Instant) -> Result<(), SourceError> {
        let last = self.shown.map(|shown| shown.stamp);
        if let Some((name, stamp)) = self.newest()?
            && Some(stamp) != last
        {
            self.candidate.found(name, now, age(stamp.modified));
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

    /// The candidate is no frame: it is tried again, or the next best file is.
    pub(super) fn refuse(
        &mut self,
        name: &OsStr,
        refusal: Refusal,
        now: Instant,
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
        self.fall_back(now)
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
    fn fall_back(&mut self, now: Instant) -> Result<(), SourceError> {
        self.candidate.drop_it();
        let last = self.shown.map(|shown| shown.stamp.modified);
        if let Some((name, stamp)) = self.newest()?
            && Some(stamp.modified) > last
        {
            self.candidate.found(name, now, age(stamp.modified));
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
fn age(moment: SystemTime) -> Duration {
    SystemTime::now().duration_since(moment).unwrap_or_default()
}
