//! The pause that a proxy's buffers ask for, on given windows.

use super::*;
use crate::units::BytesPerSecond;

const WIDE: u64 = 1_000_000;

/// So many seconds after the start, one after the frame began, so much of it waits in the receive
/// buffer.
fn drained(
    proxy: &mut ProxyBuffer,
    start: Instant,
    seconds: u64,
    bytes: u64,
    waiting: u64,
) -> Option<Duration> {
    let now = start + Duration::from_secs(seconds);
    let path = TcpInfo {
        min_rtt: Duration::ZERO,
        delivery_rate: BytesPerSecond::ZERO,
        unsent_bytes: 0,
        window_bytes: Some((WIDE - waiting) as u32),
    };
    proxy.on_write(now - Duration::from_secs(1), bytes);
    proxy.delay(now, Some(path))
}

#[test]
fn pauses_until_the_link_took_what_waits_but_no_second_more() {
    for (bytes, pause) in [(2_000_000, 0.6), (3_000_000, 0.4), (400_000, 1.0)] {
        let (mut proxy, start) = (ProxyBuffer::default(), Instant::now());
        let mut drained =
            |seconds, bytes, waiting| drained(&mut proxy, start, seconds, bytes, waiting);
        assert_eq!(drained(1, 1, 0), None);
        assert_eq!(drained(2, 600_000, 600_000), None, "the rate is not known");
        let seen = drained(4, bytes, 600_000);
        assert_eq!(seen, Some(Duration::from_secs_f64(pause)));
    }
}

#[test]
fn a_link_that_has_become_faster_is_reckoned_with_from_then_on() {
    let (mut proxy, start) = (ProxyBuffer::default(), Instant::now());
    let mut drained = |seconds, bytes, waiting| drained(&mut proxy, start, seconds, bytes, waiting);
    drained(1, 1, 0);
    drained(2, 600_000, 600_000);
    drained(4, 2_000_000, 600_000);
    // 3.2 MB in 3 s, of which 1.2 MB in the last: more than reckoned from the time before.
    let seen = drained(5, 1_200_000, 600_000);
    assert_eq!(seen, Some(Duration::from_secs_f64(0.6 * 3.0 / 3.2)));
}

#[test]
fn a_client_that_has_kept_up_for_ten_seconds_is_left_alone() {
    let (mut proxy, start) = (ProxyBuffer::default(), Instant::now());
    for (seconds, waiting) in [(1, 0), (2, 0), (3, 600_000)] {
        assert!(proxy.wants_tcp_info(start));
        drained(&mut proxy, start, seconds, 600_000, waiting);
    }
    assert!(proxy.wants_tcp_info(start + Duration::from_secs(12)));
    assert!(!proxy.wants_tcp_info(start + Duration::from_secs(13)));
}
