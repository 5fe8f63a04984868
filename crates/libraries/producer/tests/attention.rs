//! A camera that gives many frames a second does not have its process woken by readers between two
//! of them, and yet no wish is lost, and none is late that can be answered.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{LINGER, Pushed, add, directory};
use eyelid_producer::{DriverId, Producers};
use eyelid_slot::{FrameId, Phase, Reader, RenditionSet};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

/// 30 frames a second.
const FRAME: Duration = Duration::from_millis(33);

const JPEG: &[u8] = b"\xFF\xD8 \xFF\xD9";

/// Two cameras of one process, on a clock of their own.
struct World {
    home: TempDir,
    producers: Producers<Pushed>,
    ids: [DriverId; 2],
    now: Instant,
}

impl World {
    fn new() -> Self {
        let (home, now) = (directory(), Instant::now());
        let mut producers = Producers::new().unwrap();
        let ids = [0, 1].map(|n| {
            let source = Pushed {
                number: 0,
                jpeg: Arc::new(JPEG.to_vec()),
                tells_of_frames: true,
                offers: RenditionSet::EMPTY,
            };
            add(&mut producers, &path(home.path(), n), source, now)
        });
        Self {
            home,
            producers,
            ids,
            now,
        }
    }

    /// The same once the first camera has published some frames for a reader that took every one.
    fn busy() -> Self {
        let mut world = Self::new();
        world.push(0);
        world.push(1);
        for _ in 0..3 {
            world.look(0);
            world.step();
            world.after(FRAME);
            world.push(0);
        }
        assert!(!world.wakes(), "its own doings");
        world
    }

    fn reader(&self, n: usize) -> Reader {
        Reader::new(&path(self.home.path(), n))
    }

    fn look(&self, n: usize) {
        self.reader(n).wish().unwrap();
    }

    fn newest(&self, n: usize) -> Option<FrameId> {
        self.reader(n).newest()
    }

    fn phase(&self, n: usize) -> Phase {
        self.reader(n).state().unwrap().state
    }

    fn after(&mut self, time: Duration) {
        self.now += time;
    }

    /// A frame has come.
    fn push(&mut self, n: usize) {
        let id = self.ids[n];
        let driver = self.producers.get_mut(id).unwrap();
        driver.source_mut().number += 1;
        self.producers.step_one(id, self.now).unwrap();
    }

    /// What the process does when it has been woken.
    fn step(&mut self) {
        self.producers.step_slots(self.now).unwrap();
    }

    /// Says whether it would be woken now.
    fn wakes(&self) -> bool {
        let descriptors = self.producers.descriptors();
        let mut waiting: Vec<_> = descriptors
            .into_iter()
            .map(|it| PollFd::new(it, PollFlags::POLLIN))
            .collect();
        let is_due = self.producers.deadline().is_some_and(|at| at <= self.now);
        is_due || poll(&mut waiting, PollTimeout::ZERO).unwrap() > 0
    }
}

fn path(home: &Path, n: usize) -> PathBuf {
    home.join(format!("camera-{n}"))
}

#[test]
fn readers_of_a_busy_camera_wake_nobody_and_get_its_next_frame() {
    let mut world = World::busy();
    for _ in 0..10 {
        let before = world.newest(0);
        world.look(0);
        assert!(!world.wakes());
        world.after(FRAME);
        world.push(0);
        assert_ne!(world.newest(0), before, "the wish was known");
    }
}

#[test]
fn a_wish_for_a_frame_that_lies_at_hand_is_answered_at_once() {
    let mut world = World::busy();
    for _ in 0..3 {
        let before = world.newest(0);
        world.after(FRAME);
        world.push(0);
        assert_eq!(world.newest(0), before, "nobody wishes");
        world.look(0);
        assert!(world.wakes());
        world.step();
        assert_ne!(world.newest(0), before);
    }
}

#[test]
fn the_wish_for_a_camera_that_sleeps_wakes_it_at_once_while_another_is_busy() {
    let mut world = World::busy();
    let end = world.now + LINGER;
    while world.now < end {
        world.after(FRAME);
        world.look(0);
        world.push(0);
        if world.wakes() {
            world.step();
        }
    }
    assert_eq!(world.phase(1), Phase::Asleep);
    world.look(0);
    assert!(!world.wakes(), "of the busy one");
    world.look(1);
    assert!(world.wakes());
    world.step();
    assert_eq!(world.phase(1), Phase::Awake);
}

#[test]
fn the_last_wish_for_a_camera_that_falls_asleep_is_heard() {
    let mut world = World::busy();
    // The last reader of its last frame opens it late, and holds it.
    world.look(0);
    world.after(FRAME);
    world.push(0);
    let before = world.newest(0);
    let held = world.reader(0).open().unwrap();
    let deadline = world.producers.deadline().unwrap();
    assert!(deadline <= world.now + Duration::from_millis(200));
    world.now = deadline;
    world.step();
    assert!(!world.wakes(), "there is nothing to do yet");
    // From now on everything is heard.
    drop(held);
    assert!(world.wakes());
    world.step();
    world.after(FRAME);
    world.push(0);
    assert_ne!(world.newest(0), before);
    world.after(LINGER);
    world.step();
    assert_eq!(world.phase(0), Phase::Asleep);
    world.look(0);
    assert!(world.wakes());
    world.step();
    assert_eq!(world.phase(0), Phase::Awake);
}

/// Its frames come for as long as nobody looks, too, and it need not be woken for any of them.
#[test]
fn a_frame_that_is_held_is_replaced_after_two_seconds() {
    let mut world = World::busy();
    let held = world.reader(0).open().unwrap();
    let (before, start) = (world.newest(0), world.now);
    while world.newest(0) == before {
        world.after(FRAME);
        world.push(0);
        if world.wakes() {
            world.step();
        }
        assert!(world.now <= start + Duration::from_secs(2) + FRAME);
    }
    assert!(world.now >= start + Duration::from_secs(2) - FRAME);
    drop(held);
}
