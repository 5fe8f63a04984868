//! Which cameras are shared: those that there are, or that were named.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_consumer::{Camera, Cameras, Configured};
use eyelid_slot::{CameraName, Reader};
use sha2::{Digest, Sha256};

use crate::FETCHED;
use crate::settings::ShareSettings;

/// For how long a listing is good: strangers ask, and a directory of thousands takes a while.
const GOOD: Duration = Duration::from_secs(1);

/// The cameras that are shared.
pub(super) struct Roster {
    cameras: Rc<Cameras>,
    slots: PathBuf,
    only: BTreeSet<CameraName>,
    max_cameras: usize,
    listed: Option<(Instant, Rc<Listing>)>,
}

/// Those that there were when somebody looked.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) cameras: BTreeSet<CameraName>,
    /// Another number for other cameras.
    pub(super) revision: u64,
}

impl Roster {
    pub(super) fn new(settings: &ShareSettings) -> Self {
        let cameras = Cameras::new(settings.slots.clone(), named(settings), ());
        Self {
            cameras: Rc::new(cameras),
            slots: settings.slots.clone(),
            only: settings.only.iter().cloned().collect(),
            max_cameras: settings.max_cameras,
            listed: None,
        }
    }

    /// Shares what is named now, and as many as may be.
    pub(super) fn reconfigure(&mut self, settings: &ShareSettings) {
        self.cameras.reconfigure(named(settings));
        self.only = settings.only.iter().cloned().collect();
        self.max_cameras = settings.max_cameras;
        self.listed = None;
    }

    /// The cameras of the slots directory, shared or not.
    pub(super) fn cameras(&self) -> &Rc<Cameras> {
        &self.cameras
    }

    /// Gives a camera, if it is shared.
    pub(super) fn camera(&self, name: &CameraName) -> Option<Rc<Camera>> {
        self.is_shared(name)
            .then(|| self.cameras.camera(name))
            .flatten()
    }

    /// Says whether a camera is shared, if there is one of this name.
    pub(super) fn is_shared(&self, name: &CameraName) -> bool {
        if self.only.is_empty() {
            !self.is_fetched(name)
        } else {
            self.only.contains(name)
        }
    }

    /// Says whether a camera is another host's, fetched into the same directory: two hosts that
    /// share and fetch all would hand each other's cameras to and fro. The slot of one has a dot in
    /// its name, and says so in its state.
    fn is_fetched(&self, name: &CameraName) -> bool {
        let state = || Reader::new(&name.directory(&self.slots)).state();
        let source = || state()?.source;
        name.as_str().contains('.') && source().is_some_and(|source| source.starts_with(FETCHED))
    }

    /// Gives all that are shared, by their names, as many as may be. Opens no frame.
    pub(super) fn list(&mut self, now: Instant) -> Rc<Listing> {
        if let Some((when, listing)) = &self.listed
            && now.duration_since(*when) < GOOD
        {
            return listing.clone();
        }
        let names = self.cameras.names().into_iter();
        let shared = names.filter(|name| self.is_shared(name));
        let listing = Rc::new(Listing::of(shared.take(self.max_cameras).collect()));
        self.listed = Some((now, listing.clone()));
        listing
    }
}

/// Those that are named are there before their slots are.
fn named(settings: &ShareSettings) -> Configured {
    let only = settings.only.iter();
    only.map(|name| (name.clone(), None)).collect()
}

impl Listing {
    fn of(cameras: BTreeSet<CameraName>) -> Self {
        let mut digest = Sha256::new();
        for camera in &cameras {
            digest.update(camera.as_str());
            digest.update([0]);
        }
        let digest = digest.finalize();
        let first = digest.first_chunk().copied().unwrap_or_default();
        Self {
            cameras,
            revision: u64::from_be_bytes(first),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::SystemTime;

    use eyelid_slot::{Phase, State};

    use super::*;
    use crate::settings::BrokerSettings;

    fn settings(only: &[&str]) -> (tempfile::TempDir, ShareSettings) {
        let directory = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let settings = ShareSettings {
            broker: BrokerSettings::default(),
            slots: directory.path().to_owned(),
            host: "pi".parse().unwrap(),
            only: only.iter().map(|name| name.parse().unwrap()).collect(),
            max_cameras: 100,
        };
        (directory, settings)
    }

    fn names(listing: &Listing) -> Vec<&str> {
        listing.cameras.iter().map(CameraName::as_str).collect()
    }

    #[test]
    fn all_are_shared_or_those_that_are_named() {
        let now = Instant::now();
        let (_directory, all) = settings(&[]);
        let mut roster = Roster::new(&all);
        let listing = roster.list(now);
        assert_eq!(names(&listing), ["a", "b", "c"]);
        assert!(roster.camera(&"a".parse().unwrap()).is_some());
        assert!(roster.camera(&"x".parse().unwrap()).is_none());
        let (_directory, some) = settings(&["b", "later"]);
        let mut roster = Roster::new(&some);
        let other = roster.list(now);
        assert_eq!(names(&other), ["b", "later"]);
        assert!(roster.camera(&"a".parse().unwrap()).is_none());
        assert_ne!(other.revision, listing.revision);
    }

    #[test]
    fn what_was_fetched_is_not_shared_unless_it_is_named() {
        let now = Instant::now();
        let (directory, all) = settings(&[]);
        for (name, source) in [("far.door", "relay:far.door"), ("a.b", "test")] {
            let slot = directory.path().join(name);
            fs::create_dir(&slot).unwrap();
            let mut state = State::new(Phase::Asleep, SystemTime::now());
            state.source = Some(source.to_owned());
            fs::write(slot.join("state.json"), state.to_json()).unwrap();
        }
        let mut roster = Roster::new(&all);
        assert_eq!(names(&roster.list(now)), ["a", "a.b", "b", "c"]);
        let far: CameraName = "far.door".parse().unwrap();
        assert!(roster.camera(&far).is_none());
        let named = ShareSettings {
            only: vec![far.clone()],
            ..all
        };
        assert!(Roster::new(&named).camera(&far).is_some());
    }

    #[test]
    fn a_new_slot_is_seen_a_second_later_and_no_more_than_allowed() {
        let now = Instant::now();
        let (directory, all) = settings(&[]);
        let mut roster = Roster::new(&ShareSettings {
            max_cameras: 3,
            ..all
        });
        let before = roster.list(now);
        fs::create_dir(directory.path().join("aa")).unwrap();
        assert_eq!(roster.list(now), before);
        let after = roster.list(now + GOOD);
        assert_eq!(names(&after), ["a", "aa", "b"]);
        assert_ne!(after.revision, before.revision);
    }
}
