//! One camera that may push: its settings, and what all of its connections share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use eyelid_daemon::LogLimit;
use eyelid_producer::DriverId;
use eyelid_slot::{CameraName, SlotLock};

use crate::intake::Intake;
use crate::settings::CameraSettings;

/// How many lines the log gets of a camera's connections.
const LINES: u32 = 6;
const LINES_PERIOD: Duration = Duration::from_secs(60);

/// How many bodies of one camera are read at once: each holds a picture.
const MOST_POSTS: usize = 2;

/// A camera that may push.
pub(crate) struct Camera {
    /// Its name.
    pub(crate) name: CameraName,
    /// What it has sent.
    pub(crate) intake: Rc<Intake>,
    settings: RefCell<Rc<CameraSettings>>,
    driver: Cell<DriverId>,
    /// The slot is this process's alone, as long as this is there.
    slot_lock: RefCell<Option<SlotLock>>,
    /// How many bodies of its are read now.
    posts: Cell<usize>,
    logged: LogLimit,
}

impl Camera {
    /// A camera whose slot this driver fills from `intake`.
    pub(crate) fn new(
        name: CameraName,
        intake: Rc<Intake>,
        settings: CameraSettings,
        driver: DriverId,
        slot_lock: Option<SlotLock>,
    ) -> Self {
        Self {
            name,
            intake,
            settings: RefCell::new(Rc::new(settings)),
            driver: Cell::new(driver),
            slot_lock: RefCell::new(slot_lock),
            posts: Cell::default(),
            logged: LogLimit::new(LINES, LINES_PERIOD),
        }
    }

    /// What the configuration says of it now.
    pub(crate) fn settings(&self) -> Rc<CameraSettings> {
        self.settings.borrow().clone()
    }

    /// The configuration says something else now.
    pub(crate) fn set_settings(&self, settings: CameraSettings) {
        self.settings.replace(Rc::new(settings));
    }

    /// What fills its slot.
    pub(crate) fn driver(&self) -> DriverId {
        self.driver.get()
    }

    /// Something else fills its slot.
    pub(crate) fn set_driver(&self, driver: DriverId) {
        self.driver.set(driver);
    }

    /// It has another slot, or none any more.
    pub(crate) fn set_slot_lock(&self, slot_lock: Option<SlotLock>) {
        self.slot_lock.replace(slot_lock);
    }

    /// Lets one more body be read, until what is given is dropped. A camera posts one at a time; a
    /// second may come before it is known that the first will never end.
    pub(crate) fn enter_post(self: &Rc<Self>) -> Option<PostEntry> {
        let posts = self.posts.get();
        (posts < MOST_POSTS).then(|| {
            self.posts.set(posts + 1);
            PostEntry(self.clone())
        })
    }

    /// Tells the log that a connection of the camera has come or gone. One whose link is bad comes
    /// and goes all day.
    pub(crate) fn log_connection(&self, what: &str) {
        if let Some(suppressed) = self.logged.allow(Instant::now()) {
            let name = self.name.as_str();
            match suppressed.0 {
                0 => log::info!("camera {name:?} {what}"),
                more => log::info!("camera {name:?} {what} ({more} lines left out before)"),
            }
        }
    }
}

/// One of a camera's bodies that are read.
pub(crate) struct PostEntry(Rc<Camera>);

impl Drop for PostEntry {
    fn drop(&mut self) {
        self.0.posts.set(self.0.posts.get() - 1);
    }
}
