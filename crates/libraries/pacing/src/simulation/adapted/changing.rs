//! Links and pictures that change.

use super::*;

const NEAR: Duration = Duration::from_micros(200);

#[test]
fn goes_down_at_once_when_a_link_fades_and_is_up_again_within_ten_seconds() {
    for (round_trip, faded, rung, most_ms) in [
        (NEAR, &[(0, 100.0), (10, 2.0), (30, 100.0)], Rung::Half, 600),
        (NEAR, &[(0, 100.0), (10, 5.0), (30, 100.0)], Rung::Low, 400),
        (NEAR, &[(0, 100.0), (10, 10.0), (30, 100.0)], Rung::Low, 250),
        (
            MS * 10,
            &[(0, 100.0), (10, 2.0), (30, 100.0)],
            Rung::Half,
            900,
        ),
        // What lay in the path when it faded must arrive first.
        (
            MS * 50,
            &[(0, 100.0), (10, 2.0), (30, 100.0)],
            Rung::Half,
            1500,
        ),
        (
            MS * 200,
            &[(0, 100.0), (10, 10.0), (30, 100.0)],
            Rung::Low,
            900,
        ),
    ] {
        let mut client = smooth(|start| VaryingLink::new(start, round_trip, steps(faded)));
        client.run(25);
        let case = format!("{round_trip:?}, {faded:?}: {:?}", client.seen(9, 25));
        assert_eq!(client.rung(), rung, "{case}");
        assert!(client.seen(9, 25).oldest <= MS * most_ms, "{case}");
        client.run(39);
        let seen = client.seen(25, 39);
        assert_eq!(seen.rung, Rung::Main, "{round_trip:?}, {faded:?}: {seen:?}");
    }
}

#[test]
fn a_link_of_bursts_is_up_again_when_it_carries_more() {
    let faded = &[(0, 60.0), (10, 2.0), (30, 60.0)];
    for round_trip in [MS * 3, MS * 20] {
        let rate = bursts(steps(faded));
        let mut client = smooth(|start| VaryingLink::new(start, round_trip, rate));
        assert_ne!(client.run(29).rung(), Rung::Main);
        let seen = client.run(40).seen(30, 40);
        assert_eq!(seen.rung, Rung::Main, "{round_trip:?}: {seen:?}");
    }
}

#[test]
fn what_the_kernel_remembers_of_a_faded_link_raises_nobody() {
    // The simulated kernel claims 100 Mbit/s for ever.
    for round_trip in [NEAR, MS * 10, MS * 50] {
        let rate = steps(&[(0, 100.0), (10, 2.0), (30, 10.0)]);
        let mut client = smooth(|start| VaryingLink::new(start, round_trip, rate));
        let seen = client.run(60).seen(31, 60);
        let rungs: Vec<_> = seen.changes.iter().map(|(_, rung)| *rung).collect();
        let case = format!("{round_trip:?}: {seen:?}");
        assert!(rungs.ends_with(&[Rung::Half, Rung::Low]), "{case}");
    }
}

#[test]
fn one_frame_that_was_late_costs_a_few_seconds_and_one_that_was_hardly_late_nothing() {
    for (ms, changes) in [(150, 0), (1000, 2)] {
        // Nobody takes anything for a while.
        let rate = move |time: Duration| {
            let is_away = (10_000..10_000 + ms).contains(&time.as_millis());
            if is_away { 0.0 } else { 100.0 }
        };
        let mut client = smooth(|start| VaryingLink::new(start, MS * 10, Box::new(rate)));
        let seen = client.run(20).seen(15, 20);
        assert_eq!(seen.changes.len(), changes, "{seen:?}");
        assert_eq!(seen.rung, Rung::Main, "{seen:?}");
    }
}

#[test]
fn follows_pictures_that_become_busier_or_calmer() {
    for (mbit, factor, calm, busy) in [
        (10.0, 0.35, Rung::Main, Rung::Low),
        (2.0, 0.6, Rung::Low, Rung::Half),
        (2.0, 3.0, Rung::Half, Rung::Quarter),
    ] {
        let (first, then) = if factor < 1.0 {
            (busy, calm)
        } else {
            (calm, busy)
        };
        let mut client = smooth(|start| VaryingLink::new(start, MS * 10, rate(mbit)));
        client.sizes = Box::new(move |time| {
            let is_other = (20..40).contains(&time.as_secs());
            SIZES.map(|bytes| {
                if is_other {
                    (bytes as f64 * factor) as u64
                } else {
                    bytes
                }
            })
        });
        for (seconds, rung) in [(20, first), (38, then), (60, first)] {
            let seen = client.run(seconds).seen(5, seconds);
            assert_eq!(seen.rung, rung, "{mbit} Mbit/s, {factor}: {seen:?}");
        }
        assert!(client.changes.len() <= 4, "{:?}", client.changes);
    }
}

#[test]
fn renditions_of_another_size_than_usual_are_learned_once() {
    for sizes in [
        [98_000, 80_000, 60_000, 40_000],
        [98_000, 20_000, 10_000, 3_000],
        [98_000, 50_000, 20_000, 15_000],
    ] {
        for mbit in [1.0, 2.0, 5.0, 10.0] {
            let mut client = smooth(|start| VaryingLink::new(start, MS * 10, rate(mbit)));
            client.sizes = Box::new(move |_| sizes);
            let seen = client.run(60).seen(30, 60);
            let case = format!("{mbit} Mbit/s, {sizes:?}: {seen:?}");
            assert!(
                seen.changes.iter().all(|(at, _)| *at < SECOND * 30),
                "{case}"
            );
            assert!(seen.fps > 7.5 || seen.rung == Rung::Quarter, "{case}");
        }
    }
}

#[test]
fn who_failed_tries_again_after_ever_longer_pauses() {
    // The router lets 45 KB through at once, and so all of a frame but the largest.
    let link = |start| VaryingLink::new(start, MS * 10, rate(10.0)).with_burst(45_000);
    let mut client = smooth(link);
    client.run(200);
    let tried: Vec<_> = client
        .changes
        .iter()
        .filter(|(_, rung)| *rung == Rung::Main)
        .map(|(at, _)| *at)
        .collect();
    let pauses: Vec<_> = tried.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(tried.len() >= 4 && tried.len() <= 6, "{:?}", client.changes);
    assert!(
        pauses.windows(2).all(|pair| pair[1] > pair[0] * 3 / 2),
        "{pauses:?}"
    );
    client.assert_calm("bursts");
}

#[test]
fn whoever_failed_is_up_again_as_soon_as_the_link_is_seen_to_be_another() {
    // All of `Half` goes in one burst of the router, so `Low` seems to fit, and fails.
    for (round_trip, seconds, mbit) in [
        (NEAR, 20, 100.0),
        (MS * 50, 18, 30.0),
        (MS * 50, 20, 100.0),
        (MS * 100, 24, 100.0),
        (MS * 100, 26, 30.0),
    ] {
        let rate = move |time: Duration| {
            let is_faded = (10..10 + seconds).contains(&time.as_secs());
            if is_faded { 2.0 } else { mbit }
        };
        let link = |start| VaryingLink::new(start, round_trip, Box::new(rate));
        let mut client = smooth(|start| link(start).with_burst(15_000));
        client.sizes = Box::new(|_| [105_000, 41_000, 13_000, 5_000]);
        client.run(10 + seconds + 9);
        let case = format!("{round_trip:?}, {mbit} Mbit/s after {seconds} s");
        assert_eq!(client.rung(), Rung::Main, "{case}: {:?}", client.changes);
    }
}
