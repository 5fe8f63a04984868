//! Renditions that are made aside: while one takes its time, all else goes on, and what is made
//! next is of the newest picture.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Pushed, add, directory, taken};
use eyelid_picture::Encoder;
use eyelid_producer::{DriverId, Producers, RenderJob};
use eyelid_slot::{FRAME_FILE, Rendition, RenditionSet};
use tempfile::TempDir;

/// Three cameras of one process.
struct World {
    home: TempDir,
    producers: Producers<Pushed>,
    ids: [DriverId; 3],
    now: Instant,
}

impl World {
    fn new() -> Self {
        let (home, now) = (directory(), Instant::now());
        let mut producers = Producers::new().unwrap();
        let ids = [0, 1, 2].map(|n: usize| {
            let source = Pushed {
                number: 0,
                jpeg: Arc::default(),
                tells_of_frames: false,
                offers: RenditionSet::from_iter([
                    Rendition::Low,
                    Rendition::Half,
                    Rendition::Quarter,
                ]),
            };
            add(
                &mut producers,
                &home.path().join(n.to_string()),
                source,
                now,
            )
        });
        let mut world = Self {
            home,
            producers,
            ids,
            now,
        };
        for n in 0..3 {
            world.push(n);
        }
        world
    }

    fn file(&self, n: usize, file: &str) -> PathBuf {
        self.home.path().join(n.to_string()).join(file)
    }

    /// A frame has come, and what is to be done for its camera is done.
    fn push(&mut self, n: usize) {
        self.now += Duration::from_millis(33);
        let source = self.producers.get_mut(self.ids[n]).unwrap().source_mut();
        let mut encoder = Encoder::default();
        let jpeg = encoder.encode_rgb(&[90; 32 * 16 * 3], 32, 16, 80);
        source.jpeg = Arc::new(jpeg.unwrap().to_vec());
        source.number += 1;
        self.producers.step_one(self.ids[n], self.now).unwrap();
    }

    fn wish(&mut self, n: usize, file: &str) {
        fs::read(self.file(n, file)).unwrap();
        self.now += Duration::from_millis(1);
        self.producers.step_slots(self.now).unwrap();
    }

    fn take_job(&mut self) -> Option<(DriverId, RenderJob)> {
        self.producers.take_job(self.now)
    }

    fn finish(&mut self, (id, job): (DriverId, RenderJob)) {
        self.producers.finish_job(id, Some(job.run()), self.now);
        self.producers.step_slots(self.now).unwrap();
    }
}

fn when(file: &Path) -> SystemTime {
    file.metadata().unwrap().modified().unwrap()
}

const HALF: &str = "current.half.jpg";

#[test]
fn what_nobody_wishes_for_is_no_job() {
    let mut world = World::new();
    for _ in 0..3 {
        world.wish(0, FRAME_FILE);
        world.push(0);
        assert!(!world.producers.wants_job());
        assert!(world.take_job().is_none());
    }
    assert_eq!(when(&world.file(0, HALF)), UNIX_EPOCH);
}

#[test]
fn frames_of_all_cameras_go_on_while_one_is_made() {
    let mut world = World::new();
    assert_eq!(HALF, Rendition::Half.file());
    world.wish(0, HALF);
    assert!(world.producers.wants_job());
    let job = world.take_job().unwrap();
    assert_eq!(job.0, world.ids[0]);
    for number in 2..9 {
        for n in 0..3 {
            world.wish(n, FRAME_FILE);
            world.push(n);
            assert_eq!(
                when(&world.file(n, FRAME_FILE)),
                taken(number),
                "camera {n}"
            );
        }
        // It is being made already.
        assert!(world.take_job().is_none());
    }
    assert_eq!(when(&world.file(0, HALF)), UNIX_EPOCH);
    world.finish(job);
    assert_eq!(
        when(&world.file(0, HALF)),
        taken(1),
        "the exposure it was made of"
    );
    assert!(world.take_job().is_none(), "its wish was answered");
    world.wish(0, HALF);
    let job = world.take_job().unwrap();
    world.finish(job);
    assert_eq!(when(&world.file(0, HALF)), taken(8));
}

#[test]
fn who_waits_for_a_turn_gets_one_and_the_newest_picture() {
    let mut world = World::new();
    for n in [0, 2, 1] {
        world.wish(n, HALF);
    }
    for n in [0, 2, 1] {
        for each in 0..3 {
            world.push(each);
        }
        let newest = world.producers.get_mut(world.ids[n]).unwrap();
        let newest = newest.source().captured();
        let job = world.take_job().unwrap();
        assert_eq!(job.0, world.ids[n], "in the order in which they came");
        world.finish(job);
        assert_eq!(when(&world.file(n, HALF)), newest);
        // It is the last in the queue now.
        world.wish(n, HALF);
    }
    assert_eq!(world.take_job().unwrap().0, world.ids[0]);
}

#[test]
fn a_job_that_is_lost_or_comes_too_late_harms_nobody() {
    let mut world = World::new();
    world.wish(0, HALF);
    let (id, _) = world.take_job().unwrap();
    world.producers.finish_job(id, None, world.now);
    assert!(world.take_job().is_none(), "not of this picture again");
    world.push(0);
    let job = world.take_job().unwrap();
    world.finish(job);
    assert_eq!(when(&world.file(0, HALF)), taken(2));
    world.wish(1, HALF);
    let job = world.take_job().unwrap();
    drop(world.producers.remove(job.0));
    world.finish(job);
    assert_eq!(when(&world.file(1, HALF)), UNIX_EPOCH);
}
