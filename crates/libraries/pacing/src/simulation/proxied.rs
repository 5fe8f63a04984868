//! What a client sees that is behind a proxy near the server.

use super::*;

#[test]
fn lets_what_a_proxy_holds_run_low_and_never_out() {
    for (frame_bytes, send, receive, most) in [
        (FRAME_BYTES, 80_000, 16_000, 0.9),
        (FRAME_BYTES, 90_000, 130_000, 0.85),
        (FRAME_BYTES, 90_000, 350_000, 0.42),
        (FRAME_BYTES, 300_000, 130_000, 0.68),
        (FRAME_BYTES, 150_000, 20_000, 0.8),
        (24_000, 80_000, 16_000, 0.8),
        (24_000, 90_000, 130_000, 0.33),
        (24_000, 90_000, 350_000, 0.26),
        (24_000, 250_000, 320_000, 0.4),
        (24_000, 90_000, 1_000_000, 0.1),
    ] {
        for mbit in [2.0, 10.0] {
            let mut link = SimulatedLink::proxied(mbit, SimulatedProxy::new(send, receive));
            link.frame_bytes = frame_bytes;
            let start = Instant::now();
            let learning = 60 * FRAME_BYTES / frame_bytes;
            let seen = watch(&mut link, &mut Pacer::new(start), start, learning as usize);
            let case = format!(
                "{mbit} Mbit/s, {frame_bytes} {send} {receive}, {:?}: {seen:?}",
                link.full_proxy_delay()
            );
            assert!(seen.rate_share > 0.98, "{case}");
            // At least 10 ms between two, once the proxy is known, and some more at a frame's
            // beginning.
            let most_polls = 5.0 + 60.0 * link.wire_time().as_secs_f64();
            assert!(seen.polls_per_frame < most_polls, "{case}");
            assert!(
                seen.median_wait < link.full_proxy_delay().mul_f64(most),
                "{case}"
            );
        }
    }
}

#[test]
fn finds_out_how_much_a_proxy_holds_that_reads_little_at_a_time() {
    for mbit in [2.0, 10.0] {
        let mut link = SimulatedLink::proxied(mbit, SimulatedProxy::new(200_000, 100_000));
        link.proxy.gulp = 0.05;
        link.frame_bytes = 24_000;
        let start = Instant::now();
        let seen = watch(&mut link, &mut Pacer::new(start), start, 600);
        let case = format!("{mbit} Mbit/s of {:?}: {seen:?}", link.full_proxy_delay());
        assert!(seen.rate_share > 0.98, "{case}");
        assert!(
            seen.median_wait < link.full_proxy_delay().mul_f64(0.68),
            "{case}"
        );
    }
}

#[test]
fn follows_a_link_behind_a_proxy_that_fades_and_recovers() {
    let start = Instant::now();
    let (mut link, mut pacer) = (
        SimulatedLink::proxied(10.0, SimulatedProxy::new(200_000, 400_000)),
        Pacer::new(start),
    );
    watch(&mut link, &mut pacer, start, 50);
    for mbit in [2.0, 10.0, 3.0, 100.0, 2.0] {
        let end = link.end();
        link.mbit = mbit;
        let seen = watch(&mut link, &mut pacer, end, 50);
        let case = format!("{mbit} Mbit/s of {:?}: {seen:?}", link.full_proxy_delay());
        assert!(seen.rate_share > 0.97, "{case}");
        assert!(
            seen.median_wait < link.full_proxy_delay().mul_f64(0.6),
            "{case}"
        );
    }
}

#[test]
fn finds_out_soon_that_a_link_behind_a_proxy_is_faster() {
    let start = Instant::now();
    let (mut link, mut pacer) = (
        SimulatedLink::proxied(2.0, SimulatedProxy::new(200_000, 400_000)),
        Pacer::new(start),
    );
    watch(&mut link, &mut pacer, start, 50);
    for mbit in [3.0, 4.5] {
        let end = link.end();
        link.mbit = mbit;
        let seen = watch(&mut link, &mut pacer, end, 8);
        assert!(seen.rate_share > 0.97, "{mbit} Mbit/s: {seen:?}");
    }
}

#[test]
fn a_camera_that_was_away_does_not_make_a_slow_link() {
    let start = Instant::now();
    let (mut link, mut pacer) = (
        SimulatedLink::proxied(2.0, SimulatedProxy::new(200_000, 400_000)),
        Pacer::new(start),
    );
    watch(&mut link, &mut pacer, start, 50);
    for away in [3, 5, 6, 6, 6, 6, 6, 6] {
        let end = link.end();
        let seen = watch(&mut link, &mut pacer, end + MS * away * 1000, 10);
        assert!(seen.rate_share > 0.97, "{away} s: {seen:?}");
        assert!(
            seen.median_wait < link.full_proxy_delay().mul_f64(0.6),
            "{away} s: {seen:?}"
        );
    }
}

#[test]
fn a_near_link_without_a_proxy_keeps_its_rate() {
    for (mbit, burst) in [(2.0, 0), (10.0, 0), (2.0, 16_000), (25.0, 16_000)] {
        let mut link = SimulatedLink::proxied(mbit, SimulatedProxy::new(burst, 0));
        let start = Instant::now();
        let seen = watch(&mut link, &mut Pacer::new(start), start, 2);
        assert!(
            seen.rate_share > 0.97,
            "{mbit} Mbit/s, {burst} bytes: {seen:?}"
        );
    }
}
