//! Links whose rate stays as it is.

use super::*;

const ROUND_TRIPS: [Duration; 4] = [
    Duration::from_micros(200),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(200),
];

#[test]
fn gives_the_largest_rendition_that_comes_often_enough() {
    for (mbit, rung, least_fps, most_ms) in [
        (0.5, Rung::Quarter, 6.0, 230),
        (2.0, Rung::Half, 8.0, 150),
        (5.0, Rung::Low, 16.0, 85),
        (10.0, Rung::Low, 25.0, 60),
        (16.0, Rung::Low, 28.0, 60),
        (25.0, Rung::Main, 22.0, 60),
        (100.0, Rung::Main, 30.0, 60),
    ] {
        for round_trip in ROUND_TRIPS {
            let mut client = smooth(|start| VaryingLink::new(start, round_trip, rate(mbit)));
            let seen = client.run(30).seen(10, 30);
            let case = format!("{mbit} Mbit/s, {round_trip:?}: {seen:?}");
            assert_eq!(seen.rung, rung, "{case}");
            assert!(seen.fps >= least_fps, "{case}");
            assert!(seen.median_age <= MS * most_ms + round_trip / 2, "{case}");
            let settled = SECOND * 4 + round_trip * 20;
            let changes = &seen.changes;
            assert!(changes.iter().all(|(at, _)| *at < settled), "{case}");
            client.assert_calm(&case);
        }
    }
}

#[test]
fn who_wants_detail_gets_the_whole_size_always_and_all_of_it_as_long_as_it_comes() {
    for (mbit, rung) in [
        (0.5, Rung::Low),
        (2.0, Rung::Low),
        (5.5, Rung::Low),
        (8.0, Rung::Main),
        (100.0, Rung::Main),
    ] {
        for round_trip in ROUND_TRIPS {
            let link = |start| VaryingLink::new(start, round_trip, rate(mbit));
            let mut client = Watched::new(Ladder::Sharp, link);
            let seen = client.run(20).seen(10, 20);
            let case = format!("{mbit} Mbit/s, {round_trip:?}: {seen:?}");
            assert_eq!(seen.rung, rung, "{case}");
            assert!(seen.changes.len() <= 1, "{case}");
        }
    }
}

#[test]
fn no_rate_is_one_at_which_it_goes_up_and_down() {
    let mut mbit = 0.3;
    while mbit < 30.0 {
        for round_trip in [ROUND_TRIPS[0], ROUND_TRIPS[2]] {
            let mut client = smooth(|start| VaryingLink::new(start, round_trip, rate(mbit)));
            let seen = client.run(20).seen(10, 20);
            let case = format!("{mbit} Mbit/s, {round_trip:?}: {seen:?}");
            client.assert_calm(&case);
            assert!(seen.changes.len() <= 2, "{case}");
            // A rung is kept that carries a little less than is asked, so that it can be kept.
            assert!(seen.fps > 7.7 || seen.rung == Rung::Quarter, "{case}");
        }
        mbit *= 1.13;
    }
}

#[test]
fn a_rate_that_wavers_is_no_reason_to_go_up_and_down() {
    for mbit in [2.2, 3.0, 10.0, 20.0, 25.0] {
        for period in [0.3, 2.0, 7.0] {
            let rate = move |time: Duration| {
                let turns = time.as_secs_f64() / period;
                mbit * (1.0 + 0.2 * (turns * std::f64::consts::TAU).sin())
            };
            let mut client = smooth(|start| VaryingLink::new(start, MS * 10, Box::new(rate)));
            let seen = client.run(60).seen(10, 60);
            let case = format!("{mbit} Mbit/s within {period} s: {seen:?}");
            client.assert_calm(&case);
            assert!(seen.changes.len() <= 8, "{case}");
        }
    }
}

#[test]
fn a_link_that_carries_nothing_for_30_ms_and_then_all_is_taken_for_what_it_carries() {
    for (mbit, rung, least_fps) in [
        (2.3, Rung::Half, 8.0),
        (10.0, Rung::Low, 22.0),
        (60.0, Rung::Main, 25.0),
    ] {
        for round_trip in [MS / 2, MS * 3, MS * 20] {
            let mut client =
                smooth(|start| VaryingLink::new(start, round_trip, bursts(rate(mbit))));
            let seen = client.run(40).seen(10, 40);
            let case = format!("{mbit} Mbit/s, {round_trip:?}: {seen:?}");
            assert_eq!(seen.rung, rung, "{case}");
            assert!(seen.fps >= least_fps, "{case}");
            client.assert_calm(&case);
            // All of `Low` goes in one burst, so more seems to fit: it is tried ever more rarely.
            assert!(seen.changes.len() <= 7, "{case}");
        }
    }
}

#[test]
fn what_the_source_does_not_give_or_the_client_not_want_makes_no_slow_link() {
    // 98 KB once a second are 0.8 Mbit/s.
    for (source_fps, cap_fps, mbit) in [
        (Some(1.0), None, 1.0),
        (Some(5.0), None, 5.0),
        (None, Some(1.0), 1.0),
        (Some(30.0), Some(2.0), 2.0),
    ] {
        let mut client = smooth(|start| VaryingLink::new(start, MS * 10, rate(mbit)));
        let fps = source_fps.into_iter().chain(cap_fps).fold(30.0, f64::min);
        client.interval = SECOND.div_f64(fps);
        client.adaptation.set_wanted(WantedRate {
            source_fps,
            cap_fps,
            min_fps: 8.0,
        });
        let seen = client.run(60).seen(10, 60);
        assert!(
            seen.changes.is_empty(),
            "{source_fps:?} {cap_fps:?}: {seen:?}"
        );
    }
}

#[test]
fn two_clients_of_different_links_each_get_what_they_would_alone() {
    let client = |mbit| smooth(move |start| VaryingLink::new(start, MS * 10, rate(mbit)));
    let (mut slow, mut quick) = (client(2.0), client(100.0));
    for second in 1..=20 {
        slow.run(second);
        quick.run(second);
    }
    let mut alone = client(2.0);
    alone.run(20);
    assert_eq!(slow.seen(5, 20).fps, alone.seen(5, 20).fps);
    assert_eq!(slow.rung(), Rung::Half);
    assert!(quick.changes.is_empty());
}

#[test]
fn goes_by_the_renditions_that_are_made() {
    for (is_low, is_half, is_quarter, rung) in [
        (true, true, true, Rung::Half),
        (true, false, true, Rung::Quarter),
        (true, false, false, Rung::Low),
        (false, true, false, Rung::Half),
        (false, false, false, Rung::Main),
    ] {
        let mut client = smooth(|start| VaryingLink::new(start, MS * 10, rate(2.0)));
        client.adaptation.set_offered(|rung| match rung {
            Rung::Main => true,
            Rung::Low => is_low,
            Rung::Half => is_half,
            Rung::Quarter => is_quarter,
        });
        client.run(10);
        assert_eq!(client.rung(), rung);
        client.adaptation.set_offered(|_| false);
        client.run(11);
        assert_eq!(client.rung(), Rung::Main, "none is made any more");
    }
}

#[test]
fn a_rung_that_saves_nothing_is_passed_over() {
    // As of a frame at quality 20: `Low` has 30, and `Half` 70.
    let sizes = [40_000, 52_000, 30_000, 10_000];
    for (ladder, mbit, rung) in [
        (Ladder::Smooth, 1.0, Rung::Quarter),
        (Ladder::Smooth, 2.2, Rung::Half),
        (Ladder::Smooth, 4.0, Rung::Main),
        (Ladder::Sharp, 2.0, Rung::Main),
        (Ladder::Sharp, 100.0, Rung::Main),
    ] {
        let mut client = Watched::new(ladder, |start| VaryingLink::new(start, MS * 10, rate(mbit)));
        client.sizes = Box::new(move |_| sizes);
        let seen = client.run(30).seen(10, 30);
        let case = format!("{ladder:?}, {mbit} Mbit/s: {seen:?}");
        assert_eq!(seen.rung, rung, "{case}");
        let lows = client.sent.iter().filter(|(_, rung)| *rung == Rung::Low);
        assert!(lows.count() <= 1, "{case}");
    }
}

#[test]
fn a_low_that_saves_little_gives_way_to_a_half_that_comes_more_often() {
    // As of a photo with the noise of a small sensor.
    let sizes = [97_000, 56_000, 35_000, 14_000];
    for (mbit, rung) in [(10.0, Rung::Half), (16.0, Rung::Low), (25.0, Rung::Main)] {
        let mut client = smooth(|start| VaryingLink::new(start, MS * 10, rate(mbit)));
        client.sizes = Box::new(move |_| sizes);
        let seen = client.run(30).seen(10, 30);
        let case = format!("{mbit} Mbit/s: {seen:?}");
        assert_eq!(seen.rung, rung, "{case}");
        client.assert_calm(&case);
    }
}

/// Of a photo at 98 KB, and of one with less detail, as libjpeg-turbo makes them.
const LARGE_LOW: [u64; 4] = [91_000, 57_000, 34_000, 14_000];
const SMALL_LOW: [u64; 4] = [112_000, 55_000, 26_000, 10_000];

#[test]
fn what_is_long_in_the_making_gives_way_to_what_comes_more_often() {
    for (sizes, mbit, making_ms, rung, least_fps, most_ms) in [
        (LARGE_LOW, 9.5, 10, Rung::Half, 25.0, 60),
        (SMALL_LOW, 9.5, 16, Rung::Half, 24.0, 60),
        (SMALL_LOW, 20.0, 16, Rung::Low, 25.0, 60),
        // `Half` does not come often enough to be worth what it loses.
        (SIZES, 5.0, 10, Rung::Low, 11.0, 120),
        (SIZES, 2.0, 10, Rung::Half, 8.0, 180),
    ] {
        for burst in [0, 15_000] {
            let link = |start| VaryingLink::new(start, MS * 3, rate(mbit)).with_burst(burst);
            let mut client = smooth(link);
            client.sizes = Box::new(move |_| sizes);
            client.making = MS * making_ms;
            let seen = client.run(90).seen(8, 90);
            let case = format!("{mbit} Mbit/s, {sizes:?}, {burst}: {seen:?}");
            assert_eq!(seen.rung, rung, "{case}");
            assert!(seen.fps >= least_fps, "{case}");
            assert!(seen.median_age <= MS * most_ms, "{case}");
            // `Half` may have to be seen before it is known.
            assert!(seen.changes.len() <= 3, "{case}");
            client.assert_calm(&case);
        }
    }
}

#[test]
fn a_source_that_gives_fewer_frames_than_it_says_takes_no_time_for_making() {
    // It has faded for a while, so `Low` is what it carries now.
    let rate = steps(&[(0, 19.6), (5, 2.0), (10, 19.6)]);
    let mut client = smooth(|start| VaryingLink::new(start, MS * 3, rate));
    client.interval *= 2;
    client.sizes = Box::new(|_| LARGE_LOW);
    let seen = client.run(40).seen(20, 40);
    assert_eq!(seen.rung, Rung::Low, "{seen:?}");
}
