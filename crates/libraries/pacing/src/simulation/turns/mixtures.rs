//! Several links at once, of whose viewers no address says who shares one.

use super::*;

/// How many viewers there are behind each of some links.
type Mixture = Vec<(Link, usize)>;

fn mixtures(sharing: Sharing) -> Vec<Mixture> {
    let link = |mbit| Link {
        sharing,
        ..Link::new(mbit)
    };
    vec![
        vec![(link(10.0), 3), (link(4.0), 3)],
        vec![(link(10.0), 3), (link(10.0), 3)],
        vec![(link(10.0), 3), (link(10.0), 2), (link(4.0), 1)],
        vec![(link(10.0), 2), (link(6.0), 2), (link(4.0), 2)],
    ]
}

/// Lets the viewers watch after `time`; `addresses` has that of each viewer.
fn watch_mixture(
    seed: u64,
    links: &Mixture,
    time: Duration,
    addresses: impl Fn(usize) -> u8,
) -> Outcome {
    let viewers = links.iter().enumerate();
    let viewers = viewers.flat_map(|(number, (_, viewers))| vec![number; *viewers]);
    let viewers: Vec<_> = viewers.collect();
    let links: Vec<_> = links.iter().map(|(link, _)| *link).collect();
    watch(seed, &links, &viewers, |network| {
        (0..viewers.len()).for_each(|viewer| network.set_network(viewer, addresses(viewer)));
        network.run(time);
    })
}

impl Outcome {
    /// The viewers of each link take turns with each other and with nobody else; who has one alone
    /// sees what it would without.
    fn assert_told_apart(&self, links: &Mixture) {
        let sizes = links
            .iter()
            .flat_map(|(_, viewers)| vec![*viewers; *viewers]);
        assert_eq!(self.group_sizes, sizes.collect::<Vec<_>>(), "{}", self.case);
        let mut next = 0;
        for (link, viewers) in links {
            let of = next..next + viewers;
            next = of.end;
            match viewers {
                1 => self.assert_as_without(|viewer| of.contains(&viewer), 0.96),
                _ => self.assert_in_turns(|viewer| of.contains(&viewer), *link),
            }
        }
    }
}

#[test]
fn viewers_of_several_links_with_an_address_each_are_told_apart() {
    // Where TCP shares as it happens, frames that lose their end make trials show nothing.
    for (sharing, time) in [(Sharing::Fair, S * 5), (Sharing::AsItHappens, S * 6)] {
        for links in mixtures(sharing) {
            for seed in SEEDS {
                let seen = watch_mixture(seed, &links, time, |viewer| viewer as u8);
                seen.assert_told_apart(&links);
            }
        }
    }
}

#[test]
fn viewers_of_several_links_behind_one_address_are_told_apart() {
    for links in mixtures(Sharing::Fair) {
        for seed in SEEDS {
            let seen = watch_mixture(seed, &links, S * 7, |_| 0);
            seen.assert_told_apart(&links);
        }
    }
}

#[test]
fn twelve_viewers_of_two_links_are_told_apart() {
    let links = vec![(Link::new(20.0), 6), (Link::new(10.0), 6)];
    for seed in SEEDS {
        let seen = watch_mixture(seed, &links, S * 10, |viewer| viewer as u8);
        seen.assert_told_apart(&links);
    }
}

#[test]
fn a_right_trial_that_failed_by_chance_is_not_kept_from_being_repeated() {
    let sharing = Sharing::AsItHappens;
    let links = [20.0, 10.0].map(|mbit| Link {
        sharing,
        ..Link::new(mbit)
    });
    let links = links.map(|link| (link, 3)).to_vec();
    // Those of 400 in which that happens, and three were not found within 13 s.
    for seed in [45, 69, 91, 105, 120, 192, 212, 279, 394] {
        let seen = watch_mixture(seed, &links, S * 7, |viewer| viewer as u8);
        assert_eq!(seen.group_sizes, [3; 6], "{}", seen.case);
    }
}

#[test]
fn who_joins_one_of_several_links_has_a_turn_within_three_seconds() {
    for links in mixtures(Sharing::Fair) {
        for seed in SEEDS {
            let only_links: Vec<_> = links.iter().map(|(link, _)| *link).collect();
            let mut network = Network::new(Rule::Turns, seed, &only_links);
            let join = |network: &mut Network, link| {
                let viewer = network.join(link);
                network.set_network(viewer, viewer as u8);
            };
            for (number, (_, viewers)) in links.iter().enumerate() {
                (0..*viewers).for_each(|_| join(&mut network, number));
            }
            network.run(S * 8);
            join(&mut network, 0);
            network.run(S * 3);
            let others = links
                .iter()
                .flat_map(|(_, viewers)| vec![*viewers; *viewers]);
            let mut expected: Vec<_> = others.chain([0]).collect();
            let first = links[0].1;
            (0..first).for_each(|viewer| expected[viewer] += 1);
            *expected.last_mut().unwrap() = first + 1;
            assert_eq!(network.group_sizes(), expected, "{links:?}, seed {seed}");
        }
    }
}
