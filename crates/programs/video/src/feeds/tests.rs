use super::*;
use crate::coded::Coded;
use crate::testing::{self, until};

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use eyelid_consumer::Configured;
use eyelid_daemon::pulse::Pulse;
use eyelid_encoder::{EncodeError, Encoded, Encoder, Key};
use eyelid_figures::ViewerWay;
use eyelid_picture::{SamplePlane, SampleRange, Yuv420, write_y4m};
use eyelid_slot::{Phase, Publisher, Rendition, RenditionSize, State};
use tempfile::TempDir;
use tokio::time::sleep;

const MOST_BPS: u32 = 2_500_000;

/// What the encoders in a test have in common.
#[derive(Default)]
struct Encoders {
    alive: AtomicUsize,
    /// How many there were: each has the number that this had.
    made: AtomicUsize,
    /// The one with this number panics, once...
    panics: Fault,
    /// ...and that with this one fails.
    fails: Fault,
}

/// What is to go wrong with an encoder: its number, and one more; 0 is nothing.
#[derive(Default)]
struct Fault(AtomicUsize);

impl Fault {
    fn hit(&self, number: usize) {
        self.0.store(number + 1, Ordering::SeqCst);
    }

    fn hits(&self, number: usize) -> bool {
        let (order, none) = (Ordering::SeqCst, 0);
        (self.0.compare_exchange(number + 1, none, order, order)).is_ok()
    }
}

/// An encoder that says in its pictures what it was told.
struct Fake {
    shared: Arc<Encoders>,
    number: usize,
    bits_per_second: u32,
    had_one: bool,
}

impl Encoder for Fake {
    fn encode(
        &mut self,
        picture: &Yuv420<'_>,
        _: Duration,
        key: Key,
    ) -> Result<Option<Encoded>, EncodeError> {
        assert!(!self.shared.panics.hits(self.number), "as asked");
        if self.shared.fails.hits(self.number) {
            return Err(EncodeError::Encoder {
                encoder: "fake",
                reason: "as asked".to_owned(),
            });
        }
        let is_first = !std::mem::replace(&mut self.had_one, true);
        let is_key = key == Key::Wanted || is_first;
        let (width, height, bps) = (picture.width, picture.height, self.bits_per_second);
        Ok(Some(Encoded {
            annex_b: format!("{width}x{height} {bps}").into_bytes(),
            is_key,
        }))
    }

    fn set_bitrate(&mut self, bits_per_second: u32) -> Result<(), EncodeError> {
        self.bits_per_second = bits_per_second;
        Ok(())
    }

    fn description(&self) -> String {
        "fake".to_owned()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A camera of 64x48 that gives what is wished for, in a thread of its own.
struct Camera {
    stop: mpsc::Sender<Option<State>>,
    wishes: Arc<AtomicUsize>,
}

impl Camera {
    fn start(slot: &Path, has_planes: bool) -> Self {
        let mut publisher = Publisher::open(slot).unwrap();
        let mut state = State::new(Phase::Awake, SystemTime::now());
        if has_planes {
            publisher.offer(Rendition::Y4m).unwrap();
            let name = Rendition::Y4m.name().to_owned();
            state.renditions.insert(name, RenditionSize::default());
        }
        publisher.set_state(&state).unwrap();
        let (stop, stopped) = mpsc::channel::<Option<State>>();
        let wishes = Arc::<AtomicUsize>::default();
        let counted = wishes.clone();
        let mut jpeg = eyelid_picture::Encoder::default();
        let jpeg = jpeg
            .encode_rgb(&[128; 64 * 48 * 3], 64, 48, 80)
            .unwrap()
            .to_vec();
        std::thread::spawn(move || {
            publisher.publish(&jpeg, SystemTime::now()).unwrap();
            let mut has_failed = false;
            loop {
                match stopped.recv_timeout(Duration::from_millis(3)) {
                    Ok(None) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    Ok(Some(state)) => {
                        has_failed = state.state == Phase::Failed;
                        publisher.set_state(&state).unwrap();
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                }
                let now = Instant::now();
                publisher.take_in(now).unwrap();
                if has_failed {
                    continue;
                }
                if publisher.wished(now) {
                    counted.fetch_add(1, Ordering::SeqCst);
                    publisher.publish(&jpeg, SystemTime::now()).unwrap();
                }
                if !publisher.wished_renditions(now).is_empty() {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let (rendition, captured) = (Rendition::Y4m, SystemTime::now());
                    publisher
                        .publish_rendition(rendition, &y4m(), captured)
                        .unwrap();
                }
            }
        });
        Self { stop, wishes }
    }

    fn wishes(&self) -> usize {
        self.wishes.load(Ordering::SeqCst)
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        let _ = self.stop.send(None);
    }
}

fn y4m() -> Vec<u8> {
    let (y, colour) = (vec![100; 64 * 48], vec![128; 32 * 24]);
    let plane = |bytes, stride| SamplePlane { bytes, stride };
    let picture = Yuv420 {
        width: 64,
        height: 48,
        y: plane(&y, 64),
        u: plane(&colour, 32),
        v: plane(&colour, 32),
        range: SampleRange::Full,
    };
    let mut file = Vec::new();
    write_y4m(&picture, &mut file).unwrap();
    file
}

fn name() -> CameraName {
    CameraName::default()
}

/// Does something with feeds of the slots in a directory.
fn run<F: Future<Output = ()>>(slots: &Path, test: impl FnOnce(Rc<Feeds>, Arc<Encoders>) -> F) {
    let shared = Arc::<Encoders>::default();
    let encoders = shared.clone();
    let make: MakeEncoder = Arc::new(move |settings| {
        shared.alive.fetch_add(1, Ordering::SeqCst);
        Box::new(Fake {
            shared: shared.clone(),
            number: shared.made.fetch_add(1, Ordering::SeqCst),
            bits_per_second: settings.bits_per_second,
            had_one: false,
        })
    });
    let cameras = Rc::new(Cameras::new(slots.to_owned(), Configured::new(), ()));
    let limits = EncodeLimits {
        most_bps: MOST_BPS,
        gop: None,
    };
    let feeds = Feeds::new(cameras.clone(), move |_| Some(limits), make);
    testing::run(async {
        let pulse = Pulse::default();
        tokio::select! {
            error = cameras.run(&pulse) => panic!("inotify: {error:?}"),
            () = test(Rc::new(feeds), encoders) => {}
        }
    });
}

fn words(coded: &Coded) -> String {
    String::from_utf8(coded.annex_b.to_vec()).unwrap()
}

#[test]
fn viewers_share_an_encode_of_the_planes_and_nobody_leaves_nothing() {
    let slots = TempDir::new().unwrap();
    let camera = Camera::start(slots.path(), true);
    run(slots.path(), async |feeds, encoders| {
        let one = feeds.watch(&name(), Pace::Holds).unwrap();
        let started = SystemTime::now();
        let first = one.next().await;
        assert!(first.is_key);
        assert!(first.captured + Duration::from_secs(1) > started, "of now");
        assert_eq!(
            words(&first),
            "64x48 300000",
            "small, until its path is known"
        );
        let second = one.next().await;
        assert!(!second.is_key && second.number == first.number + 1);
        assert!(second.captured > first.captured);
        // Another comes: both get the same picture, a keyframe.
        let other = feeds.watch(&name(), Pace::Misses).unwrap();
        let theirs = other.next();
        let ours = async {
            let mut keys = Vec::new();
            while keys.is_empty() {
                let coded = one.next().await;
                keys.extend(coded.is_key.then_some(coded));
            }
            keys
        };
        let (theirs, ours) = tokio::join!(theirs, ours);
        assert!(Rc::ptr_eq(&ours[0], &theirs));
        assert_eq!(encoders.alive.load(Ordering::SeqCst), 1);
        let figures = feeds.figures(started);
        assert_eq!(figures.encodes[0].viewers, 2);
        assert_eq!(figures.encodes[0].encoder.as_deref(), Some("fake"));
        assert_eq!((figures.sessions.len(), feeds.count()), (2, 2));
        drop((one, other));
        until(|| encoders.alive.load(Ordering::SeqCst) == 0).await;
        // One wish may be on its way.
        let before = camera.wishes();
        sleep(Duration::from_millis(100)).await;
        assert!(camera.wishes() <= before + 1, "nobody watches");
        let figures = feeds.figures(started);
        assert!(figures.encodes.is_empty() && figures.sessions.is_empty());
        assert_eq!(figures.session_totals[0].sessions, 2);
    });
}

#[test]
fn a_source_without_planes_is_decoded() {
    let slots = TempDir::new().unwrap();
    let _camera = Camera::start(slots.path(), false);
    run(slots.path(), async |feeds, _| {
        let viewer = feeds.watch(&name(), Pace::Misses).unwrap();
        assert_eq!(words(&*viewer.next().await), format!("64x48 {MOST_BPS}"));
        assert!(
            feeds
                .watch(&"nowhere".parse().unwrap(), Pace::Misses)
                .is_none()
        );
    });
}

#[test]
fn a_viewer_that_cannot_take_pictures_yet_keeps_the_camera_awake() {
    let slots = TempDir::new().unwrap();
    let camera = Camera::start(slots.path(), true);
    run(slots.path(), async |feeds, encoders| {
        let viewer = feeds.watch(&name(), Pace::Holds).unwrap();
        until(|| camera.wishes() > 10).await;
        assert_eq!(encoders.alive.load(Ordering::SeqCst), 0);
        assert!(viewer.next().await.is_key);
    });
}

#[test]
fn an_encoder_that_dies_or_fails_harms_nobody_for_long() {
    let slots = TempDir::new().unwrap();
    let _camera = Camera::start(slots.path(), true);
    let aside = slots.path().join("aside");
    std::fs::create_dir(&aside).unwrap();
    let _other_camera = Camera::start(&aside, true);
    run(slots.path(), async |feeds, encoders| {
        let viewer = feeds.watch(&name(), Pace::Holds).unwrap();
        let other = feeds.watch(&"aside".parse().unwrap(), Pace::Holds).unwrap();
        viewer.next().await;
        other.next().await;
        let faults = [
            // The other camera has the second encoder.
            (&encoders.panics, 0, "the encoder has ended unexpectedly"),
            (&encoders.fails, 2, "fake: as asked"),
        ];
        for (fault, number, what) in faults {
            viewer.next().await;
            other.next().await;
            fault.hit(number);
            let next = async {
                loop {
                    let coded = viewer.next().await;
                    if coded.is_key {
                        break coded;
                    }
                }
            };
            let told = async {
                while viewer.obstacle().is_none_or(|obstacle| obstacle != what) {
                    viewer.obstacle_changed().await;
                }
            };
            let (coded, ()) = tokio::join!(next, told);
            assert!(coded.is_key, "{what}");
            assert_eq!(viewer.obstacle(), None);
        }
        other.next().await;
        assert_eq!(other.obstacle(), None);
        let figures = feeds.figures(SystemTime::now());
        let failures: u64 = figures.encodes.iter().map(|encode| encode.failures).sum();
        assert_eq!(failures, 2);
    });
}

#[test]
fn a_camera_that_fails_is_waited_for() {
    let slots = TempDir::new().unwrap();
    let camera = Camera::start(slots.path(), true);
    run(slots.path(), async |feeds, _| {
        let viewer = feeds.watch(&name(), Pace::Holds).unwrap();
        viewer.next().await;
        let mut failed = State::new(Phase::Failed, SystemTime::now());
        failed.error = Some("no bed".to_owned());
        camera.stop.send(Some(failed)).unwrap();
        let said = async {
            while viewer.obstacle().is_none_or(|it| !it.contains("no bed")) {
                viewer.obstacle_changed().await;
            }
        };
        tokio::select! {
            () = said => {}
            () = async { loop { viewer.next().await; } } => {}
        }
        let awake = State::new(Phase::Awake, SystemTime::now());
        camera.stop.send(Some(awake)).unwrap();
        until(|| viewer.obstacle().is_some()).await;
        viewer.next().await;
        assert_eq!(viewer.obstacle(), None);
    });
}

#[test]
fn a_viewer_far_slower_than_the_others_gets_half_the_size() {
    let slots = TempDir::new().unwrap();
    let _camera = Camera::start(slots.path(), true);
    run(slots.path(), async |feeds, encoders| {
        let fast = feeds.watch(&name(), Pace::Holds).unwrap();
        let slow = feeds.watch(&name(), Pace::Holds).unwrap();
        let watch = async |viewer: &Viewer, bps| {
            let mut last = String::new();
            let wanted = match bps {
                200_000 => "32x24 180000",
                _ => "64x48 2500000",
            };
            while last != wanted {
                viewer.report(carries(bps));
                let coded = viewer.next().await;
                last = words(&coded);
            }
        };
        tokio::join!(watch(&fast, 9_000_000), watch(&slow, 200_000));
        assert_eq!(encoders.alive.load(Ordering::SeqCst), 2);
        drop(slow);
        until(|| encoders.alive.load(Ordering::SeqCst) == 1).await;
        fast.next().await;
    });
}

/// Has somebody watch in this way.
fn watch_by(feeds: &Rc<Feeds>, way: ViewerWay) -> Viewer {
    let viewer = feeds.watch(&name(), Pace::Misses).unwrap();
    let peer = String::new();
    viewer.set_about(About { way, peer });
    viewer
}

fn carries(bps: u64) -> Report {
    Report {
        waiting_since: None,
        estimate_bps: Some(bps),
    }
}

#[test]
fn one_by_mse_that_misses_pictures_gets_half_the_size_and_a_tap_does_not() {
    let slots = TempDir::new().unwrap();
    let _camera = Camera::start(slots.path(), true);
    run(slots.path(), async |feeds, encoders| {
        let ways = [ViewerWay::Mse, ViewerWay::Tap, ViewerWay::Mse];
        let [fast, tap, slow] = ways.map(|way| watch_by(&feeds, way));
        let is_half = Cell::new(false);
        let see_all = async |viewer: &Viewer| {
            while !is_half.get() {
                let seen = words(&*viewer.next().await);
                assert_eq!(seen, format!("64x48 {MOST_BPS}"), "not slowed either");
            }
        };
        let become_half = async {
            while words(&*slow.next().await) != "32x24 180000" {
                slow.report(carries(200_000));
                // Others get several.
                sleep(Duration::from_millis(30)).await;
            }
            is_half.set(true);
        };
        tokio::join!(see_all(&fast), see_all(&tap), become_half);
        assert_eq!(encoders.alive.load(Ordering::SeqCst), 2);
        drop(slow);
        until(|| encoders.alive.load(Ordering::SeqCst) == 1).await;
    });
}

#[test]
fn an_estimate_by_mse_counts_once_pictures_are_missed() {
    let slots = TempDir::new().unwrap();
    let _camera = Camera::start(slots.path(), true);
    run(slots.path(), async |feeds, _| {
        let (mse, tap) = (
            watch_by(&feeds, ViewerWay::Mse),
            watch_by(&feeds, ViewerWay::Tap),
        );
        let now = Instant::now();
        let of = |viewer: &Viewer, after| viewer.watched.carries(MOST_BPS, now + after);
        let at_once = Duration::ZERO;
        assert_eq!(
            of(&mse, at_once),
            Some(u64::from(MOST_BPS)),
            "no limit is known"
        );
        mse.report(carries(200_000));
        tap.report(carries(200_000));
        assert_eq!(
            of(&mse, at_once),
            Some(u64::from(MOST_BPS)),
            "and none felt"
        );
        mse.next().await;
        while mse.watched.seat.counts.get().missed == 0 {
            tap.next().await;
        }
        assert_eq!(of(&mse, at_once), Some(200_000));
        let later = Duration::from_secs(3);
        assert_eq!(of(&mse, later), Some(u64::from(MOST_BPS)), "that is over");
        assert_eq!(of(&tap, at_once), None);
    });
}
