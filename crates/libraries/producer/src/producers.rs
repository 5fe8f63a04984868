//! Many cameras in one process and one thread, on one inotify instance.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_slot::{Hearing, OpenError, Publisher, Publishers, SlotId};

use crate::{Driver, RenderJob, Rendered, Source};

/// How long the end waits for the sources: the 2 s that a command has to end, and its reaping.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// So many times a step looks after what it wrote; two are the rule. Others may have done something
/// to the slots again each time: what is left after so many is heard with the next step, before
/// which this process sees to all else.
const MOST_ROUNDS: usize = 10;

/// After so many cameras that have written into their slots what came of that is taken in: the
/// kernel keeps 16,384 events (fs.inotify.max_queued_events), a camera causes some ten, and all
/// would have to be assumed to be wished for if any were lost.
const WRITTEN_AT_ONCE: usize = 256;

/// The cameras of a process. Whoever has it waits until one of [`Producers::descriptors`] is
/// readable or [`Producers::deadline`] has come, and calls [`Producers::step`].
#[derive(Debug)]
pub struct Producers<S> {
    publishers: Publishers,
    cameras: BTreeMap<DriverId, Camera<S>>,
    by_slot: BTreeMap<SlotId, DriverId>,
    /// When each may have something to do although nothing happens, the next one first.
    due: BTreeSet<(Instant, DriverId)>,
    /// Those whose renditions are to be made aside, each once, in the order in which they came.
    waiting: VecDeque<DriverId>,
    /// Those whose slots are other producers' now.
    given_up: BTreeSet<DriverId>,
    next_id: u64,
}

#[derive(Debug)]
struct Camera<S> {
    driver: Driver<S>,
    /// When it may have something to do although nothing happens.
    deadline: Option<Instant>,
}

/// One camera of [`Producers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DriverId(u64);

impl<S: Source> Producers<S> {
    /// Begins without a camera.
    ///
    /// # Errors
    /// [`OpenError::Instance`]
    pub fn new() -> Result<Self, OpenError> {
        Ok(Self {
            publishers: Publishers::new()?,
            cameras: BTreeMap::new(),
            by_slot: BTreeMap::new(),
            due: BTreeSet::new(),
            waiting: VecDeque::new(),
            given_up: BTreeSet::new(),
            next_id: 0,
        })
    }

    /// Opens a slot for a camera to come.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, directory: &Path) -> Result<Publisher, OpenError> {
        self.publishers.open(directory)
    }

    /// Takes a camera, whose slot was opened here. It is due at once.
    pub fn add(&mut self, driver: Driver<S>) -> DriverId {
        let id = DriverId(self.next_id);
        self.next_id += 1;
        self.by_slot.insert(driver.slot_id(), id);
        let camera = Camera {
            driver,
            deadline: None,
        };
        self.cameras.insert(id, camera);
        self.set_deadline(id, Some(Instant::now()));
        id
    }

    /// Ends a camera as [`Producers::end`] does, and hands its slot on.
    pub fn remove(&mut self, id: DriverId) -> Option<Publisher> {
        self.set_deadline(id, None);
        self.given_up.remove(&id);
        let mut driver = self.cameras.remove(&id)?.driver;
        self.by_slot.remove(&driver.slot_id());
        end([&mut driver].into_iter());
        Some(driver.into_publisher())
    }

    /// Gives one camera. It is due at once, for something may be done to it.
    pub fn get_mut(&mut self, id: DriverId) -> Option<&mut Driver<S>> {
        self.set_deadline(id, Some(Instant::now()));
        Some(&mut self.cameras.get_mut(&id)?.driver)
    }

    /// Takes in what has happened to all slots and sources, and does all there is to do now.
    ///
    /// # Errors
    /// What inotify said.
    pub fn step(&mut self, now: Instant) -> io::Result<()> {
        for camera in self.cameras.values_mut() {
            camera.driver.advance(now);
        }
        for _ in 0..MOST_ROUNDS {
            self.publishers.take_in(now)?;
            let all: Vec<_> = self.cameras.keys().copied().collect();
            // A file that was replaced tells so, which this process should not be woken to hear.
            if !self.act(all, now)? {
                break;
            }
        }
        Ok(())
    }

    /// Takes in what has happened to all slots, and does what there is to do for those where
    /// anything has, and for cameras that are due. That is all there is where no source has
    /// anything new, and costs less than [`Producers::step`], the more cameras there are.
    ///
    /// # Errors
    /// What inotify said.
    pub fn step_slots(&mut self, now: Instant) -> io::Result<()> {
        let changed = self.publishers.take_in(now)?;
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        let mut those: BTreeSet<_> = due.map(|(_, id)| *id).collect();
        those.extend(self.of_slots(&changed));
        if self.step_those(those, now)? {
            self.step_written(now)?;
        }
        Ok(())
    }

    /// Takes in what this camera's source has, and does what there is to do for the camera. Costs
    /// the same however many cameras there are. Gives when to call [`Producers::step_slots`]
    /// although nothing happens, as far as that has changed.
    ///
    /// # Errors
    /// What inotify said.
    pub fn step_one(&mut self, id: DriverId, now: Instant) -> io::Result<Option<Instant>> {
        let Some(camera) = self.cameras.get_mut(&id) else {
            return Ok(None);
        };
        camera.driver.advance(now);
        let mut others_stepped = false;
        // One read tells of the readers of all cameras: often this one's was told already.
        if !camera.driver.is_wished(now) {
            let changed = self.publishers.take_in_only(Hearing::WhenAsked, now)?;
            // Only where events were lost.
            if !changed.is_empty() {
                self.step_those(self.of_slots(&changed), now)?;
                others_stepped = true;
            }
        }
        if self.act([id], now)? {
            others_stepped |= self.step_written(now)?;
        }
        if others_stepped {
            return Ok(self.deadline());
        }
        Ok(self.cameras.get(&id).and_then(|camera| camera.deadline))
    }

    /// Takes in what happened to slots that were written into, and does what there is to do
    /// therefore. Files that were replaced tell so, which this process should not be woken to hear.
    /// Says whether any camera had something to do.
    fn step_written(&mut self, now: Instant) -> io::Result<bool> {
        let mut stepped = false;
        for _ in 0..MOST_ROUNDS {
            let changed = self.publishers.take_in_only(Hearing::AtOnce, now)?;
            stepped |= !changed.is_empty();
            if changed.is_empty() || !self.step_those(self.of_slots(&changed), now)? {
                break;
            }
        }
        Ok(stepped)
    }

    /// The cameras of these slots.
    fn of_slots(&self, slots: &[SlotId]) -> BTreeSet<DriverId> {
        let ids = slots.iter().filter_map(|slot| self.by_slot.get(slot));
        ids.copied().collect()
    }

    /// Does what there is to do for these cameras. Says whether anything was written into their
    /// slots.
    ///
    /// # Errors
    /// What inotify said.
    fn step_those(&mut self, those: BTreeSet<DriverId>, now: Instant) -> io::Result<bool> {
        for id in &those {
            if let Some(camera) = self.cameras.get_mut(id) {
                camera.driver.advance(now);
            }
        }
        self.act(those, now)
    }

    /// The same, where what the sources have was taken in.
    fn act(&mut self, those: impl IntoIterator<Item = DriverId>, now: Instant) -> io::Result<bool> {
        let (mut wrote, mut written) = (false, 0);
        for id in those {
            let Some(camera) = self.cameras.get_mut(&id) else {
                continue;
            };
            if camera.driver.act(now) {
                wrote = true;
                written += 1;
            }
            let (deadline, wants_job) = (camera.driver.deadline(), camera.driver.wants_job());
            if camera.driver.has_given_way() {
                self.given_up.insert(id);
            }
            self.set_deadline(id, deadline);
            if wants_job && !self.waiting.contains(&id) {
                self.waiting.push_back(id);
            }
            if written == WRITTEN_AT_ONCE {
                written = 0;
                self.take_in_on_the_way(now)?;
            }
        }
        Ok(wrote)
    }

    /// Takes in what has happened while there still is more to do. Those to whom it has are due.
    fn take_in_on_the_way(&mut self, now: Instant) -> io::Result<()> {
        let changed = self.publishers.take_in_only(Hearing::AtOnce, now)?;
        for id in self.of_slots(&changed) {
            self.set_deadline(id, Some(now));
        }
        Ok(())
    }

    /// Gives one of the cameras whose slots other producers have begun to write, until it is
    /// removed: nothing else is to be done with it.
    pub fn given_up(&self) -> Option<DriverId> {
        self.given_up.first().copied()
    }

    /// The camera may have something to do then although nothing happens.
    fn set_deadline(&mut self, id: DriverId, deadline: Option<Instant>) {
        let Some(camera) = self.cameras.get_mut(&id) else {
            return;
        };
        if let Some(before) = std::mem::replace(&mut camera.deadline, deadline) {
            self.due.remove(&(before, id));
        }
        self.due.extend(deadline.map(|at| (at, id)));
    }

    /// Says whether renditions are to be made aside.
    pub fn wants_job(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Gives the next renditions that are to be made aside, if there are any. It is for the caller
    /// to have one job at a time, and to hand over what came of it.
    pub fn take_job(&mut self, now: Instant) -> Option<(DriverId, RenderJob)> {
        while let Some(id) = self.waiting.pop_front() {
            if let Some(camera) = self.cameras.get_mut(&id) {
                let job = camera.driver.take_job(now);
                let deadline = camera.driver.deadline();
                self.set_deadline(id, deadline);
                if let Some(job) = job {
                    return Some((id, job));
                }
            }
        }
        None
    }

    /// Publishes what came of a camera's job, if the camera is still there; `None` where that was
    /// lost. The camera is due then.
    pub fn finish_job(&mut self, id: DriverId, rendered: Option<Rendered>, now: Instant) {
        if let Some(camera) = self.cameras.get_mut(&id) {
            camera.driver.finish_job(now, rendered);
            self.set_deadline(id, Some(now));
        }
    }

    /// When to call [`Producers::step`] although no descriptor is readable.
    pub fn deadline(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The descriptors that are readable when there is something to take in.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let sources = self.cameras.values().map(|camera| camera.driver.source());
        std::iter::once(self.publishers.as_fd())
            .chain(sources.flat_map(Source::descriptors))
            .collect()
    }

    /// Why a camera has failed that only a new process may mend.
    pub fn fatal(&self) -> Option<&str> {
        let mut cameras = self.cameras.values();
        cameras.find_map(|camera| camera.driver.fatal())
    }

    /// All cameras.
    pub fn drivers(&mut self) -> impl Iterator<Item = &mut Driver<S>> {
        self.cameras.values_mut().map(|camera| &mut camera.driver)
    }

    /// Stops all sources, waits until they have ended, and says so in the slots.
    pub fn end(&mut self) {
        end(self.drivers());
    }
}

/// Ends some cameras together, so that they need no longer than one.
fn end<'a, S: Source + 'a>(drivers: impl Iterator<Item = &'a mut Driver<S>>) {
    let mut drivers: Vec<_> = drivers.collect();
    let start = Instant::now();
    for driver in &mut drivers {
        driver.source_mut().stop(start);
    }
    let next = |drivers: &[&mut Driver<S>]| {
        let deadlines = drivers.iter().map(|driver| driver.source().deadline());
        deadlines.flatten().min()
    };
    while let Some(deadline) = next(&drivers)
        && start.elapsed() < END_PATIENCE
    {
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        for driver in &mut drivers {
            if let Err(error) = driver.source_mut().advance(Instant::now()) {
                log::debug!("camera while ending: {error}");
            }
        }
    }
    for driver in drivers {
        driver.say_ended();
    }
}
