//! A slot with a producer that does as it is told, for tests.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use eyelid_consumer::{Camera, Cameras, Configured, Deadline, Freshness, Position, SharedFrame};
use eyelid_daemon::pulse::Pulse;
use eyelid_slot::{CameraName, Phase, Publisher, State};
use tempfile::TempDir;

use crate::part::{HeaderTiming, Part, PartHeaders, RenditionHeader};

/// How long tests wait for frames.
pub(crate) const DEADLINE: Deadline = Deadline {
    timeout: Duration::from_secs(1),
    max_age: Duration::from_secs(2),
};

/// What most clients get.
pub(crate) const PLAIN: PartHeaders = PartHeaders {
    timing: HeaderTiming::WithFrame,
    rendition: RenditionHeader::LeftOut,
};

/// A slot, and the camera that it is to the clients of this process.
pub(crate) struct Slot {
    _directory: TempDir,
    pub(crate) publisher: Publisher,
    pub(crate) cameras: Rc<Cameras>,
}

impl Slot {
    /// An empty slot of a camera that is awake.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut publisher = Publisher::open(directory.path()).unwrap();
        let awake = State::new(Phase::Awake, SystemTime::now());
        publisher.set_state(&awake).unwrap();
        let slots = directory.path().to_owned();
        Self {
            publisher,
            cameras: Rc::new(Cameras::new(slots, Configured::new(), Part)),
            _directory: directory,
        }
    }

    /// Its camera.
    pub(crate) fn camera(&self) -> Rc<Camera> {
        self.cameras.camera(&CameraName::default()).unwrap()
    }

    /// Hands on what inotify tells, for as long as the test's tasks run.
    pub(crate) fn watch(&self) {
        let cameras = self.cameras.clone();
        tokio::task::spawn_local(async move { cameras.run(&Pulse::default()).await.unwrap() });
    }

    /// Publishes a frame of so many bytes, captured now.
    pub(crate) fn publish(&mut self, bytes: usize) {
        let mut jpeg = vec![0; bytes];
        jpeg[..2].copy_from_slice(&[0xFF, 0xD8]);
        jpeg[bytes - 2..].copy_from_slice(&[0xFF, 0xD9]);
        self.publisher.publish(&jpeg, SystemTime::now()).unwrap();
    }

    /// Publishes so many frames, and reads each as a client does.
    pub(crate) async fn frames(&mut self, count: usize, bytes: usize) -> Vec<Rc<SharedFrame>> {
        self.watch();
        let view = self.cameras.view(self.camera(), None);
        let (mut frames, mut seen) = (Vec::new(), Position::default());
        for _ in 0..count {
            self.publish(bytes);
            let frame = view.frame(Freshness::NewerThan(seen), DEADLINE).await;
            let frame = frame.unwrap();
            seen = frame.position();
            frames.push(frame);
        }
        frames
    }
}
