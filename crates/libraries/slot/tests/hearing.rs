//! Readers that are heard at once, and those that are heard when somebody asks (docs/slot.md,
//! demand): whatever the producer chooses, no wish is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{FRAME_FILE, Hearing, Publisher, Publishers, Reader};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

use common::{HUNG, overflow, slot, wished};

const JPEG: &[u8] = b"\xFF\xD8 \xFF\xD9";

/// A slot in which two frames were published, the second with this hearing.
fn published(directory: &Path, hearing: Hearing) -> Publisher {
    let mut publisher = Publisher::open(directory).unwrap();
    publisher.publish(JPEG, SystemTime::now()).unwrap();
    publish(&mut publisher, hearing);
    publisher
}

fn publish(publisher: &mut Publisher, hearing: Hearing) {
    publisher
        .publish_heard(JPEG, SystemTime::now(), hearing)
        .unwrap();
    publisher.take_in(Instant::now()).unwrap();
}

/// Says whether the process would be woken within a time.
fn wakes(publisher: &impl AsFd, within_ms: u16) -> bool {
    let mut waiting = [PollFd::new(publisher.as_fd(), PollFlags::POLLIN)];
    poll(&mut waiting, PollTimeout::from(within_ms)).unwrap() == 1
}

/// How many files and directories it watches.
fn watches(publisher: &impl AsFd) -> usize {
    let descriptor = publisher.as_fd().as_raw_fd();
    let told = fs::read_to_string(format!("/proc/self/fdinfo/{descriptor}")).unwrap();
    told.lines()
        .filter(|line| line.starts_with("inotify"))
        .count()
}

fn open(directory: &Path) -> File {
    File::open(directory.join(FRAME_FILE)).unwrap()
}

#[test]
fn who_is_heard_when_asked_wakes_nobody() {
    let directory = slot();
    let mut publisher = published(directory.path(), Hearing::WhenAsked);
    assert!(!wished(&publisher) && !publisher.noticed());
    Reader::new(directory.path()).wish().unwrap();
    assert!(!wakes(&publisher, 0));
    assert!(wished(&publisher) && publisher.take_activity());
    // The next one is another file.
    publish(&mut publisher, Hearing::AtOnce);
    assert!(!wished(&publisher));
    Reader::new(directory.path()).wish().unwrap();
    assert!(wakes(&publisher, 0) && wished(&publisher));
}

#[test]
fn what_it_writes_itself_wakes_no_process_that_hears_when_asked() {
    let directory = slot();
    let mut publisher = published(directory.path(), Hearing::WhenAsked);
    for _ in 0..3 {
        publisher
            .publish_heard(JPEG, SystemTime::now(), Hearing::WhenAsked)
            .unwrap();
        assert!(!wakes(&publisher, 0));
    }
}

#[test]
fn what_was_done_before_and_after_somebody_turns_to_it_is_heard() {
    let directory = slot();
    let mut publisher = published(directory.path(), Hearing::WhenAsked);
    assert!(publisher.hear_at_once(Instant::now()).unwrap());
    assert!(!publisher.hear_at_once(Instant::now()).unwrap(), "it does");
    assert!(!wished(&publisher) && !publisher.noticed());
    Reader::new(directory.path()).wish().unwrap();
    assert!(wakes(&publisher, 0) && wished(&publisher));

    publish(&mut publisher, Hearing::WhenAsked);
    Reader::new(directory.path()).wish().unwrap();
    assert!(publisher.hear_at_once(Instant::now()).unwrap());
    assert!(publisher.wished(Instant::now()), "closed before");

    publish(&mut publisher, Hearing::WhenAsked);
    let held = open(directory.path());
    assert!(publisher.hear_at_once(Instant::now()).unwrap());
    assert!(!wished(&publisher) && publisher.noticed(), "opened before");
    drop(held);
    assert!(wakes(&publisher, 0) && wished(&publisher), "closed behind");

    // A frame that somebody has taken away counts as wished for.
    let frame = directory.path().join(FRAME_FILE);
    publish(&mut publisher, Hearing::WhenAsked);
    fs::remove_file(&frame).unwrap();
    assert!(publisher.hear_at_once(Instant::now()).unwrap());
    assert!(wished(&publisher));
    let taken_away = || fs::rename(&frame, directory.path().join("elsewhere.jpg")).unwrap();
    publish(&mut publisher, Hearing::WhenAsked);
    taken_away();
    assert!(publisher.hear_at_once(Instant::now()).unwrap());
    assert!(wished(&publisher));
    publish(&mut publisher, Hearing::WhenAsked);
    assert!(publisher.hear_at_once(Instant::now()).unwrap());
    taken_away();
    assert!(wakes(&publisher, 0) && wished(&publisher));
}

#[test]
fn a_frame_that_was_moved_away_is_watched_no_longer_though_another_came_before_that_was_heard() {
    let directory = slot();
    let mut publisher = published(directory.path(), Hearing::AtOnce);
    let before = watches(&publisher);
    let frame = directory.path().join(FRAME_FILE);
    fs::rename(frame, directory.path().join("elsewhere.jpg")).unwrap();
    publish(&mut publisher, Hearing::AtOnce);
    assert_eq!(watches(&publisher), before);
}

/// The 2 s for which a frame may be held count from the moment at which it can have been opened at
/// the earliest.
#[test]
fn a_frame_that_is_held_is_wished_for_no_later_than_if_that_was_heard_at_once() {
    let directory = slot();
    let mut publisher = published(directory.path(), Hearing::WhenAsked);
    let published = Instant::now();
    publisher.take_in(published).unwrap();
    let _held = open(directory.path());
    let (heard, hold) = (
        published + Duration::from_millis(90),
        Duration::from_secs(2),
    );
    publisher.take_in(heard).unwrap();
    assert!(publisher.noticed() && !publisher.wished(heard));
    assert_eq!(publisher.deadline(), Some(published + hold));
    assert!(publisher.wished(published + hold));
    publish(&mut publisher, Hearing::AtOnce);
    assert_eq!(publisher.deadline(), None);
}

/// Two slots of one process with a frame each: the readers of the first are heard when asked, those
/// of the second at once.
fn busy_and_asleep(paths: &[PathBuf; 2]) -> (Publishers, [Publisher; 2]) {
    let publishers = Publishers::new().unwrap();
    let mut slots = [0, 1].map(|n| publishers.open(&paths[n]).unwrap());
    // The numbers of the watches are the same in both instances.
    for (slot, hearing) in slots.iter_mut().zip([Hearing::WhenAsked, Hearing::AtOnce]) {
        publish(slot, hearing);
    }
    (publishers, slots)
}

#[test]
fn each_slot_is_heard_as_it_was_told() {
    let home = slot();
    let paths = ["busy", "asleep"].map(|name| home.path().join(name));
    let (publishers, slots) = busy_and_asleep(&paths);
    let [busy, asleep] = &slots;
    Reader::new(&paths[0]).wish().unwrap();
    assert!(!wakes(&publishers, 0));
    Reader::new(&paths[1]).wish().unwrap();
    assert!(wakes(&publishers, 0));
    let now = Instant::now();
    assert_eq!(publishers.take_in(now).unwrap(), [asleep.id()]);
    assert!(busy.wished(now) && asleep.wished(now));
}

#[test]
fn an_overflow_of_those_heard_when_asked_concerns_only_them() {
    let home = slot();
    let paths = ["busy", "asleep"].map(|name| home.path().join(name));
    let (publishers, slots) = busy_and_asleep(&paths);
    publishers.take_in(Instant::now()).unwrap();
    overflow(&paths[0].join(FRAME_FILE));
    let now = Instant::now();
    let [busy, asleep] = &slots;
    assert_eq!(publishers.take_in(now).unwrap(), [busy.id()]);
    assert!(busy.wished(now) && !asleep.wished(now));
}

/// The producer publishes for each wish and only then, and turns its attention on and off as it
/// likes. A lost wish would leave the reader waiting.
#[test]
fn no_wish_is_lost_however_the_hearing_changes() {
    const ROUNDS: u64 = 3_000;
    let directory = slot();
    let mut publisher = published(directory.path(), Hearing::AtOnce);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let reader = Reader::new(directory.path());
            for round in 0..ROUNDS {
                let before = reader.newest();
                reader.wish().unwrap();
                let deadline = Instant::now() + HUNG;
                while reader.newest() == before {
                    assert!(Instant::now() < deadline, "wish {round} was lost");
                    std::thread::yield_now();
                }
            }
            done.store(true, Ordering::Release);
        });
        let start = Instant::now();
        let mut frames = 0_u64;
        while !done.load(Ordering::Acquire) && start.elapsed() < HUNG * 2 {
            if wished(&publisher) {
                frames += 1;
                let hearing = match frames % 2 {
                    0 => Hearing::AtOnce,
                    _ => Hearing::WhenAsked,
                };
                publish(&mut publisher, hearing);
                // Now before the reader opens the frame, now between, now behind.
                (0..frames % 61).for_each(|_| std::hint::spin_loop());
                if !frames.is_multiple_of(3) {
                    publisher.hear_at_once(Instant::now()).unwrap();
                }
            } else if publisher.hear_at_once(Instant::now()).unwrap() {
                continue;
            } else {
                wakes(&publisher, 100);
            }
        }
    });
    assert!(done.load(Ordering::Acquire));
}

/// A busy camera's slot, in a directory above which somebody has rights, too.
fn busy() -> (TempDir, PathBuf, Publisher) {
    let home = slot();
    let slots = home.path().join("slots");
    let mut publisher = published(&slots.join("door"), Hearing::WhenAsked);
    publish(&mut publisher, Hearing::WhenAsked);
    (home, slots, publisher)
}

#[test]
fn the_loss_of_a_busy_slots_directory_is_heard_and_mended() {
    let (_home, slots, mut publisher) = busy();
    let slot = slots.join("door");
    fs::remove_dir_all(&slot).unwrap();
    let start = Instant::now();
    // The frame's loss comes first, and that of the directory once it was let go of.
    while !publisher.take_loss() {
        publisher.take_in(Instant::now()).unwrap();
        assert!(start.elapsed() < HUNG);
    }
    publish(&mut publisher, Hearing::WhenAsked);
    assert!(slot.join(FRAME_FILE).is_file());
}

#[test]
fn a_busy_slot_whose_directory_was_replaced_unheard_gets_its_frames() {
    for is_replaced in [false, true] {
        let (home, slots, mut publisher) = busy();
        // inotify tells only of what is watched itself.
        fs::rename(&slots, home.path().join("before")).unwrap();
        if is_replaced {
            fs::create_dir(&slots).unwrap();
        }
        publish(&mut publisher, Hearing::WhenAsked);
        assert!(slots.join("door").join(FRAME_FILE).is_file());
        Reader::new(&slots.join("door")).wish().unwrap();
        assert!(wished(&publisher));
        // What was lost without a word is mended even before anything was taken in.
        fs::remove_dir_all(slots.join("door")).unwrap();
        publisher
            .publish_heard(JPEG, SystemTime::now(), Hearing::WhenAsked)
            .unwrap();
        assert!(slots.join("door").join(FRAME_FILE).is_file());
    }
}
