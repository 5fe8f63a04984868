use super::watching::{MOST_HELD_ALONE, MOST_HELD_BY_MISSING, MOST_HELD_WITH_OTHERS, PACED};
use super::*;

const MS: Duration = Duration::from_millis(1);

const LIMITS: EncodeLimits = EncodeLimits {
    most_bps: 2_500_000,
    gop: None,
};

/// A policy with viewers of these paces, all of which have come for pictures.
fn policy(paces: &[Pace]) -> Policy {
    let mut policy = Policy::new(LIMITS);
    for (id, pace) in (0..).zip(paces) {
        policy.enter(id, *pace);
        policy.comes(id);
    }
    policy
}

fn waiting(since: Instant) -> Report {
    Report {
        waiting_since: Some(since),
        estimate_bps: None,
    }
}

fn estimate(bps: u64) -> Report {
    Report {
        waiting_since: None,
        estimate_bps: Some(bps),
    }
}

/// A picture is made, offered to all of so many viewers, and taken by those who get it.
fn make(policy: &mut Policy, viewers: u64, now: Instant) -> (bool, Vec<Offer>) {
    assert_eq!(policy.step(now), Step::Encode);
    let is_key = policy.order(now).is_key;
    policy.encoded(is_key, now);
    let offers: Vec<_> = (0..viewers)
        .map(|id| policy.offer(id, is_key, now))
        .collect();
    for id in 0..viewers {
        policy.comes(id);
    }
    (is_key, offers)
}

#[test]
fn nobody_that_takes_pictures_keeps_the_camera_awake_and_encodes_nothing() {
    let now = Instant::now();
    let mut policy = Policy::new(LIMITS);
    policy.enter(7, Pace::Holds);
    assert_eq!(policy.step(now), Step::KeepAwake);
    assert!(policy.comes(7));
    assert!(!policy.comes(7), "that is no news");
    assert_eq!(policy.step(now), Step::Encode);
    let order = policy.order(now);
    assert!(order.is_key);
    assert_eq!(
        order.bits_per_second, START_BPS,
        "nothing is known of its path"
    );
    policy.leave(7);
    assert!(policy.is_empty());
    assert_eq!(policy.step(now), Step::KeepAwake);
}

#[test]
fn no_picture_is_made_while_packets_wait_for_longer_than_pacing_takes() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds]);
    make(&mut policy, 1, now);
    assert!(!policy.report(0, waiting(now)), "that lets nothing be made");
    assert_eq!(policy.step(now + 19 * MS), Step::Encode);
    let held = Step::Wait(Some(now + PACED + MOST_HELD_ALONE));
    assert_eq!(policy.step(now + 20 * MS), held);
    assert_eq!(policy.step(now + 3000 * MS), held);
    // The oldest is a younger one.
    assert!(policy.report(0, waiting(now + 2990 * MS)));
    assert_eq!(policy.step(now + 3000 * MS), Step::Encode);
    assert!(policy.report(0, Report::default()));
    assert_eq!(
        make(&mut policy, 1, now + 3020 * MS),
        (false, vec![Offer::Takes])
    );
}

#[test]
fn a_picture_that_was_not_taken_holds_the_next() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds]);
    policy.encoded(true, now);
    assert_eq!(policy.offer(0, true, now), Offer::Takes);
    assert!(matches!(policy.step(now + MS), Step::Wait(Some(_))));
    assert!(policy.comes(0));
    assert_eq!(policy.step(now + MS), Step::Encode);
}

#[test]
fn one_that_is_stuck_holds_the_others_for_a_while_and_comes_back_with_a_keyframe() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds, Pace::Holds]);
    make(&mut policy, 2, now);
    policy.report(1, waiting(now));
    let freed = now + PACED + MOST_HELD_WITH_OTHERS;
    assert_eq!(policy.step(freed - MS), Step::Wait(Some(freed)));
    let (is_key, offers) = make(&mut policy, 2, freed);
    assert_eq!((is_key, offers), (false, vec![Offer::Takes, Offer::Misses]));
    // It is not waited for any more, nor made a keyframe for.
    for n in 1..100 {
        let at = freed + n * 33 * MS;
        policy.report(1, waiting(at - 10 * MS));
        let made = make(&mut policy, 2, at);
        assert_eq!(made, (false, vec![Offer::Takes, Offer::Misses]));
    }
    // Its packets are gone.
    let back = freed + 4000 * MS;
    assert!(policy.report(1, Report::default()));
    let (is_key, offers) = make(&mut policy, 2, back);
    assert_eq!((is_key, offers), (true, vec![Offer::Takes, Offer::Takes]));
}

#[test]
fn a_viewer_that_comes_no_more_and_reports_nothing_stops_holding() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds, Pace::Misses]);
    policy.encoded(true, now);
    for id in [0, 1] {
        assert_eq!(policy.offer(id, true, now), Offer::Takes);
    }
    policy.comes(1);
    assert!(matches!(policy.step(now + 600 * MS), Step::Wait(Some(_))));
    let mut held = Duration::ZERO;
    for n in 0..1000 {
        let at = now + 700 * MS + n * 33 * MS;
        match policy.step(at) {
            Step::Encode => {
                assert_eq!(policy.offer(0, false, at), Offer::Misses);
                policy.offer(1, policy.order(at).is_key, at);
                policy.comes(1);
            }
            _ => held += 33 * MS,
        }
    }
    assert_eq!(held, Duration::ZERO, "once is enough");
}

#[test]
fn keyframes_are_made_at_once_and_not_in_a_row() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds]);
    assert!(make(&mut policy, 1, now).0, "the first one");
    for n in 1..9 {
        policy.ask_key();
        let made = make(&mut policy, 1, now + n * 33 * MS);
        assert_eq!(made, (false, vec![Offer::Takes]), "{n}");
    }
    assert!(make(&mut policy, 1, now + 300 * MS).0, "as was asked for");
    assert!(!make(&mut policy, 1, now + 633 * MS).0);
    // Who comes gets one.
    policy.enter(1, Pace::Holds);
    assert!(
        !make(&mut policy, 1, now + 666 * MS).0,
        "not before it can take one"
    );
    policy.comes(1);
    let made = make(&mut policy, 2, now + 700 * MS);
    assert_eq!(made, (true, vec![Offer::Takes, Offer::Takes]));
}

#[test]
fn one_that_has_lost_too_much_gets_nothing_but_a_keyframe_and_that_soon() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds]);
    make(&mut policy, 1, now);
    policy.breaks_off(0);
    let due = now + KEYS_APART;
    assert_eq!(policy.step(now + 100 * MS), Step::Wait(Some(due)));
    assert_eq!(make(&mut policy, 1, due), (true, vec![Offer::Takes]));
    assert_eq!(
        make(&mut policy, 1, due + 33 * MS),
        (false, vec![Offer::Takes])
    );
    // Where it is so again, and again at once.
    policy.breaks_off(0);
    assert!(make(&mut policy, 1, due + 400 * MS).0);
}

#[test]
fn one_that_loses_much_costs_others_a_keyframe_a_second_at_most() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds, Pace::Holds]);
    make(&mut policy, 2, now);
    let mut keys = 0;
    for n in 1..=300 {
        let at = now + n * 33 * MS;
        policy.breaks_off(1);
        let (is_key, offers) = make(&mut policy, 2, at);
        assert_eq!(offers[0], Offer::Takes);
        assert_eq!(offers[1] == Offer::Takes, is_key);
        keys += u32::from(is_key);
    }
    assert!((8..=11).contains(&keys), "{keys} in ten seconds");
}

#[test]
fn nothing_is_encoded_that_nobody_could_decode() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Misses]);
    make(&mut policy, 1, now);
    policy.leave(0);
    policy.enter(1, Pace::Misses);
    policy.comes(1);
    let due = now + KEYS_APART;
    assert_eq!(policy.step(now + 33 * MS), Step::Wait(Some(due)));
    assert_eq!(policy.step(due), Step::Encode);
    assert!(policy.order(due).is_key);
}

#[test]
fn one_that_misses_pictures_holds_nobody_and_costs_a_keyframe_a_second_at_most() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds, Pace::Misses]);
    make(&mut policy, 2, now);
    // It takes 100 ms for each picture, a keyframe too.
    let (mut keys, mut busy_until) = (0, now);
    for n in 1..=300 {
        let at = now + n * 33 * MS;
        if at >= busy_until {
            policy.comes(1);
        }
        policy.comes(0);
        assert_eq!(policy.step(at), Step::Encode);
        let is_key = policy.order(at).is_key;
        policy.encoded(is_key, at);
        keys += u32::from(is_key);
        assert_eq!(policy.offer(0, is_key, at), Offer::Takes);
        if policy.offer(1, is_key, at) == Offer::Takes && at >= busy_until {
            busy_until = at + 100 * MS;
        }
    }
    assert!((7..=10).contains(&keys), "{keys} in ten seconds");
}

#[test]
fn one_that_misses_pictures_and_is_alone_has_none_made_while_it_is_busy() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Misses]);
    policy.encoded(true, now);
    policy.offer(0, true, now);
    assert_eq!(policy.step(now + 5000 * MS), Step::Wait(None));
    policy.comes(0);
    assert_eq!(
        make(&mut policy, 1, now + 5000 * MS),
        (false, vec![Offer::Takes])
    );
}

#[test]
fn the_bitrate_is_that_of_the_slowest_path_within_bounds() {
    let began = Instant::now();
    let mut policy = policy(&[Pace::Holds, Pace::Holds, Pace::Misses]);
    policy.encoded(true, began);
    let now = began + Duration::from_secs(60);
    let bps = |policy: &Policy| policy.order(now).bits_per_second;
    assert_eq!(bps(&policy), START_BPS);
    policy.report(0, estimate(2_000_000));
    assert_eq!(
        bps(&policy),
        1_800_000,
        "one that knows nothing says nothing"
    );
    policy.report(1, estimate(1_000_000));
    assert_eq!(bps(&policy), 900_000);
    policy.report(1, estimate(10_000));
    assert_eq!(bps(&policy), LEAST_BPS);
    policy.leave(1);
    policy.report(0, estimate(u64::MAX));
    assert_eq!(bps(&policy), 2_500_000);
    policy.leave(0);
    assert_eq!(
        bps(&policy),
        2_500_000,
        "who has no estimate gets what is configured"
    );
}

#[test]
fn what_is_estimated_at_first_is_believed_little_by_little() {
    let began = Instant::now();
    let mut policy = policy(&[Pace::Holds]);
    policy.report(0, estimate(10_000_000));
    assert_eq!(policy.order(began).bits_per_second, START_BPS);
    policy.encoded(true, began);
    let bps = |policy: &Policy, times| policy.order(began + DOUBLED_IN * times).bits_per_second;
    assert_eq!(bps(&policy, 0), START_BPS);
    assert_eq!(bps(&policy, 2), 4 * START_BPS);
    policy.encoded(true, began + DOUBLED_IN);
    assert_eq!(bps(&policy, 2), 4 * START_BPS, "it begins once");
    assert_eq!(bps(&policy, 1_000_000), 2_500_000);
    policy.report(0, estimate(500_000));
    assert_eq!(bps(&policy, 2), 450_000);
}

#[test]
fn one_that_may_miss_pictures_makes_them_no_worse_for_others_who_get_far_more() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Misses, Pace::Misses]);
    policy.report(0, estimate(200_000));
    policy.report(1, estimate(2_000_000));
    assert_eq!(policy.order(now).bits_per_second, 1_800_000);
    policy.report(0, estimate(600_000));
    assert_eq!(
        policy.order(now).bits_per_second,
        540_000,
        "it is not so slow"
    );
    policy.report(0, estimate(200_000));
    policy.leave(1);
    assert_eq!(policy.order(now).bits_per_second, 180_000, "it is alone");
    // A recorder on this machine gets all there is.
    policy.enter(2, Pace::Misses);
    policy.comes(2);
    assert_eq!(policy.order(now).bits_per_second, LIMITS.most_bps);
    policy.enter(3, Pace::Holds);
    policy.comes(3);
    policy.report(3, estimate(300_000));
    assert_eq!(policy.order(now).bits_per_second, 270_000, "it misses none");
}

#[test]
fn keyframes_come_from_time_to_time_for_who_needs_them_so() {
    let gop = Some(Duration::from_secs(4));
    let now = Instant::now();
    let keys = |policy: &mut Policy| {
        let made = (0..300).map(|n| make(policy, 1, now + n * 33 * MS).0);
        made.filter(|is_key| *is_key).count()
    };
    let mut without = policy(&[Pace::Misses]);
    without.set_limits(EncodeLimits { gop, ..LIMITS });
    assert_eq!(keys(&mut without), 1);
    let mut with = policy(&[Pace::Misses]);
    with.want_gop(0);
    with.set_limits(EncodeLimits { gop, ..LIMITS });
    assert_eq!(keys(&mut with), 3, "at 0, 4 and 8 s of 10");
}

#[test]
fn after_a_failure_all_begin_with_a_keyframe() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds, Pace::Misses]);
    make(&mut policy, 2, now);
    policy.failed();
    let made = make(&mut policy, 2, now + 33 * MS);
    assert_eq!(made, (true, vec![Offer::Takes, Offer::Takes]));
}

#[test]
fn one_that_misses_pictures_and_says_so_is_waited_for_a_little() {
    let now = Instant::now();
    let mut policy = policy(&[Pace::Holds, Pace::Misses]);
    make(&mut policy, 2, now);
    policy.report(1, waiting(now));
    let until = now + MOST_HELD_BY_MISSING;
    assert_eq!(policy.step(now + 33 * MS), Step::Wait(Some(until)));
    assert_eq!(make(&mut policy, 1, until), (false, vec![Offer::Takes]));
    // Alone it is waited for however long that takes.
    policy.leave(0);
    assert_eq!(policy.step(until + 5000 * MS), Step::Wait(None));
    assert!(policy.report(1, Report::default()));
    assert_eq!(policy.step(until + 5000 * MS), Step::Encode);
    // What it knows of its path counts.
    policy.report(1, estimate(1_000_000));
    assert_eq!(policy.order(now).bits_per_second, 900_000);
}
