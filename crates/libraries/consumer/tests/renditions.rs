//! Renditions as clients see them: a real slot, a producer in this process that makes what is
//! wished for, and clients that want this or that.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use common::{DEADLINE, HUNG, TakesAll, default_camera, jpeg, looking, number, view};
use eyelid_consumer::{
    Cameras, Configured, Deadline, Freshness, Largest, NoFrame, Position, RateCap, Wake, Wanted,
};
use eyelid_slot::{CameraName, Phase, Publisher, Rendition, RenditionSet, RenditionSize, State};
use tempfile::TempDir;
use tokio::time::sleep;

const HALF: Wanted = Wanted::Rendition(Rendition::Half);

/// Longer than a client waits for a rendition before it makes do with the frame.
const PATIENCE: Duration = Duration::from_millis(1100);

/// A producer, exposure by exposure.
struct Producer {
    publisher: Publisher,
    offered: RenditionSet,
    /// What it makes of the renditions on offer.
    makes: RenditionSet,
    exposure: u8,
    captured: SystemTime,
    /// The exposure of the frame that lies there, and that of each rendition.
    published: BTreeMap<Option<Rendition>, u8>,
    /// How many it has made of each.
    made: BTreeMap<Option<Rendition>, usize>,
}

fn set(renditions: &[Rendition]) -> RenditionSet {
    renditions.iter().copied().collect()
}

impl Producer {
    /// Offers these, with a first frame in the slot.
    fn offering(slot: &Path, offered: &[Rendition]) -> Self {
        let mut producer = Self {
            publisher: Publisher::open(slot).unwrap(),
            offered: RenditionSet::EMPTY,
            makes: set(&Rendition::ALL),
            exposure: 0,
            captured: SystemTime::now(),
            published: BTreeMap::new(),
            made: BTreeMap::new(),
        };
        producer.offer(offered);
        producer.expose();
        producer.publish(None);
        producer
    }

    fn offer(&mut self, offered: &[Rendition]) {
        for rendition in self.offered.without(set(offered)).iter() {
            self.publisher.withdraw(rendition);
        }
        for rendition in set(offered).without(self.offered).iter() {
            self.publisher.offer(rendition).unwrap();
        }
        self.offered = set(offered);
        let state = State {
            width: Some(1920),
            height: Some(1080),
            renditions: offered
                .iter()
                .map(|rendition| (rendition.name().to_owned(), RenditionSize::default()))
                .collect(),
            ..State::new(Phase::Awake, SystemTime::now())
        };
        self.publisher.set_state(&state).unwrap();
    }

    fn expose(&mut self) {
        self.exposure += 1;
        self.captured = SystemTime::now();
    }

    fn publish(&mut self, rendition: Option<Rendition>) {
        let bytes = jpeg(self.exposure);
        match rendition {
            None => self.publisher.publish(&bytes, self.captured),
            Some(rendition) => (self.publisher).publish_rendition(rendition, &bytes, self.captured),
        }
        .unwrap();
        self.published.insert(rendition, self.exposure);
        *self.made.entry(rendition).or_default() += 1;
    }

    /// What is wished for.
    fn wishes(&self) -> Vec<Option<Rendition>> {
        let now = Instant::now();
        self.publisher.take_in(now).unwrap();
        let frame = self.publisher.wished(now).then_some(None);
        let renditions = self.publisher.wished_renditions(now);
        let renditions = renditions.iter().map(Some);
        frame.into_iter().chain(renditions).collect()
    }

    /// Makes what is wished for of the newest exposure, and has not been made.
    fn answer(&mut self) {
        for wish in self.wishes() {
            let is_made = wish.is_none_or(|rendition| self.makes.contains(rendition));
            if is_made && self.published.get(&wish) != Some(&self.exposure) {
                self.publish(wish);
            }
        }
    }

    /// Exposes and answers until it is dropped.
    async fn run(&mut self) {
        loop {
            self.expose();
            for _ in 0..5 {
                self.answer();
                sleep(Duration::from_millis(2)).await;
            }
        }
    }

    /// Runs while something else is done.
    async fn during<T>(&mut self, program: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            ended = program => ended,
            () = self.run() => unreachable!("it does not end"),
        }
    }

    /// Exposes and makes this, once it is wished for.
    async fn make_when_wished(&mut self, rendition: Option<Rendition>) {
        let start = Instant::now();
        while !self.wishes().contains(&rendition) {
            assert!(start.elapsed() < HUNG, "no wish for {rendition:?}");
            sleep(Duration::from_millis(1)).await;
        }
        self.expose();
        self.publish(rendition);
    }
}

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
        let follow = async {
            while client.taken.borrow().last() != Some(&LAST) {
                client.take(&view.next(client.seen.get(), DEADLINE).await.unwrap());
                let wake = view.follow(client.clone(), client.seen.get(), HUNG).await;
                assert!(matches!(wake, Wake::Recheck), "{wake:?}");
            }
        };
        tokio::join!(publish, follow);
        let taken = client.taken.borrow();
        assert!(client.offered.get() > 0, "it asked for each of {taken:?}");
        assert!(taken.is_sorted_by(|one, next| one < next), "{taken:?}");
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
