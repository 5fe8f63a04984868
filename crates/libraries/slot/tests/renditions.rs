//! The contract of renditions (docs/slot.md), with publishers and readers that race.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use eyelid_slot::{
    Change, Changes, FRAME_FILE, Publisher, ReadError, Reader, Rendition, RenditionSet,
};
use proptest::prelude::*;

use common::{HUNG, overflow, slot};

const NONE: RenditionSet = RenditionSet::EMPTY;

/// What looks to the reader like a whole picture, and says of which file and exposure it is.
fn picture(rendition: Option<Rendition>, exposure: u64) -> Vec<u8> {
    let (start, end): (&[u8], &[u8]) = match rendition {
        Some(Rendition::Y4m) => (b"YUV4MPEG2 ", b""),
        _ => (b"\xFF\xD8", b"\xFF\xD9"),
    };
    let name = rendition.map_or("frame", Rendition::name);
    let filling = vec![exposure as u8; 16 * (exposure as usize % 64)];
    let text = format!("{name} {exposure} ");
    [start, text.as_bytes(), &filling, end].concat()
}

fn moment(exposure: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_207_369 + exposure)
}

fn set(renditions: &[Rendition]) -> RenditionSet {
    renditions.iter().copied().collect()
}

/// The renditions that are wished for, after all that has happened.
fn wished(publisher: &Publisher) -> RenditionSet {
    let now = Instant::now();
    publisher.take_in(now).unwrap();
    publisher.wished_renditions(now)
}

fn offering(directory: &Path, renditions: impl IntoIterator<Item = Rendition>) -> Publisher {
    let mut publisher = Publisher::open(directory).unwrap();
    for rendition in renditions {
        publisher.offer(rendition).unwrap();
    }
    publisher.publish(&picture(None, 0), moment(0)).unwrap();
    publisher.take_in(Instant::now()).unwrap();
    publisher
}

#[test]
fn an_offer_is_old_whole_and_no_wish() {
    let directory = slot();
    let mut publisher = offering(directory.path(), Rendition::ALL);
    assert_eq!(wished(&publisher), NONE);
    assert!(!publisher.noticed());
    for rendition in Rendition::ALL {
        let reader = Reader::of(directory.path(), Some(rendition));
        assert_eq!(reader.captured(), Some(SystemTime::UNIX_EPOCH));
        reader.read().unwrap();
        assert_eq!(wished(&publisher), set(&[rendition]));
        assert!(publisher.noticed() && !publisher.wished(Instant::now()));
        let made = picture(Some(rendition), 1);
        publisher
            .publish_rendition(rendition, &made, moment(1))
            .unwrap();
        assert_eq!(wished(&publisher), NONE);
        assert!(!publisher.noticed());
        let read = reader.read().unwrap();
        assert_eq!(read.frame.jpeg, made);
        assert_eq!(read.frame.captured, moment(1));
        drop(read);
        publisher.offer(rendition).unwrap();
        assert_eq!(wished(&publisher), NONE);
    }
}

#[test]
fn the_frame_and_a_rendition_are_wished_for_apart() {
    let directory = slot();
    let half = Rendition::Half;
    let mut publisher = offering(directory.path(), [half, Rendition::Low]);
    Reader::new(directory.path()).wish().unwrap();
    assert_eq!(wished(&publisher), NONE);
    assert!(publisher.wished(Instant::now()));
    publisher.publish(&picture(None, 1), moment(1)).unwrap();
    let held = Reader::of(directory.path(), Some(half)).read().unwrap();
    assert_eq!(wished(&publisher), NONE, "it is held open");
    assert!(publisher.noticed() && publisher.deadline().is_some());
    let later = publisher.deadline().unwrap();
    assert_eq!(publisher.wished_renditions(later), set(&[half]), "too long");
    publisher.publish(&picture(None, 2), moment(2)).unwrap();
    assert!(publisher.noticed(), "the frame is no answer");
    drop(held);
    assert_eq!(wished(&publisher), set(&[half]));
    assert!(!publisher.wished(Instant::now()));
}

#[test]
fn what_is_taken_away_is_missed_and_can_be_offered_again() {
    let home = slot();
    let directory = home.path().join("webcam");
    let (half, low) = (Rendition::Half, Rendition::Low);
    let mut publisher = offering(&directory, [half, low]);
    let file = directory.join(half.file());
    let removed = || fs::remove_file(&file).unwrap();
    let moved_away = || fs::rename(&file, directory.join("elsewhere.jpg")).unwrap();
    for take_away in [&removed as &dyn Fn(), &moved_away] {
        publisher.take_activity();
        take_away();
        assert_eq!(wished(&publisher), NONE);
        assert!(publisher.take_activity());
        assert_eq!(publisher.missing_renditions(), set(&[half]));
        publisher.offer(half).unwrap();
        assert_eq!(publisher.missing_renditions(), NONE);
    }
    Reader::of(&directory, Some(half)).wish().unwrap();
    assert_eq!(wished(&publisher), set(&[half]));

    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(wished(&publisher), NONE);
    assert_eq!(publisher.missing_renditions(), set(&[half, low]));
    for rendition in [half, low] {
        publisher.offer(rendition).unwrap();
    }
    Reader::of(&directory, Some(low)).wish().unwrap();
    assert_eq!(wished(&publisher), set(&[low]));

    publisher.withdraw(low);
    assert!(!directory.join(low.file()).exists());
    assert_eq!(
        (wished(&publisher), publisher.missing_renditions()),
        (NONE, NONE)
    );
    let missing = Reader::of(&directory, Some(low)).read();
    assert!(matches!(missing, Err(ReadError::Missing(_))));
}

#[test]
fn after_an_overflow_all_that_is_offered_is_wished_for() {
    let directory = slot();
    let publisher = offering(directory.path(), [Rendition::Half, Rendition::Y4m]);
    overflow(&directory.path().join(FRAME_FILE));
    assert_eq!(wished(&publisher), set(&[Rendition::Half, Rendition::Y4m]));
}

#[test]
fn changes_tell_which_file_is_new() {
    let directory = slot();
    let mut publisher = offering(directory.path(), [Rendition::Half]);
    let mut changes = Changes::new().unwrap();
    changes.add("front", directory.path()).unwrap();
    publisher.publish(&picture(None, 1), moment(1)).unwrap();
    let half = picture(Some(Rendition::Half), 1);
    for _ in 0..2 {
        publisher
            .publish_rendition(Rendition::Half, &half, moment(1))
            .unwrap();
    }
    let expected = [
        Change::Frame("front"),
        Change::Rendition("front", Rendition::Half),
    ];
    assert_eq!(changes.read().unwrap(), expected);
}

#[test]
fn a_jpeg_is_no_planes_and_planes_are_no_jpeg() {
    let directory = slot();
    for (rendition, other) in [
        (Some(Rendition::Y4m), None),
        (None, Some(Rendition::Y4m)),
        (Some(Rendition::Half), Some(Rendition::Y4m)),
    ] {
        let name = rendition.map_or(FRAME_FILE, Rendition::file);
        let reader = Reader::of(directory.path(), rendition);
        fs::write(directory.path().join(name), picture(rendition, 3)).unwrap();
        reader.read().unwrap();
        fs::write(directory.path().join(name), picture(other, 3)).unwrap();
        let refused = reader.read();
        assert!(matches!(refused, Err(ReadError::NotAFrame { .. })));
    }
}

/// Readers of every file race with a producer that makes what is wished for, and only that: no wish
/// is lost, nothing is torn, nothing older comes after something newer.
#[test]
fn readers_of_every_file_get_newer_ones_and_whole_ones() {
    const ROUNDS: u64 = 2_000;
    let directory = slot();
    let mut publisher = offering(directory.path(), Rendition::ALL);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            let mut exposure = 0;
            while !done.load(Ordering::Acquire) {
                let renditions = wished(&publisher);
                let frame = publisher.wished(Instant::now());
                exposure += 1;
                if frame {
                    let jpeg = picture(None, exposure);
                    publisher.publish(&jpeg, moment(exposure)).unwrap();
                }
                for rendition in renditions.iter() {
                    let made = picture(Some(rendition), exposure);
                    publisher
                        .publish_rendition(rendition, &made, moment(exposure))
                        .unwrap();
                }
            }
        });
        let all = std::iter::once(None).chain(Rendition::ALL.map(Some));
        let directory = directory.path();
        let readers: Vec<_> = all
            .map(|rendition| scope.spawn(move || read_in_turns(directory, rendition, ROUNDS)))
            .collect();
        let ended: Vec<_> = readers.into_iter().map(|reader| reader.join()).collect();
        done.store(true, Ordering::Release);
        assert!(ended.iter().all(Result::is_ok));
        producing.join().unwrap();
    });
}

fn read_in_turns(directory: &Path, rendition: Option<Rendition>, rounds: u64) {
    let reader = Reader::of(directory, rendition);
    let mut newest = SystemTime::UNIX_EPOCH;
    for round in 0..rounds {
        let held = reader.read().unwrap();
        let (captured, id) = (held.frame.captured, held.id);
        if let Ok(since) = captured.duration_since(moment(0)) {
            assert_eq!(held.frame.jpeg, picture(rendition, since.as_secs()));
        }
        assert!(captured > newest || round == 0, "{rendition:?}");
        newest = captured;
        drop(held);
        let deadline = Instant::now() + HUNG;
        while reader.newest() == Some(id) {
            assert!(Instant::now() < deadline, "{rendition:?}: wish lost");
            std::thread::yield_now();
        }
    }
}

/// What readers and the producer do, one after the other.
#[derive(Clone, Copy, Debug)]
enum Step {
    Open(usize),
    Close(usize),
    Publish(usize),
}

/// Which file stands for a number: the frame is the first.
fn file(index: usize) -> Option<Rendition> {
    index.checked_sub(1).map(|index| Rendition::ALL[index])
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..3, 0..=Rendition::ALL.len()).prop_map(|(what, index)| match what {
        0 => Step::Open(index),
        1 => Step::Close(index),
        _ => Step::Publish(index),
    });
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Exactly those files are wished for whose newest one was closed since it was published.
    #[test]
    fn a_file_is_wished_for_when_its_newest_one_was_closed(steps in steps()) {
        let directory = slot();
        let mut publisher = offering(directory.path(), Rendition::ALL);
        let mut open: BTreeMap<usize, Vec<(u64, fs::File)>> = BTreeMap::new();
        let mut generations = [0u64; Rendition::ALL.len() + 1];
        let mut closed = [false; Rendition::ALL.len() + 1];
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Open(index) => {
                    let name = file(index).map_or(FRAME_FILE, Rendition::file);
                    let opened = fs::File::open(directory.path().join(name)).unwrap();
                    open.entry(index).or_default().push((generations[index], opened));
                }
                Step::Close(index) => {
                    if let Some((generation, _file)) = open.entry(index).or_default().pop() {
                        closed[index] |= generation == generations[index];
                    }
                }
                Step::Publish(index) => {
                    let made = picture(file(index), number as u64);
                    let captured = moment(number as u64);
                    match file(index) {
                        None => publisher.publish(&made, captured).unwrap(),
                        Some(rendition) => {
                            publisher.publish_rendition(rendition, &made, captured).unwrap();
                        }
                    }
                    generations[index] += 1;
                    closed[index] = false;
                }
            }
            let renditions = wished(&publisher);
            prop_assert_eq!(publisher.wished(Instant::now()), closed[0]);
            for (rendition, closed) in Rendition::ALL.into_iter().zip(&closed[1..]) {
                prop_assert_eq!(renditions.contains(rendition), *closed, "{}", rendition);
            }
        }
    }
}
