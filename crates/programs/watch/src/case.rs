//! A case: an alert that a user has called wrong, as a directory that `replay` looks at. Its
//! pictures are those that lay with the alert, each with its moment.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::alert::MOST_JSON_BYTES;
use crate::files;

/// The file of a case that has its alert, who says that it was wrong, and its pictures.
pub(crate) const CASE_FILE: &str = "case.json";

/// More than one has.
const MOST_PICTURES: usize = 32;

/// A view is learned in two seconds: so long its first picture is looked at before anything comes.
const LEARNING: Duration = Duration::from_secs(3);

/// What is asked a second time, is after a second of the detector, and after three of others.
const CONFIRMING: Duration = Duration::from_secs(4);

/// The longest pause between two pictures that was ever kept is a quarter of an hour.
const LONGEST: Duration = Duration::from_secs(3600);

/// One picture of a case, in the order of their moments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CasePicture {
    /// The name of its file in the directory of the case.
    pub(crate) file: String,
    /// How many milliseconds before the alert's own picture it was captured.
    pub(crate) before_ms: u64,
}

/// What of [`CASE_FILE`] is needed to look at it again.
#[derive(Deserialize)]
struct CaseFile {
    pictures: Vec<CasePicture>,
}

/// Gives the pictures of a case with the moments at which they are looked at: each until the next
/// one comes, so many times a second. Nothing, where the directory is no case.
///
/// # Errors
/// It is one that cannot be read.
pub(crate) fn looks(
    directory: &Path,
    fps: f64,
) -> anyhow::Result<Option<VecDeque<(PathBuf, Duration)>>> {
    let path = directory.join(CASE_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let place = || format!("case {path:?}");
    let json = files::read(&path, MOST_JSON_BYTES).with_context(place)?;
    let CaseFile { pictures } = serde_json::from_slice(&json).with_context(place)?;
    let is_own = |it: &CasePicture| Path::new(&it.file).file_name() == Some(it.file.as_ref());
    if pictures.len() > MOST_PICTURES || !pictures.iter().all(is_own) {
        bail!("{}: these are not pictures of its directory", place());
    }
    if pictures.len() == 1 {
        log::warn!("{}: it has no picture from before its alert", place());
    }
    Ok(Some(looked_at(directory, &pictures, fps)))
}

fn looked_at(
    directory: &Path,
    pictures: &[CasePicture],
    fps: f64,
) -> VecDeque<(PathBuf, Duration)> {
    let interval = Duration::from_secs_f64(1.0 / fps);
    let mut looks = VecDeque::new();
    let mut at = Duration::ZERO;
    for (index, picture) in pictures.iter().enumerate() {
        let learning = if index == 0 { LEARNING } else { Duration::ZERO };
        let until_next = match pictures.get(index + 1) {
            Some(next) => {
                let pause_ms = picture.before_ms.saturating_sub(next.before_ms);
                Duration::from_millis(pause_ms).min(LONGEST)
            }
            None => CONFIRMING,
        };
        let end = at + learning + until_next;
        let mut look = at;
        // At least once, and not again just before the next one.
        while look == at || look + interval / 2 < end {
            looks.push_back((directory.join(&picture.file), look));
            look += interval;
        }
        at = end;
    }
    looks
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_picture_is_looked_at_until_the_next_one() {
        let directory = tempfile::tempdir().unwrap();
        assert!(looks(directory.path(), 2.0).unwrap().is_none());
        let case = r#"{"rule":"a","pictures":[{"file":"1.jpg","before_ms":1600},
            {"file":"2.jpg","before_ms":200},{"file":"3.jpg","before_ms":0}]}"#;
        let file = directory.path().join(CASE_FILE);
        fs::write(&file, case).unwrap();
        let looks = looks(directory.path(), 2.0).unwrap().unwrap();
        let of = |name: &str| -> Vec<u128> {
            let those = looks.iter().filter(|(path, _)| path.ends_with(name));
            those.map(|(_, at)| at.as_millis()).collect()
        };
        // Three seconds of learning, and 1.4 until the next.
        let first = [0, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000];
        assert_eq!(of("1.jpg"), first);
        assert_eq!(of("2.jpg"), [4400]);
        let last = [4600, 5100, 5600, 6100, 6600, 7100, 7600, 8100];
        assert_eq!(of("3.jpg"), last);
    }

    #[test]
    fn a_case_names_no_file_of_another_directory() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(CASE_FILE);
        for name in ["../x.jpg", "/etc/passwd", "", "a/b.jpg", ".."] {
            let case = format!(r#"{{"pictures":[{{"file":"{name}","before_ms":0}}]}}"#);
            fs::write(&file, case).unwrap();
            assert!(looks(directory.path(), 2.0).is_err(), "{name}");
        }
        fs::write(&file, "{}").unwrap();
        assert!(looks(directory.path(), 2.0).is_err());
    }
}
