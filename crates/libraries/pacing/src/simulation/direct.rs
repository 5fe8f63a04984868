//! What a client sees of which nothing but its link is between it and the server.

use super::*;

const ROUND_TRIPS: [Duration; 4] = [
    Duration::from_micros(200),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_millis(400),
];

#[test]
fn keeps_every_path_busy_and_nothing_waiting_before_it() {
    for mbit in [2.0, 10.0, 100.0] {
        for round_trip in ROUND_TRIPS {
            let mut link = SimulatedLink::new(mbit, round_trip);
            let start = Instant::now();
            let seen = watch(&mut link, &mut Pacer::new(start), start, 20);
            let case = format!("{mbit} Mbit/s, {round_trip:?}: {seen:?}");
            assert!(seen.rate_share > 0.98, "{case}");
            assert!(seen.longest_wait < MS * 13, "{case}");
            assert!(seen.polls_per_frame < 8.0, "{case}");
        }
    }
}

#[test]
fn finds_out_that_the_kernel_takes_the_path_for_faster_than_it_is() {
    for mbit in [2.0, 10.0] {
        for round_trip in ROUND_TRIPS {
            let mut link = SimulatedLink::new(mbit, round_trip);
            link.claimed_rate_factor = 10.0;
            let start = Instant::now();
            let seen = watch(&mut link, &mut Pacer::new(start), start, 150);
            let case = format!("{mbit} Mbit/s, {round_trip:?}: {seen:?}");
            assert!(seen.rate_share > 0.97, "{case}");
            assert!(seen.longest_wait < MS * 50, "{case}");
        }
    }
}

#[test]
fn finds_out_that_the_path_has_become_longer_than_the_kernel_remembers() {
    let mut link = SimulatedLink::new(10.0, MS * 100);
    link.claimed_round_trip_factor = 0.05;
    let start = Instant::now();
    let seen = watch(&mut link, &mut Pacer::new(start), start, 20);
    // With 5 ms of 100 believed, it would be 0.45.
    assert!(seen.rate_share > 0.75, "{seen:?}");
    assert!(seen.longest_wait < MS * 20, "{seen:?}");
}

#[test]
fn follows_a_path_that_fades_and_recovers() {
    let start = Instant::now();
    let (mut link, mut pacer) = (SimulatedLink::new(100.0, MS * 50), Pacer::new(start));
    watch(&mut link, &mut pacer, start, 50);
    // The kernel goes on claiming what it measured before.
    (link.mbit, link.claimed_rate_factor) = (2.0, 50.0);
    let seen = watch(&mut link, &mut pacer, start + MS * 10_000, 20);
    assert!(
        seen.rate_share > 0.97 && seen.longest_wait < MS * 50,
        "{seen:?}"
    );
    (link.mbit, link.claimed_rate_factor) = (100.0, 1.0);
    let seen = watch(&mut link, &mut pacer, start + MS * 200_000, 20);
    assert!(
        seen.rate_share > 0.98 && seen.longest_wait < MS * 20,
        "{seen:?}"
    );
}
