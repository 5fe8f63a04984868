//! Alerts that a user has called wrong, kept for `eyelid-watch replay` as they were: they stay when
//! the alert itself is too old.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eyelid_slot::MAX_FRAME_BYTES;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::alert::{AlertId, MOST_JSON_BYTES};
use crate::alerts;
use crate::files;
use crate::page::rejection::Rejection;

/// How many cases are kept, and of how many bytes: a clock that is not masked is called wrong
/// often.
const MOST_CASES: usize = 200;
const MOST_BYTES: u64 = 100 << 20;

/// The directory of cases.
pub(super) struct Cases {
    directory: PathBuf,
}

impl Cases {
    /// The cases in this directory, which is made when it is needed.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Says whether an alert is one.
    pub(super) fn has(&self, id: &AlertId) -> bool {
        self.file(id, "json").is_file()
    }

    /// Keeps an alert, whose files are these. Its JSON says who and when, too.
    ///
    /// # Errors
    /// There is no such alert, or no room.
    pub(super) fn keep(
        &self,
        id: &AlertId,
        json: &Path,
        picture: &Path,
        user: &str,
        now: SystemTime,
    ) -> Result<(), Rejection> {
        if self.has(id) {
            return Ok(());
        }
        let failed = |error| Rejection::system("the case cannot be kept", &error);
        let mut alert = read_json(json).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Rejection::new(StatusCode::NOT_FOUND, "there is no such alert"),
            _ => failed(error),
        })?;
        let picture = match files::read(picture, MAX_FRAME_BYTES as u64) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            read => Some(read.map_err(failed)?),
        };
        let bytes = picture.as_ref().map_or(0, |picture| picture.len() as u64);
        self.check_room(bytes).map_err(failed)??;
        let now = humantime::format_rfc3339_millis(now).to_string();
        alert.insert("wrong".to_owned(), json!({ "user": user, "at": now }));
        let keep = || {
            fs::create_dir_all(&self.directory)?;
            if let Some(picture) = picture {
                files::replace(&self.file(id, "jpg"), &picture)?;
            }
            files::replace(&self.file(id, "json"), &serde_json::to_vec(&alert)?)
        };
        keep().map_err(failed)
    }

    /// Keeps an alert no longer, if it is kept.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn let_go(&self, id: &AlertId) -> Result<(), Rejection> {
        for kind in ["json", "jpg"] {
            match fs::remove_file(self.file(id, kind)) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Rejection::system("the case stays", &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Says whether there is room for a case of so many bytes.
    fn check_room(&self, more: u64) -> io::Result<Result<(), Rejection>> {
        let files = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ok(())),
            files => files?,
        };
        let (mut count, mut bytes) = (0, more);
        for file in files {
            let file = file?;
            count += usize::from(file.path().extension().is_some_and(|kind| kind == "json"));
            bytes += file.metadata()?.len();
        }
        let is_room = count < MOST_CASES && bytes <= MOST_BYTES;
        let full = || {
            let what = format!("{count} cases are kept in {:?} already", self.directory);
            Rejection::new(StatusCode::INSUFFICIENT_STORAGE, what)
        };
        Ok(if is_room { Ok(()) } else { Err(full()) })
    }

    fn file(&self, id: &AlertId, kind: &str) -> PathBuf {
        alerts::path(&self.directory, id, kind)
    }
}

fn read_json(path: &Path) -> io::Result<Map<String, Value>> {
    Ok(serde_json::from_slice(&files::read(
        path,
        MOST_JSON_BYTES,
    )?)?)
}
