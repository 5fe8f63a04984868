//! Viewers that share links and viewers that do not, with turns and beside that all at once as it
//! would be without.

use super::network::{Figures, Link, Network, Rule, Sharing, Viewer};
use super::*;

mod changing;
mod mixtures;

const S: Duration = Duration::from_secs(1);

/// How long figures are taken.
const SEEN: Duration = Duration::from_secs(12);

/// One frame more or less in that time is no difference.
const ONE_FRAME: f64 = 1.0 / 12.0;

/// How long it may take until it is known who shares a link, where nothing else is said.
const LEARNING: Duration = Duration::from_secs(8);

const SEEDS: std::ops::Range<u64> = 0..4;

/// What came of a scenario with turns.
struct Outcome {
    /// Of each viewer, with turns, and without.
    figures: Vec<(Figures, Figures)>,
    /// How many took turns with each at the end.
    group_sizes: Vec<usize>,
    case: String,
}

/// Lets viewers join the links named, and does what the scenario does; figures are taken from then
/// on.
fn watch(seed: u64, links: &[Link], viewers: &[usize], scenario: impl Fn(&mut Network)) -> Outcome {
    let run = |rule| {
        let mut network = Network::new(rule, seed, links);
        for link in viewers {
            network.join(*link);
        }
        scenario(&mut network);
        let from = network.run(SEEN);
        let figures = network
            .viewers
            .iter()
            .map(|viewer| viewer.figures(from, SEEN));
        (figures.collect::<Vec<_>>(), network.group_sizes())
    };
    let (turns, group_sizes) = run(Rule::Turns);
    let (all_at_once, _) = run(Rule::AllAtOnce);
    let figures: Vec<_> = turns.into_iter().zip(all_at_once).collect();
    let mut case = format!("seed {seed}, groups of {group_sizes:?}; with turns, without:");
    for (with, without) in &figures {
        case += &format!("\n  {with}  {without}");
    }
    Outcome {
        figures,
        group_sizes,
        case,
    }
}

fn learn(network: &mut Network) {
    network.run(LEARNING);
}

/// What a single viewer of a link sees.
fn alone(link: Link) -> Figures {
    let mut network = Network::new(Rule::AllAtOnce, 0, &[link]);
    network.join(0);
    network.run(S * 2);
    let from = network.run(S * 20);
    network.viewers[0].figures(from, S * 20)
}

fn distant_links() -> [Link; 5] {
    let ten = Link::new(10.0);
    [
        ten,
        Link {
            queue: MS * 400,
            ..ten
        },
        Link {
            queue: MS * 150,
            round_trip: MS * 20,
            ..Link::new(5.0)
        },
        Link {
            round_trip: MS * 10,
            ..Link::new(20.0)
        },
        Link::new(4.0),
    ]
}

impl Outcome {
    /// Sums of frames a second, of all whom `which` names, with and without turns.
    fn rates(&self, which: impl Fn(usize) -> bool) -> (f64, f64) {
        let figures = self.figures.iter().enumerate();
        figures
            .filter(|(viewer, _)| which(*viewer))
            .fold((0.0, 0.0), |sum, (_, figures)| {
                (
                    sum.0 + figures.0.frames_per_s,
                    sum.1 + figures.1.frames_per_s,
                )
            })
    }

    /// These viewers see pictures as young as one alone would, at the rate that they had in all
    /// without turns, each as many.
    fn assert_in_turns(&self, which: impl Fn(usize) -> bool, link: Link) {
        let (case, alone) = (&self.case, alone(link));
        let (rate, rate_without) = self.rates(&which);
        assert!(rate > 0.94 * rate_without, "{case}");
        let of = self
            .figures
            .iter()
            .enumerate()
            .filter(|(viewer, _)| which(*viewer));
        let of: Vec<_> = of.map(|(_, (with, _))| with).collect();
        let mean_age = of.iter().map(|figures| figures.age_p50).sum::<f64>() / of.len() as f64;
        assert!(mean_age < 1.08 * alone.age_p50, "{alone} alone; {case}");
        for figures in &of {
            assert!(
                figures.age_p50 < 1.2 * alone.age_p50,
                "{alone} alone; {case}"
            );
            assert!(
                figures.frames_per_s + ONE_FRAME > 0.95 * rate / of.len() as f64,
                "{case}"
            );
        }
    }

    /// These viewers are no worse off than without turns.
    fn assert_as_without(&self, which: impl Fn(usize) -> bool, rate_share: f64) {
        let of = self
            .figures
            .iter()
            .enumerate()
            .filter(|(viewer, _)| which(*viewer));
        let mut ages = (0.0, 0.0);
        for (_, (with, without)) in of {
            assert!(
                with.frames_per_s + ONE_FRAME > rate_share * without.frames_per_s,
                "{}",
                self.case
            );
            // How a viewer's frames lie beside the camera's makes some difference.
            assert!(
                with.age_p50 < 1.05 * without.age_p50 + 10.0,
                "{}",
                self.case
            );
            ages = (ages.0 + with.age_p50, ages.1 + without.age_p50);
        }
        assert!(ages.0 < 1.05 * ages.1, "{}", self.case);
    }
}

fn all(_: usize) -> bool {
    true
}

#[test]
fn viewers_behind_one_link_see_pictures_as_young_as_one_alone() {
    for link in distant_links() {
        for viewers in [2, 3, 5] {
            for seed in SEEDS {
                let seen = watch(seed, &[link], &vec![0; viewers], learn);
                assert_eq!(
                    seen.group_sizes,
                    vec![viewers; viewers],
                    "{link:?} {}",
                    seen.case
                );
                seen.assert_in_turns(all, link);
                let latest = seen.figures.iter().map(|(with, _)| with.age_p99);
                let latest = latest.fold(0.0, f64::max);
                assert!(latest < 2.3 * alone(link).age_p50, "{link:?} {}", seen.case);
            }
        }
    }
}

#[test]
fn viewers_of_a_link_that_is_shared_as_it_happens_all_take_turns() {
    let sharing = Sharing::AsItHappens;
    for link in distant_links() {
        let link = Link { sharing, ..link };
        for seed in SEEDS {
            let seen = watch(seed, &[link], &[0; 5], |network| {
                network.run(S * 10);
            });
            assert_eq!(seen.group_sizes, [5; 5], "{link:?} {}", seen.case);
            seen.assert_in_turns(all, link);
        }
    }
}

#[test]
fn viewers_on_links_of_their_own_keep_their_rate_and_age() {
    let links = |rates: [f64; 5]| rates.map(Link::new);
    let lasting = |network: &mut Network| {
        network.run(S * 2);
    };
    for rates in [
        [10.0; 5],
        [10.0, 9.0, 11.0, 10.0, 12.0],
        [10.0, 5.0, 2.0, 20.0, 3.0],
        [2.0; 5],
    ] {
        for seed in SEEDS {
            // Behind addresses of their own, and all behind one.
            let apart = watch(seed, &links(rates), &[0, 1, 2, 3, 4], lasting);
            let together = watch(seed, &links(rates), &[0, 1, 2, 3, 4], |network| {
                (0..5).for_each(|viewer| network.set_network(viewer, 0));
                lasting(network);
            });
            for seen in [apart, together] {
                // Each may be held back a few times at first.
                seen.assert_as_without(all, 0.96);
                let (rate, rate_without) = seen.rates(all);
                let frame_each = 5.0 * ONE_FRAME;
                assert!(
                    rate + frame_each > 0.98 * rate_without,
                    "{rates:?} {}",
                    seen.case
                );
            }
        }
    }
}

#[test]
fn links_of_their_own_cost_nothing_once_that_is_known() {
    for rates in [[10.0; 3], [10.0, 5.0, 2.0]] {
        for seed in SEEDS {
            let seen = watch(seed, &rates.map(Link::new), &[0, 1, 2], |network| {
                network.run(S * 29);
            });
            seen.assert_as_without(all, 0.97);
            let (rate, rate_without) = seen.rates(all);
            assert!(rate > 0.975 * rate_without, "{rates:?} {}", seen.case);
            assert_eq!(seen.group_sizes, [1; 3], "{}", seen.case);
        }
    }
}

#[test]
fn two_links_make_two_groups() {
    for rates in [[10.0, 10.0], [10.0, 6.0]] {
        for seed in SEEDS {
            let links = rates.map(Link::new);
            let seen = watch(seed, &links, &[0, 0, 0, 1, 1, 1], learn);
            assert_eq!(seen.group_sizes, [3; 6], "{}", seen.case);
            seen.assert_in_turns(|viewer| viewer < 3, links[0]);
            seen.assert_in_turns(|viewer| viewer >= 3, links[1]);
        }
    }
}

#[test]
fn two_links_behind_one_address_are_no_worse_off() {
    let links = [Link::new(10.0); 2];
    for seed in SEEDS {
        let seen = watch(seed, &links, &[0, 0, 0, 1, 1, 1], |network| {
            (0..6).for_each(|viewer| network.set_network(viewer, 0));
            network.run(S * 10);
        });
        let (rate, rate_without) = seen.rates(all);
        assert!(rate > 0.96 * rate_without, "{}", seen.case);
        let ages = seen.figures.iter();
        let ages = ages.fold((0.0, 0.0), |sum, (with, without)| {
            (sum.0 + with.age_p50, sum.1 + without.age_p50)
        });
        assert!(ages.0 < 1.05 * ages.1, "{}", seen.case);
    }
}

#[test]
fn who_has_a_link_alone_is_no_part_of_a_group() {
    for seed in SEEDS {
        let links = [10.0, 10.0, 4.0].map(Link::new);
        let seen = watch(seed, &links, &[0, 0, 0, 1, 2], |network| {
            (0..5).for_each(|viewer| network.set_network(viewer, 0));
            network.run(S * 10);
        });
        assert_eq!(seen.group_sizes, [3, 3, 3, 1, 1], "{}", seen.case);
        seen.assert_in_turns(|viewer| viewer < 3, links[0]);
        seen.assert_as_without(|viewer| viewer >= 3, 0.98);
    }
}

#[test]
fn who_joins_a_group_has_a_turn_within_three_seconds() {
    for seed in SEEDS {
        let link = Link::new(10.0);
        let seen = watch(seed, &[link], &[0, 0, 0], |network| {
            learn(network);
            network.join(0);
            network.run(S * 3);
        });
        assert_eq!(seen.group_sizes, [4; 4], "{}", seen.case);
        seen.assert_in_turns(all, link);
    }
}

#[test]
fn who_leaves_a_group_is_not_waited_for() {
    for seed in SEEDS {
        let link = Link::new(10.0);
        let seen = watch(seed, &[link], &[0, 0, 0, 0], |network| {
            learn(network);
            network.leave(1);
            network.run(S);
        });
        assert_eq!(seen.group_sizes, [3, 0, 3, 3], "{}", seen.case);
        seen.assert_in_turns(|viewer| viewer != 1, link);
    }
}

#[test]
fn a_dead_viewer_holds_up_nobody_for_long() {
    for seed in SEEDS {
        for dies_after in [S, S * 2, LEARNING] {
            let link = Link::new(10.0);
            let seen = watch(seed, &[link], &[0, 0, 0], |network| {
                network.run(dies_after);
                network.viewers[1].is_dead = true;
                network.run(LEARNING - dies_after + MS);
            });
            seen.assert_in_turns(|viewer| viewer != 1, link);
            for viewer in [0, 2] {
                let longest = seen.figures[viewer].0.age_p99;
                assert!(longest < 260.0, "{dies_after:?}: {}", seen.case);
            }
        }
    }
}

#[test]
fn a_group_stays_one_when_its_link_fades_and_recovers() {
    for seed in SEEDS {
        let link = Link::new(10.0);
        let faded = Link::new(2.0);
        let fade = |network: &mut Network| {
            learn(network);
            network.set_rate(0, faded.mbit);
            network.run(S * 6);
        };
        let seen = watch(seed, &[link], &[0, 0, 0], fade);
        assert_eq!(seen.group_sizes, [3; 3], "{}", seen.case);
        seen.assert_in_turns(all, faded);
        let seen = watch(seed, &[link], &[0, 0, 0], |network| {
            fade(network);
            network.set_rate(0, link.mbit);
            network.run(S * 2);
        });
        assert_eq!(seen.group_sizes, [3; 3], "{}", seen.case);
        seen.assert_in_turns(all, link);
    }
}

#[test]
fn a_link_of_its_own_that_fades_costs_others_nothing() {
    for seed in SEEDS {
        let seen = watch(seed, &[Link::new(10.0); 3], &[0, 1, 2], |network| {
            learn(network);
            network.set_rate(0, 2.0);
        });
        seen.assert_as_without(all, 0.97);
    }
}

#[test]
fn frames_of_changing_size_change_nothing() {
    for seed in SEEDS {
        let vary = |network: &mut Network| {
            for viewer in &mut network.viewers {
                viewer.varies_by = 50_000;
            }
            learn(network);
        };
        let seen = watch(seed, &[Link::new(10.0)], &[0, 0, 0], vary);
        assert_eq!(seen.group_sizes, [3; 3], "{}", seen.case);
        let (rate, rate_without) = seen.rates(all);
        assert!(rate > 0.92 * rate_without, "{}", seen.case);
        for (with, _) in &seen.figures {
            assert!(with.age_p50 < 115.0, "{}", seen.case);
        }
        let seen = watch(seed, &[Link::new(10.0); 3], &[0, 1, 2], vary);
        assert_eq!(seen.group_sizes, [1; 3], "{}", seen.case);
    }
}

#[test]
fn a_narrower_link_behind_the_shared_one_keeps_its_viewer_out() {
    for seed in SEEDS {
        let narrow = |network: &mut Network| {
            network.viewers[1].own_mbit = 3.5;
            learn(network);
        };
        let seen = watch(seed, &[Link::new(10.0)], &[0, 0], narrow);
        assert_eq!(seen.group_sizes, [1; 2], "{}", seen.case);
        seen.assert_as_without(all, 0.98);
    }
}

#[test]
fn who_becomes_slow_behind_the_shared_link_is_put_out() {
    for seed in SEEDS {
        let seen = watch(seed, &[Link::new(10.0)], &[0; 3], |network| {
            learn(network);
            network.viewers[1].own_mbit = 2.0;
            network.run(S * 4);
        });
        assert_eq!(seen.group_sizes, [2, 1, 2], "{}", seen.case);
        // Its frames are slow, and leave most of the link to the others.
        for viewer in [0, 2] {
            assert!(seen.figures[viewer].0.age_p50 < 130.0, "{}", seen.case);
        }
        seen.assert_as_without(|viewer| viewer == 1, 0.9);
    }
}

#[test]
fn sixteen_viewers_are_told_from_sixteen_links() {
    let link = Link::new(20.0);
    for seed in SEEDS {
        let seen = watch(seed, &[link], &[0; 16], |network| {
            network.run(S * 10);
        });
        assert_eq!(seen.group_sizes, [16; 16], "{}", seen.case);
        seen.assert_in_turns(all, link);
        let each: Vec<_> = (0..16).collect();
        let seen = watch(seed, &[Link::new(10.0); 16], &each, learn);
        seen.assert_as_without(all, 0.97);
    }
}

#[test]
fn a_link_that_gives_in_bursts_is_told_from_a_shared_one() {
    let link = Link {
        burst: MS * 30,
        ..Link::new(10.0)
    };
    for seed in SEEDS {
        let seen = watch(seed, &[link], &[0, 0, 0], learn);
        assert_eq!(seen.group_sizes, [3; 3], "{}", seen.case);
        let seen = watch(seed, &[link; 3], &[0, 1, 2], learn);
        assert_eq!(seen.group_sizes, [1; 3], "{}", seen.case);
        seen.assert_as_without(all, 0.97);
    }
}

#[test]
fn who_gets_another_link_is_found_out() {
    let links = [Link::new(10.0); 2];
    for seed in SEEDS {
        let seen = watch(seed, &links, &[0, 0, 0], |network| {
            learn(network);
            network.set_link(2, 1);
            network.run(S * 200);
        });
        assert_eq!(seen.group_sizes, [2, 2, 1], "{}", seen.case);
        let seen = watch(seed, &links, &[0, 0, 1], |network| {
            learn(network);
            network.set_link(2, 0);
            network.run(S * 20);
        });
        assert_eq!(seen.group_sizes, [3; 3], "{}", seen.case);
    }
}

#[test]
fn trials_cost_no_client_of_a_link_of_its_own_more_than_a_hundredth_of_its_frames() {
    const MINUTE: Duration = Duration::from_secs(60);
    for rates in [[10.0, 5.0, 2.0, 20.0, 3.0], [10.0; 5], [2.0; 5]] {
        for seed in SEEDS {
            let run = |rule| {
                let mut network = Network::new(rule, seed, &rates.map(Link::new));
                for link in 0..5 {
                    network.join(link);
                }
                let minutes = [(); 2].map(|()| network.run(MINUTE));
                let of = |viewer: &Viewer| minutes.map(|from| viewer.figures(from, MINUTE));
                network.viewers.iter().map(of).collect::<Vec<_>>()
            };
            for (with, without) in run(Rule::Turns).into_iter().zip(run(Rule::AllAtOnce)) {
                // The first minute is that in which they are tried most.
                for (minute, most) in [(0, 0.025), (1, 0.01)] {
                    let (with, without) = (with[minute], without[minute]);
                    let lost = 1.0 - (with.frames_per_s + 1.0 / 60.0) / without.frames_per_s;
                    let case = format!("{rates:?}, seed {seed}, {minute}: {with}; {without}");
                    assert!(lost < most, "{case}");
                    assert!(with.age_p50 < 1.05 * without.age_p50, "{case}");
                }
            }
        }
    }
}
