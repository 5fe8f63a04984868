//! Many cameras in one process, of which nobody looks at most: who lists them wakes none, and what
//! cannot be seen is no demand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{LINGER, Pushed, add_with, directory};
use eyelid_producer::{DriverId, Precedence, Producers, Rest};
use eyelid_slot::{
    FRAME_FILE, Phase, Publisher, Reader, Rendition, RenditionSet, STATE_FILE, State,
};
use tempfile::TempDir;

/// More than make up for the queue of inotify(7), by the files that are replaced: 16,384 events.
const SLOTS: usize = 3000;

const JPEG: &[u8] = b"\xFF\xD8 \xFF\xD9";

struct World {
    home: TempDir,
    producers: Producers<Pushed>,
    ids: Vec<DriverId>,
    now: Instant,
}

impl World {
    fn new(home: TempDir, slots: usize) -> Self {
        let now = Instant::now();
        let mut producers = Producers::new().unwrap();
        let ids = (0..slots).map(|n| {
            let source = Pushed {
                number: 1,
                jpeg: Arc::new(JPEG.to_vec()),
                tells_of_frames: false,
                offers: RenditionSet::from_iter([Rendition::Quarter]),
            };
            let slot = path(home.path(), n);
            let precedence = (Rest::Placeholder, Precedence::Others);
            add_with(&mut producers, &slot, source, now, precedence)
        });
        let ids = ids.collect();
        Self {
            home,
            producers,
            ids,
            // All are due.
            now: Instant::now(),
        }
    }

    fn step(&mut self) {
        self.producers.step_slots(self.now).unwrap();
    }

    fn slot(&self, n: usize) -> PathBuf {
        path(self.home.path(), n)
    }

    fn captured(&self, n: usize) -> Option<SystemTime> {
        Reader::new(&self.slot(n)).captured()
    }

    fn in_phase(&self, phase: Phase) -> Vec<usize> {
        let is_so = |n: &usize| Reader::new(&self.slot(*n)).state().unwrap().state == phase;
        (0..self.ids.len()).filter(is_so).collect()
    }
}

fn path(home: &Path, n: usize) -> PathBuf {
    home.join(format!("pi.camera-{n}"))
}

#[test]
fn who_lists_a_fleet_wakes_none_and_who_opens_one_wakes_that() {
    let home = directory();
    // An earlier process has left a frame in one, of which nobody knows who has opened it.
    let mut earlier = Publisher::open(&path(home.path(), 7)).unwrap();
    earlier.publish(JPEG, SystemTime::now()).unwrap();
    drop(earlier);
    let mut world = World::new(home, SLOTS);
    world.step();
    for n in 0..SLOTS {
        assert_eq!(world.captured(n), Some(UNIX_EPOCH), "camera {n}");
        fs::metadata(world.slot(n).join(FRAME_FILE)).unwrap();
    }
    world.step();
    assert_eq!(world.in_phase(Phase::Asleep).len(), SLOTS);

    Reader::new(&world.slot(7)).wish().unwrap();
    Reader::of(&world.slot(8), Some(Rendition::Quarter))
        .wish()
        .unwrap();
    world.step();
    assert_eq!(world.in_phase(Phase::Awake), [7, 8]);
    assert_ne!(world.captured(7), Some(UNIX_EPOCH));
    assert_eq!(world.captured(8), Some(UNIX_EPOCH), "its quarter was");
    // Nobody here makes renditions, for which it would wait.
    world.producers.remove(world.ids[8]);

    // Nobody looks any more. The frame stays for a minute.
    world.now += LINGER;
    world.step();
    assert_eq!(world.in_phase(Phase::Awake), [] as [usize; 0]);
    assert_ne!(world.captured(7), Some(UNIX_EPOCH));
    world.now = world.producers.deadline().unwrap();
    world.step();
    assert_eq!(world.captured(7), Some(UNIX_EPOCH));
    assert_eq!(world.in_phase(Phase::Asleep).len(), SLOTS);
    assert_eq!(world.producers.deadline(), None, "nothing is left to do");
}

#[test]
fn what_is_taken_away_or_missed_wakes_none() {
    let mut world = World::new(directory(), SLOTS);
    world.step();
    for n in 0..10 {
        fs::remove_dir_all(world.slot(n)).unwrap();
        fs::remove_file(world.slot(10 + n).join(FRAME_FILE)).unwrap();
        fs::remove_file(world.slot(20 + n).join(STATE_FILE)).unwrap();
    }
    // The kernel loses count, and all files are replaced, which it tells of.
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let file = world.slot(100).join(FRAME_FILE);
    for _ in 0..limit.trim().parse().unwrap_or(0) {
        drop(File::open(&file).unwrap());
    }
    world.step();
    world.now += Duration::from_secs(1);
    world.step();
    let awake = world.in_phase(Phase::Awake);
    assert_eq!(awake, [100], "only who was seen");
    assert!((0..30).all(|n| world.captured(n) == Some(UNIX_EPOCH)));
    Reader::new(&world.slot(3)).wish().unwrap();
    world.step();
    assert_eq!(world.in_phase(Phase::Awake), [3, 100]);
}

#[test]
fn a_slot_that_another_producer_begins_to_write_is_left_to_it() {
    let mut world = World::new(directory(), 3);
    world.step();
    assert_eq!(world.producers.given_up(), None);
    let at = UNIX_EPOCH + Duration::from_secs(1_795_207_369);
    let of_another = |world: &World, n: usize| {
        let source = Reader::new(&world.slot(n)).state().unwrap().source;
        world.captured(n) == Some(at) && source.as_deref() == Some("another")
    };

    // One that says what it is before its first frame.
    let mut other = Publisher::open(&world.slot(1)).unwrap();
    let mut state = State::new(Phase::Awake, at);
    state.source = Some("another".to_owned());
    other.set_state(&state).unwrap();
    world.step();
    assert_eq!(world.producers.given_up(), Some(world.ids[1]));
    other.publish(JPEG, at).unwrap();
    world.step();
    world.producers.remove(world.ids[1]);
    assert!(of_another(&world, 1), "it is written over");

    // One that has frames and no state, while somebody looks at the frames of this process.
    Reader::new(&world.slot(2)).wish().unwrap();
    world.step();
    assert_eq!(world.in_phase(Phase::Awake), [1, 2]);
    assert_eq!(world.producers.given_up(), None);
    let mut other = Publisher::open(&world.slot(2)).unwrap();
    other.publish(JPEG, at).unwrap();
    world.step();
    assert_eq!(world.producers.given_up(), Some(world.ids[2]));
    assert_eq!(world.captured(2), Some(at));
    world.producers.remove(world.ids[2]);

    // What a reader has taken away is no other producer's.
    fs::remove_file(world.slot(0).join(FRAME_FILE)).unwrap();
    fs::remove_file(world.slot(0).join(STATE_FILE)).unwrap();
    world.step();
    assert_eq!(world.captured(0), Some(UNIX_EPOCH));
    assert_eq!(world.producers.given_up(), None);
}
