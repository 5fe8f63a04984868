//! The slots of all cameras that are fetched: many on one inotify instance.

mod left;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use eyelid_picture::Tables;
use eyelid_producer::{Driver, DriverId, DriverOptions, Precedence, Producers, Rest};
use eyelid_slot::SlotLock;
use serde_json::json;

use self::left::Foreign;
use super::far::Far;
use super::post::{FarId, Letter, Post, Topic};
use super::source::FarSource;
use crate::FETCHED;
use crate::asking::Turns;
use crate::settings::FetchSettings;
use crate::wire::{Asker, FarCamera, FarState, HostName, Reply, RequestId, Subject, SubjectTag};

/// The key of `state.json` that says which far camera it is.
const KEY: &str = "far";

/// The key that says since when it cannot be reached, if that is so.
const UNREACHABLE: &str = "unreachable_since";

/// All of them.
pub(super) struct Slots {
    directory: PathBuf,
    linger: Duration,
    max_bytes: u32,
    asker: Asker,
    post: Rc<Post>,
    producers: Producers<FarSource>,
    cameras: BTreeMap<FarId, Camera>,
    by_far: BTreeMap<FarCamera, FarId>,
    /// Those that cannot be reached.
    lost: BTreeSet<FarId>,
    /// Those of each host.
    turns: BTreeMap<HostName, Rc<RefCell<Turns>>>,
    next_id: u64,
    _lock: Option<SlotLock>,
}

struct Camera {
    far: Rc<RefCell<Far>>,
    driver: DriverId,
    slot: PathBuf,
}

impl Slots {
    /// Begins without a camera.
    ///
    /// # Errors
    /// The directory cannot be used, or another process fetches into it.
    pub(super) fn new(settings: &FetchSettings, asker: Asker) -> anyhow::Result<Self> {
        let directory = settings.slots.clone();
        fs::create_dir_all(&directory)
            .with_context(|| format!("slots directory {directory:?}: cannot make it"))?;
        Ok(Self {
            _lock: left::lock(&directory)?,
            directory,
            linger: settings.linger,
            max_bytes: settings.max_frame_bytes,
            asker,
            post: Rc::new(Post::default()),
            producers: Producers::new()?,
            cameras: BTreeMap::new(),
            by_far: BTreeMap::new(),
            lost: BTreeSet::new(),
            turns: BTreeMap::new(),
            next_id: 0,
        })
    }

    /// What tells of readers.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn inotify(&self) -> io::Result<OwnedFd> {
        // The sources have no descriptors of their own.
        let descriptors = self.producers.descriptors();
        let inotify = descriptors.first().ok_or(io::ErrorKind::NotFound)?;
        inotify.as_fd().try_clone_to_owned()
    }

    /// Has a slot for this camera.
    ///
    /// # Errors
    /// Why it cannot have one.
    pub(super) fn add(&mut self, far: FarCamera) -> anyhow::Result<()> {
        if self.by_far.contains_key(&far) {
            return Ok(());
        }
        let name = far.slot_name()?;
        let slot = name.directory(&self.directory);
        left::check(&slot)?;
        let publisher = self.producers.open(&slot)?;
        let id = FarId(self.next_id);
        self.next_id += 1;
        let options = DriverOptions {
            log_name: format!("camera {:?}", name.as_str()),
            shown_source: format!("{FETCHED}{name}"),
            max_fps: None,
            linger: self.linger,
            tables: Tables::Standard,
            rest: Rest::Placeholder,
            precedence: Precedence::Others,
        };
        let now = Instant::now();
        let clock = (now, SystemTime::now());
        let post = self.post.clone();
        let turns = self.turns.entry(far.host.clone()).or_default().clone();
        let camera = Far::new(
            id,
            far.clone(),
            self.asker,
            self.max_bytes,
            post,
            turns,
            clock,
        );
        let camera = Rc::new(RefCell::new(camera));
        let mut driver = Driver::new(options, publisher, FarSource::new(camera.clone()), now);
        driver.tell(KEY, told(&far));
        let driver = self.producers.add(driver);
        self.by_far.insert(far, id);
        let camera = Camera {
            far: camera,
            driver,
            slot,
        };
        self.cameras.insert(id, camera);
        Ok(())
    }

    /// Has none for it any more. Who lists the slots is not to see it.
    pub(super) fn remove(&mut self, far: &FarCamera) {
        let Some(id) = self.by_far.get(far).copied() else {
            return;
        };
        let slot = self.cameras.get(&id).map(|camera| camera.slot.clone());
        let own = slot.filter(|slot| left::check(slot).is_ok());
        self.end(id);
        if let Some(slot) = own {
            left::clear(&slot);
        }
    }

    /// Fills a camera's slot no longer.
    fn end(&mut self, id: FarId) {
        let Some(camera) = self.cameras.remove(&id) else {
            return;
        };
        self.by_far.remove(camera.far.borrow().camera());
        self.post.forget(id);
        self.lost.remove(&id);
        // Nothing that was asked is waited for.
        self.post.set_ending(true);
        drop(self.producers.remove(camera.driver));
        self.post.set_ending(false);
        drop(camera);
        self.turns.retain(|_, turns| Rc::strong_count(turns) > 1);
    }

    /// Leaves to others the slots that they have begun to write.
    fn give_way(&mut self) {
        while let Some(driver) = self.producers.given_up() {
            let mut cameras = self.cameras.iter();
            let camera = cameras.find(|(_, camera)| camera.driver == driver);
            let Some((&id, slot)) = camera.map(|(id, camera)| (id, camera.slot.clone())) else {
                // There is none without a camera.
                drop(self.producers.remove(driver));
                continue;
            };
            self.end(id);
            left::leave(&slot);
            log::error!("{}", Foreign(slot));
        }
    }

    /// Takes away what an earlier run has left of cameras that are there no more.
    pub(super) fn sweep(&self) {
        let slots: BTreeSet<_> = self.cameras.values().map(|camera| &*camera.slot).collect();
        left::sweep(&self.directory, |slot| slots.contains(slot));
    }

    /// Takes in what readers have done, and does what there is to do.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn step(&mut self, now: Instant) -> io::Result<()> {
        self.producers.step_slots(now)?;
        self.give_way();
        self.tell_lost(now)
    }

    /// When to do so although nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.producers.deadline()
    }

    /// Gives what is to be sent.
    pub(super) fn take_letters(&self) -> Vec<Letter> {
        self.post.take_letters()
    }

    /// Takes one message that answers a request for frames.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn reply(&mut self, now: Instant, reply: Reply<'_>) -> io::Result<()> {
        let Some((id, Topic::Frames(rendition))) = self.post.routed(reply.id().subject) else {
            return Ok(());
        };
        let Some(camera) = self.cameras.get(&id) else {
            return Ok(());
        };
        let mut far = camera.far.borrow_mut();
        far.set_clock(now, SystemTime::now());
        if let Err(error) = far.reply(rendition, reply) {
            log::debug!("camera {:?}: {error}", camera.slot);
        }
        drop(far);
        let driver = camera.driver;
        self.step_one(now, driver)
    }

    /// Takes what a camera says of itself.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn state_came(&mut self, now: Instant, state: FarState) -> io::Result<()> {
        let Some((id, Topic::State)) = self.post.routed(state.id.subject) else {
            return Ok(());
        };
        if state.id.asker != self.asker {
            return Ok(());
        }
        let Some(camera) = self.cameras.get(&id) else {
            return Ok(());
        };
        let mut far = camera.far.borrow_mut();
        far.set_clock(now, SystemTime::now());
        far.state_came(state);
        let fps = far.told().said().and_then(|said| said.fps);
        drop(far);
        if let Some(driver) = self.producers.get_mut(camera.driver) {
            driver.tell_fps(fps);
        }
        let driver = camera.driver;
        self.step_one(now, driver)
    }

    /// Nobody hears this request. Says whether it was one of a camera's.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn nobody_answers(&mut self, now: Instant, id: RequestId) -> io::Result<bool> {
        let Some((far, topic)) = self.post.routed(id.subject) else {
            return Ok(false);
        };
        if let Some(camera) = self.cameras.get(&far) {
            let mut far = camera.far.borrow_mut();
            far.set_clock(now, SystemTime::now());
            far.nobody_answers(topic, id.number);
            drop(far);
            let driver = camera.driver;
            self.step_one(now, driver)?;
        }
        Ok(true)
    }

    /// The broker does not let this be asked.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn refused(&mut self, now: Instant, subject: &Subject) -> io::Result<()> {
        let Some((far, topic)) = self.post.routed(SubjectTag::of(subject)) else {
            return Ok(());
        };
        let Some(camera) = self.cameras.get(&far) else {
            return Ok(());
        };
        let mut far = camera.far.borrow_mut();
        far.set_clock(now, SystemTime::now());
        far.refused(topic);
        drop(far);
        let driver = camera.driver;
        self.step_one(now, driver)
    }

    /// The connection to the broker is gone. Who looks is told.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn disconnected(&mut self, now: Instant) -> io::Result<()> {
        self.post.set_cut(Some(now));
        self.for_all(now, Far::disconnected)
    }

    /// It is there again: who looks need not wait any longer.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn connected(&mut self, now: Instant) -> io::Result<()> {
        self.post.set_cut(None);
        self.for_all(now, Far::connected)
    }

    /// A host has been silent since then: the slots of these, its cameras, say so.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn host_is_silent<'a>(
        &mut self,
        now: Instant,
        cameras: impl Iterator<Item = &'a FarCamera>,
        since: Instant,
    ) -> io::Result<()> {
        for id in cameras.filter_map(|far| self.by_far.get(far)) {
            let Some(camera) = self.cameras.get(id) else {
                continue;
            };
            let mut far = camera.far.borrow_mut();
            far.set_clock(now, SystemTime::now());
            far.lose(since);
            let reason = far.why_lost(since);
            drop(far);
            if let Some(driver) = self.producers.get_mut(camera.driver) {
                driver.say_failed(&reason, now);
            }
        }
        self.step(now)
    }

    /// A host answers: its cameras that could not be reached can be.
    ///
    /// # Errors
    /// What reading inotify said.
    pub(super) fn host_answers(&mut self, now: Instant, host: &HostName) -> io::Result<()> {
        if self.lost.is_empty() {
            return Ok(());
        }
        for id in &self.lost {
            let Some(camera) = self.cameras.get(id) else {
                continue;
            };
            let mut far = camera.far.borrow_mut();
            if far.camera().host != *host {
                continue;
            }
            far.set_clock(now, SystemTime::now());
            far.find();
            far.connected();
            drop(far);
            if let Some(driver) = self.producers.get_mut(camera.driver) {
                driver.mend();
            }
        }
        self.step(now)
    }

    /// Does something to cameras that were ever asked, and what is to be done then.
    fn for_all(&mut self, now: Instant, change: impl Fn(&mut Far)) -> io::Result<()> {
        for camera in self.cameras.values() {
            let mut far = camera.far.borrow_mut();
            if !far.was_asked() {
                continue;
            }
            far.set_clock(now, SystemTime::now());
            change(&mut far);
            drop(far);
            // It is due therefore.
            self.producers.get_mut(camera.driver);
        }
        self.step(now)
    }

    /// Does for one camera what there is to do, now that something of it has come.
    fn step_one(&mut self, now: Instant, driver: DriverId) -> io::Result<()> {
        self.producers.step_one(driver, now)?;
        self.give_way();
        self.tell_lost(now)
    }

    /// Says in the slots which cameras cannot be reached any more, or can be again.
    fn tell_lost(&mut self, now: Instant) -> io::Result<()> {
        let lost = self.post.take_lost();
        if lost.is_empty() {
            return Ok(());
        }
        for (id, since) in lost {
            match since {
                Some(_) => self.lost.insert(id),
                None => self.lost.remove(&id),
            };
            let camera = self.cameras.get(&id);
            let driver = camera.and_then(|camera| self.producers.get_mut(camera.driver));
            if let Some(driver) = driver {
                let since = since.map(|since| humantime::format_rfc3339_millis(since).to_string());
                driver.tell(UNREACHABLE, since.into());
            }
        }
        self.producers.step_slots(now)
    }
}

impl Drop for Slots {
    /// Says in the slots that their cameras are asleep: nobody asks for them any more.
    fn drop(&mut self) {
        self.post.set_ending(true);
        self.producers.end();
    }
}

/// What a slot says of the camera in it.
fn told(far: &FarCamera) -> serde_json::Value {
    json!({ "host": far.host.as_str(), "camera": far.camera.as_str() })
}
