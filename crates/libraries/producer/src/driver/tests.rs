//! What the slot is told, and when, with a source that does as it is told.

mod renditions;

use std::borrow::Cow;
use std::fs;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use eyelid_jpeg::EncodedPicture;
use eyelid_picture::{Encoder, SamplePlane, SampleRange, Tables, Yuv420};
use eyelid_slot::{FRAME_FILE, Held, Reader, Rendition, RenditionSet, STATE_FILE};
use tempfile::TempDir;

use super::*;
use crate::{EncodedFrame, PlanesFrame, Rest, SourceStatus};

const SECOND: Duration = Duration::from_secs(1);

/// Does as it is told.
struct Scripted {
    status: SourceStatus,
    /// Why it cannot be started.
    fault: Option<Fault>,
    /// Its frames can be published.
    is_usable: bool,
    encoded: u32,
    /// How often it was asked for planes.
    asked_for_planes: u32,
    /// What the slot said while a frame was encoded.
    seen: Option<State>,
    jpeg: Vec<u8>,
    /// The moment of its newest frame.
    captured: SystemTime,
    /// Grey samples, for a camera that has planes.
    planes: Option<Vec<u8>>,
    full: FullScript,
    slot: PathBuf,
}

/// What it does about pictures in its full resolution.
#[derive(Default)]
struct FullScript {
    size: Option<(u32, u32)>,
    /// How often it was told that one is wished for.
    wishes: u32,
    /// How many frames had been encoded then.
    encoded_before: u32,
    is_broken: bool,
    encoded: u32,
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Fault {
    #[error("it is unplugged")]
    Unplugged,
    #[error("it hangs")]
    Hung,
}

impl SourceFailure for Fault {
    fn is_fatal(&self) -> bool {
        matches!(self, Self::Hung)
    }
}

impl Source for Scripted {
    type Error = Fault;

    fn start(&mut self, _now: Instant) -> Result<(), Fault> {
        self.fault.map_or(Ok(()), Err)
    }

    fn stop(&mut self, _now: Instant) {}

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn advance(&mut self, _now: Instant) -> Result<(), Fault> {
        Ok(())
    }

    fn status(&self) -> SourceStatus {
        self.status
    }

    fn encode(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, Fault> {
        self.encoded += 1;
        assert!(self.encoded < 100, "the same frame again and again");
        self.seen = Reader::new(&self.slot).state();
        Ok(self.is_usable.then(|| EncodedFrame {
            picture: EncodedPicture {
                jpeg: Cow::Borrowed(&self.jpeg),
                width: 16,
                height: 16,
                kind: None,
            },
            captured: self.captured,
        }))
    }

    fn planes(&mut self, _now: Instant) -> Result<Option<PlanesFrame<'_>>, Fault> {
        self.asked_for_planes += 1;
        Ok(self.planes.as_ref().map(|bytes| {
            let plane = |stride| SamplePlane { bytes, stride };
            PlanesFrame {
                planes: Yuv420 {
                    width: 16,
                    height: 16,
                    y: plane(16),
                    u: plane(8),
                    v: plane(8),
                    range: SampleRange::Full,
                },
                captured: self.captured,
            }
        }))
    }

    fn full_size(&self) -> Option<(u32, u32)> {
        self.full.size
    }

    fn wish_full(&mut self, _now: Instant) -> Result<(), Fault> {
        self.full.wishes += 1;
        self.full.encoded_before = self.encoded;
        Ok(())
    }

    fn encode_full(&mut self, _now: Instant) -> Result<Option<EncodedFrame<'_>>, Fault> {
        self.full.encoded += 1;
        Ok((!self.full.is_broken).then(|| EncodedFrame {
            picture: EncodedPicture {
                jpeg: Cow::Borrowed(&self.jpeg),
                width: 32,
                height: 32,
                kind: None,
            },
            captured: moment(1000 + self.status.full.unwrap()),
        }))
    }

    fn offers(&self) -> RenditionSet {
        match self.planes {
            None => [Rendition::Low, Rendition::Half].into_iter().collect(),
            Some(_) => [Rendition::Half, Rendition::Y4m].into_iter().collect(),
        }
    }
}

fn moment(number: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_207_369 + number)
}

/// A camera with an empty slot, which is a wish.
struct World {
    _home: TempDir,
    slot: PathBuf,
    driver: Driver<Scripted>,
    start: Instant,
}

impl World {
    fn new() -> Self {
        Self::after(|_| {})
    }

    /// One whose slot something has been done to before.
    fn after(done: impl FnOnce(&Path)) -> Self {
        let home = TempDir::new().unwrap();
        let (slot, start) = (home.path().join("slot"), Instant::now());
        done(&slot);
        let mut encoder = Encoder::default();
        let jpeg = encoder.encode_rgb(&[7; 16 * 16 * 3], 16, 16, 80).unwrap();
        let source = Scripted {
            status: SourceStatus::default(),
            fault: None,
            is_usable: true,
            encoded: 0,
            asked_for_planes: 0,
            seen: None,
            jpeg: jpeg.to_vec(),
            captured: SystemTime::UNIX_EPOCH,
            planes: None,
            full: FullScript::default(),
            slot: slot.clone(),
        };
        let options = DriverOptions {
            tables: Tables::Standard,
            log_name: "camera".to_owned(),
            shown_source: "scripted".to_owned(),
            max_fps: None,
            linger: 10 * SECOND,
            rest: Rest::Frame,
            precedence: Precedence::Own,
        };
        let publisher = Publisher::open(&slot).unwrap();
        Self {
            _home: home,
            driver: Driver::new(options, publisher, source, start),
            slot,
            start,
        }
    }

    /// The source has its frame of this number.
    fn capture(&mut self, number: u64) {
        self.driver.source.captured = moment(number);
        self.driver.source.status = SourceStatus {
            sequence: Some(number),
            works: true,
            ..SourceStatus::default()
        };
    }

    /// Lets the driver do all there is to do after so long.
    fn act(&mut self, after: Duration) {
        let now = self.start + after;
        self.driver.publisher.take_in(now).unwrap();
        self.driver.advance(now);
        self.driver.act(now);
    }

    /// What the slot says.
    fn told(&self) -> State {
        Reader::new(&self.slot).state().unwrap()
    }
}

#[test]
fn the_slot_says_awake_while_the_first_frame_is_made_and_then_what_it_is() {
    let mut world = World::new();
    world.capture(1);
    world.act(Duration::ZERO);
    let seen = world.driver.source.seen.take().unwrap();
    assert_eq!((seen.state, seen.width), (Phase::Awake, None));
    let told = world.told();
    assert_eq!((told.width, told.height), (Some(16), Some(16)));
    assert!(told.jpeg.unwrap().starts_with("baseline"));
}

#[test]
fn a_camera_that_finds_a_placeholder_is_woken_by_who_opens_that_and_by_nobody_else() {
    let lay = |slot: &Path| Publisher::open(slot).unwrap().offer_frame().unwrap();
    let mut world = World::after(lay);
    world.capture(1);
    let captured = |world: &World| Reader::new(&world.slot).captured();
    for after in [Duration::ZERO, SECOND] {
        world.act(after);
        assert_eq!(world.told().state, Phase::Asleep);
        assert_eq!(captured(&world), Some(UNIX_EPOCH));
    }
    Reader::new(&world.slot).wish().unwrap();
    world.act(SECOND);
    assert_eq!(world.told().state, Phase::Awake);
    assert_eq!(captured(&world), Some(moment(1)));
    // From now on it is as any other: its last frame stays, and no frame is a wish.
    world.act(20 * SECOND);
    assert_eq!(world.told().state, Phase::Asleep);
    assert_eq!(captured(&world), Some(moment(1)));
    fs::remove_file(world.slot.join(FRAME_FILE)).unwrap();
    world.capture(2);
    world.act(20 * SECOND);
    assert_eq!(captured(&world), Some(moment(2)));
}

#[test]
fn a_fault_is_told_with_the_next_try_and_forgotten_once_the_source_works() {
    let mut world = World::new();
    world.driver.source.fault = Some(Fault::Unplugged);
    let before = SystemTime::now();
    world.act(Duration::ZERO);
    let told = world.told();
    assert_eq!(told.state, Phase::Failed);
    assert_eq!(told.error.as_deref(), Some("it is unplugged"));
    assert!(told.retry.unwrap() > before);
    assert_eq!(world.driver.fatal(), None);

    world.driver.source.fault = None;
    let retry = world.driver.deadline().unwrap() - world.start;
    world.act(retry);
    assert_eq!(world.told().state, Phase::Failed, "it has not shown yet");
    world.capture(1);
    world.act(retry);
    let told = world.told();
    assert_eq!(
        (told.state, told.error, told.retry),
        (Phase::Awake, None, None)
    );
}

#[test]
fn the_end_is_sleep_but_for_a_camera_that_only_a_new_process_may_mend() {
    for (fault, last) in [
        (Fault::Unplugged, Phase::Asleep),
        (Fault::Hung, Phase::Failed),
    ] {
        let mut world = World::new();
        world.driver.source.fault = Some(fault);
        world.act(Duration::ZERO);
        let told = world.told();
        assert_eq!(told.retry.is_none(), fault.is_fatal());
        assert_eq!(world.driver.fatal().is_some(), fault.is_fatal());
        world.driver.say_ended();
        let told = world.told();
        assert_eq!((told.state, told.retry), (last, None), "{fault}");
        assert_eq!(told.error.is_some(), fault.is_fatal());
    }
}

#[test]
fn a_frame_that_is_unusable_is_encoded_once() {
    let mut world = World::new();
    world.driver.source.is_usable = false;
    world.capture(1);
    world.act(Duration::ZERO);
    world.act(SECOND / 2);
    assert_eq!(world.driver.source.encoded, 1);
    assert!(!world.slot.join(FRAME_FILE).exists());
    world.driver.source.is_usable = true;
    world.capture(2);
    world.act(SECOND / 2);
    assert_eq!(world.driver.source.encoded, 2);
    assert!(world.slot.join(FRAME_FILE).exists());
}

#[test]
fn a_slot_that_takes_no_frame_is_tried_each_second_and_is_what_is_waited_for() {
    let mut world = World::new();
    let in_the_way = world.slot.join(FRAME_FILE);
    fs::create_dir(&in_the_way).unwrap();
    world.capture(1);
    world.act(Duration::ZERO);
    world.act(SECOND * 9 / 10);
    assert_eq!(
        (world.driver.source.encoded, world.told().waiting),
        (1, None)
    );
    world.act(SECOND);
    assert_eq!(world.driver.source.encoded, 2);
    let waiting = world.told().waiting.unwrap();
    assert!(waiting.contains(in_the_way.to_str().unwrap()), "{waiting}");
    fs::remove_dir(&in_the_way).unwrap();
    world.act(2 * SECOND);
    assert!(in_the_way.is_file());
    assert_eq!(world.told().waiting, None);
}

#[test]
fn a_state_that_was_lost_and_could_not_be_written_then_is_written_later() {
    let mut world = World::new();
    world.capture(1);
    world.act(Duration::ZERO);
    // So that it hears of the loss of the state, and not of what kept it from being written.
    let in_the_way = world.slot.join(format!(".{STATE_FILE}.tmp"));
    fs::create_dir(&in_the_way).unwrap();
    fs::remove_file(world.slot.join(STATE_FILE)).unwrap();
    world.capture(2);
    world.act(SECOND);
    assert!(world.slot.join(STATE_FILE).symlink_metadata().is_err());
    fs::remove_dir(&in_the_way).unwrap();
    world.capture(3);
    world.act(SECOND + STATE_RETRY);
    assert_eq!(world.told().state, Phase::Awake);
}
