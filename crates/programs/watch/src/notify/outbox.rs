//! What is still to be told, on the disk: an entry for each alert and each way to tell of it, by
//! rename, removed once it is told. Nothing here waits for anybody.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, MOST_JSON_BYTES};
use crate::files;
use crate::moment::{Moment, Stamp};

/// The version of the form that is written here.
const VERSION: u32 = 1;

/// How many entries each way may have: more alerts than a day of quiet rules has.
const MOST_ENTRIES: usize = 100;

/// Something to be told in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    version: u32,
    /// The way's name.
    pub(crate) way: String,
    pub(crate) alert: Alert,
    made: Stamp,
    /// It was tried so often, and not taken.
    #[serde(default)]
    pub(crate) tries: u32,
    /// A try has begun of which it is not known how it ended: it may have been told.
    #[serde(default)]
    pub(crate) is_unsure: bool,
    /// The picture was not taken; it is told without.
    #[serde(default)]
    pub(crate) without_picture: bool,
}

impl Entry {
    fn new(alert: &Alert, way: &str, made: Stamp) -> Self {
        Self {
            version: VERSION,
            way: way.to_owned(),
            alert: alert.clone(),
            made,
            tries: 0,
            is_unsure: false,
            without_picture: false,
        }
    }

    /// When it was put in, by the wall's clock.
    pub(crate) fn made_at(&self) -> std::time::SystemTime {
        self.made.wall
    }
}

/// What is still to be told.
#[derive(Debug)]
pub(crate) struct Outbox {
    directory: PathBuf,
    boot: String,
    /// By the ways' names, the oldest first.
    entries: BTreeMap<String, VecDeque<Entry>>,
}

impl Outbox {
    /// What was left to be told in these ways when this program ended.
    ///
    /// # Errors
    /// What the system says of the directory, which is made if it is not there.
    pub(crate) fn open(directory: PathBuf, boot: &str, ways: &[String]) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let mut outbox = Self {
            boot: boot.to_owned(),
            entries: (ways.iter().map(|way| (way.clone(), VecDeque::new()))).collect(),
            directory,
        };
        let mut found = Vec::new();
        for file in fs::read_dir(&outbox.directory)? {
            let path = file?.path();
            let name = path.file_name().unwrap_or_default().as_encoded_bytes();
            if name.starts_with(b".") || !name.ends_with(b".json") {
                continue;
            }
            match read(&path) {
                Ok(entry) if outbox.path(&entry) == path => found.push(entry),
                // It is no torn one of ours, for those are renamed.
                Ok(_) => log::warn!("{path:?}: is not what its name says; it is left there"),
                Err(error) => log::warn!("{path:?}: {error}; it is left there"),
            }
        }
        found.sort_by(|a: &Entry, b| a.alert.id.cmp(&b.alert.id));
        for entry in found {
            match outbox.entries.get_mut(&entry.way) {
                Some(entries) => entries.push_back(entry),
                None => outbox.forget(&entry),
            }
        }
        Ok(outbox)
    }

    /// Has these ways from now on; what was to be told in others is dropped.
    pub(crate) fn set_ways(&mut self, ways: &[String]) {
        let mut before = std::mem::take(&mut self.entries);
        for way in ways {
            let entries = before.remove(way).unwrap_or_default();
            self.entries.insert(way.clone(), entries);
        }
        for entry in before.into_values().flatten() {
            self.forget(&entry);
        }
    }

    /// Writes down what is to be told in these ways, and gives it, for [`add`](Self::add). What
    /// cannot be written is told all the same, unless this program ends before.
    pub(crate) fn write(
        &self,
        alert: &Alert,
        ways: &[String],
        now: Moment,
    ) -> (Vec<Entry>, io::Result<()>) {
        let mut written = Ok(());
        let mut new = Vec::new();
        for way in ways {
            let is_there =
                |entries: &VecDeque<Entry>| entries.iter().any(|other| other.alert.id == alert.id);
            if self.entries.get(way).is_none_or(is_there) {
                continue;
            }
            let entry = Entry::new(alert, way, Stamp::new(now, &self.boot));
            if let Err(error) = files::replace(&self.path(&entry), &to_json(&entry)) {
                written = Err(error);
            }
            new.push(entry);
        }
        (new, written)
    }

    /// From now on these are to be told.
    pub(crate) fn add(&mut self, new: Vec<Entry>) {
        for entry in new {
            if let Some(entries) = self.entries.get_mut(&entry.way) {
                entries.push_back(entry);
            }
        }
    }

    /// Gives the oldest entry of a way. What was not told `within` this time, or is too much, is
    /// dropped.
    pub(crate) fn next(&mut self, way: &str, within: Duration, now: Moment) -> Option<Entry> {
        let mut dropped = Vec::new();
        let entries = self.entries.get_mut(way)?;
        while let Some(oldest) = entries.front() {
            let is_old = oldest.made.elapsed(now, &self.boot) > within;
            if !is_old && entries.len() <= MOST_ENTRIES {
                break;
            }
            dropped.extend(entries.pop_front());
        }
        let next = entries.front().cloned();
        if let (Some(first), Some(last)) = (dropped.first(), dropped.last()) {
            let (count, from, to) = (dropped.len(), &first.alert.id, &last.alert.id);
            log::warn!(
                "notify {way:?}: {count} alerts are dropped that could not be told within {}, \
                 or were more than {MOST_ENTRIES}: {from} to {to}",
                humantime::format_duration(within)
            );
        }
        for entry in dropped {
            self.remove_file(&entry);
        }
        next
    }

    /// Writes an entry down as it is now.
    pub(crate) fn update(&mut self, entry: &Entry) {
        let path = self.path(entry);
        let entries = self.entries.get_mut(&entry.way).into_iter().flatten();
        for same in entries.filter(|other| other.alert.id == entry.alert.id) {
            *same = entry.clone();
            // Where it cannot be written it is as it was: told again rather than not at all.
            let _ = files::replace_soon(&path, &to_json(entry));
        }
    }

    /// It was told, or never will be.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        self.remove_file(entry);
        if let Some(entries) = self.entries.get_mut(&entry.way) {
            entries.retain(|other| other.alert.id != entry.alert.id);
        }
    }

    /// How many are to be told in all ways.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.entries.values().map(VecDeque::len).sum()
    }

    /// Where it lies.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn forget(&self, entry: &Entry) {
        let (way, id) = (&entry.way, &entry.alert.id);
        log::warn!("notify {way:?}: is not in the configuration; alert {id} is not told");
        self.remove_file(entry);
    }

    fn remove_file(&self, entry: &Entry) {
        // It is not there if the disk was full.
        let _ = fs::remove_file(self.path(entry));
    }

    fn path(&self, entry: &Entry) -> PathBuf {
        self.directory
            .join(format!("{}.{}.json", entry.alert.id, entry.way))
    }
}

fn to_json(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(entry).unwrap_or_default()
}

fn read(path: &Path) -> io::Result<Entry> {
    let json = files::read(path, 2 * MOST_JSON_BYTES)?;
    serde_json::from_slice(&json).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Kind;
    use crate::moment::Monotonic;
    use std::time::{SystemTime, UNIX_EPOCH};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn at(seconds: u64) -> Moment {
        Moment {
            monotonic: Monotonic::from_millis(1000).plus(Duration::from_secs(seconds)),
            wall: UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds),
        }
    }

    fn alert(at: SystemTime) -> Alert {
        Alert::new("door".parse().unwrap(), "a", Kind::Seen, at)
    }

    fn ways() -> Vec<String> {
        vec!["phone".to_owned(), "home".to_owned()]
    }

    fn open(directory: &Path) -> Outbox {
        Outbox::open(directory.to_owned(), "b", &ways()).unwrap()
    }

    fn put(outbox: &mut Outbox, second: u64, ways: &[String]) {
        let (new, written) = outbox.write(&alert(at(second).wall), ways, at(second));
        written.unwrap();
        outbox.add(new);
    }

    #[test]
    fn what_is_not_told_is_still_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let mut outbox = open(directory);
        for second in [3, 1, 2] {
            put(&mut outbox, second, &ways());
        }
        let mut outbox = open(directory);
        assert_eq!(outbox.count(), 6);
        let mut first = outbox.next("phone", DAY, at(4)).unwrap();
        assert_eq!(first.alert.at, at(1).wall, "the oldest first");
        (first.tries, first.is_unsure) = (2, true);
        outbox.update(&first);
        assert_eq!(outbox.next("phone", DAY, at(4)).unwrap(), first);
        let mut outbox = open(directory);
        assert_eq!(outbox.next("phone", DAY, at(4)).unwrap(), first);
        outbox.remove(&first);
        assert_eq!(outbox.count(), 5);
        assert_eq!(open(directory).count(), 5);
    }

    #[test]
    fn an_alert_is_in_it_once_and_ways_that_are_gone_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outbox");
        let mut outbox = open(&path);
        for _ in 0..3 {
            put(&mut outbox, 1, &ways());
            put(&mut outbox, 1, &["other".to_owned()]);
        }
        assert_eq!(outbox.count(), 2);
        let outbox = Outbox::open(path.clone(), "b", &ways()[..1]).unwrap();
        assert_eq!(outbox.count(), 1);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }

    #[test]
    fn nobody_is_told_after_a_day_or_of_more_than_a_hundred() {
        let directory = tempfile::tempdir().unwrap();
        let mut outbox = open(directory.path());
        for second in 0..150 {
            put(&mut outbox, second, &ways()[..1]);
        }
        let next = outbox.next("phone", DAY, at(200)).unwrap();
        assert_eq!((next.alert.at, outbox.count()), (at(50).wall, MOST_ENTRIES));
        // A clock that is set back by hours does not make them younger, or older.
        let day = DAY.as_secs();
        let later = |seconds| Moment {
            wall: at(0).wall - DAY,
            ..at(seconds)
        };
        let next = outbox.next("phone", DAY, later(day + 60)).unwrap();
        assert_eq!(next.alert.at, at(60).wall);
        assert_eq!(outbox.next("phone", DAY, later(day + 200)), None);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    }

    #[test]
    fn files_of_others_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        for (name, contents) in [
            ("notes.json", "{}"),
            ("a.txt", ""),
            ("b.json", "{\"version\""),
        ] {
            fs::write(directory.path().join(name), contents).unwrap();
        }
        assert_eq!(open(directory.path()).count(), 0);
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 3);
    }
}
