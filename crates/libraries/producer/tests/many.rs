//! Fifty slots in one process, written from a source that is no camera: frames are pushed to it, as
//! a program does that receives or fetches them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::cell::Cell;
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use common::{add, directory};
use eyelid_jpeg::{Check, FrameMaker, FrameOptions, PictureError, Turn};
use eyelid_producer::{DriverId, EncodedFrame, Producers, Source, SourceFailure, SourceStatus};
use eyelid_slot::{FRAME_FILE, Phase, Reader};
use tempfile::TempDir;

const SLOTS: usize = 50;

/// As strangers send it: an EXIF segment, no JFIF first.
const JPEG: &[u8] =
    include_bytes!("../../../../fuzz/cases/picture/jpeg-of-a-usb-camera-without-tables");

/// Has what was pushed last, while somebody looks.
struct Pushed {
    awake: bool,
    newest: Option<(Vec<u8>, SystemTime)>,
    sequence: u64,
    maker: FrameMaker,
    /// It was asked what it has.
    was_asked: Cell<bool>,
}

#[derive(Debug, thiserror::Error)]
#[error("nobody pushes")]
struct Nobody;

impl SourceFailure for Nobody {}

impl Pushed {
    fn new() -> Self {
        Self {
            awake: false,
            newest: None,
            sequence: 0,
            maker: FrameMaker::new(FrameOptions {
                turn: Turn::NONE,
                quality_percent: 80,
                tables: eyelid_picture::Tables::Standard,
            }),
            was_asked: Cell::default(),
        }
    }

    fn push(&mut self, jpeg: &[u8]) {
        self.newest = Some((jpeg.to_vec(), SystemTime::now()));
        self.sequence += 1;
    }
}

impl Source for Pushed {
    type Error = Nobody;

    fn start(&mut self, _now: Instant) -> Result<(), Nobody> {
        self.awake = true;
        Ok(())
    }

    fn stop(&mut self, _now: Instant) {
        self.awake = false;
        self.newest = None;
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn advance(&mut self, _now: Instant) -> Result<(), Nobody> {
        Ok(())
    }

    fn status(&self) -> SourceStatus {
        self.was_asked.set(true);
        SourceStatus {
            sequence: self.newest.as_ref().map(|_| self.sequence),
            works: self.newest.is_some(),
            ..SourceStatus::default()
        }
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, Nobody> {
        let Some((jpeg, captured)) = &self.newest else {
            return Ok(None);
        };
        let picture: Result<_, PictureError> = self.maker.jpeg(jpeg, Check::Decoded);
        Ok(picture.ok().map(|picture| EncodedFrame {
            picture,
            captured: *captured,
        }))
    }
}

struct Cameras {
    home: TempDir,
    producers: Producers<Pushed>,
    ids: Vec<DriverId>,
}

impl Cameras {
    fn new() -> Self {
        let (home, now) = (directory(), Instant::now());
        let mut producers = Producers::new().unwrap();
        let ids =
            (0..SLOTS).map(|n| add(&mut producers, &path(home.path(), n), Pushed::new(), now));
        let ids = ids.collect();
        Self {
            home,
            producers,
            ids,
        }
    }

    fn slot(&self, n: usize) -> PathBuf {
        path(self.home.path(), n)
    }

    fn push(&mut self, n: usize, jpeg: &[u8]) {
        let driver = self.producers.get_mut(self.ids[n]).unwrap();
        driver.source_mut().push(jpeg);
    }

    fn step(&mut self) {
        self.producers.step(Instant::now()).unwrap();
    }

    /// Which cameras were looked at since this was asked last.
    fn take_asked(&mut self) -> Vec<usize> {
        let drivers = self.producers.drivers().enumerate();
        let asked = drivers.filter(|(_, driver)| driver.source().was_asked.take());
        asked.map(|(n, _)| n).collect()
    }

    fn phases(&self, phase: Phase) -> usize {
        let states = (0..SLOTS).filter_map(|n| Reader::new(&self.slot(n)).state());
        states.filter(|state| state.state == phase).count()
    }

    fn inodes(&self) -> Vec<Option<u64>> {
        let inode = |n| {
            fs::metadata(self.slot(n).join(FRAME_FILE))
                .ok()
                .map(|m| m.ino())
        };
        (0..SLOTS).map(inode).collect()
    }
}

fn path(home: &Path, n: usize) -> PathBuf {
    home.join(format!("camera-{n}"))
}

fn inotify_instances() -> usize {
    let descriptors = fs::read_dir("/proc/self/fd").unwrap();
    let links = descriptors.filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    links
        .filter(|to| to.as_os_str() == "anon_inode:inotify")
        .count()
}

/// The only test of this process: it counts descriptors.
#[test]
fn fifty_slots_are_driven_on_one_inotify_instance() {
    let mut cameras = Cameras::new();
    cameras.step();
    assert_eq!(inotify_instances(), 1);
    assert_eq!(cameras.producers.descriptors().len(), 1);
    assert_eq!(
        cameras.phases(Phase::Awake),
        SLOTS,
        "empty slots are wished for"
    );

    (0..SLOTS).for_each(|n| cameras.push(n, JPEG));
    cameras.step();
    let first = cameras.inodes();
    assert!(first.iter().all(Option::is_some));
    let frame = Reader::new(&cameras.slot(9)).open().unwrap();
    assert_ne!(frame.bytes, JPEG.len(), "it was normalised");

    // Held open: no wish yet, for anybody.
    (0..SLOTS).for_each(|n| cameras.push(n, JPEG));
    cameras.step();
    assert_eq!(cameras.inodes(), first);
    drop(frame);
    cameras.step();
    let second = cameras.inodes();
    for n in 0..SLOTS {
        assert_eq!(second[n] != first[n], n == 9, "camera {n}");
    }

    // What is no picture is never published, and the next one is.
    Reader::new(&cameras.slot(3)).wish().unwrap();
    cameras.push(3, &JPEG[..JPEG.len() / 2]);
    cameras.step();
    assert_eq!(cameras.inodes(), second);
    cameras.push(3, JPEG);
    cameras.step();
    assert_ne!(cameras.inodes()[3], second[3]);

    // A slot that is taken away is made again, and no other is touched.
    let third = cameras.inodes();
    fs::remove_dir_all(cameras.slot(20)).unwrap();
    cameras.step();
    let fourth = cameras.inodes();
    for n in (0..SLOTS).filter(|n| *n != 20) {
        assert_eq!(fourth[n], third[n], "camera {n}");
    }
    assert!(fourth[20].is_some());

    // Where one camera has a frame or a reader, no other is looked at.
    cameras.take_asked();
    let now = Instant::now();
    Reader::new(&cameras.slot(5)).wish().unwrap();
    cameras.producers.step_slots(now).unwrap();
    assert_eq!(cameras.take_asked(), [5]);
    let fifth = cameras.inodes();
    for n in 0..SLOTS {
        assert_eq!(fifth[n] != fourth[n], n == 5, "camera {n}");
    }
    cameras.push(6, JPEG);
    cameras.producers.step_one(cameras.ids[6], now).unwrap();
    assert_eq!(cameras.inodes(), fifth, "nobody wishes");
    assert_eq!(cameras.take_asked(), [6]);
    let later = now + Duration::from_secs(3600);
    cameras.producers.step_slots(later).unwrap();
    assert_eq!(cameras.take_asked().len(), SLOTS, "all are due");

    // Fifteen seconds later nobody has looked.
    let later = Instant::now() + Duration::from_secs(16);
    cameras.producers.step(later).unwrap();
    assert_eq!(cameras.phases(Phase::Asleep), SLOTS);
    Reader::new(&cameras.slot(49)).wish().unwrap();
    cameras.producers.step(later).unwrap();
    assert_eq!(cameras.phases(Phase::Awake), 1);

    let publisher = cameras.producers.remove(cameras.ids[49]).unwrap();
    assert_eq!(publisher.directory(), cameras.slot(49));
    assert_eq!(cameras.phases(Phase::Awake), 0, "the end is told");
    cameras.producers.end();
    assert_eq!(inotify_instances(), 1);
}
