//! The contract of the slot (docs/slot.md), with a publisher and a reader that race.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{
    Change, Changes, FRAME_FILE, Phase, Publisher, ReadError, Reader, STATE_FILE, State,
};
use tempfile::TempDir;

/// How long anything may take before it counts as hung.
const HUNG: Duration = Duration::from_secs(20);

/// A tmpfs where there is one: the slot's usual home, and fast.
fn slot() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    }
    .unwrap()
}

/// Bytes that look like a JPEG to the reader, carry a number, and differ in every byte from those of other numbers.
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
                publisher.wished(Instant::now());
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
        // The producer publishes for each wish and only then; a lost wish would leave the reader waiting.
        scope.spawn(|| {
            let mut frame = 0;
            while !done.load(Ordering::Acquire) {
                if publisher.wished(Instant::now()) {
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
    assert!(
        publisher.wished(Instant::now()),
        "an empty slot wants a frame"
    );
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    assert!(!publisher.wished(Instant::now()) && !publisher.noticed());
    let held = Reader::new(directory.path()).read().unwrap();
    assert!(!publisher.wished(Instant::now()) && publisher.noticed());
    drop(held);
    assert!(publisher.wished(Instant::now()));
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();
    assert!(!publisher.wished(Instant::now()));
    Reader::new(directory.path()).wish().unwrap();
    assert!(publisher.wished(Instant::now()));
}

#[test]
fn an_old_frame_held_while_new_ones_come_is_no_wish_when_closed() {
    let directory = slot();
    let mut publisher = Publisher::open(directory.path()).unwrap();
    publisher.publish(&numbered(1), SystemTime::now()).unwrap();
    let old = Reader::new(directory.path()).read().unwrap();
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();
    drop(old);
    assert!(!publisher.wished(Instant::now()));
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
    assert!(!publisher.wished(Instant::now()));

    fs::remove_file(&frame).unwrap();
    assert!(publisher.wished(Instant::now()), "deleted");
    publisher.publish(&numbered(2), SystemTime::now()).unwrap();

    fs::rename(&frame, directory.join("elsewhere.jpg")).unwrap();
    assert!(publisher.wished(Instant::now()), "moved away");
    publisher.publish(&numbered(3), SystemTime::now()).unwrap();
    assert!(!publisher.wished(Instant::now()));

    fs::remove_dir_all(&directory).unwrap();
    assert!(publisher.wished(Instant::now()), "the directory deleted");
    publisher.publish(&numbered(4), SystemTime::now()).unwrap();
    assert_eq!(number(&fs::read(&frame).unwrap()), 4);

    let held = Reader::new(&directory).read().unwrap();
    fs::remove_dir_all(&directory).unwrap();
    assert!(
        publisher.wished(Instant::now()),
        "the directory deleted under an open frame"
    );
    publisher.publish(&numbered(4), SystemTime::now()).unwrap();
    drop(held);
    Reader::new(&directory).wish().unwrap();
    assert!(
        publisher.wished(Instant::now()),
        "and readers are seen again"
    );
    publisher.publish(&numbered(4), SystemTime::now()).unwrap();

    fs::rename(&directory, home.path().join("moved")).unwrap();
    fs::create_dir(&directory).unwrap();
    assert!(publisher.wished(Instant::now()), "the directory replaced");
    publisher.publish(&numbered(5), SystemTime::now()).unwrap();
    Reader::new(&directory).wish().unwrap();
    assert!(
        publisher.wished(Instant::now()),
        "readers are seen in the new directory"
    );
}

#[test]
fn the_state_is_replaced_only_when_it_changes() {
    let directory = slot();
    let path = directory.path().join(STATE_FILE);
    let mut publisher = Publisher::open(directory.path()).unwrap();
    let mut state = State {
        state: Phase::Asleep,
        source: Some("test".into()),
        width: None,
        height: None,
        jpeg: None,
        fps: None,
        settling: false,
        error: None,
        retry: None,
        waiting: None,
        since: SystemTime::UNIX_EPOCH,
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
    assert!(publisher.wished(Instant::now()));
    publisher.set_state(&state).unwrap();
    assert!(path.exists());
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
        publisher.wished(Instant::now());
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
    publisher.wished(Instant::now());
    publisher.publish(&numbered(3), SystemTime::now()).unwrap();
    assert_eq!(changes.read().unwrap(), [Change::Frame("front")]);
    changes.remove(&"front");
    publisher.publish(&numbered(4), SystemTime::now()).unwrap();
    assert_eq!(changes.read().unwrap(), []);
}
