//! All cameras of this process, and the one inotify instance that serves them.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::rc::Rc;

use eyelid_config::Title;
use eyelid_daemon::pulse::Pulse;
use eyelid_daemon::readiness;
use eyelid_slot::{CameraName, Change, Changes, FRAME_FILE, STATE_FILE};
use indexmap::IndexMap;

use crate::camera::Camera;
use crate::need::{Need, Patience};
use crate::settings::Configured;
use crate::shown::Shown;

/// The slots directory and what is known of its cameras.
pub(crate) struct Slots {
    directory: PathBuf,
    configured: RefCell<IndexMap<CameraName, Configured>>,
    cameras: RefCell<BTreeMap<CameraName, Rc<Camera>>>,
    /// `None` where the kernel gives no inotify instance: then slots are polled while somebody looks.
    changes: Option<RefCell<Changes<CameraName>>>,
    complained: Cell<bool>,
}

impl Slots {
    /// Looks at the slots in `directory`. Cameras that are `configured` exist even before their slots do.
    pub(crate) fn new(directory: PathBuf, configured: IndexMap<CameraName, Configured>) -> Self {
        let changes = Changes::new()
            .inspect_err(|error| log::warn!("slots are polled while somebody looks: {error}"))
            .ok()
            .map(RefCell::new);
        Self {
            directory,
            configured: RefCell::new(configured),
            cameras: RefCell::default(),
            changes,
            complained: Cell::new(false),
        }
    }

    /// Gives the camera with this name, if there is one.
    pub(crate) fn camera(&self, name: &CameraName) -> Option<Rc<Camera>> {
        if let Some(camera) = self.cameras.borrow().get(name) {
            return Some(camera.clone());
        }
        let configured = self.configured.borrow().get(name).cloned();
        let is_configured = configured.is_some();
        let directory = configured
            .and_then(|configured| configured.slot)
            .unwrap_or_else(|| name.directory(&self.directory));
        let is_there = || fs::symlink_metadata(&directory).is_ok_and(|metadata| metadata.is_dir());
        let exists = is_configured
            || if name.is_default() {
                self.names().contains(name)
            } else {
                is_there()
            };
        if !exists {
            return None;
        }
        let camera = Rc::new(Camera::new(name.clone(), directory));
        self.cameras
            .borrow_mut()
            .insert(name.clone(), camera.clone());
        Some(camera)
    }

    /// Takes other cameras for configured. One that somebody looks at keeps its slot.
    pub(crate) fn reconfigure(&self, configured: IndexMap<CameraName, Configured>) {
        self.configured.replace(configured);
        let mut cameras = self.cameras.borrow_mut();
        cameras.retain(|_, camera| camera.viewers() > 0);
    }

    /// Gives how people call a camera, as far as the configuration says.
    pub(crate) fn title(&self, name: &CameraName) -> Option<Title> {
        self.configured.borrow().get(name)?.title.clone()
    }

    /// Gives the names of all cameras: those that are configured in their order, then those that have a slot, by name. The
    /// default one comes before these where it is not configured: if it has a slot, or there is no other.
    pub(crate) fn names(&self) -> Vec<CameraName> {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        let configured: Vec<CameraName> = self.configured.borrow().keys().cloned().collect();
        let mut found: BTreeSet<CameraName> = entries
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|name| !configured.contains(name))
            .collect();
        let default = CameraName::default();
        let is_alone = configured.is_empty() && found.is_empty();
        let has_slot = found.remove(&default)
            || [FRAME_FILE, STATE_FILE]
                .iter()
                .any(|file| self.directory.join(file).exists());
        let has_default = !configured.contains(&default) && (is_alone || has_slot);
        let default = has_default.then_some(default);
        default.into_iter().chain(configured).chain(found).collect()
    }

    /// Lets one client look at a camera.
    pub(crate) fn view(self: &Rc<Self>, camera: Rc<Camera>) -> View {
        if camera.enter() {
            self.watch(&camera);
        }
        View {
            slots: self.clone(),
            camera,
        }
    }

    /// Hands on what inotify tells, until the process ends. Waits for inotify and the watchdog only; with nobody looking,
    /// nothing is watched and nothing comes.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(crate) async fn run(&self, pulse: &Pulse) -> io::Result<()> {
        let Some(changes) = &self.changes else {
            loop {
                pulse.answer().await;
            }
        };
        let descriptor = readiness::readable(changes.borrow().as_fd().try_clone_to_owned()?)?;
        loop {
            let mut ready = tokio::select! {
                ready = descriptor.readable() => ready?,
                () = pulse.answer() => continue,
            };
            let news = changes.borrow_mut().read()?;
            ready.clear_ready();
            for change in news {
                self.hand_on(change);
            }
        }
    }

    fn hand_on(&self, change: Change<CameraName>) {
        let camera = |name: &CameraName| self.cameras.borrow().get(name).cloned();
        match change {
            Change::Frame(name) => camera(&name).iter().for_each(|camera| camera.renamed()),
            Change::State(name) => camera(&name)
                .iter()
                .for_each(|camera| camera.state_changed()),
            Change::Lost(name) => camera(&name)
                .iter()
                .for_each(|camera| camera.look_again(false)),
            Change::Anything => {
                self.cameras
                    .borrow()
                    .values()
                    .for_each(|camera| camera.look_again(camera.is_watched()));
            }
        }
    }

    fn watch(&self, camera: &Camera) {
        let watched = match &self.changes {
            None => false,
            Some(changes) => match changes
                .borrow_mut()
                .add(camera.name.clone(), &camera.directory)
            {
                Ok(()) => true,
                Err(error) => {
                    if !self.complained.replace(true) {
                        log::warn!("{error}; looking for it while somebody waits");
                    }
                    false
                }
            },
        };
        if watched {
            self.complained.set(false);
        }
        if watched != camera.is_watched() {
            camera.look_again(watched);
        }
    }

    fn unwatch(&self, camera: &Camera) {
        if let Some(changes) = &self.changes {
            changes.borrow_mut().remove(&camera.name);
        }
    }
}

/// A client's look at a camera. While any is alive, the slot is watched.
pub(crate) struct View {
    slots: Rc<Slots>,
    /// The camera.
    pub(crate) camera: Rc<Camera>,
}

impl View {
    /// Waits for a frame; see [`Camera::frame`].
    ///
    /// # Errors
    /// Why there is none, for people.
    pub(crate) async fn frame(&self, need: Need, patience: Patience) -> Result<Rc<Shown>, String> {
        self.camera
            .frame(need, patience, |camera| self.slots.watch(camera))
            .await
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if self.camera.leave() {
            self.slots.unwatch(&self.camera);
        }
    }
}
