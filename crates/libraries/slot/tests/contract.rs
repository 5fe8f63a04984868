//! The contract of the slot (docs/slot.md), with a publisher and a reader that race.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{
    Change, Changes, FRAME_FILE, OpenError, Phase, Publisher, Publishers, ReadError, Reader,
    STATE_FILE, State,
};

use common::{HUNG, overflow, slot, wished};

/// Bytes that look like a JPEG to the reader, carry a number, and differ in every byte from those
/// of other numbers.
fn numbered(number: u64) -> Vec<u8> {
    let length = 64 + (number % 64) as usize * 16;
    let mut jpeg = vec![number as u8; length];
    jpeg[..2].copy_from_slice(&[0xFF, 0xD8]);
    jpeg[2..10].copy_from_slice(&number.to_be_bytes());
    jpeg[length - 2..].copy_from_slice(&[0xFF, 0xD9]);
    jpeg
}

fn number(jpeg: &[u8]) -> u64 {
    let number = u64::from_be_bytes(jpeg[2..10].try_into().unwrap());
    assert_eq!(jpeg, numbered(number), "torn frame");
    number
}

/// Ends the other thread's loop, also when this one fails.
struct EndsWithMe<'a>(&'a AtomicBool);

impl Drop for EndsWithMe<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + HUNG;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_reader_at_full_speed_never_sees_a_torn_an_empty_or_an_older_frame() {
    const FRAMES: u64 = 1_000_000;
    let directory = slot();
    let mut publisher = Publisher::open(directory.path()).unwrap();
    publisher.publish(&numbered(0), SystemTime::now()).unwrap();
    let published = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let reader = Reader::new(directory.path());
            let (mut last, mut reads) = (0, 0u64);
            while !done.load(Ordering::Acquire) {
                let floor = published.load(Ordering::Acquire);
                let held = reader.read().unwrap();
                let seen = number(&held.frame.jpeg);
                assert!(
                    seen >= last && seen >= floor,
                    "{seen} after {last}, {floor} was out"
                );
                (last, reads) = (seen, reads + 1);
            }
            reads
        });
        let _end = EndsWithMe(&done);
        for frame in 1..=FRAMES {
            publisher
                .publish(&numbered(frame), SystemTime::now())
                .unwrap();
            published.store(frame, Ordering::Release);
            if frame % 64 == 0 {
                publisher.take_in(Instant::now()).unwrap();
            }
            if reading.is_finished() {
                break;
            }
        }
        done.store(true, Ordering::Release);
        assert!(reading.join().unwrap() > 1000, "the reader must have raced");
    });
    assert_eq!(published.load(Ordering::Acquire), FRAMES);
}

#[test]
fn every_reader_that_opens_once_gets_a_newer_frame() {
    const ROUNDS: u64 = 20_000;
    let directory = slot();
    let mut publisher = Publisher::open(directory.path()).unwrap();
    publisher.publish(&numbered(0), SystemTime::now()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // The producer publishes for each wish and only then; a lost wish would leave the reader
        // waiting.
        scope.spawn(|| {
            let mut frame = 0;
            while !done.load(Ordering::Acquire) {
                if wished(&publisher) {
                    frame += 1;
                    publisher
                        .publish(&numbered(frame), SystemTime::now())
                        .unwrap();
                }
            }
            frame
        });
        let _end = EndsWithMe(&done);
        let reader = Reader::new(directory.path());
        for _ in 0..ROUNDS {
            let held = reader.read().unwrap();
            let (last, id) = (number(&held.frame.jpeg), held.id);
            drop(held);
            let deadline = Instant::now() + HUNG;
            // Looks without opening, so that one wish is all there was.
            while reader.newest() == Some(id) {
                assert!(Instant::now() < deadline, "wish lost after frame {last}");
            }
        }
    });
}

#[test]
fn a_held_frame_asks_for_nothing_until_it_is_closed() {
    let directory = slot();
    let mut publisher = Publisher::open(directory.path()).unwrap();
    assert!(wished(&publisher), "an empty slot wants a frame");
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    assert!(!wished(&publisher) && !publisher.noticed());
    let held = Reader::new(directory.path()).read().unwrap();
    assert!(!wished(&publisher) && publisher.noticed());
    drop(held);
    assert!(wished(&publisher));
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();
    assert!(!wished(&publisher));
    Reader::new(directory.path()).wish().unwrap();
    assert!(wished(&publisher));
}

#[test]
fn an_old_frame_held_while_new_ones_come_is_no_wish_when_closed() {
    let directory = slot();
    let mut publisher = Publisher::open(directory.path()).unwrap();
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    let old = Reader::new(directory.path()).read().unwrap();
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();
    drop(old);
    assert!(!wished(&publisher));
}

#[test]
fn the_mtime_is_the_moment_of_capture() {
    let directory = slot();
    let mut publisher = Publisher::open(directory.path()).unwrap();
    let captured = SystemTime::UNIX_EPOCH + Duration::new(1_795_207_369, 123_456_789);
    publisher.publish(&numbered(1), captured).unwrap();
    let reader = Reader::new(directory.path());
    assert_eq!(reader.read().unwrap().frame.captured, captured);
    assert_eq!(reader.captured(), Some(captured));
}

#[test]
fn survives_the_loss_of_the_frame_the_directory_and_a_stale_temporary_file() {
    let home = slot();
    let directory = home.path().join("webcam");
    let frame = directory.join(FRAME_FILE);
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join(".current.jpg.tmp"), "stale").unwrap();
    let mut publisher = Publisher::open(&directory).unwrap();
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    assert!(!wished(&publisher));

    fs::remove_file(&frame).unwrap();
    assert!(wished(&publisher), "deleted");
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();

    fs::rename(&frame, directory.join("elsewhere.jpg")).unwrap();
    assert!(wished(&publisher), "moved away");
    publisher.publish(&numbered(3), SystemTime::now()).unwrap();
    assert!(!wished(&publisher));

    fs::remove_dir_all(&directory).unwrap();
    assert!(wished(&publisher), "the directory deleted");
    publisher.publish(&numbered(4), SystemTime::now()).unwrap();
    assert_eq!(number(&fs::read(&frame).unwrap()), 4);

    let held = Reader::new(&directory).read().unwrap();
    fs::remove_dir_all(&directory).unwrap();
    assert!(
        wished(&publisher),
        "the directory deleted under an open frame"
    );
    publisher.publish(&numbered(4), SystemTime::now()).unwrap();
    drop(held);
    Reader::new(&directory).wish().unwrap();
    assert!(wished(&publisher), "and readers are seen again");
    publisher.publish(&numbered(4), SystemTime::now()).unwrap();

    fs::rename(&directory, home.path().join("moved")).unwrap();
    fs::create_dir(&directory).unwrap();
    assert!(wished(&publisher), "the directory replaced");
    publisher.publish(&numbered(5), SystemTime::now()).unwrap();
    Reader::new(&directory).wish().unwrap();
    assert!(wished(&publisher), "readers are seen in the new directory");
}

#[test]
fn the_state_is_replaced_only_when_it_changes() {
    let directory = slot();
    let path = directory.path().join(STATE_FILE);
    let mut publisher = Publisher::open(directory.path()).unwrap();
    let mut state = State {
        source: Some("test".into()),
        ..State::new(Phase::Asleep, SystemTime::UNIX_EPOCH)
    };
    let inode = || fs::metadata(&path).unwrap().ino();
    publisher.set_state(&state).unwrap();
    let keep = fs::File::open(&path).unwrap();
    let first = inode();
    publisher.set_state(&state).unwrap();
    assert_eq!(inode(), first);
    state.state = Phase::Awake;
    publisher.set_state(&state).unwrap();
    assert_ne!(inode(), first);
    drop(keep);
    assert_eq!(Reader::new(directory.path()).state(), Some(state.clone()));
    fs::remove_file(&path).unwrap();
    assert!(wished(&publisher));
    publisher.set_state(&state).unwrap();
    assert!(path.exists());
}

#[test]
fn a_state_that_was_moved_away_is_written_again() {
    let directory = slot();
    let path = directory.path().join(STATE_FILE);
    let mut publisher = Publisher::open(directory.path()).unwrap();
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    let mut state = State::new(Phase::Asleep, SystemTime::UNIX_EPOCH);
    for phase in [Phase::Asleep, Phase::Awake] {
        state.state = phase;
        assert!(publisher.set_state(&state).unwrap());
        publisher.take_in(Instant::now()).unwrap();
        assert!(!publisher.has_lost_state());
        fs::rename(&path, directory.path().join("elsewhere.json")).unwrap();
        assert!(wished(&publisher) && publisher.has_lost_state());
        assert!(publisher.set_state(&state).unwrap() && path.exists());
        publisher.take_in(Instant::now()).unwrap();
        assert!(!publisher.has_lost_state());
    }
}

#[test]
fn refuses_what_is_no_frame_and_never_waits_for_it() {
    let directory = slot();
    let reader = Reader::new(directory.path());
    let path = directory.path().join(FRAME_FILE);
    assert!(matches!(reader.read(), Err(ReadError::Missing(_))));
    let refused = |what: &str| match reader.read() {
        Err(ReadError::NotAFrame { what: reason, .. }) => assert_eq!(reason, what),
        other => panic!("{other:?}"),
    };
    fs::write(&path, "").unwrap();
    refused("not a whole JPEG");
    fs::write(&path, &numbered(1)[..20]).unwrap();
    refused("not a whole JPEG");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    refused("a symbolic link");
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    refused("not a regular file");
}

#[test]
fn a_symbolic_link_in_the_slots_place_leads_nobody_away() {
    let home = slot();
    let (directory, elsewhere) = (home.path().join("webcam"), home.path().join("elsewhere"));
    let mut publisher = Publisher::open(&directory).unwrap();
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    let reader = Reader::new(&directory);
    fs::rename(&directory, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &directory).unwrap();
    assert!(matches!(reader.read(), Err(ReadError::NotAFrame { .. })));
    assert!(reader.wish().is_err() && reader.newest().is_none() && reader.captured().is_none());
    // Whether or not it has heard of the loss.
    for _ in 0..2 {
        let refused = publisher.publish(&numbered(2), SystemTime::now());
        assert!(refused.unwrap_err().to_string().contains("symbolic link"));
        publisher.take_in(Instant::now()).unwrap();
    }
    assert_eq!(number(&fs::read(elsewhere.join(FRAME_FILE)).unwrap()), 1);
    assert!(Publisher::open(&directory).is_err());
    assert!(Changes::new().unwrap().add("webcam", &directory).is_err());
    // A link further up is the administrator's.
    fs::remove_file(&directory).unwrap();
    fs::create_dir(&directory).unwrap();
    let alias = home.path().join("alias");
    std::os::unix::fs::symlink(home.path(), &alias).unwrap();
    let mut publisher = Publisher::open(&alias.join("webcam")).unwrap();
    publisher.publish(&numbered(3), SystemTime::now()).unwrap();
    let held = Reader::new(&alias.join("webcam")).read().unwrap();
    assert_eq!(number(&held.frame.jpeg), 3);
}

#[test]
fn changes_tell_of_frames_states_and_loss() {
    let home = slot();
    let directory = home.path().join("front");
    let mut publisher = Publisher::open(&directory).unwrap();
    let mut changes = Changes::new().unwrap();
    changes.add("front", &directory).unwrap();
    assert_eq!(changes.read().unwrap(), []);
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();
    assert_eq!(changes.read().unwrap(), [Change::Frame("front")]);
    fs::remove_dir_all(&directory).unwrap();
    let mut seen = Vec::new();
    eventually("loss", || {
        seen.extend(changes.read().unwrap());
        seen.contains(&Change::Lost("front"))
    });
    assert!(changes.add("front", &directory).is_err());
    fs::create_dir(&directory).unwrap();
    changes.add("front", &directory).unwrap();
    publisher.take_in(Instant::now()).unwrap();
    publisher.publish(&numbered(3), SystemTime::now()).unwrap();
    assert_eq!(changes.read().unwrap(), [Change::Frame("front")]);
    changes.remove(&"front");
    publisher.publish(&numbered(4), SystemTime::now()).unwrap();
    assert_eq!(changes.read().unwrap(), []);
}

#[test]
fn changes_are_read_to_the_last_however_many_there_are() {
    let home = slot();
    let directory = home.path().join("front");
    let mut publisher = Publisher::open(&directory).unwrap();
    let mut changes = Changes::new().unwrap();
    changes.add("front", &directory).unwrap();
    // More than is read at once, whatever the names take; two in a row that are alike are one.
    for count in [1, 100, 119, 120, 121, 127, 128, 129, 300] {
        for (number, name) in (0..count).zip(["a", "a-name-of-more-than-16-bytes"].iter().cycle()) {
            let hidden = directory.join(".hidden");
            fs::write(&hidden, "").unwrap();
            fs::rename(hidden, directory.join(format!("{name}{}", number % 2))).unwrap();
        }
        publisher.publish(&numbered(1), SystemTime::now()).unwrap();
        assert_eq!(changes.read().unwrap(), [Change::Frame("front")], "{count}");
        assert_eq!(changes.read().unwrap(), [], "{count}");
    }
}

#[test]
fn many_publishers_share_one_instance_and_each_hears_of_its_own_readers() {
    let home = slot();
    let publishers = Publishers::new().unwrap();
    let path = |n: usize| home.path().join(format!("camera-{n}"));
    let mut slots: Vec<Publisher> = (0..50)
        .map(|n| publishers.open(&path(n)).unwrap())
        .collect();
    for number in 1..=2 {
        for publisher in &mut slots {
            let captured = SystemTime::now();
            publisher.publish(&numbered(number), captured).unwrap();
        }
    }
    // What a publisher does itself is no news.
    assert_eq!(publishers.take_in(Instant::now()).unwrap(), []);
    Reader::new(&path(7)).wish().unwrap();
    let held = Reader::new(&path(8)).read().unwrap();
    let now = Instant::now();
    let changed = [slots[7].id(), slots[8].id()];
    assert_eq!(publishers.take_in(now).unwrap(), changed);
    for (n, slot) in slots.iter_mut().enumerate() {
        assert_eq!(slot.wished(now), n == 7, "{n}");
        assert_eq!(slot.noticed(), n == 7 || n == 8, "{n}");
        assert_eq!(slot.deadline().is_some(), n == 8, "{n}");
        assert_eq!(slot.take_activity(), n == 7 || n == 8, "{n}");
        assert!(!slot.take_activity() && !slot.take_loss(), "{n}");
    }
    drop(held);
    let shared = publishers.as_fd().as_raw_fd();
    let mut instances = slots.iter().map(|slot| slot.as_fd().as_raw_fd());
    assert!(instances.all(|instance| instance == shared));
}

#[test]
fn a_slot_that_is_removed_dropped_or_taken_harms_no_other() {
    let home = slot();
    let publishers = Publishers::new().unwrap();
    let (front, back) = (home.path().join("front"), home.path().join("back"));
    let mut publisher = publishers.open(&front).unwrap();
    let mut other = publishers.open(&back).unwrap();
    for slot in [&mut publisher, &mut other] {
        slot.publish(&numbered(1), SystemTime::now()).unwrap();
    }
    let refused = publishers.open(&home.path().join("back")).unwrap_err();
    assert!(matches!(refused, OpenError::Taken { .. }), "{refused}");
    assert!(!wished(&publisher) && !wished(&other));
    fs::remove_dir_all(&back).unwrap();
    assert!(wished(&other) && !wished(&publisher));
    assert!(other.take_loss() && !other.take_loss() && !publisher.take_loss());
    other.publish(&numbered(2), SystemTime::now()).unwrap();
    Reader::new(&front).wish().unwrap();
    assert!(wished(&publisher) && !wished(&other));
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();
    drop(other);
    Reader::new(&back).wish().unwrap();
    assert!(!wished(&publisher), "nobody's wish");
    let other = publishers.open(&back).unwrap();
    assert!(wished(&other), "who wished before is not known");
}

#[test]
fn after_an_overflow_all_slots_look_again() {
    let home = slot();
    let publishers = Publishers::new().unwrap();
    let (front, back) = (home.path().join("front"), home.path().join("back"));
    let mut slots = [&front, &back].map(|path| publishers.open(path).unwrap());
    let state = State::new(Phase::Awake, SystemTime::UNIX_EPOCH);
    for slot in &mut slots {
        slot.publish(&numbered(1), SystemTime::now()).unwrap();
        slot.set_state(&state).unwrap();
    }
    publishers.take_in(Instant::now()).unwrap();
    // The loss of the other is among what is dropped.
    overflow(&front.join(FRAME_FILE));
    fs::rename(&back, home.path().join("moved")).unwrap();
    fs::create_dir(&back).unwrap();
    publishers.take_in(Instant::now()).unwrap();
    for (slot, path) in slots.iter_mut().zip([&front, &back]) {
        assert!(slot.wished(Instant::now()) && slot.take_activity());
        slot.publish(&numbered(2), SystemTime::now()).unwrap();
        slot.set_state(&state).unwrap();
        assert!(path.join(STATE_FILE).exists(), "{path:?}");
    }
    assert!(slots.iter().all(|slot| !wished(slot)));
    for (n, path) in [&front, &back].into_iter().enumerate() {
        // The file stays: only its directory's watch can tell.
        fs::rename(path.join(FRAME_FILE), path.join("elsewhere.jpg")).unwrap();
        assert!(wished(&slots[n]), "{path:?} is watched again");
    }
}

#[test]
fn a_slot_without_a_frame_shows_its_first_wish() {
    let home = slot();
    let mut publisher = Publisher::open(home.path()).unwrap();
    assert!(wished(&publisher) && publisher.is_wish_assumed());
    publisher.offer_frame().unwrap();
    assert!(!wished(&publisher) && !publisher.noticed() && !publisher.is_wish_assumed());
    // It is a whole picture, and too old to be an answer.
    let reader = Reader::new(home.path());
    let held = reader.read().unwrap();
    assert_eq!(held.frame.captured, SystemTime::UNIX_EPOCH);
    // Who looks for it opens nothing; who opens it is seen, and who closes it wishes.
    assert!(!wished(&publisher) && publisher.noticed() && !publisher.is_wish_assumed());
    drop(held);
    assert!(wished(&publisher) && !publisher.is_wish_assumed());
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    assert!(!wished(&publisher));
}

#[test]
fn a_wish_made_while_a_placeholder_takes_the_frames_place_is_not_lost() {
    let home = slot();
    let mut publisher = Publisher::open(home.path()).unwrap();
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    publisher.take_in(Instant::now()).unwrap();
    let held = Reader::new(home.path()).open().unwrap();
    publisher.offer_frame().unwrap();
    assert!(!wished(&publisher) && publisher.noticed(), "it was opened");
    drop(held);
    assert!(wished(&publisher));
    // Who has had the frame before a new one has had the wish.
    let held = Reader::new(home.path()).open().unwrap();
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();
    drop(held);
    assert!(!wished(&publisher));
}

#[test]
fn a_placeholder_that_is_taken_away_or_missed_is_wished_for_only_by_assumption() {
    let home = slot();
    let mut publisher = Publisher::open(home.path()).unwrap();
    publisher.offer_frame().unwrap();
    assert!(!wished(&publisher));
    fs::remove_file(home.path().join(FRAME_FILE)).unwrap();
    assert!(wished(&publisher) && publisher.is_wish_assumed());
    publisher.offer_frame().unwrap();
    overflow(&home.path().join(FRAME_FILE));
    assert!(wished(&publisher));
    publisher.offer_frame().unwrap();
    assert!(!wished(&publisher), "one placeholder ends it");
}

#[test]
fn a_file_that_another_producer_puts_there_is_told_of_and_ones_own_are_not() {
    let home = slot();
    let mut publisher = Publisher::open(home.path()).unwrap();
    let is_told = |publisher: &mut Publisher| {
        publisher.take_in(Instant::now()).unwrap();
        publisher.take_replacement()
    };
    publisher.offer_frame().unwrap();
    for (number, phase) in [(1, Phase::Asleep), (2, Phase::Awake)] {
        publisher
            .publish(&numbered(number), SystemTime::now())
            .unwrap();
        let state = State::new(phase, SystemTime::UNIX_EPOCH);
        publisher.set_state(&state).unwrap();
        drop(Reader::new(home.path()).open().unwrap());
        assert!(!is_told(&mut publisher));
    }
    for file in [FRAME_FILE, STATE_FILE] {
        let other = home.path().join(".other");
        fs::write(&other, "another producer's").unwrap();
        fs::rename(&other, home.path().join(file)).unwrap();
        assert!(
            is_told(&mut publisher) && !is_told(&mut publisher),
            "{file}"
        );
    }
    publisher.publish(&numbered(3), SystemTime::now()).unwrap();
    fs::remove_file(home.path().join(FRAME_FILE)).unwrap();
    assert!(is_told(&mut publisher));
}
