//! Alerts as files: `ID.earlier`, where a case can be made of it, `ID.jpg`, then `ID.json`, each by
//! rename, and the JSON is the alert. All
//! watchers of a machine write into one directory, and the page reads it; nobody keeps a list
//! beside it that could be wrong.

mod bounds;
mod index;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::alert::{Alert, AlertId};
use crate::earlier::{Earlier, to_file};
use crate::files;

pub(crate) use bounds::{Bounds, ClockCheck, Expiry};
pub(crate) use index::{path, picture_path};

/// How long a picture may lie there before its alert does. What lies there for longer is of a
/// watcher that was killed between the two, and lost the alert's state with it.
const ORPHAN_AFTER: Duration = Duration::from_secs(600);

/// The directory of alerts, to write into.
#[derive(Clone, Debug)]
pub(crate) struct Alerts {
    directory: PathBuf,
    bounds: Bounds,
}

impl Alerts {
    /// Those of this directory, which is made when it is needed.
    pub(crate) fn new(directory: PathBuf, bounds: Bounds) -> Self {
        Self { directory, bounds }
    }

    /// Where they lie.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Gives the alert a name that no other one has: a clock that is set back comes to the same
    /// milliseconds again.
    pub(crate) fn name(&self, alert: &mut Alert) {
        let mut at = alert.at;
        // A thousand alerts of one rule in one second there are not.
        for _ in 0..1000 {
            alert.id = AlertId::new(at, &alert.camera, &alert.rule);
            let is_free = index::ENDINGS
                .iter()
                .all(|ending| !self.path(&alert.id, ending).exists());
            if is_free {
                return;
            }
            at += Duration::from_millis(1);
        }
    }

    /// Writes the picture of an alert that is to come. Where the disk is full, the oldest alerts
    /// make room for it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn write_picture(&self, id: &AlertId, jpeg: &[u8]) -> io::Result<()> {
        self.write_file(&self.path(id, "jpg"), jpeg)
    }

    /// Writes the pictures that were before that of an alert that is to come. Nothing makes room
    /// for them.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn write_earlier(&self, id: &AlertId, earlier: &[Earlier]) -> io::Result<()> {
        files::replace_soon(&self.path(id, "earlier"), &to_file(earlier))
    }

    /// Writes the alert; from now on it is one. Where the disk is full, the oldest ones make room
    /// for it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn write(&self, alert: &Alert) -> io::Result<()> {
        self.write_file(&self.path(&alert.id, "json"), &alert.to_json())
    }

    /// Says whether this alert lies there, and whether its picture does.
    pub(crate) fn has(&self, id: &AlertId) -> (bool, bool) {
        (
            self.path(id, "json").exists(),
            self.path(id, "jpg").exists(),
        )
    }

    /// Removes the oldest ones so that the directory keeps its bounds when so many bytes more lie
    /// in it, and pictures that no alert has. `clock` says whether age may be counted. Says when
    /// the oldest of those that are left is too old.
    ///
    /// # Errors
    /// What the system says of the directory. A single file that cannot be removed is none: another
    /// watcher may just have done so.
    pub(crate) fn make_room(
        &self,
        bytes: u64,
        now: SystemTime,
        clock: Clock,
    ) -> io::Result<Option<SystemTime>> {
        let kept = index::kept(&self.directory)?;
        for orphan in kept.iter().filter(|kept| !kept.is_alert) {
            if bounds::age(orphan.changed, now) > ORPHAN_AFTER && clock == Clock::Steady {
                self.remove(&orphan.id);
            }
        }
        let surplus = bounds::surplus(&kept, bytes, &self.bounds, now, clock);
        for id in &surplus {
            self.remove(id);
        }
        let mut alerts = kept.iter().filter(|kept| kept.is_alert);
        // Those that had to go are the oldest.
        let oldest = alerts.nth(surplus.len());
        Ok(oldest.map(|oldest| self.expires(oldest.id.at())))
    }

    /// When an alert of that moment is too old.
    pub(crate) fn expires(&self, at: SystemTime) -> SystemTime {
        at.checked_add(self.bounds.age).unwrap_or(at)
    }

    /// Says whether there are alerts, and every one is too old.
    pub(crate) fn are_all_too_old(&self, now: SystemTime) -> bool {
        let kept = index::kept(&self.directory).unwrap_or_default();
        let newest = kept.iter().rev().find(|kept| kept.is_alert);
        newest.is_some_and(|newest| self.expires(newest.id.at()) <= now)
    }

    fn write_file(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let first = match files::replace(path, contents) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.directory)?;
                files::replace(path, contents)
            }
            first => first,
        };
        match first {
            Err(error) if files::is_for_want_of_room(&error) => {
                self.write_into_full(path, contents)
            }
            done => done,
        }
    }

    /// Removes the oldest alerts until the file has room; but no more than twice its size of them,
    /// for then it is somebody else who fills the disk, and all alerts would not be enough.
    fn write_into_full(&self, path: &Path, contents: &[u8]) -> io::Result<()> {
        let mut given = 0;
        let own = path.file_stem().and_then(|stem| stem.to_str());
        let kept = index::kept(&self.directory)?;
        for oldest in kept.iter().filter(|kept| Some(kept.id.as_str()) != own) {
            self.remove(&oldest.id);
            given += oldest.bytes;
            match files::replace(path, contents) {
                Err(error) if files::is_for_want_of_room(&error) => {}
                done => return done,
            }
            // What a small file takes of a disk is a block, 4 KiB with nearly all.
            if given > 2 * (contents.len() as u64).max(4096) {
                break;
            }
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Removes an alert: its JSON first, for that is it.
    fn remove(&self, id: &AlertId) {
        for ending in index::ENDINGS {
            // Another watcher may have done so.
            let _ = std::fs::remove_file(self.path(id, ending));
        }
    }

    fn path(&self, id: &AlertId, ending: &str) -> PathBuf {
        index::path(&self.directory, id, ending)
    }
}

/// Whether the wall's clock can be believed as to how old an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// It has gone like the other one for a while.
    Steady,
    /// It was set a short while ago, perhaps by years and perhaps wrongly.
    JustSet,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Kind;
    use std::time::UNIX_EPOCH;

    const BOUNDS: Bounds = Bounds {
        age: Duration::from_secs(3600),
        count: 3,
        bytes: 10_000,
    };

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000 + seconds)
    }

    fn alert(seconds: u64) -> Alert {
        Alert::new("door".parse().unwrap(), "parcel", Kind::Seen, at(seconds))
    }

    fn put(alerts: &Alerts, seconds: u64, jpeg_bytes: usize) -> Alert {
        let mut alert = alert(seconds);
        alerts.name(&mut alert);
        alerts
            .make_room(jpeg_bytes as u64, at(seconds), Clock::Steady)
            .ok();
        alerts
            .write_picture(&alert.id, &vec![0; jpeg_bytes])
            .unwrap();
        alerts.write(&alert).unwrap();
        alert
    }

    fn ids(alerts: &Alerts) -> Vec<String> {
        let kept = index::kept(alerts.directory()).unwrap();
        let alerts = kept.iter().rev().filter(|kept| kept.is_alert);
        alerts.map(|kept| kept.id.to_string()).collect()
    }

    #[test]
    fn the_oldest_give_way_to_the_newest() {
        let directory = tempfile::tempdir().unwrap();
        let alerts = Alerts::new(directory.path().join("alerts"), BOUNDS);
        let all: Vec<String> = (0..5)
            .map(|second| put(&alerts, second, 100).id.to_string())
            .collect();
        assert_eq!(ids(&alerts), [&all[4][..], &all[3], &all[2]]);
        let earlier = [Earlier {
            before: Duration::from_secs(1),
            jpeg: vec![0; 100].into(),
        }];
        let id = all[4].parse().unwrap();
        alerts.write_earlier(&id, &earlier).unwrap();
        let large = put(&alerts, 6, 9_700).id.to_string();
        assert_eq!(ids(&alerts), [large]);
        let files = std::fs::read_dir(alerts.directory()).unwrap().count();
        assert_eq!(files, 2, "pictures go with their alerts");
    }

    #[test]
    fn what_is_too_old_goes_unless_the_clock_was_just_set() {
        let directory = tempfile::tempdir().unwrap();
        let alerts = Alerts::new(directory.path().join("alerts"), BOUNDS);
        put(&alerts, 0, 100);
        alerts.make_room(0, at(4000), Clock::JustSet).unwrap();
        assert_eq!(ids(&alerts).len(), 1);
        alerts.make_room(0, at(4000), Clock::Steady).unwrap();
        assert_eq!(ids(&alerts).len(), 0);
    }

    #[test]
    fn no_two_alerts_have_one_name() {
        let directory = tempfile::tempdir().unwrap();
        let alerts = Alerts::new(directory.path().join("alerts"), BOUNDS);
        let (first, second) = (put(&alerts, 0, 100), put(&alerts, 0, 100));
        assert_ne!(first.id, second.id);
        assert_eq!(first.at, second.at);
        assert_eq!(ids(&alerts).len(), 2);
    }

    #[test]
    fn a_picture_without_an_alert_is_none_and_goes_after_a_while() {
        let directory = tempfile::tempdir().unwrap();
        let alerts = Alerts::new(directory.path().to_owned(), BOUNDS);
        let orphan = alert(0);
        alerts.write_picture(&orphan.id, b"jpeg").unwrap();
        assert_eq!(ids(&alerts).len(), 0);
        let now = SystemTime::now();
        alerts.make_room(0, now, Clock::Steady).unwrap();
        assert_eq!(alerts.has(&orphan.id), (false, true));
        let later = now + ORPHAN_AFTER + Duration::from_secs(1);
        alerts.make_room(0, later, Clock::Steady).unwrap();
        assert_eq!(alerts.has(&orphan.id), (false, false));
    }
}
