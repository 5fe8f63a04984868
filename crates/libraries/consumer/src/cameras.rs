//! All cameras of this process: which there are, and what inotify tells of them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;

use eyelid_daemon::pulse::Pulse;
use eyelid_daemon::readiness;
use eyelid_slot::{CameraName, Change, FRAME_FILE, STATE_FILE};
use indexmap::IndexMap;

use crate::tracker::Watching;
use crate::watches::Watches;
use crate::{Camera, Envelope, RateCap, View};

/// So many cameras are kept at least that were looked at: those that nobody looks at any more are
/// forgotten when there are twice as many as were looked at the last time.
const KEPT: usize = 64;

/// The cameras that exist even before their slots do, in their order; each with its slot, where
/// that is not the usual one.
pub type Configured = IndexMap<CameraName, Option<PathBuf>>;

/// The slots directory and what is known of its cameras.
pub struct Cameras {
    directory: PathBuf,
    envelope: Rc<dyn Envelope>,
    configured: RefCell<Configured>,
    /// Those that somebody has asked for. Slots may come and go for as long as this process runs.
    cameras: RefCell<BTreeMap<CameraName, Rc<Camera>>>,
    /// How many of them there are when some are to be forgotten.
    forget_at: Cell<usize>,
    watches: Rc<Watches>,
}

impl Cameras {
    /// Looks at the slots in `directory`, and those that are `configured`. Frames are read into the
    /// `envelope`.
    pub fn new(
        directory: PathBuf,
        configured: Configured,
        envelope: impl Envelope + 'static,
    ) -> Self {
        Self {
            directory,
            envelope: Rc::new(envelope),
            configured: RefCell::new(configured),
            cameras: RefCell::default(),
            forget_at: Cell::new(KEPT),
            watches: Rc::new(Watches::new()),
        }
    }

    /// Gives the camera with this name, if there is one.
    pub fn camera(&self, name: &CameraName) -> Option<Rc<Camera>> {
        if let Some(camera) = self.cameras.borrow().get(name) {
            return Some(camera.clone());
        }
        let camera = self.glance(name)?;
        let mut cameras = self.cameras.borrow_mut();
        if cameras.len() >= self.forget_at.get() {
            // Nobody else has them, so nobody looks, and nothing is known of them.
            cameras.retain(|_, camera| Rc::strong_count(camera) > 1);
            self.forget_at.set(KEPT.max(2 * cameras.len()));
        }
        cameras.insert(name.clone(), camera.clone());
        Some(camera)
    }

    /// Gives the camera with this name, if there is one, to read what is known of it. Costs nothing
    /// after that, unlike [`Cameras::camera`]: lists are made of it.
    pub fn glance(&self, name: &CameraName) -> Option<Rc<Camera>> {
        if let Some(camera) = self.cameras.borrow().get(name) {
            return Some(camera.clone());
        }
        let configured = self.configured.borrow().get(name).cloned();
        let is_configured = configured.is_some();
        let directory = configured
            .flatten()
            .unwrap_or_else(|| name.directory(&self.directory));
        let is_there = || fs::symlink_metadata(&directory).is_ok_and(|metadata| metadata.is_dir());
        let exists = is_configured
            || match name.is_default() {
                true => self.has_default_slot() || self.has_no_other(),
                false => is_there(),
            };
        exists.then(|| Rc::new(Camera::new(name.clone(), directory, self.envelope.clone())))
    }

    /// Takes other cameras for configured. One that somebody looks at keeps its slot.
    pub fn reconfigure(&self, configured: Configured) {
        self.configured.replace(configured);
        let mut cameras = self.cameras.borrow_mut();
        cameras.retain(|_, camera| camera.viewers() > 0);
    }

    /// Gives the names of all cameras: those that are configured in their order, then those that
    /// have a slot, by name. The default one comes before these where it is not configured: if it
    /// has a slot, or there is no other.
    pub fn names(&self) -> Vec<CameraName> {
        let configured = self.configured.borrow();
        let mut found: BTreeSet<CameraName> = self
            .slots()
            .filter(|name| !configured.contains_key(name))
            .collect();
        let default = CameraName::default();
        let is_alone = configured.is_empty() && found.is_empty();
        let has_slot = found.remove(&default) || self.has_default_slot();
        let has_default = !configured.contains_key(&default) && (is_alone || has_slot);
        let default = has_default.then_some(default);
        let configured = configured.keys().cloned();
        default.into_iter().chain(configured).chain(found).collect()
    }

    /// The names of all directories among the slots that are cameras' names, in any order.
    fn slots(&self) -> impl Iterator<Item = CameraName> {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    }

    /// Says whether the slots directory is itself a slot, or has one for the default camera.
    fn has_default_slot(&self) -> bool {
        let is_directory = |path: PathBuf| fs::symlink_metadata(path).is_ok_and(|it| it.is_dir());
        [FRAME_FILE, STATE_FILE]
            .iter()
            .any(|file| self.directory.join(file).exists())
            || is_directory(self.directory.join(CameraName::default().as_str()))
    }

    /// Says whether there is no camera but the default one.
    fn has_no_other(&self) -> bool {
        self.configured.borrow().is_empty() && self.slots().next().is_none()
    }

    /// Lets one client look at a camera, with its own limit to the rate of its frames if it has
    /// one.
    pub fn view(&self, camera: Rc<Camera>, cap: Option<RateCap>) -> View {
        View::new(self.watches.clone(), camera, cap)
    }

    /// Hands on what inotify tells, until the process ends. Waits for inotify and the watchdog
    /// only; with nobody looking, nothing is watched and nothing comes.
    ///
    /// # Errors
    /// What reading inotify said.
    pub async fn run(&self, pulse: &Pulse) -> io::Result<()> {
        let Some(descriptor) = self.watches.descriptor()? else {
            loop {
                pulse.answer().await;
            }
        };
        let descriptor = readiness::readable(descriptor)?;
        loop {
            let mut ready = tokio::select! {
                ready = descriptor.readable() => ready?,
                () = pulse.answer() => continue,
            };
            let changes = self.watches.read()?;
            ready.clear_ready();
            for change in changes {
                self.hand_on(change);
            }
        }
    }

    fn hand_on(&self, change: Change<CameraName>) {
        let camera = |name: &CameraName| self.cameras.borrow().get(name).cloned();
        match change {
            Change::Frame(name) => {
                if let Some(camera) = camera(&name) {
                    camera.frame_arrived();
                }
            }
            Change::Rendition(name, rendition) => {
                if let Some(camera) = camera(&name) {
                    camera.rendition_arrived(rendition);
                }
            }
            Change::State(name) => {
                if let Some(camera) = camera(&name) {
                    camera.state_changed();
                }
            }
            Change::Lost(name) => {
                if let Some(camera) = camera(&name) {
                    camera.anything_changed(Watching::Polling);
                }
            }
            Change::Anything => {
                for camera in self.cameras.borrow().values() {
                    camera.anything_changed(camera.watching());
                }
            }
        }
    }
}
