//! Viewers that come and go meanwhile, and links that become fast.

use super::*;

#[test]
fn who_comes_and_goes_elsewhere_ends_no_trial() {
    for period in [MS * 300, MS * 700, MS * 1500] {
        for seed in SEEDS {
            let links = [Link::new(10.0), Link::new(4.0)];
            let mut network = Network::new(Rule::Turns, seed, &links);
            for _ in 0..5 {
                network.join(0);
            }
            for _ in 0..S.as_millis() * 4 / period.as_millis() {
                let other = network.join(1);
                network.run(period);
                network.leave(other);
            }
            let sizes = network.group_sizes();
            assert_eq!(sizes[..5], [5; 5], "{period:?}, seed {seed}");
        }
    }
}

#[test]
fn who_makes_room_for_those_on_trial_makes_no_group_of_them_for_long() {
    // Two have 2 Mbit/s each until four others leave the link of one of them.
    let links = [Link::new(10.0), Link::new(2.0)];
    for seed in SEEDS {
        for leave_after in [MS * 800, MS * 1200, MS * 1600, S * 2, MS * 2500] {
            let mut network = Network::new(Rule::Turns, seed, &links);
            for link in [0, 1, 0, 0, 0, 0] {
                network.join(link);
            }
            network.run(leave_after);
            (2..6).for_each(|viewer| network.leave(viewer));
            network.run(S * 8);
            assert_eq!(network.group_sizes()[..2], [1; 2], "{seed} {leave_after:?}");
        }
    }
}

/// What a viewer of a link of 5 Mbit/s sees in two minutes and in the two after, beside others on
/// links of their own that keep up for a while again and again; and how often these began to take
/// part.
fn beside_some_that_come_and_go(rule: Rule, seed: u64, others: usize) -> ([f64; 2], u32) {
    let mut network = Network::new(rule, seed, &vec![Link::new(5.0); others + 1]);
    (0..=others).for_each(|link| _ = network.join(link));
    let frames = [(); 2].map(|()| {
        let before = network.viewers[0].seen.len();
        for _ in 0..30 {
            for (mbit, time) in [(4.0, MS * 2500), (60.0, MS * 1500)] {
                (1..=others).for_each(|link| network.set_rate(link, mbit));
                network.run(time);
            }
        }
        (network.viewers[0].seen.len() - before) as f64
    });
    (frames, network.viewers[1].entered)
}

#[test]
fn who_keeps_up_now_and_then_costs_a_slow_viewer_elsewhere_few_frames() {
    for others in [1, 12] {
        for seed in SEEDS.take(2) {
            let (with, entered) = beside_some_that_come_and_go(Rule::Turns, seed, others);
            let (without, _) = beside_some_that_come_and_go(Rule::AllAtOnce, seed, others);
            let lost = [0, 1].map(|part| 1.0 - with[part] / without[part]);
            let case = format!("{others}, seed {seed}: {entered} times, {lost:?}");
            assert!(entered > 50, "{case}");
            // Three or four frames and a half, of which there are 6 a second; then hardly more than
            // `MAX_COST_SHARE`.
            assert!(lost[0] < 0.013 && lost[1] < 0.009, "{case}");
        }
    }
}

/// Viewers take turns behind 10 Mbit/s, and then the link carries so many times what all frames of
/// all have.
fn link_becomes_fast(seed: u64, viewers: usize, times: f64) -> Network {
    let mut network = Network::new(Rule::Turns, seed, &[Link::new(10.0)]);
    for _ in 0..viewers {
        network.join(0);
    }
    learn(&mut network);
    assert_eq!(network.group_sizes(), vec![viewers; viewers]);
    let needed = viewers as f64 * FRAME_BYTES as f64 / FRAME_INTERVAL.as_secs_f64();
    network.set_rate(0, times * needed / 125_000.0);
    network
}

#[test]
fn viewers_whose_link_has_become_fast_take_turns_no_more() {
    for viewers in [2, 3, 5] {
        for seed in SEEDS {
            let mut network = link_becomes_fast(seed, viewers, 2.5);
            network.run(S * 5);
            assert_eq!(network.group_sizes(), vec![0; viewers], "seed {seed}");
            let from = network.run(SEEN);
            for viewer in &network.viewers {
                let seen = viewer.figures(from, SEEN);
                assert_eq!(viewer.entered, 1, "{viewers}, seed {seed}: {seen}");
                assert!(seen.frames_per_s > 30.0 && seen.age_p99 < 20.0, "{seen}");
            }
        }
    }
}

#[test]
fn no_rate_of_a_link_is_one_at_which_turns_end_and_begin_again_and_again() {
    for viewers in [2, 3, 5] {
        for times in [2.0, 1.7, 1.5, 1.3, 1.2, 1.1, 1.0, 0.9] {
            for seed in SEEDS {
                let mut network = link_becomes_fast(seed, viewers, times);
                network.run(S * 40);
                for viewer in &network.viewers {
                    assert!(viewer.entered <= 2, "{viewers}, {times}, seed {seed}");
                }
            }
        }
    }
}
