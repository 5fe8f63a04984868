use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Begins a change of configuration at `at`.
fn changing(at: Instant) -> StillPlan {
    let mut plan = StillPlan::new(PATIENCE);
    assert!(plan.may_begin(at));
    plan.begun(at, StillWay::Change);
    assert!(plan.is_away());
    plan
}

/// When a camera's picture is taken that gives one frame each `interval`, the first at once.
fn taken_after(interval: Duration, exposure: impl Fn(Duration) -> AutoExposure) -> Duration {
    let start = Instant::now();
    let mut plan = changing(start);
    for frame in 0..1000 {
        let after = interval * frame;
        plan.frame(start + after, exposure(after));
        if plan.sequence().is_some() {
            return after;
        }
        assert_eq!(plan.next(start + after), None);
    }
    panic!("no picture was taken");
}

#[test]
fn a_picture_is_taken_once_the_exposure_has_settled() {
    use AutoExposure::{Searching, Settled, Unknown};
    let settles_after = |settled: u64| {
        move |after| {
            if after < ms(settled) {
                Searching
            } else {
                Settled
            }
        }
    };
    assert_eq!(taken_after(ms(100), settles_after(0)), ms(0));
    assert_eq!(taken_after(ms(100), settles_after(250)), ms(300));
    // One that never says so, and one that says nothing, fast and slow.
    assert_eq!(taken_after(ms(100), settles_after(60_000)), SETTLE_LIMIT);
    assert_eq!(taken_after(ms(50), |_| Unknown), BLIND_SETTLE);
    assert_eq!(
        taken_after(ms(300), |_| Unknown),
        ms(300) * (BLIND_FRAMES - 1)
    );
}

#[test]
fn without_a_further_frame_the_one_at_hand_is_taken() {
    let start = Instant::now();
    let mut plan = changing(start);
    plan.frame(start + ms(700), AutoExposure::Searching);
    let due = start + ms(700) + SETTLE_LIMIT;
    assert_eq!((plan.deadline(), plan.sequence()), (Some(due), None));
    assert_eq!(plan.next(due - ms(1)), None);
    assert_eq!((plan.next(due), plan.sequence()), (None, Some(1)));
    // One that comes at the last moment is not waited for longer than for any.
    let mut plan = changing(start);
    plan.frame(start + PATIENCE - ms(1), AutoExposure::Searching);
    assert_eq!(plan.deadline(), Some(start + PATIENCE));
}

#[test]
fn a_camera_that_gives_nothing_is_given_up_and_asked_again_after_ever_longer_pauses() {
    let start = Instant::now();
    let mut plan = changing(start);
    assert_eq!(plan.deadline(), Some(start + PATIENCE));
    assert_eq!(plan.next(start + PATIENCE - ms(1)), None);
    assert_eq!(plan.next(start + PATIENCE), Some(StillAction::GiveUp));
    plan.fail("it gave none");
    plan.returning();
    assert_eq!(plan.returned(start + PATIENCE), Some(PATIENCE));
    assert!(!plan.is_away() && !plan.is_possible());
    assert_eq!(plan.deadline(), None);
    let mut now = start + PATIENCE;
    for (seconds, has_picture) in [(30, false), (60, false), (120, true), (30, false)] {
        assert_eq!(plan.next(now), None);
        let again = now + Duration::from_secs(seconds);
        for (then, is_asked) in [(again - ms(1), false), (again, true)] {
            assert_eq!(plan.next(then), None);
            assert_eq!(
                (plan.is_possible(), plan.may_begin(then)),
                (is_asked, is_asked)
            );
        }
        now = again;
        plan.begun(now, StillWay::Change);
        if has_picture {
            plan.frame(now, AutoExposure::Settled);
            plan.encoded();
            plan.returned(now);
            now += Duration::from_secs(10);
            assert!(plan.may_begin(now));
            plan.begun(now, StillWay::Change);
        }
        plan.fail("it gave none");
        plan.returned(now);
    }
}

#[test]
fn a_picture_is_encoded_once_or_dropped_and_the_stream_goes_on() {
    let start = Instant::now();
    for is_fetched in [true, false] {
        let mut plan = changing(start);
        plan.frame(start + ms(100), AutoExposure::Settled);
        assert_eq!(plan.sequence(), Some(1));
        plan.frame(start + ms(110), AutoExposure::Settled);
        assert_eq!(
            plan.sequence(),
            Some(1),
            "a later frame is no other picture"
        );
        let over = if is_fetched {
            plan.encoded();
            start + ms(200)
        } else {
            assert_eq!(plan.next(start + ms(200)), None);
            start + ms(100) + FETCH_LIMIT
        };
        assert!(plan.deadline() <= Some(over));
        assert_eq!(plan.next(over), Some(StillAction::Return));
        assert_eq!((plan.sequence(), plan.is_away()), (None, true));
        plan.returning();
        assert_eq!((plan.next(over), plan.is_away()), (None, false));
        assert!(!plan.may_begin(over), "it has not given a frame yet");
        assert_eq!(plan.deadline(), None);
        assert_eq!(plan.returned(over + ms(50)), Some(over + ms(50) - start));
        assert_eq!(plan.returned(over + ms(60)), None);
    }
}

/// Ten minutes of a reader that always wishes for a full picture, each of which keeps the
/// camera from the stream for `change`. Gives that part of the time, and the number of
/// pictures.
fn greedy(change: Duration, way: StillWay) -> (f64, u32) {
    let start = Instant::now();
    let (mut plan, mut now) = (StillPlan::new(PATIENCE), start);
    let (mut away, mut pictures) = (Duration::ZERO, 0);
    while now < start + Duration::from_secs(600) {
        if !plan.may_begin(now) {
            // It asks again when it was told to, and not sooner.
            let next = plan.deadline().unwrap();
            assert!(next > now);
            now = next;
            continue;
        }
        plan.begun(now, way);
        if way == StillWay::Change {
            now += change / 2;
        }
        plan.frame(now, AutoExposure::Settled);
        plan.encoded();
        now += if way == StillWay::Change {
            change / 2
        } else {
            change
        };
        assert_eq!(plan.next(now), Some(StillAction::Return));
        away += plan.returned(now).unwrap();
        pictures += 1;
    }
    (away.div_duration_f64(now - start), pictures)
}

#[test]
fn a_reader_that_never_has_enough_leaves_the_stream_three_quarters_of_the_time() {
    for (change, share, pictures) in [
        (ms(100), 0.05, 286),
        (ms(800), 0.25, 188),
        (Duration::from_secs(4), 0.25, 38),
    ] {
        let seen = greedy(change, StillWay::Change);
        assert!((seen.0 - share).abs() < 0.01, "{change:?}: {seen:?}");
        assert_eq!(seen.1, pictures, "{change:?}");
    }
    // Beside the stream it is only the encoding that costs.
    let (share, pictures) = greedy(ms(100), StillWay::Beside);
    assert!((share - 0.25).abs() < 0.01);
    assert_eq!(pictures, 1500);
}

#[test]
fn what_is_asked_for_too_early_is_begun_when_it_may_be() {
    let start = Instant::now();
    let mut plan = changing(start);
    plan.frame(start, AutoExposure::Settled);
    plan.encoded();
    plan.returned(start + ms(1000));
    assert_eq!(plan.deadline(), None, "nobody wishes for another");
    assert!(!plan.may_begin(start + ms(1100)));
    assert_eq!(plan.deadline(), Some(start + ms(4000)));
    assert!(plan.may_begin(start + ms(4000)));
    // Stopped in the middle of it, by an end or a fault.
    plan.begun(start + ms(4000), StillWay::Change);
    assert!(!plan.may_begin(start + ms(4001)), "one at a time");
    assert_eq!(plan.returned(start + ms(4100)), Some(ms(100)));
    assert_eq!((plan.sequence(), plan.is_away()), (None, false));
}

#[test]
fn beside_the_stream_the_first_frame_is_good_and_waiting_for_it_costs_nothing() {
    let start = Instant::now();
    let mut plan = StillPlan::new(PATIENCE);
    plan.begun(start, StillWay::Beside);
    assert!(!plan.is_away());
    plan.frame(start + ms(900), AutoExposure::Unknown);
    assert_eq!(plan.sequence(), Some(1));
    plan.encoded();
    assert_eq!(plan.returned(start + ms(1000)), Some(ms(100)));
    assert!(plan.may_begin(start + ms(1300)));
}
