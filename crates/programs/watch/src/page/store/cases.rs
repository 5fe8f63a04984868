//! Alerts that a user has called wrong, kept for `eyelid-watch replay` as they were: they stay when
//! the alert itself is too old. Each is a directory ([`crate::case`]).

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eyelid_slot::MAX_FRAME_BYTES;
use hyper::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::alert::{AlertId, MOST_JSON_BYTES};
use crate::alerts;
use crate::case::{CASE_FILE, CasePicture};
use crate::earlier::{self, Earlier};
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

/// A case that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Kept {
    /// Where it lies, as the program has its directories.
    pub(crate) directory: PathBuf,
    /// How many pictures it has, that of the alert among them.
    pub(crate) pictures: usize,
}

impl Cases {
    /// The cases in this directory, which is made when it is needed.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Says whether an alert is one.
    pub(super) fn has(&self, id: &AlertId) -> bool {
        self.path(id).join(CASE_FILE).is_file()
    }

    /// Keeps an alert, whose files lie in this directory. Its JSON says who and when, too.
    ///
    /// # Errors
    /// There is no such alert, or no room.
    pub(super) fn keep(
        &self,
        id: &AlertId,
        alerts: &Path,
        user: &str,
        now: SystemTime,
    ) -> Result<Kept, Rejection> {
        let failed = |error| Rejection::system("the case cannot be kept", &error);
        let directory = self.path(id);
        if self.has(id) {
            let pictures = fs::read_dir(&directory)
                .map_err(failed)?
                .count()
                .saturating_sub(1);
            return Ok(Kept {
                directory,
                pictures,
            });
        }
        let json = alerts::path(alerts, id, "json");
        let mut alert = read_json(&json).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Rejection::new(StatusCode::NOT_FOUND, "there is no such alert"),
            _ => failed(error),
        })?;
        let pictures = pictures(alerts, id).map_err(failed)?;
        let bytes = pictures.iter().map(|it| it.jpeg.len() as u64).sum();
        self.check_room(bytes).map_err(failed)??;
        let now = humantime::format_rfc3339_millis(now).to_string();
        alert.insert("wrong".to_owned(), json!({ "user": user, "at": now }));
        self.write(id, alert, &pictures).map_err(failed)?;
        Ok(Kept {
            directory,
            pictures: pictures.len(),
        })
    }

    /// Writes all of a case beside its place, and renames it.
    fn write(
        &self,
        id: &AlertId,
        mut alert: Map<String, Value>,
        pictures: &[Earlier],
    ) -> io::Result<()> {
        let hidden = self.directory.join(format!(".{id}.tmp"));
        remove(&hidden)?;
        fs::create_dir_all(&hidden)?;
        let mut write = || {
            let mut named = Vec::new();
            for (number, Earlier { before, jpeg }) in (1..).zip(pictures) {
                let file = format!("{number}.jpg");
                files::replace_soon(&hidden.join(&file), jpeg)?;
                let before_ms = u64::try_from(before.as_millis()).unwrap_or(u64::MAX);
                named.push(CasePicture { file, before_ms });
            }
            alert.insert("pictures".to_owned(), json!(named));
            files::replace(&hidden.join(CASE_FILE), &serde_json::to_vec(&alert)?)?;
            fs::rename(&hidden, self.path(id))
        };
        write().inspect_err(|_| {
            // A full disk is not to be filled by what is none.
            let _ = remove(&hidden);
        })
    }

    /// Keeps an alert no longer, if it is kept.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn let_go(&self, id: &AlertId) -> Result<(), Rejection> {
        remove(&self.path(id)).map_err(|error| Rejection::system("the case stays", &error))
    }

    /// Says whether there is room for a case of so many bytes.
    fn check_room(&self, more: u64) -> io::Result<Result<(), Rejection>> {
        let cases = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ok(())),
            cases => cases?,
        };
        let (mut count, mut bytes) = (0, more);
        for case in cases {
            let case = case?;
            if !case.file_type()?.is_dir() {
                continue;
            }
            count += 1;
            for file in fs::read_dir(case.path())? {
                bytes += file?.metadata()?.len();
            }
        }
        let is_room = count < MOST_CASES && bytes <= MOST_BYTES;
        let full = || {
            let what = format!("{count} cases are kept in {:?} already", self.directory);
            Rejection::new(StatusCode::INSUFFICIENT_STORAGE, what)
        };
        Ok(if is_room { Ok(()) } else { Err(full()) })
    }

    fn path(&self, id: &AlertId) -> PathBuf {
        self.directory.join(id.as_str())
    }
}

/// The pictures of an alert: those from before it, and its own.
fn pictures(alerts: &Path, id: &AlertId) -> io::Result<Vec<Earlier>> {
    let read = |kind: &str, most_bytes: u64| match files::read(
        &alerts::path(alerts, id, kind),
        most_bytes,
    ) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    };
    let own = read("jpg", MAX_FRAME_BYTES as u64)?.map(|jpeg| Earlier {
        before: std::time::Duration::ZERO,
        jpeg: jpeg.into(),
    });
    // What is torn is none: the alert's own picture is worth keeping all the same.
    let earlier = read("earlier", earlier::MOST_FILE_BYTES)?.and_then(earlier::of_file);
    Ok(earlier.into_iter().flatten().chain(own).collect())
}

/// Removes a directory, if it is there.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn read_json(path: &Path) -> io::Result<Map<String, Value>> {
    Ok(serde_json::from_slice(&files::read(
        path,
        MOST_JSON_BYTES,
    )?)?)
}
