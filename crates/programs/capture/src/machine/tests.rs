use super::*;

const LINGER: Duration = Duration::from_secs(15);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A machine, its world, and a clock that starts at 0.
struct World {
    machine: Machine,
    start: Instant,
    demand: Demand,
    sight: Sight,
}

impl World {
    fn new(interval: Duration) -> Self {
        let start = Instant::now();
        Self {
            machine: Machine::new(LINGER, interval, start),
            start,
            demand: Demand::default(),
            sight: Sight::default(),
        }
    }

    /// A camera that has published exposure 1 at 0 ms.
    fn awake() -> Self {
        let mut world = Self::new(Duration::ZERO);
        world.demand.wished = true;
        assert_eq!(world.at(0), Some(Action::Start));
        world.expose(1);
        assert_eq!(world.at(0), Some(Action::Publish(1)));
        world.published(0, 1);
        assert_eq!(world.at(0), None);
        world
    }

    fn at(&mut self, at_ms: u64) -> Option<Action> {
        let action = self
            .machine
            .next(self.start + ms(at_ms), self.demand, self.sight);
        self.demand.active = false;
        action
    }

    fn deadline(&self) -> Option<u128> {
        let deadline = self.machine.deadline(self.demand, self.sight);
        deadline.map(|at| (at - self.start).as_millis())
    }

    fn expose(&mut self, number: u64) {
        self.sight = Sight {
            exposure: Some(number),
            works: true,
            ..self.sight
        };
    }

    fn published(&mut self, at_ms: u64, number: u64) {
        self.machine.published(self.start + ms(at_ms), number);
        self.demand = Demand::default();
    }

    fn open(&mut self) {
        self.demand = Demand {
            wished: true,
            noticed: true,
            active: true,
            empty: false,
        };
    }

    fn fail(&mut self, at_ms: u64) -> u128 {
        self.sight = Sight::default();
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
fn an_open_wakes_it_and_the_wish_is_answered_by_the_first_exposure() {
    let mut world = World::new(Duration::ZERO);
    world.demand.noticed = true;
    assert_eq!(world.at(0), Some(Action::Start));
    assert_eq!(world.machine.phase(), Phase::Awake);
    world.expose(1);
    assert_eq!(world.at(30), None, "opened, but not closed yet");
    world.demand.wished = true;
    assert_eq!(world.at(31), Some(Action::Publish(1)));
}

#[test]
fn a_wish_between_exposures_is_answered_at_once_if_the_last_one_was_not_used() {
    let mut world = World::awake();
    world.expose(2);
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
    world.expose(3);
    assert_eq!(world.at(66), Some(Action::Publish(3)));
}

#[test]
fn an_exposure_is_published_once_and_again_only_into_an_empty_slot() {
    let mut world = World::awake();
    world.demand = Demand {
        wished: true,
        empty: true,
        ..Demand::default()
    };
    assert_eq!(world.at(100), Some(Action::Publish(1)));
    world.machine.unusable(1);
    assert_eq!(
        world.at(101),
        None,
        "one that is no frame is never tried again"
    );
    world.expose(2);
    assert_eq!(world.at(102), Some(Action::Publish(2)));
}

#[test]
fn it_falls_asleep_after_lingering_and_wakes_again() {
    let mut world = World::awake();
    assert_eq!(world.deadline(), Some(15_000));
    world.open();
    world.expose(2);
    assert_eq!(world.at(10_000), Some(Action::Publish(2)));
    world.published(10_000, 2);
    assert_eq!((world.at(15_000), world.deadline()), (None, Some(25_000)));
    world.expose(3);
    assert_eq!(world.at(24_999), None);
    assert_eq!(world.at(25_000), Some(Action::Stop));
    assert_eq!(
        (world.machine.phase(), world.deadline()),
        (Phase::Asleep, None)
    );
    world.sight = Sight::default();
    world.open();
    assert_eq!(world.at(99_000), Some(Action::Start));
    assert_eq!(world.at(99_000), None, "nothing from before sleeping");
    world.expose(4);
    assert_eq!(world.at(99_033), Some(Action::Publish(4)));
}

#[test]
fn a_wish_that_waits_for_a_picture_keeps_it_awake() {
    let mut world = World::awake();
    world.open();
    assert_eq!((world.at(1_000), world.deadline()), (None, None));
    assert_eq!(world.at(3_600_000), None);
    world.expose(2);
    assert_eq!(world.at(3_600_001), Some(Action::Publish(2)));
}

#[test]
fn the_rate_is_capped_without_drifting() {
    let mut world = World::new(ms(100));
    let mut published = Vec::new();
    world.demand.wished = true;
    world.at(0);
    for now in 0..1_000 {
        if now % 7 == 0 {
            world.expose(now + 1);
        }
        world.demand.wished = true;
        if let Some(Action::Publish(number)) = world.at(now) {
            published.push(now);
            world.published(now, number);
        }
    }
    assert_eq!(published, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    world.expose(2_000);
    world.open();
    assert_eq!(world.at(5_000), Some(Action::Publish(2_000)));
    world.published(5_000, 2_000);
    world.expose(2_001);
    world.open();
    assert_eq!((world.at(5_001), world.deadline()), (None, Some(5_100)));
}

#[test]
fn a_source_that_keeps_to_the_rate_itself_is_not_held_back() {
    let mut world = World::new(ms(100));
    world.demand.wished = true;
    world.sight.keeps_pace = true;
    assert_eq!(world.at(0), Some(Action::Start));
    for (number, at_ms) in [(1, 30), (2, 129), (3, 228)] {
        world.expose(number);
        assert_eq!(world.at(at_ms), Some(Action::Publish(number)));
        world.published(at_ms, number);
        world.open();
    }
    world.sight.keeps_pace = false;
    world.expose(4);
    assert_eq!(world.at(240), None);
    assert_eq!(world.deadline(), Some(300));
}

#[test]
fn the_newest_exposure_at_the_moment_of_publication_is_taken() {
    let mut world = World::new(ms(100));
    world.demand.wished = true;
    world.at(0);
    world.expose(1);
    world.at(0);
    world.published(0, 1);
    world.open();
    world.expose(2);
    assert_eq!(world.at(20), None);
    world.expose(3);
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
        world.demand.active = true;
        assert_eq!(world.at(now), None);
        now += 1;
        assert_eq!(world.deadline(), Some(u128::from(now)));
        assert_eq!(world.at(now), Some(Action::Start));
        assert_eq!(world.machine.phase(), Phase::Failed, "until it works");
    }
    assert_eq!(delays, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
    world.expose(2);
    assert_eq!(world.at(now), Some(Action::Publish(2)));
    assert_eq!(world.machine.phase(), Phase::Awake);
    assert_eq!(world.fail(now), 1000, "success resets the delay");
}

#[test]
fn a_camera_that_is_back_is_tried_at_once() {
    let mut world = World::new(Duration::ZERO);
    world.demand.wished = true;
    assert_eq!(world.at(0), Some(Action::Start));
    world.fail(0);
    world.fail(1);
    assert_eq!(world.at(10), None);
    world.machine.is_back(world.start + ms(10));
    assert_eq!(world.at(10), Some(Action::Start));
    world.expose(1);
    world.machine.is_back(world.start + ms(11));
    assert_eq!(world.at(11), Some(Action::Publish(1)), "it works already");
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
    world.demand.wished = true;
    world.demand.empty = true;
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
    world.expose(2);
    let mut tries = Vec::new();
    for now in (0..3_500).step_by(50) {
        world.expose(2 + now / 50);
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
    let wished = Demand {
        wished: true,
        ..Demand::default()
    };
    assert_eq!(
        machine.next(start, wished, Sight::default()),
        Some(Action::Start)
    );
    machine.published(start, 1);
    let (nothing, sight) = (Demand::default(), Sight::default());
    assert_eq!(machine.next(start + ms(1 << 40), nothing, sight), None);
    assert_eq!(machine.deadline(nothing, sight), None);
}
