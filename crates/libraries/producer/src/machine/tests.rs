mod renditions;

use super::*;

const LINGER: Duration = Duration::from_secs(15);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A machine, its world, and a clock that starts at 0.
struct World {
    machine: Machine,
    start: Instant,
    slot: SlotStatus,
    source: SourceStatus,
}

impl World {
    fn new(interval: Duration) -> Self {
        let start = Instant::now();
        Self {
            machine: Machine::new(LINGER, interval, start),
            start,
            slot: SlotStatus::default(),
            source: SourceStatus::default(),
        }
    }

    /// A camera that has published frame 1 at 0 ms.
    fn awake() -> Self {
        let mut world = Self::new(Duration::ZERO);
        world.slot.wished = true;
        assert_eq!(world.at(0), Some(Action::Start));
        world.capture(1);
        assert_eq!(world.at(0), Some(Action::Publish(1)));
        world.published(0, 1);
        assert_eq!(world.at(0), None);
        world
    }

    fn at(&mut self, at_ms: u64) -> Option<Action> {
        let action = self
            .machine
            .next(self.start + ms(at_ms), self.slot, self.source);
        self.slot.active = false;
        action
    }

    fn deadline(&self) -> Option<u128> {
        let deadline = self.machine.deadline(self.slot, self.source);
        deadline.map(|at| (at - self.start).as_millis())
    }

    fn capture(&mut self, number: u64) {
        self.source = SourceStatus {
            sequence: Some(number),
            works: true,
            ..self.source
        };
    }

    fn published(&mut self, at_ms: u64, number: u64) {
        self.machine.published(self.start + ms(at_ms), number);
        self.slot = SlotStatus::default();
    }

    fn open(&mut self) {
        self.slot = SlotStatus {
            wished: true,
            noticed: true,
            active: true,
            ..SlotStatus::default()
        };
    }

    fn fail(&mut self, at_ms: u64) -> u128 {
        self.source = SourceStatus::default();
        self.machine.failed(self.start + ms(at_ms), 0.5).as_millis()
    }
}

#[test]
fn a_camera_without_demand_sleeps_without_a_timer() {
    let mut world = World::new(Duration::ZERO);
    assert_eq!(world.at(0), None);
    assert_eq!(
        (world.deadline(), world.machine.phase()),
        (None, Phase::Asleep)
    );
}

#[test]
fn an_open_wakes_it_and_the_wish_is_answered_by_the_first_frame() {
    let mut world = World::new(Duration::ZERO);
    world.slot.noticed = true;
    assert_eq!(world.at(0), Some(Action::Start));
    assert_eq!(world.machine.phase(), Phase::Awake);
    world.capture(1);
    assert_eq!(world.at(30), None, "opened, but not closed yet");
    world.slot.wished = true;
    assert_eq!(world.at(31), Some(Action::Publish(1)));
}

#[test]
fn a_wish_between_frames_is_answered_at_once_if_the_last_one_was_not_used() {
    let mut world = World::awake();
    world.capture(2);
    assert_eq!(world.at(33), None, "nobody wants it");
    world.open();
    assert_eq!(world.at(40), Some(Action::Publish(2)));
    world.published(40, 2);
    world.open();
    assert_eq!(world.at(50), None, "it was published already");
    assert_eq!(
        world.deadline(),
        None,
        "the source says when there is another"
    );
    world.capture(3);
    assert_eq!(world.at(66), Some(Action::Publish(3)));
}

#[test]
fn a_frame_is_published_once_and_again_only_into_an_empty_slot() {
    let mut world = World::awake();
    world.slot = SlotStatus {
        wished: true,
        empty: true,
        ..SlotStatus::default()
    };
    assert_eq!(world.at(100), Some(Action::Publish(1)));
    world.machine.unusable(1);
    assert_eq!(
        world.at(101),
        None,
        "one that is no frame is never tried again"
    );
    world.capture(2);
    assert_eq!(world.at(102), Some(Action::Publish(2)));
}

/// A source that takes a frame every so many milliseconds, and has published that of 0 ms.
struct Ticking {
    world: World,
    interval_ms: u64,
    now_ms: u64,
}

impl Ticking {
    /// Gives when, in ms, a wish is answered that comes so long after now.
    fn answered(&mut self, wish_in_ms: u64) -> u64 {
        let wished_at = self.now_ms + wish_in_ms;
        loop {
            if self.now_ms.is_multiple_of(self.interval_ms) {
                self.world.capture(1 + self.now_ms / self.interval_ms);
            }
            if self.now_ms == wished_at {
                self.world.open();
            }
            if let Some(Action::Publish(number)) = self.world.at(self.now_ms) {
                assert!(self.now_ms >= wished_at, "published without a wish");
                let newest = 1 + self.now_ms / self.interval_ms;
                assert_eq!(number, newest, "never one that waited");
                self.world.published(self.now_ms, number);
                return self.now_ms;
            }
            self.now_ms += 1;
            assert!(self.now_ms < wished_at + 1000, "never answered");
        }
    }
}

#[test]
fn a_wish_is_answered_at_once_or_by_the_next_frame_and_never_later_than_one_interval() {
    const INTERVAL_MS: u64 = 33;
    for first_wish_in in 1..=2 * INTERVAL_MS {
        for then_in in 0..=2 * INTERVAL_MS {
            let mut ticking = Ticking {
                world: World::awake(),
                interval_ms: INTERVAL_MS,
                now_ms: 0,
            };
            let mut published_at = 0;
            for wish_in in [first_wish_in, then_in] {
                let wished_at = published_at + wish_in;
                // That of the interval in which one was published is no new frame.
                let next_frame_at = (published_at + 1).next_multiple_of(INTERVAL_MS);
                let answered = ticking.answered(wish_in);
                assert_eq!(answered, wished_at.max(next_frame_at), "{wished_at}");
                assert!(answered - wished_at <= INTERVAL_MS);
                published_at = answered;
            }
        }
    }
}

#[test]
fn it_falls_asleep_after_lingering_and_wakes_again() {
    let mut world = World::awake();
    assert_eq!(world.deadline(), Some(15_000));
    world.open();
    world.capture(2);
    assert_eq!(world.at(10_000), Some(Action::Publish(2)));
    world.published(10_000, 2);
    assert_eq!((world.at(15_000), world.deadline()), (None, Some(25_000)));
    world.capture(3);
    assert_eq!(world.at(24_999), None);
    assert_eq!(world.at(25_000), Some(Action::Stop));
    assert_eq!(
        (world.machine.phase(), world.deadline()),
        (Phase::Asleep, None)
    );
    world.source = SourceStatus::default();
    world.open();
    assert_eq!(world.at(99_000), Some(Action::Start));
    assert_eq!(world.at(99_000), None, "nothing from before sleeping");
    world.capture(4);
    assert_eq!(world.at(99_033), Some(Action::Publish(4)));
}

#[test]
fn a_wish_that_waits_for_a_picture_keeps_it_awake() {
    let mut world = World::awake();
    world.open();
    assert_eq!((world.at(1_000), world.deadline()), (None, None));
    assert_eq!(world.at(3_600_000), None);
    world.capture(2);
    assert_eq!(world.at(3_600_001), Some(Action::Publish(2)));
}

#[test]
fn the_rate_is_capped_without_drifting() {
    let mut world = World::new(ms(100));
    let mut published = Vec::new();
    world.slot.wished = true;
    world.at(0);
    for now in 0..1_000 {
        if now % 7 == 0 {
            world.capture(now + 1);
        }
        world.slot.wished = true;
        if let Some(Action::Publish(number)) = world.at(now) {
            published.push(now);
            world.published(now, number);
        }
    }
    assert_eq!(published, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    world.capture(2_000);
    world.open();
    assert_eq!(world.at(5_000), Some(Action::Publish(2_000)));
    world.published(5_000, 2_000);
    world.capture(2_001);
    world.open();
    assert_eq!((world.at(5_001), world.deadline()), (None, Some(5_100)));
}

#[test]
fn a_source_that_keeps_to_the_rate_itself_is_not_held_back() {
    let mut world = World::new(ms(100));
    world.slot.wished = true;
    world.source.keeps_rate = true;
    assert_eq!(world.at(0), Some(Action::Start));
    for (number, at_ms) in [(1, 30), (2, 129), (3, 228)] {
        world.capture(number);
        assert_eq!(world.at(at_ms), Some(Action::Publish(number)));
        world.published(at_ms, number);
        world.open();
    }
    world.source.keeps_rate = false;
    world.capture(4);
    assert_eq!(world.at(240), None);
    assert_eq!(world.deadline(), Some(300));
}

#[test]
fn the_newest_exposure_at_the_moment_of_publication_is_taken() {
    let mut world = World::new(ms(100));
    world.slot.wished = true;
    world.at(0);
    world.capture(1);
    world.at(0);
    world.published(0, 1);
    world.open();
    world.capture(2);
    assert_eq!(world.at(20), None);
    world.capture(3);
    assert_eq!(world.at(100), Some(Action::Publish(3)));
}

#[test]
fn a_failing_camera_is_tried_ever_more_slowly_while_somebody_looks() {
    let mut world = World::awake();
    world.open();
    let (mut now, mut delays) = (1_000, Vec::new());
    for _ in 0..8 {
        let delay = world.fail(now);
        delays.push(delay);
        assert_eq!(world.machine.phase(), Phase::Failed);
        world.open();
        assert_eq!(world.at(now + 1), None);
        now += delay as u64 - 1;
        world.slot.active = true;
        assert_eq!(world.at(now), None);
        now += 1;
        assert_eq!(world.deadline(), Some(u128::from(now)));
        assert_eq!(world.at(now), Some(Action::Start));
        assert_eq!(world.machine.phase(), Phase::Failed, "until it works");
    }
    assert_eq!(delays, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    world.capture(2);
    assert_eq!(world.at(now), Some(Action::Publish(2)));
    assert_eq!(world.machine.phase(), Phase::Awake);
    assert_eq!(world.fail(now), 1000, "success resets the delay");
}

#[test]
fn a_camera_that_is_back_is_tried_at_once() {
    let mut world = World::new(Duration::ZERO);
    world.slot.wished = true;
    assert_eq!(world.at(0), Some(Action::Start));
    world.fail(0);
    world.fail(1);
    assert_eq!(world.at(10), None);
    world.machine.returned(world.start + ms(10));
    assert_eq!(world.at(10), Some(Action::Start));
    world.capture(1);
    world.machine.returned(world.start + ms(11));
    assert_eq!(world.at(11), Some(Action::Publish(1)), "it works already");
}

#[test]
fn a_failed_camera_without_linger_is_tried_when_it_is_due_and_not_looked_at_for_ever() {
    let mut world = World::new(Duration::ZERO);
    world.machine = Machine::new(Duration::ZERO, Duration::ZERO, world.start);
    world.slot.wished = true;
    world.slot.empty = true;
    assert_eq!(world.at(0), Some(Action::Start));
    world.fail(0);
    for _ in 0..5 {
        let due = u64::try_from(world.deadline().unwrap()).unwrap();
        assert_eq!(world.at(due - 1), None);
        // Else whoever sleeps until then would be woken again and again.
        assert_eq!(world.at(due), Some(Action::Start));
        world.fail(due);
    }
}

#[test]
fn a_failed_camera_that_nobody_looks_at_is_left_alone() {
    let mut world = World::awake();
    world.open();
    assert_eq!(world.at(1_000), None);
    let mut now = 1_000;
    let mut tries = 0;
    loop {
        world.fail(now);
        assert_eq!(world.at(now), None);
        let Some(deadline) = world.deadline() else {
            break;
        };
        now = deadline as u64;
        assert_eq!(world.at(now), Some(Action::Start));
        tries += 1;
    }
    assert!((1..=4).contains(&tries), "{tries}");
    assert!(now < 16_000);
    assert_eq!(world.at(3_600_000), None, "the old wish is stale");
    assert_eq!(world.machine.phase(), Phase::Failed);
    world.open();
    assert_eq!(world.at(3_600_001), Some(Action::Start), "somebody looks");
}

#[test]
fn a_camera_that_never_gave_a_frame_is_tried_for_ever() {
    let mut world = World::new(Duration::ZERO);
    world.slot.wished = true;
    world.slot.empty = true;
    let mut now = 0;
    for _ in 0..20 {
        assert_eq!(world.at(now), Some(Action::Start));
        world.fail(now);
        assert_eq!(world.at(now), None);
        now = world
            .deadline()
            .expect("nobody can open a frame that is not there") as u64;
    }
}

#[test]
fn jitter_spreads_the_delay() {
    let delay = |jitter: f64| {
        let mut world = World::awake();
        world.machine.failed(world.start, jitter).as_millis()
    };
    assert_eq!([delay(0.0), delay(1.0), delay(7.0)], [750, 1250, 1250]);
}

#[test]
fn a_slot_that_refuses_is_tried_once_a_second() {
    let mut world = World::awake();
    world.open();
    world.capture(2);
    let mut tries = Vec::new();
    for now in (0..3_500).step_by(50) {
        world.capture(2 + now / 50);
        if matches!(world.at(now), Some(Action::Publish(_))) {
            tries.push(now);
            world.machine.refused(world.start + ms(now));
        }
        assert!(world.deadline() > Some(u128::from(now)), "no spinning");
    }
    assert_eq!(tries, [0, 1000, 2000, 3000]);
}

#[test]
fn an_endless_linger_is_never_over() {
    let start = Instant::now();
    let mut machine = Machine::new(Duration::MAX, Duration::ZERO, start);
    let wished = SlotStatus {
        wished: true,
        ..SlotStatus::default()
    };
    assert_eq!(
        machine.next(start, wished, SourceStatus::default()),
        Some(Action::Start)
    );
    machine.published(start, 1);
    let (nothing, source) = (SlotStatus::default(), SourceStatus::default());
    assert_eq!(machine.next(start + ms(1 << 40), nothing, source), None);
    assert_eq!(machine.deadline(nothing, source), None);
}
