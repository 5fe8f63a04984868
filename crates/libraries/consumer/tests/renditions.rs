//! Renditions as clients see them: a real slot, a producer in this process that makes what is
//! wished for, and clients that want this or that.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::fs;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use common::producer::{Producer, set};
use common::{DEADLINE, HUNG, TakesAll, default_camera, looking, number, view};
use eyelid_consumer::{
    Cameras, Configured, Deadline, Freshness, Largest, NoFrame, Position, RateCap, Wake, Wanted,
};
use eyelid_slot::{CameraName, Rendition, RenditionSet};
use tempfile::TempDir;
use tokio::time::sleep;

const HALF: Wanted = Wanted::Rendition(Rendition::Half);

/// Longer than a client waits for a rendition before it makes do with the frame.
const PATIENCE: Duration = Duration::from_millis(1100);

#[tokio::test]
async fn clients_of_a_rendition_share_each_file_and_nothing_else_is_made() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half, Rendition::Low]);
    looking(slot.path(), (), async |cameras| {
        let views = [view(&cameras, None), view(&cameras, None)];
        views.iter().for_each(|view| view.want(HALF));
        let mut seen = Position::default();
        for _ in 0..5 {
            let [one, other] = &views;
            let (one, other, ()) = tokio::join!(
                one.next(seen, DEADLINE),
                other.next(seen, DEADLINE),
                producer.make_when_wished(Some(Rendition::Half)),
            );
            let (one, other) = (one.unwrap(), other.unwrap());
            assert_eq!(
                (number(&one), one.rendition),
                (producer.exposure, Some(Rendition::Half))
            );
            assert!(Rc::ptr_eq(&one, &other));
            assert_eq!(one.skipped_since(seen), 0);
            seen = one.position();
        }
        // All the time nobody has wished for anything else.
        let half = Some(Rendition::Half);
        assert!(producer.wishes().into_iter().all(|wish| wish == half));
        assert!(
            default_camera(&cameras)
                .rate()
                .is_some_and(|rate| rate > 0.0)
        );
    })
    .await;
}

#[tokio::test]
async fn a_rendition_that_nobody_looks_at_any_more_is_let_go_and_not_wished_for() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
    looking(slot.path(), (), async |cameras| {
        let (changes, stays) = (view(&cameras, None), view(&cameras, None));
        changes.want(HALF);
        let half = producer
            .during(changes.next(Position::default(), DEADLINE))
            .await;
        let half = half.unwrap();
        let bytes = half.jpeg.clone();
        changes.want(Wanted::Frame);
        let frame = producer
            .during(changes.next(half.position(), DEADLINE))
            .await;
        let mut seen = frame.unwrap().position();
        drop(half);
        assert!(bytes.is_unique(), "it is kept");
        // The file was closed, which is a wish: that one is answered, and no other is made.
        producer.answer();
        let made = producer.made[&Some(Rendition::Half)];
        for _ in 0..5 {
            let frame = producer.during(stays.next(seen, DEADLINE)).await;
            seen = frame.unwrap().position();
        }
        let again = producer.made[&Some(Rendition::Half)];
        assert!(again <= made + 1, "{again} after {made}");
        assert!(!producer.wishes().contains(&Some(Rendition::Half)));
    })
    .await;
}

#[tokio::test]
async fn the_frame_is_let_go_by_who_wants_a_rendition() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
    looking(slot.path(), (), async |cameras| {
        let view = view(&cameras, None);
        let frame = view.next(Position::default(), DEADLINE);
        let frame = producer.during(frame).await.unwrap();
        let (bytes, seen) = (frame.jpeg.clone(), frame.position());
        drop(frame);
        view.want(HALF);
        producer.during(view.next(seen, DEADLINE)).await.unwrap();
        assert!(bytes.is_unique(), "it is kept");
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_takes_each_of_a_rendition_once() {
    const LAST: u8 = 20;
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
    looking(slot.path(), (), async |cameras| {
        let (view, client) = (view(&cameras, None), Rc::new(TakesAll::default()));
        view.want(HALF);
        let publish = async {
            while producer.exposure < LAST {
                producer.make_when_wished(Some(Rendition::Half)).await;
            }
        };
        tokio::join!(publish, client.take_until(&view, LAST));
    })
    .await;
}

#[tokio::test]
async fn what_is_shown_changes_from_frame_to_frame_and_is_never_older() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &Rendition::ALL);
    producer.makes.remove(Rendition::Y4m);
    looking(slot.path(), (), async |cameras| {
        let view = view(&cameras, None);
        let all = [
            None,
            Some(Rendition::Low),
            Some(Rendition::Half),
            Some(Rendition::Quarter),
            Some(Rendition::Full),
        ];
        let (mut seen, mut last) = (Position::default(), SystemTime::UNIX_EPOCH);
        for step in 1..all.len() {
            // Every one after every other one.
            for turn in 0..all.len() {
                let wanted = all[(turn * step) % all.len()];
                view.want(wanted.map_or(Wanted::Frame, Wanted::Rendition));
                for _ in 0..2 {
                    let frame = producer.during(view.next(seen, DEADLINE)).await.unwrap();
                    assert_eq!(frame.rendition, wanted);
                    assert!(frame.captured > last, "{wanted:?} is no newer");
                    (seen, last) = (frame.position(), frame.captured);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_lies_there_of_an_older_exposure_is_not_shown_after_a_newer_one() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
    producer.publish(Some(Rendition::Half));
    sleep(Duration::from_millis(20)).await;
    producer.expose();
    producer.publish(None);
    looking(slot.path(), (), async |cameras| {
        let view = view(&cameras, None);
        let frame = view.next(Position::default(), DEADLINE).await.unwrap();
        assert_eq!(number(&frame), 2);
        view.want(HALF);
        let older = view.next(frame.position(), DEADLINE);
        tokio::select! {
            shown = older => panic!("{:?} after 2", number(&shown.unwrap())),
            () = sleep(Duration::from_millis(400)) => {}
        }
        // Nor is the same exposure shown again; the one after it is.
        producer.answer();
        let (half, ()) = tokio::join!(view.next(frame.position(), DEADLINE), async {
            sleep(Duration::from_millis(50)).await;
            producer.make_when_wished(Some(Rendition::Half)).await;
        });
        assert_eq!(number(&half.unwrap()), 3);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_offered_is_the_frame_at_once_until_it_is() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[]);
    looking(slot.path(), (), async |cameras| {
        let (view, client) = (view(&cameras, None), Rc::new(TakesAll::default()));
        view.want(HALF);
        let start = Instant::now();
        let frame = producer
            .during(view.next(Position::default(), DEADLINE))
            .await;
        let frame = frame.unwrap();
        assert_eq!(frame.rendition, None);
        assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
        // It hears of the offer while it takes frames as they come.
        let follow = view.follow(client.clone(), frame.position(), HUNG);
        let offer = async {
            sleep(Duration::from_millis(50)).await;
            producer.offer(&[Rendition::Half]);
            producer.run().await;
        };
        tokio::select! {
            wake = follow => assert!(matches!(wake, Wake::Recheck), "{wake:?}"),
            () = offer => unreachable!("it does not end"),
        }
        let half = producer.during(view.next(frame.position(), DEADLINE)).await;
        let half = half.unwrap();
        assert_eq!(half.rendition, Some(Rendition::Half));
        // And of its end, while it waits for one.
        producer.makes = RenditionSet::EMPTY;
        let withdraw = async {
            sleep(Duration::from_millis(50)).await;
            producer.offer(&[]);
            producer.run().await;
        };
        tokio::select! {
            frame = view.next(half.position(), DEADLINE) => {
                assert_eq!(frame.unwrap().rendition, None);
            }
            () = withdraw => unreachable!("it does not end"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_rendition_that_does_not_come_is_the_frame_after_a_while_and_comes_when_it_does() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
    producer.makes = RenditionSet::EMPTY;
    looking(slot.path(), (), async |cameras| {
        let view = view(&cameras, None);
        view.want(HALF);
        let start = Instant::now();
        let frame = producer
            .during(view.next(Position::default(), DEADLINE))
            .await;
        let frame = frame.unwrap();
        let waited = start.elapsed();
        assert_eq!(frame.rendition, None);
        assert!(waited < PATIENCE * 2, "{waited:?}");
        // The next ones come without a wait, for whoever wants it.
        let start = Instant::now();
        let other = common::view(&cameras, None);
        other.want(HALF);
        let both = async {
            tokio::join!(
                view.next(frame.position(), DEADLINE),
                other.next(frame.position(), DEADLINE)
            )
        };
        let (next, others) = producer.during(both).await;
        let (next, others) = (next.unwrap(), others.unwrap());
        assert_eq!((next.rendition, others.rendition), (None, None));
        assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
        // It is heard of when it comes at last: the wish for it holds.
        producer.makes = set(&[Rendition::Half]);
        let client = Rc::new(TakesAll::default());
        let wake = producer
            .during(view.follow(client, next.position(), HUNG))
            .await;
        assert!(matches!(wake, Wake::Recheck), "{wake:?}");
        let half = producer.during(view.next(next.position(), DEADLINE)).await;
        assert_eq!(half.unwrap().rendition, Some(Rendition::Half));
    })
    .await;
}

#[tokio::test]
async fn who_wants_nothing_but_a_rendition_waits_for_it_and_no_frame_is_made() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
    producer.makes = RenditionSet::EMPTY;
    looking(slot.path(), (), async |cameras| {
        // Another client has found out that it does not come.
        let other = view(&cameras, None);
        other.want(HALF);
        let frame = producer.during(other.next(Position::default(), DEADLINE));
        let seen = frame.await.unwrap().position();
        let view = view(&cameras, None);
        view.want_only(Rendition::Half);
        let frames = producer.made[&None];
        let come_late = async {
            let hung = tokio::time::timeout(PATIENCE * 3 / 2, producer.run()).await;
            hung.unwrap_err();
            producer.makes = set(&[Rendition::Half]);
            producer.run().await;
        };
        let half = tokio::select! {
            half = view.next(seen, DEADLINE) => half.unwrap(),
            () = come_late => unreachable!("it does not end"),
        };
        assert_eq!(half.rendition, Some(Rendition::Half));
        // The one that was held until now may be a wish.
        assert!(producer.made[&None] <= frames + 1);
        // It is not on offer: what may have become of the frame is seen by that.
        producer.offer(&[]);
        let frame = producer.during(view.next(half.position(), DEADLINE)).await;
        assert_eq!(frame.unwrap().rendition, None);
    })
    .await;
}

#[tokio::test]
async fn a_rendition_that_stops_in_the_middle_of_a_stream_is_the_frame_after_a_while() {
    for stop in [Stop::MadeNoMore, Stop::Removed] {
        let slot = TempDir::new().unwrap();
        let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
        looking(slot.path(), (), async |cameras| {
            let view = view(&cameras, None);
            view.want(HALF);
            let half = view.next(Position::default(), DEADLINE);
            let half = producer.during(half).await.unwrap();
            producer.makes = RenditionSet::EMPTY;
            if stop == Stop::Removed {
                fs::remove_file(slot.path().join(Rendition::Half.file())).unwrap();
            }
            // As a stream does: with others, until it had better look for itself.
            let start = Instant::now();
            let (client, seen) = (Rc::new(TakesAll::default()), half.position());
            let frame = producer.during(async {
                view.follow(client.clone(), seen, HUNG).await;
                view.next(seen, DEADLINE).await
            });
            let frame = frame.await.unwrap();
            let waited = start.elapsed();
            assert_eq!((client.offered.get(), frame.rendition), (0, None));
            assert!(waited < PATIENCE * 3 / 2, "{stop:?}: {waited:?}");
        })
        .await;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    MadeNoMore,
    Removed,
}

#[tokio::test]
async fn what_is_made_once_more_of_the_same_exposure_is_not_shown_twice() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
    looking(slot.path(), (), async |cameras| {
        for file in [None, Some(Rendition::Half)] {
            let view = view(&cameras, None);
            view.want(file.map_or(Wanted::Frame, Wanted::Rendition));
            let first = async {
                tokio::join!(
                    view.next(Position::default(), DEADLINE),
                    producer.make_when_wished(file)
                )
            };
            let first = first.await.0.unwrap();
            // Somebody removes it, and its producer offers it anew and makes it again.
            let client = Rc::new(TakesAll::default());
            let again = async {
                if let Some(rendition) = file {
                    producer.offer(&[]);
                    producer.offer(&[rendition]);
                    sleep(Duration::from_millis(50)).await;
                }
                producer.publish(file);
                sleep(Duration::from_millis(200)).await;
                producer.expose();
                producer.publish(file);
            };
            let take = client.clone();
            let follow = async {
                take.take(&first);
                while client.taken.borrow().last() != Some(&(number(&first) + 1)) {
                    view.follow(take.clone(), take.seen.get(), HUNG).await;
                    if client.taken.borrow().last() != Some(&(number(&first) + 1)) {
                        take.take(&view.next(take.seen.get(), DEADLINE).await.unwrap());
                    }
                }
            };
            tokio::join!(again, follow);
            let taken = client.taken.borrow().clone();
            assert_eq!(taken, [number(&first), number(&first) + 1], "{file:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_camera_that_wakes_slowly_gives_the_rendition_and_not_the_frame() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half]);
    looking(slot.path(), (), async |cameras| {
        let view = view(&cameras, None);
        view.want(HALF);
        let fresh = Freshness::CapturedSince(SystemTime::now());
        let wake = async {
            sleep(PATIENCE).await;
            producer.expose();
            // The one it is asked for last comes first.
            producer.publish(None);
            sleep(Duration::from_millis(50)).await;
            producer.answer();
        };
        let (half, ()) = tokio::join!(view.frame(fresh, DEADLINE), wake);
        assert_eq!(half.unwrap().rendition, Some(Rendition::Half));
    })
    .await;
}

#[tokio::test]
async fn a_producer_that_says_what_it_offers_when_it_wakes_is_waited_for() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[]);
    looking(slot.path(), (), async |cameras| {
        let view = view(&cameras, None);
        view.want(HALF);
        let fresh = Freshness::CapturedSince(SystemTime::now());
        let wake = async {
            sleep(Duration::from_millis(50)).await;
            producer.offer(&[Rendition::Half]);
            producer.expose();
            producer.publish(None);
            producer.run().await;
        };
        tokio::select! {
            half = view.frame(fresh, DEADLINE) => {
                assert_eq!(half.unwrap().rendition, Some(Rendition::Half));
            }
            () = wake => unreachable!("it does not end"),
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_offered_in_a_slot_that_is_not_watched_is_found() {
    let home = TempDir::new().unwrap();
    let front: CameraName = "front".parse().unwrap();
    let configured = Configured::from_iter([(front.clone(), None)]);
    let cameras = Rc::new(Cameras::new(home.path().to_owned(), configured, ()));
    // There is nothing to watch yet.
    let view = cameras.view(cameras.camera(&front).unwrap(), None);
    let asked = SystemTime::now();
    let mut producer = Producer::offering(&home.path().join("front"), &[Rendition::Half]);
    view.want(HALF);
    let half = view.frame(Freshness::CapturedSince(asked), DEADLINE);
    let half = producer.during(half).await.unwrap();
    assert_eq!(half.rendition, Some(Rendition::Half));
}

#[tokio::test]
async fn without_either_the_reason_is_the_cameras_and_the_wait_is_the_timeout() {
    let slot = TempDir::new().unwrap();
    let _producer = Producer::offering(slot.path(), &[Rendition::Half]);
    let short = Deadline {
        timeout: Duration::from_millis(300),
        max_age: HUNG,
    };
    looking(slot.path(), (), async |cameras| {
        let view = view(&cameras, None);
        view.want(HALF);
        let fresh = Freshness::CapturedSince(SystemTime::now());
        let reason = view.frame(fresh, short).await.unwrap_err();
        let is_timeout =
            matches!(reason, NoFrame::TimedOut { timeout, .. } if timeout == short.timeout);
        assert!(is_timeout, "{reason}");
    })
    .await;
}

#[tokio::test]
async fn a_width_leads_to_the_rendition_and_the_size_that_is_shown() {
    let slot = TempDir::new().unwrap();
    let mut producer = Producer::offering(slot.path(), &[Rendition::Half, Rendition::Quarter]);
    looking(slot.path(), (), async |cameras| {
        let capped = Some(RateCap::new(Duration::from_millis(1)));
        let view = view(&cameras, capped);
        let mut seen = Position::default();
        for (width, expected, size) in [
            (480, Some(Rendition::Quarter), (480, 270)),
            (481, Some(Rendition::Half), (960, 540)),
            (2000, None, (1920, 1080)),
        ] {
            let largest = Largest::Full;
            view.want(Wanted::AtLeastWide { width, largest });
            assert_eq!(view.size(), Some(size));
            let frame = producer.during(view.next(seen, DEADLINE)).await.unwrap();
            assert_eq!(frame.rendition, expected, "{width}");
            seen = frame.position();
        }
    })
    .await;
}
