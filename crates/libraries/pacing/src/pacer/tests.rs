//! The rule on given times and figures. `simulation` has what it comes to on whole links.

use super::*;
use crate::simulation::{FRAME_BYTES, MS, mbit_per_second};

fn tcp_info(min_rtt: Duration, mbit: f64) -> Option<TcpInfo> {
    Some(TcpInfo {
        min_rtt,
        delivery_rate: mbit_per_second(mbit),
        unsent_bytes: 1,
        window_bytes: None,
    })
}

/// After the first frames, of which more is asked.
fn acquainted(now: Instant, tcp_info: Option<TcpInfo>) -> Pacer {
    let mut pacer = Pacer::new(now);
    while pacer.wants_tcp_info(now) {
        assert!(!pacer.can_send(now, 0));
        assert_eq!(pacer.delay(now, 0, tcp_info), None);
        pacer.on_write(now, FRAME_BYTES);
    }
    assert_eq!(pacer.delay(now, 0, None), None);
    pacer
}

#[test]
fn a_near_client_that_keeps_up_is_never_paused() {
    let start = Instant::now();
    let near = tcp_info(Duration::from_micros(50), 1000.0);
    let (mut pacer, mut now) = (acquainted(start, near), start);
    for frame in 0..100 {
        assert!(pacer.can_send(now, 0), "frame {frame}");
        pacer.on_write(now, FRAME_BYTES);
        // Every second one is not all gone when its task looks.
        if frame % 2 == 0 {
            assert!(pacer.delay(now, FRAME_BYTES / 2, near).is_some());
            assert_eq!(pacer.delay(now + MS, 0, None), None);
        }
        now += MS * 33;
    }
}

#[test]
fn a_far_client_that_keeps_up_is_not_held_back_by_what_is_under_way() {
    // 10 Mbit/s and 50 ms hold 62,500 bytes.
    let now = Instant::now();
    let far = tcp_info(MS * 50, 10.0);
    let mut pacer = acquainted(now, far);
    assert!(pacer.can_send(now, 0));
    pacer.on_write(now, FRAME_BYTES);
    assert!(!pacer.can_send(now, 62_500), "nothing is known of the path");
    assert_eq!(pacer.delay(now, 62_500, far), None);
    assert!(pacer.can_send(now + MS, 62_500));
    assert!(!pacer.can_send(now + MS, 62_501));
    assert!(
        !pacer.can_send(now + MS * 1001, 62_500),
        "that was long ago"
    );
}

#[test]
fn an_unacknowledged_tail_is_not_waited_for() {
    let now = Instant::now();
    let mut pacer = acquainted(now, None);
    pacer.on_write(now, FRAME_BYTES);
    assert!(pacer.can_send(now, DELAYED_ACK_BYTES));
    assert_eq!(pacer.delay(now, DELAYED_ACK_BYTES, None), None);
}

#[test]
fn looks_ever_more_rarely_at_a_client_that_takes_nothing() {
    let start = Instant::now();
    let (mut pacer, mut now, mut polls) = (Pacer::new(start), start, 0);
    pacer.on_write(start, FRAME_BYTES);
    while pacer.stalled_for(now) < MS * 10_000 {
        now += pacer.delay(now, FRAME_BYTES, None).unwrap();
        polls += 1;
    }
    assert!(polls < 110, "{polls}");
    assert_eq!(pacer.delay(now, 0, None), None);
    assert_eq!(pacer.stalled_for(now), Duration::ZERO);
}
