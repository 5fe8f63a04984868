//! Cameras as a program sees them that knows nothing of HTTP: a real slot, a producer in this
//! process, and clients.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use common::{DEADLINE, HUNG, TakesAll, default_camera, jpeg, listening, looking, number, view};
use eyelid_consumer::{
    Cameras, Cause, Configured, Deadline, Envelope, EnvelopedJpeg, Freshness, NoFrame, Position,
    RateCap, Wake,
};
use eyelid_slot::{CameraName, FRAME_FILE, Phase, Publisher, State};
use tempfile::TempDir;
use tokio::time::sleep;

fn is_wished(publisher: &Publisher) -> bool {
    publisher.take_in(Instant::now()).unwrap();
    publisher.wished(Instant::now())
}

/// Publishes when the next frame is wished for.
async fn publish_when_wished(publisher: &mut Publisher, number: u8) {
    let start = Instant::now();
    while !is_wished(publisher) {
        assert!(start.elapsed() < HUNG, "no wish for frame {number}");
        sleep(Duration::from_millis(1)).await;
    }
    publisher.publish(&jpeg(number), SystemTime::now()).unwrap();
}

#[tokio::test]
async fn clients_share_each_frame_and_its_bytes() {
    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    looking(slots.path(), (), async |cameras| {
        let views = [view(&cameras, None), view(&cameras, None)];
        assert_eq!(default_camera(&cameras).viewers(), 2);
        let mut seen = Position::default();
        for count in 1..5 {
            let [one, other] = &views;
            let (one, other, ()) = tokio::join!(
                one.next(seen, DEADLINE),
                other.next(seen, DEADLINE),
                publish_when_wished(&mut publisher, count),
            );
            let (one, other) = (one.unwrap(), other.unwrap());
            assert_eq!(number(&one), count);
            assert!(Rc::ptr_eq(&one, &other));
            assert_eq!(one.enveloped(), one.jpeg);
            assert_eq!(one.skipped_since(seen), 0);
            seen = one.position();
        }
        drop(views);
        assert_eq!(default_camera(&cameras).viewers(), 0);
    })
    .await;
}

#[tokio::test]
async fn the_next_frame_is_wished_for_when_a_client_waits_for_it_and_not_before() {
    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    // So slow a source that each frame is the newest until long after this test.
    let slow = State {
        fps: Some(0.1),
        ..State::new(Phase::Awake, SystemTime::now())
    };
    publisher.set_state(&slow).unwrap();
    looking(slots.path(), (), async |cameras| {
        let view = view(&cameras, None);
        let mut seen = Position::default();
        for count in 1..5 {
            let (frame, ()) = tokio::join!(
                view.next(seen, DEADLINE),
                publish_when_wished(&mut publisher, count)
            );
            seen = frame.unwrap().position();
            assert!(!is_wished(&publisher), "after frame {count}");
            assert!(publisher.noticed(), "it was never opened");
        }
        // The last client to leave lets the frame go.
        drop(view);
        assert!(is_wished(&publisher));
    })
    .await;
}

#[tokio::test]
async fn a_frame_lies_in_its_envelope() {
    struct Brackets;

    impl Envelope for Brackets {
        fn room_bytes(&self) -> usize {
            8
        }

        fn begin(&self, buffer: &mut Vec<u8>, jpeg: &EnvelopedJpeg) {
            buffer.extend_from_slice(format!("{}<", jpeg.bytes).as_bytes());
        }

        fn end(&self, buffer: &mut Vec<u8>) {
            buffer.push(b'>');
        }
    }

    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    looking(slots.path(), Brackets, async |cameras| {
        let view = view(&cameras, None);
        let mut seen = Position::default();
        // Each is read into the room of the one before the last.
        for count in 1..5 {
            let (frame, ()) = tokio::join!(
                view.next(seen, DEADLINE),
                publish_when_wished(&mut publisher, count)
            );
            let frame = frame.unwrap();
            assert_eq!(frame.enveloped(), [b"5<", &jpeg(count)[..], b">"].concat());
            assert_eq!(frame.jpeg, jpeg(count));
            assert_eq!(frame.enveloped()[frame.jpeg_start()..][..5], frame.jpeg);
            seen = frame.position();
        }
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_takes_each_frame_once() {
    const LAST: u8 = 20;
    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    looking(slots.path(), (), async |cameras| {
        let (view, client) = (view(&cameras, None), Rc::new(TakesAll::default()));
        let publish = async {
            for count in 1..=LAST {
                publish_when_wished(&mut publisher, count).await;
            }
        };
        // The first one, for which nobody had wished, may be replaced before it is shown.
        tokio::join!(publish, client.take_until(&view, LAST));
    })
    .await;
}

#[tokio::test]
async fn a_frame_found_before_it_was_heard_of_is_taken_once() {
    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    let cameras = Cameras::new(slots.path().to_owned(), Configured::new(), ());
    let cameras = Rc::new(cameras);
    let (view, client) = (view(&cameras, None), Rc::new(TakesAll::default()));
    // Nobody listens to inotify yet, and the frame is found.
    publisher.publish(&jpeg(1), SystemTime::now()).unwrap();
    client.take(&view.next(client.seen.get(), DEADLINE).await.unwrap());
    let first = client.seen.get();
    listening(&cameras, async {
        let wake = view.follow(client.clone(), first, HUNG).await;
        assert!(matches!(wake, Wake::Recheck), "{wake:?}");
        assert_eq!(*client.taken.borrow(), [1]);
        // Nor does it count as two.
        publisher.publish(&jpeg(2), SystemTime::now()).unwrap();
        let second = view.next(first, DEADLINE).await.unwrap();
        assert_eq!(second.skipped_since(first), 0);
    })
    .await;
}

#[tokio::test]
async fn a_client_with_a_rate_of_its_own_asks_for_its_frames() {
    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    publisher.publish(&jpeg(1), SystemTime::now()).unwrap();
    looking(slots.path(), (), async |cameras| {
        let view = view(&cameras, Some(RateCap::new(HUNG)));
        let client = Rc::new(TakesAll::default());
        client.take(&view.next(client.seen.get(), DEADLINE).await.unwrap());
        let follow = view.follow(client.clone(), client.seen.get(), HUNG);
        let publish = publish_when_wished(&mut publisher, 2);
        // A wish for its next frame would be too early by far.
        let wished = tokio::select! {
            biased;
            wake = follow => {
                assert!(matches!(wake, Wake::Recheck), "{wake:?}");
                false
            }
            () = publish => true,
        };
        assert!(!wished);
    })
    .await;
}

#[tokio::test]
async fn a_client_gets_frames_at_its_own_rate() {
    const INTERVAL: Duration = Duration::from_millis(60);
    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    looking(slots.path(), (), async |cameras| {
        let view = view(&cameras, Some(RateCap::new(INTERVAL)));
        let mut seen = Position::default();
        let mut start = None;
        for count in 1..5 {
            let (frame, ()) = tokio::join!(
                view.next(seen, DEADLINE),
                publish_when_wished(&mut publisher, count)
            );
            seen = frame.unwrap().position();
            start.get_or_insert_with(Instant::now);
        }
        assert!(start.unwrap().elapsed() >= INTERVAL * 3 - Duration::from_millis(5));
    })
    .await;
}

#[tokio::test]
async fn a_camera_without_a_frame_says_why() {
    let slots = TempDir::new().unwrap();
    let short = Deadline {
        timeout: Duration::from_millis(50),
        max_age: HUNG,
    };
    looking(slots.path(), (), async |cameras| {
        let view = view(&cameras, None);
        let why = async || {
            let fresh = Freshness::CapturedSince(SystemTime::now());
            view.frame(fresh, short).await.unwrap_err()
        };
        assert_eq!(why().await, NoFrame::Missing(Cause::NoProducer));
        std::fs::write(slots.path().join(FRAME_FILE), b"text").unwrap();
        assert!(matches!(why().await, NoFrame::Unreadable(_)));
        let mut publisher = Publisher::open(slots.path()).unwrap();
        publisher.publish(&jpeg(1), SystemTime::now()).unwrap();
        let state = |phase| State {
            state: phase,
            ..State::failed("cable is out".to_owned(), SystemTime::now())
        };
        publisher.set_state(&state(Phase::Asleep)).unwrap();
        let asleep = NoFrame::TimedOut {
            timeout: short.timeout,
            cause: Cause::Asleep,
        };
        assert_eq!(why().await, asleep);
        publisher.set_state(&state(Phase::Failed)).unwrap();
        let failed = NoFrame::Failed(Some("cable is out".to_owned()));
        assert_eq!(why().await, failed);
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_is_made_later_is_found_and_lost_and_found_again() {
    let home = TempDir::new().unwrap();
    let slot = home.path().join("front");
    let front: CameraName = "front".parse().unwrap();
    let configured = Configured::from_iter([(front.clone(), None)]);
    let cameras = Cameras::new(home.path().to_owned(), configured, ());
    let cameras = Rc::new(cameras);
    let view = cameras.view(cameras.camera(&front).unwrap(), None);
    listening(&cameras, async {
        let mut seen = Position::default();
        for count in 1..4 {
            let publish = async {
                // The client looks for a slot that is not there.
                sleep(Duration::from_millis(30)).await;
                let mut publisher = Publisher::open(&slot).unwrap();
                publish_when_wished(&mut publisher, count).await;
                publisher
            };
            let (frame, mut publisher) = tokio::join!(view.next(seen, DEADLINE), publish);
            let frame = frame.unwrap();
            assert_eq!(number(&frame), count);

            // It is watched again: the next frames need not be looked for.
            let client = Rc::new(TakesAll::default());
            client.take(&frame);
            let follow = async {
                while client.offered.get() == 0 {
                    client.take(&view.next(client.seen.get(), DEADLINE).await.unwrap());
                    view.follow(client.clone(), client.seen.get(), HUNG).await;
                }
            };
            let publish = async {
                while client.offered.get() == 0 {
                    publish_when_wished(&mut publisher, count).await;
                }
            };
            tokio::join!(follow, publish);
            seen = client.seen.get();
            drop(publisher);
            std::fs::remove_dir_all(&slot).unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn what_inotify_does_not_tell_of_is_found_by_looking() {
    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    looking(slots.path(), (), async |cameras| {
        let view = view(&cameras, None);
        let (first, ()) = tokio::join!(
            view.next(Position::default(), DEADLINE),
            publish_when_wished(&mut publisher, 1)
        );
        // Against the contract: no rename.
        std::fs::write(slots.path().join(FRAME_FILE), jpeg(2)).unwrap();
        let second = view
            .next(first.unwrap().position(), DEADLINE)
            .await
            .unwrap();
        assert_eq!(number(&second), 2);
    })
    .await;
}

#[test]
fn cameras_are_those_configured_and_those_with_a_slot() {
    let home = TempDir::new().unwrap();
    let name = |name: &str| name.parse::<CameraName>().unwrap();
    let configured = |names: &[&str]| names.iter().map(|text| (name(text), None)).collect();
    let cameras = Cameras::new(home.path().to_owned(), Configured::new(), ());
    let cameras = Rc::new(cameras);
    let names = || -> Vec<String> {
        let names = cameras.names().into_iter();
        names.map(|name| name.to_string()).collect()
    };
    assert_eq!(names(), ["default"], "there is one at least");
    std::fs::create_dir(home.path().join("back")).unwrap();
    assert_eq!(names(), ["back"]);
    assert!(cameras.camera(&CameraName::default()).is_none());
    cameras.reconfigure(configured(&["side", "front"]));
    assert_eq!(names(), ["side", "front", "back"]);
    std::fs::write(home.path().join(FRAME_FILE), jpeg(1)).unwrap();
    assert_eq!(names(), ["default", "side", "front", "back"]);

    // One that somebody looks at stays the same; else it is gone with its configuration.
    let (front, side) = (name("front"), name("side"));
    let view = cameras.view(cameras.camera(&front).unwrap(), None);
    assert!(cameras.camera(&side).is_some());
    cameras.reconfigure(Configured::new());
    assert!(cameras.camera(&side).is_none());
    assert_eq!(cameras.camera(&front).unwrap().viewers(), 1);
    drop(view);
    cameras.reconfigure(Configured::new());
    assert!(cameras.camera(&front).is_none());
}

#[tokio::test]
async fn a_placeholder_is_no_frame_and_opening_it_is_the_wish() {
    let slots = TempDir::new().unwrap();
    let mut publisher = Publisher::open(slots.path()).unwrap();
    let asleep = State::new(Phase::Asleep, SystemTime::now());
    publisher.set_state(&asleep).unwrap();
    publisher.offer_frame().unwrap();
    looking(slots.path(), (), async |cameras| {
        let camera = default_camera(&cameras);
        assert_eq!(camera.age(), None, "nothing has an age yet");
        assert!(camera.state().is_some() && !is_wished(&publisher));
        let view = view(&cameras, None);
        assert!(!is_wished(&publisher), "nobody waits yet");
        let short = Deadline {
            timeout: Duration::from_millis(200),
            max_age: Duration::MAX,
        };
        let problem = view.next(Position::default(), short).await.unwrap_err();
        assert_eq!(problem, NoFrame::Missing(Cause::Asleep));
        assert!(is_wished(&publisher));
        let (frame, ()) = tokio::join!(
            view.next(Position::default(), DEADLINE),
            publish_when_wished(&mut publisher, 1),
        );
        let frame = frame.unwrap();
        assert_eq!(number(&frame), 1);
        assert!(camera.age().is_some());
        // It sleeps again. Who comes now is not shown what came long ago.
        publisher.offer_frame().unwrap();
        let (next, ()) = tokio::join!(
            view.next(frame.position(), DEADLINE),
            publish_when_wished(&mut publisher, 2),
        );
        assert_eq!(number(&next.unwrap()), 2);
    })
    .await;
}

#[test]
fn slots_that_come_and_go_take_no_memory_in_the_end() {
    let home = TempDir::new().unwrap();
    let cameras = Cameras::new(home.path().to_owned(), Configured::new(), ());
    let name = |number: usize| format!("far.{number}").parse::<CameraName>().unwrap();
    let come = |number| std::fs::create_dir(home.path().join(name(number).as_str())).unwrap();
    come(0);
    let looked_at = cameras.view(cameras.camera(&name(0)).unwrap(), None);
    let mut known = Vec::new();
    for number in 1..1000 {
        come(number);
        // To glance at it keeps nothing.
        assert!(cameras.glance(&name(number)).is_some());
        known.push(Rc::downgrade(&cameras.camera(&name(number)).unwrap()));
        std::fs::remove_dir(home.path().join(name(number).as_str())).unwrap();
    }
    let kept = known.iter().filter(|camera| camera.strong_count() > 0);
    assert!(kept.count() <= 128);
    assert!(cameras.glance(&name(1)).is_none());
    assert_eq!(cameras.camera(&name(0)).unwrap().viewers(), 1);
    assert_eq!(cameras.names(), [name(0)]);
    drop(looked_at);
}
