//! Links behind a proxy near the server, which takes more than they carry.

use super::*;

/// What the proxies hold, in bytes: send buffer and receive buffer.
const PROXIES: [(u64, u64); 4] = [
    (80_000, 16_000),
    (90_000, 130_000),
    (300_000, 130_000),
    (200_000, 400_000),
];

fn proxied(buffers: (u64, u64), rate: Rate) -> Watched {
    let proxy = SimulatedProxy::new(buffers.0, buffers.1);
    smooth(|start| VaryingLink::proxied(start, proxy, rate))
}

#[test]
fn goes_by_the_rate_behind_the_proxy() {
    for buffers in PROXIES {
        for (mbit, rungs, least_fps) in [
            (2.0, [Rung::Half, Rung::Quarter], 8.0),
            (5.0, [Rung::Low, Rung::Low], 15.0),
            (10.0, [Rung::Low, Rung::Low], 25.0),
            (100.0, [Rung::Main, Rung::Main], 30.0),
        ] {
            let mut client = proxied(buffers, rate(mbit));
            let seen = client.run(60).seen(5, 60);
            let case = format!("{mbit} Mbit/s, {buffers:?}: {seen:?}");
            assert!(rungs.contains(&seen.rung), "{case}");
            assert!(seen.fps >= least_fps, "{case}");
            assert!(seen.changes.len() <= 7, "{case}");
            client.assert_calm(&case);
        }
    }
}

#[test]
fn a_larger_one_is_tried_where_nothing_is_known_and_ever_more_rarely() {
    for buffers in PROXIES {
        let mut client = proxied(buffers, rate(10.0));
        client.run(240);
        let tried = client.changes.iter();
        let tried = tried.filter(|(_, rung)| *rung == Rung::Main).count();
        assert!(
            (3..=6).contains(&tried),
            "{buffers:?}: {:?}",
            client.changes
        );
        assert_eq!(client.rung(), Rung::Low);
    }
}

#[test]
fn follows_a_link_behind_a_proxy_that_fades_and_recovers() {
    for buffers in PROXIES {
        for faded in [
            &[(0, 100.0), (10, 2.0), (30, 100.0)],
            &[(0, 100.0), (10, 10.0), (30, 100.0)],
        ] {
            let mut client = proxied(buffers, steps(faded));
            client.run(29);
            assert_ne!(
                client.rung(),
                Rung::Main,
                "{buffers:?}: {:?}",
                client.changes
            );
            let seen = client.run(40).seen(30, 40);
            assert_eq!(seen.rung, Rung::Main, "{buffers:?}, {faded:?}: {seen:?}");
        }
    }
}
