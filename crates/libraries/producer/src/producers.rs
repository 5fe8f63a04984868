//! Many cameras in one process and one thread, on one inotify instance.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_slot::{OpenError, Publisher, Publishers, SlotId};

use crate::{Driver, Source};

/// How long the end waits for the sources: the 2 s that a command has to end, and its reaping.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// The cameras of a process. Whoever has it waits until one of [`Producers::descriptors`] is
/// readable or [`Producers::deadline`] has come, and calls [`Producers::step`].
#[derive(Debug)]
pub struct Producers<S> {
    publishers: Publishers,
    cameras: Vec<Camera<S>>,
    next_id: u64,
}

#[derive(Debug)]
struct Camera<S> {
    id: DriverId,
    slot: SlotId,
    driver: Driver<S>,
    /// When it may have something to do although nothing happens.
    deadline: Option<Instant>,
}

/// One camera of [`Producers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverId(u64);

impl<S: Source> Producers<S> {
    /// Begins without a camera.
    ///
    /// # Errors
    /// [`OpenError::Instance`]
    pub fn new() -> Result<Self, OpenError> {
        Ok(Self {
            publishers: Publishers::new()?,
            cameras: Vec::new(),
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
        self.cameras.push(Camera {
            id,
            slot: driver.slot_id(),
            driver,
            deadline: Some(Instant::now()),
        });
        id
    }

    /// Ends a camera as [`Producers::end`] does, and hands its slot on.
    pub fn remove(&mut self, id: DriverId) -> Option<Publisher> {
        let index = self.cameras.iter().position(|camera| camera.id == id)?;
        let mut driver = self.cameras.remove(index).driver;
        end([&mut driver].into_iter());
        Some(driver.into_publisher())
    }

    /// Gives one camera. It is due at once, for something may be done to it.
    pub fn get_mut(&mut self, id: DriverId) -> Option<&mut Driver<S>> {
        let camera = self.cameras.iter_mut().find(|camera| camera.id == id)?;
        camera.deadline = Some(Instant::now());
        Some(&mut camera.driver)
    }

    /// Takes in what has happened to all slots and sources, and does all there is to do now.
    ///
    /// # Errors
    /// What inotify said.
    pub fn step(&mut self, now: Instant) -> io::Result<()> {
        for camera in &mut self.cameras {
            camera.driver.advance(now);
        }
        loop {
            self.publishers.take_in(now)?;
            let mut wrote = false;
            for camera in &mut self.cameras {
                wrote |= camera.act(now);
            }
            // What was written has moved files in the slots, which this process should not be woken
            // to hear of.
            if !wrote {
                return Ok(());
            }
        }
    }

    /// Takes in what has happened to all slots, and does what there is to do for those where
    /// anything has, and for cameras that are due. That is all there is where no source has
    /// anything new, and costs less than [`Producers::step`], the more cameras there are.
    ///
    /// # Errors
    /// What inotify said.
    pub fn step_slots(&mut self, now: Instant) -> io::Result<()> {
        self.step_some(None, now)
    }

    /// The same, and takes in what this camera's source has.
    ///
    /// # Errors
    /// What inotify said.
    pub fn step_one(&mut self, id: DriverId, now: Instant) -> io::Result<()> {
        self.step_some(Some(id), now)
    }

    fn step_some(&mut self, mut id: Option<DriverId>, now: Instant) -> io::Result<()> {
        loop {
            let changed = self.publishers.take_in(now)?;
            let mut wrote = false;
            for camera in &mut self.cameras {
                let is_meant = id == Some(camera.id);
                if is_meant || changed.contains(&camera.slot) || camera.is_due(now) {
                    camera.driver.advance(now);
                    wrote |= camera.act(now);
                }
            }
            id = None;
            if !wrote {
                return Ok(());
            }
        }
    }

    /// When to call [`Producers::step`] although no descriptor is readable.
    pub fn deadline(&self) -> Option<Instant> {
        let cameras = self.cameras.iter();
        cameras.filter_map(|camera| camera.deadline).min()
    }

    /// The descriptors that are readable when there is something to take in.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let sources = self.cameras.iter().map(|camera| camera.driver.source());
        std::iter::once(self.publishers.as_fd())
            .chain(sources.flat_map(Source::descriptors))
            .collect()
    }

    /// Why a camera has failed that only a new process may mend.
    pub fn fatal(&self) -> Option<&str> {
        self.cameras.iter().find_map(|camera| camera.driver.fatal())
    }

    /// All cameras.
    pub fn drivers(&mut self) -> impl Iterator<Item = &mut Driver<S>> {
        self.cameras.iter_mut().map(|camera| &mut camera.driver)
    }

    /// Stops all sources, waits until they have ended, and says so in the slots.
    pub fn end(&mut self) {
        end(self.drivers());
    }
}

impl<S: Source> Camera<S> {
    /// Does all there is to do now. Says whether anything was written into the slot.
    fn act(&mut self, now: Instant) -> bool {
        let wrote = self.driver.act(now);
        self.deadline = self.driver.deadline();
        wrote
    }

    fn is_due(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|at| at <= now)
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
