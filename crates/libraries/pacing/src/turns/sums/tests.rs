use super::*;
use crate::simulation::Random;

/// What clients got in so many windows, of links that carry so much in each and share it as it
/// happens, one up to four times as much as another; what is seen of it is off by up to 2 %.
fn progress(seed: u64, windows: usize, links: &[(f64, usize)]) -> Vec<Vec<f64>> {
    let mut random = Random(0x9E37_79B9_7F4A_7C15 + seed);
    let share = |random: &mut Random| random.below(10_000) as f64 / 10_000.0;
    let mut all = Vec::new();
    for (carries, clients) in links {
        let mut of_link = vec![Vec::new(); *clients];
        for _ in 0..windows {
            let weights: Vec<_> = (0..*clients)
                .map(|_| 1.0 + 3.0 * share(&mut random))
                .collect();
            let sum: f64 = weights.iter().sum();
            for (client, weight) in of_link.iter_mut().zip(weights) {
                let seen = 1.0 + 0.04 * (share(&mut random) - 0.5);
                client.push(carries * weight / sum * seen);
            }
        }
        all.append(&mut of_link);
    }
    all
}

fn groups(progress: &[Vec<f64>]) -> Vec<BTreeSet<usize>> {
    let mut groups = Covariances::of(progress).groups();
    groups.sort();
    groups
}

const TEN: f64 = 150_000.0;
const FOUR: f64 = 60_000.0;

#[test]
fn clients_of_several_links_at_once_are_told_apart() {
    for seed in 0..50 {
        for links in [
            vec![(TEN, 3), (FOUR, 3)],
            vec![(TEN, 3), (TEN, 3)],
            vec![(TEN, 3), (TEN, 2), (FOUR, 1)],
            vec![(TEN, 2), (TEN, 2), (FOUR, 2), (TEN, 1)],
            vec![(TEN, 5), (FOUR, 1), (FOUR, 1)],
        ] {
            let mut next = 0;
            let expected = links.iter().map(|(_, clients)| {
                let group: BTreeSet<_> = (next..next + clients).collect();
                next += clients;
                group
            });
            let expected: Vec<_> = expected.filter(|group| group.len() > 1).collect();
            let seen = groups(&progress(seed, 40, &links));
            assert_eq!(seen, expected, "{links:?}, seed {seed}");
        }
    }
}

#[test]
fn of_links_of_their_own_no_sum_is_steady() {
    for seed in 0..50 {
        let alone = progress(seed, MIN_WINDOWS, &[(TEN, 1); 8]);
        assert_eq!(groups(&alone), [], "seed {seed}");
    }
}

#[test]
fn who_varies_with_others_that_are_not_there_is_in_no_sum() {
    for seed in 0..50 {
        for clients in 3..6 {
            let mut all = progress(seed, 90, &[(TEN, clients), (FOUR, 1)]);
            all.remove(0);
            assert_eq!(groups(&all), [], "{clients} clients, seed {seed}");
        }
    }
}

#[test]
fn windows_in_which_some_were_held_back_in_vain_count_for_nothing() {
    let now = Instant::now() + Duration::from_secs(100);
    let mut sums = SteadySums::default();
    let time = Duration::from_secs(2);
    let all = sums.windows(now, time).len();
    assert_eq!(all, 48, "of 120 ms, each 40 ms after the one before");
    sums.on_held_back(now - STEP * 10, now - STEP * 14);
    let left = sums.windows(now, time);
    assert_eq!(left.len(), all - 4 - 2);
    let touches =
        |(begin, end): &(Instant, Instant)| *begin < now - STEP * 10 && now - STEP * 14 < *end;
    assert!(!left.iter().any(touches));
    sums.on_held_back(now + Duration::from_secs(60), now + Duration::from_secs(59));
    assert_eq!(sums.held_back.len(), 1, "the first is forgotten");
}
