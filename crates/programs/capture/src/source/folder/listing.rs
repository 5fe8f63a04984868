//! What lies in the folder.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::candidate::is_picture;

/// What tells two states of a file apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) modified: SystemTime,
    pub(super) bytes: u64,
    inode: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            bytes: metadata.size(),
            inode: metadata.ino(),
        }
    }
}

/// The pictures in a folder.
#[derive(Debug)]
pub(super) struct Listing(Vec<(OsString, Stamp)>);

impl Listing {
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut pictures = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name();
            // What is deleted between the two calls is no picture any more.
            if is_picture(&name)
                && let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                pictures.push((name, Stamp::of(&metadata)));
            }
        }
        Ok(Self(pictures))
    }

    /// The newest picture that is not excluded.
    pub(super) fn newest(
        &self,
        excluded: impl Fn(&OsStr, &Stamp) -> bool,
    ) -> Option<(OsString, Stamp)> {
        let candidates = self.0.iter().filter(|(name, stamp)| !excluded(name, stamp));
        candidates
            .max_by_key(|(name, stamp)| (stamp.modified, name))
            .cloned()
    }

    /// The pictures from before a moment, without the newest of all.
    pub(super) fn older_than(&self, moment: SystemTime) -> Vec<&OsStr> {
        let newest = self.newest(|_, _| false).map(|(name, _)| name);
        self.0
            .iter()
            .filter(|(name, stamp)| stamp.modified < moment && Some(name) != newest.as_ref())
            .map(|(name, _)| name.as_os_str())
            .collect()
    }
}

/// How often to look for pictures older than this: a folder of thousands is not listed for a few
/// more at a time.
pub(super) fn delete_interval(limit: Duration) -> Duration {
    (limit / 10).clamp(Duration::from_secs(1), Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn finds_the_newest_picture_and_the_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let epoch = SystemTime::UNIX_EPOCH;
        for (name, seconds) in [("a.jpg", 30), ("b.PNG", 50), ("c.jpeg", 10), ("d.txt", 90)] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(epoch + Duration::from_secs(seconds))
                .unwrap();
        }
        fs::create_dir(folder.path().join("e.jpg")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("f.jpg")).unwrap();
        let listing = Listing::read(folder.path()).unwrap();
        assert_eq!(listing.newest(|_, _| false).unwrap().0, "b.PNG");
        assert_eq!(
            listing.newest(|name, _| name == "b.PNG").unwrap().0,
            "a.jpg"
        );
        assert_eq!(
            listing.older_than(epoch + Duration::from_secs(30)),
            ["c.jpeg"]
        );
        let mut old = listing.older_than(SystemTime::now());
        old.sort();
        assert_eq!(old, ["a.jpg", "c.jpeg"], "never the newest");
    }
}
