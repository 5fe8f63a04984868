//! All cameras that push to this process, and their slots: many on one inotify instance.

use std::cell::{Cell, RefCell};
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use eyelid_daemon::pulse::Pulse;
use eyelid_daemon::readiness;
use eyelid_daemon::timer::at;
use eyelid_picture::Tables;
use eyelid_producer::{Driver, DriverId, DriverOptions, Precedence, Producers, Rendered, Rest};
use eyelid_slot::{CameraName, Publisher, SlotLock};
use indexmap::IndexMap;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::buffers::Buffers;
use crate::camera::Camera;
use crate::decoding::{Decoder, Turns};
use crate::intake::{Frame, Intake};
use crate::settings::CameraSettings;
use crate::slots::{clear, lock};
use crate::source::PushSource;

/// The key of `state.json` that says what is known of the camera beside its frames.
const KEY: &str = "push";

/// How often that is written while somebody looks.
const TELL: Duration = Duration::from_secs(2);

/// Renditions that are being made, and whose.
type Rendering = (DriverId, JoinHandle<Rendered>);

/// All of them.
pub(crate) struct Cameras {
    producers: RefCell<Producers<PushSource>>,
    cameras: RefCell<IndexMap<CameraName, Rc<Camera>>>,
    /// Something has happened that [`Cameras::run`] does not wait for.
    changed: Notify,
    /// Until when it sleeps.
    wake_at: Cell<Option<Instant>>,
    /// The slots say that their cameras are asleep, and nothing is written any more.
    has_ended: Cell<bool>,
    /// A thread makes renditions.
    is_rendering: Cell<bool>,
    /// Whose pictures are decoded.
    turns: Turns,
    /// Where frames lie.
    buffers: Buffers,
}

impl Cameras {
    /// Opens the slots. A camera whose slot cannot be used harms no other: the log tells of it, and
    /// it is not there.
    ///
    /// # Errors
    /// What inotify said, or why none of the slots can be used.
    pub(crate) fn new(settings: IndexMap<CameraName, CameraSettings>) -> anyhow::Result<Self> {
        let cameras = Self {
            producers: RefCell::new(Producers::new()?),
            cameras: RefCell::default(),
            changed: Notify::new(),
            wake_at: Cell::default(),
            has_ended: Cell::default(),
            is_rendering: Cell::default(),
            turns: Turns::default(),
            buffers: Buffers::default(),
        };
        let is_wanted = !settings.is_empty();
        let until = Instant::now() + SlotLock::HANDOVER;
        for (name, settings) in settings {
            if let Err(error) = cameras.add(name.clone(), settings, until) {
                log::error!("camera {:?} cannot push: {error:#}", name.as_str());
            }
        }
        if is_wanted && cameras.cameras.borrow().is_empty() {
            anyhow::bail!("no camera has a slot that can be used");
        }
        Ok(cameras)
    }

    /// Gives a camera.
    pub(crate) fn camera(&self, name: &CameraName) -> Option<Rc<Camera>> {
        self.cameras.borrow().get(name).cloned()
    }

    /// Gives all of them, in the order of the configuration.
    pub(crate) fn all(&self) -> Vec<Rc<Camera>> {
        self.cameras.borrow().values().cloned().collect()
    }

    /// Takes these cameras instead. Those that stay keep their slots, and their connections unless
    /// a token that was good is so no longer; those that go lose both. A camera whose new slot
    /// cannot be used stays as it was, and the log tells of it.
    pub(crate) fn reconfigure(&self, settings: IndexMap<CameraName, CameraSettings>) {
        for camera in self.all() {
            if !settings.contains_key(&camera.name) {
                camera.intake.release();
                self.producers.borrow_mut().remove(camera.driver());
                self.cameras.borrow_mut().shift_remove(&camera.name);
                clear(&camera.name, &camera.settings().slot);
                camera.set_slot_lock(None);
            }
        }
        for (name, settings) in settings {
            let changed = match self.camera(&name) {
                Some(camera) => self.change(&camera, settings),
                None => self.add(name.clone(), settings, Instant::now()),
            };
            if let Err(error) = changed {
                log::error!(
                    "camera {:?}: its change is not used: {error:#}",
                    name.as_str()
                );
            }
        }
        self.changed.notify_one();
    }

    /// Adds a camera. A process that has its slot and is about to end is waited for until then.
    fn add(
        &self,
        name: CameraName,
        settings: CameraSettings,
        until: Instant,
    ) -> anyhow::Result<()> {
        let intake = Rc::new(Intake::default());
        // Makes the directory, and that in which the lock is to lie.
        let publisher = self.producers.borrow().open(&settings.slot)?;
        let slot_lock = lock(&settings, until)?;
        let driver = self.drive(&name, &settings, publisher, intake.clone());
        let camera = Camera::new(name.clone(), intake, settings, driver, slot_lock);
        let camera = Rc::new(camera);
        self.tell(&camera);
        self.cameras.borrow_mut().insert(name, camera);
        Ok(())
    }

    fn change(&self, camera: &Camera, settings: CameraSettings) -> anyhow::Result<()> {
        let before = camera.settings();
        if (&before.slot, before.linger) != (&settings.slot, settings.linger) {
            // Before the old slot is left: one that cannot be used changes nothing.
            let moved = (before.slot != settings.slot)
                .then(|| self.producers.borrow().open(&settings.slot))
                .transpose()?;
            let slot_lock = moved
                .is_some()
                .then(|| lock(&settings, Instant::now()))
                .transpose()?;
            let kept = self.producers.borrow_mut().remove(camera.driver());
            if let Some(slot_lock) = slot_lock {
                clear(&camera.name, &before.slot);
                camera.set_slot_lock(slot_lock);
            }
            let publisher = moved.or(kept).context("the camera has no slot")?;
            let driver = self.drive(&camera.name, &settings, publisher, camera.intake.clone());
            camera.set_driver(driver);
            self.tell(camera);
        }
        if before.revokes(&settings, &camera.name) {
            camera.intake.release();
        }
        camera.set_settings(settings);
        Ok(())
    }

    fn drive(
        &self,
        name: &CameraName,
        settings: &CameraSettings,
        publisher: Publisher,
        intake: Rc<Intake>,
    ) -> DriverId {
        let options = DriverOptions {
            tables: Tables::Standard,
            log_name: format!("camera {:?}", name.as_str()),
            shown_source: "push".to_owned(),
            max_fps: None,
            linger: settings.linger,
            rest: Rest::Frame,
            precedence: Precedence::Own,
        };
        let source = PushSource::new(intake);
        let driver = Driver::new(options, publisher, source, Instant::now());
        self.producers.borrow_mut().add(driver)
    }

    /// What decodes the pictures of a connection.
    pub(crate) fn decoder(&self) -> Decoder {
        Decoder::new(self.turns.clone())
    }

    /// Where their frames lie.
    pub(crate) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    /// A frame of a camera is there: publishes it if somebody wishes for it, else keeps it at hand.
    pub(crate) fn put(&self, camera: &Camera, frame: Frame) {
        let before = camera.intake.put(frame);
        if !camera.intake.is_connected() {
            self.tell(camera);
        }
        self.step_one(camera);
        if let Some(before) = before.and_then(Rc::into_inner) {
            self.buffers.give(before.picture.jpeg);
        }
    }

    /// Does for one camera what there is to do, now that something of it has come or gone.
    fn step_one(&self, camera: &Camera) {
        // What comes while connections say goodbye must not wake the camera again.
        if self.has_ended.get() {
            return;
        }
        let mut producers = self.producers.borrow_mut();
        let stepped = producers.step_one(camera.driver(), Instant::now());
        let wake_at = self.wake_at.get();
        let is_in_time = match stepped {
            Ok(due) => due.is_none_or(|at| wake_at.is_some_and(|wake_at| wake_at <= at)),
            // It is met again there, and ends the process.
            Err(_) => false,
        };
        let has_job = producers.wants_job() && !self.is_rendering.get();
        if !is_in_time || has_job {
            self.changed.notify_one();
        }
    }

    /// A connection of the camera has come or gone: its slot says so.
    pub(crate) fn connection_changed(&self, camera: &Camera) {
        self.tell(camera);
        self.step_one(camera);
    }

    fn tell(&self, camera: &Camera) {
        let report = serde_json::to_value(camera.intake.report(Instant::now()));
        let mut producers = self.producers.borrow_mut();
        if let (Some(driver), Ok(report)) = (producers.get_mut(camera.driver()), report) {
            driver.tell(KEY, report);
        }
    }

    /// Does what readers of the slots want, until the process ends. With nobody looking and nothing
    /// coming it sleeps.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(crate) async fn run(&self, pulse: &Pulse) -> anyhow::Result<()> {
        let inotify = self.inotify().context("cannot wait for readers")?;
        let mut tell_at = Instant::now();
        let mut rendering: Option<Rendering> = None;
        let mut has_happened = true;
        loop {
            let now = Instant::now();
            let has_news = |camera: &Rc<Camera>| camera.intake.has_news(now);
            let has_news = self.cameras.borrow().values().any(has_news);
            if has_news && now >= tell_at {
                self.tell_news(now);
                tell_at = now + TELL;
            }
            // While frames come, what was due has often been put off.
            if std::mem::replace(&mut has_happened, false) || self.is_due() {
                self.step().context("cannot read inotify")?;
            }
            let deadline = self.producers.borrow().deadline();
            let wake_at = deadline
                .into_iter()
                .chain(has_news.then_some(tell_at))
                .min();
            self.wake_at.set(wake_at);
            if rendering.is_none() {
                rendering = self.next_job();
            }
            self.is_rendering.set(rendering.is_some());
            tokio::select! {
                (id, rendered) = finished(&mut rendering) => {
                    self.producers.borrow_mut().finish_job(id, rendered, Instant::now());
                }
                ready = inotify.readable() => {
                    ready?.clear_ready();
                    has_happened = true;
                }
                () = self.changed.notified() => has_happened = true,
                () = at(wake_at.map(Into::into)) => {}
                () = pulse.answer() => {}
            }
        }
    }

    /// Makes renditions of the camera whose turn it is, in a thread of their own: a large picture
    /// takes longer than a frame of any other camera may wait.
    fn next_job(&self) -> Option<Rendering> {
        let (id, job) = self.producers.borrow_mut().take_job(Instant::now())?;
        Some((id, spawn_blocking(move || job.run())))
    }

    /// Does what readers want, and what is due.
    fn step(&self) -> io::Result<()> {
        self.producers.borrow_mut().step_slots(Instant::now())
    }

    fn is_due(&self) -> bool {
        let deadline = self.producers.borrow().deadline();
        deadline.is_some_and(|at| at <= Instant::now())
    }

    fn tell_news(&self, now: Instant) {
        let cameras = self.all();
        let with_news = cameras.iter().filter(|camera| camera.intake.has_news(now));
        with_news.for_each(|camera| self.tell(camera));
    }

    fn inotify(&self) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
        let producers = self.producers.borrow();
        let descriptors = producers.descriptors();
        // Its sources have none of their own.
        let inotify = descriptors.first().ok_or(io::ErrorKind::NotFound)?;
        let inotify = inotify.try_clone_to_owned()?;
        readiness::readable(inotify)
    }

    /// Lets the connections go, and leaves in the slots what came last, and that the cameras are
    /// asleep.
    pub(crate) fn end(&self) {
        for camera in self.all() {
            camera.intake.release();
            self.tell(&camera);
        }
        let mut producers = self.producers.borrow_mut();
        let now = Instant::now();
        producers
            .drivers()
            .for_each(|driver| driver.publish_newest(now));
        producers.end();
        // The next one may have the slots before the last connection has said goodbye.
        for camera in self.cameras.borrow().values() {
            camera.set_slot_lock(None);
        }
        self.has_ended.set(true);
    }
}

/// Waits until the renditions are made. It is safe to drop.
async fn finished(rendering: &mut Option<Rendering>) -> (DriverId, Option<Rendered>) {
    let Some((id, made)) = rendering else {
        return std::future::pending().await;
    };
    // It ends in another way only if it panics, which is a fault of ours.
    let finished = (*id, made.await.ok());
    *rendering = None;
    finished
}
