//! Many cameras in one process and one thread, on one inotify instance.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use eyelid_slot::{OpenError, Publisher, Publishers};

use crate::{Driver, Source};

/// How long the end waits for the sources: the 2 s that a command has to end, and its reaping.
const END_PATIENCE: Duration = Duration::from_secs(3);

/// The cameras of a process. Whoever has it waits until one of [`Producers::descriptors`] is
/// readable or [`Producers::deadline`] has come, and calls [`Producers::step`].
#[derive(Debug)]
pub struct Producers<S> {
    publishers: Publishers,
    drivers: Vec<(DriverId, Driver<S>)>,
    next_id: u64,
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
            drivers: Vec::new(),
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

    /// Takes a camera, whose slot was opened here.
    pub fn add(&mut self, driver: Driver<S>) -> DriverId {
        let id = DriverId(self.next_id);
        self.next_id += 1;
        self.drivers.push((id, driver));
        id
    }

    /// Ends a camera as [`Producers::end`] does, and hands its slot on.
    pub fn remove(&mut self, id: DriverId) -> Option<Publisher> {
        let index = self.drivers.iter().position(|(there, _)| *there == id)?;
        let (_, mut driver) = self.drivers.remove(index);
        end([&mut driver].into_iter());
        Some(driver.into_publisher())
    }

    /// Gives one camera.
    pub fn get_mut(&mut self, id: DriverId) -> Option<&mut Driver<S>> {
        let mut drivers = self.drivers.iter_mut();
        drivers.find_map(|(there, driver)| (*there == id).then_some(driver))
    }

    /// Takes in what has happened to all slots and sources, and does all there is to do now.
    ///
    /// # Errors
    /// What inotify said.
    pub fn step(&mut self, now: Instant) -> io::Result<()> {
        for (_, driver) in &mut self.drivers {
            driver.advance(now);
        }
        loop {
            self.publishers.take_in(now)?;
            let mut wrote = false;
            for (_, driver) in &mut self.drivers {
                wrote |= driver.act(now);
            }
            // What was written has moved files in the slots, which this process should not be woken
            // to hear of.
            if !wrote {
                return Ok(());
            }
        }
    }

    /// Takes in what one camera's source has, and does what there is to do for it now. What has
    /// happened to slots stays there for [`Producers::step`]. Gives when the camera wants that to
    /// be called although nothing happens.
    pub fn step_one(&mut self, id: DriverId, now: Instant) -> Option<Instant> {
        let driver = self.get_mut(id)?;
        driver.advance(now);
        driver.act(now);
        driver.deadline()
    }

    /// When to call [`Producers::step`] although no descriptor is readable.
    pub fn deadline(&self) -> Option<Instant> {
        self.drivers
            .iter()
            .filter_map(|(_, driver)| driver.deadline())
            .min()
    }

    /// The descriptors that are readable when there is something to take in.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let sources = self.drivers.iter();
        std::iter::once(self.publishers.as_fd())
            .chain(sources.flat_map(|(_, driver)| driver.source().descriptors()))
            .collect()
    }

    /// Why a camera has failed that only a new process may mend.
    pub fn fatal(&self) -> Option<&str> {
        self.drivers.iter().find_map(|(_, driver)| driver.fatal())
    }

    /// All cameras.
    pub fn drivers(&mut self) -> impl Iterator<Item = &mut Driver<S>> {
        self.drivers.iter_mut().map(|(_, driver)| driver)
    }

    /// Stops all sources, waits until they have ended, and says so in the slots.
    pub fn end(&mut self) {
        end(self.drivers.iter_mut().map(|(_, driver)| driver));
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
