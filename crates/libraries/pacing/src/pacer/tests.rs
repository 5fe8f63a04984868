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
    for _ in 0..3 {
        assert!(!pacer.can_send(now, 0));
        assert_eq!(pacer.delay(now, 0, || tcp_info), None);
        pacer.on_write(now, FRAME_BYTES);
    }
    assert_eq!(pacer.delay(now, 0, || None), None);
    pacer
}

#[test]
fn the_kernel_is_asked_only_where_it_matters() {
    let now = Instant::now();
    let near = tcp_info(Duration::from_micros(50), 1000.0);
    let mut asked = 0;
    let mut delay = |pacer: &mut Pacer, unacknowledged_bytes| {
        let tcp_info = || {
            asked += 1;
            near
        };
        let _ = pacer.delay(now, unacknowledged_bytes, tcp_info);
        asked
    };
    let mut new = Pacer::new(now);
    assert_eq!(delay(&mut new, 0), 1, "of the first frames more is asked");
    let mut pacer = acquainted(now, near);
    assert_eq!(delay(&mut pacer, 0), 1, "the socket is empty");
    pacer.on_write(now, FRAME_BYTES);
    assert_eq!(delay(&mut pacer, 1), 2, "something is under way");
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
            assert!(pacer.delay(now, FRAME_BYTES / 2, || near).is_some());
            assert_eq!(pacer.delay(now + MS, 0, || None), None);
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
    assert_eq!(pacer.delay(now, 62_500, || far), None);
    assert!(pacer.can_send(now + MS, 62_500));
    assert!(!pacer.can_send(now + MS, 62_501));
    assert!(
        pacer.can_send(now + MS * 1000, 62_500),
        "a frame a second is enough to be known by"
    );
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
    // A receiver acknowledges every second segment at once, and one segment alone only after 40 ms
    // and more. Of two that the path has reordered or lost it may hold back both.
    let two_segments = 2 * 1448;
    assert!(pacer.can_send(now, two_segments));
    assert_eq!(pacer.delay(now, two_segments, || None), None);
}

#[test]
fn looks_ever_more_rarely_at_a_client_that_takes_nothing() {
    let start = Instant::now();
    let (mut pacer, mut now, mut polls) = (Pacer::new(start), start, 0);
    pacer.on_write(start, FRAME_BYTES);
    while pacer.stalled_for(now) < MS * 10_000 {
        now += pacer.delay(now, FRAME_BYTES, || None).unwrap();
        polls += 1;
    }
    assert!(polls < 110, "{polls}");
    assert_eq!(pacer.delay(now, 0, || None), None);
    assert_eq!(pacer.stalled_for(now), Duration::ZERO);
}

#[test]
fn a_socket_without_figures_is_polled_a_few_times_a_frame_and_soon() {
    // A Unix socket: nothing but what has not been read. At 100 Mbit/s a frame takes 8 ms.
    for (mbit, most_polls) in [(2.0, 11), (10.0, 6), (100.0, 3)] {
        let start = Instant::now();
        let (mut pacer, mut now, mut polls) = (Pacer::new(start), start, 0);
        let wire_time = mbit_per_second(mbit).time_for(Bytes::from(FRAME_BYTES));
        pacer.on_write(start, FRAME_BYTES);
        loop {
            let left =
                wire_time.saturating_sub(now - start).as_secs_f64() / wire_time.as_secs_f64();
            let unread = (FRAME_BYTES as f64 * left) as u64;
            let Some(pause) = pacer.delay(now, unread, || None) else {
                break;
            };
            (now, polls) = (now + pause, polls + 1);
        }
        let case = format!(
            "{mbit} Mbit/s: {polls} polls, {:?} of {wire_time:?}",
            now - start
        );
        assert!(polls <= most_polls, "{case}");
        assert!(now - start < wire_time + MS * 4, "{case}");
    }
}

#[test]
fn the_time_to_the_first_answer_is_known_to_an_eighth_after_few_polls() {
    let start = Instant::now();
    let far = tcp_info(MS * 10, 10.0);
    let mut pacer = acquainted(start, far);
    // What the kernel knows is taken from a socket with something in it.
    assert!(pacer.delay(start, FRAME_BYTES * 9, || far).is_some());
    assert_eq!(pacer.delay(start, 0, || None), None);
    pacer.on_write(start, FRAME_BYTES);
    let (mut now, mut polls) = (start, 0);
    while now < start + MS * 400 {
        now += pacer.delay(now, FRAME_BYTES, || far).unwrap();
        polls += 1;
    }
    let late = now - start - MS * 400;
    assert!(late < MS * 51, "{late:?}");
    assert!(polls < 50, "{polls}");
}

#[test]
fn who_takes_a_whole_frame_at_once_shows_no_link() {
    let now = Instant::now();
    // After a frame that was looked at when so many bytes of it were left.
    let shows = |tcp_info, frame_bytes, looked_at: Duration, left_bytes| {
        let mut pacer = Pacer::new(now);
        // A frame that took its time, so that the kernel has been asked.
        pacer.on_write(now, FRAME_BYTES);
        let _ = pacer.delay(now + MS * 20, FRAME_BYTES / 2, || tcp_info);
        let _ = pacer.delay(now + MS * 40, 0, || tcp_info);
        pacer.on_write(now + MS * 40, frame_bytes);
        let _ = pacer.delay(now + MS * 40 + looked_at, left_bytes, || tcp_info);
        pacer.shows_link(now + MS * 60)
    };
    let near = tcp_info(Duration::from_micros(50), 10.0);
    let half = FRAME_BYTES / 2;
    assert!(shows(near, FRAME_BYTES, MS, half));
    assert!(!shows(near, FRAME_BYTES, MS, 0), "a proxy");
    assert!(shows(near, FRAME_BYTES, MS * 8, 0));
    assert!(shows(near, 8_000, MS, 0), "too little");
    assert!(!shows(near, 30_000, MS, 0));
    assert!(!shows(None, FRAME_BYTES, MS, half), "not TCP");
}

#[test]
fn the_turn_of_the_next_one_begins_a_little_before_a_frame_has_drained() {
    let now = Instant::now();
    let near = Duration::from_micros(50);
    // The last two hold a frame and more, or believe it.
    for (mbit, round_trip, least, most) in [
        (2.0, near, 4_000, 6_000),
        (8.0, near, 9_000, 12_000),
        (90.0, near, 12_000, 14_000),
        (8.0, MS * 150, 30_000, 40_000),
        (8.0, MS * 400, 30_000, 40_000),
    ] {
        let tcp_info = tcp_info(round_trip, mbit);
        let mut pacer = acquainted(now, tcp_info);
        pacer.set_sending(Sending::InTurns);
        pacer.on_write(now, FRAME_BYTES);
        let is_done =
            |pacer: &mut Pacer, bytes| pacer.delay(now + MS, bytes, || tcp_info).is_none();
        assert!(!is_done(&mut pacer, most), "{mbit} Mbit/s");
        assert!(is_done(&mut pacer, least), "{mbit} Mbit/s");
        assert!(pacer.has_drained(now + MS));
    }
}

#[test]
fn time_that_a_client_waits_for_its_turn_makes_no_link_slow() {
    let now = Instant::now();
    let tcp_info = tcp_info(MS, 8.0);
    let mut pacer = acquainted(now, tcp_info);
    pacer.set_sending(Sending::InTurns);
    for frame in 1..5 {
        // A frame takes 100 ms; the others have the link for 400 ms more.
        let began = now + MS * 500 * frame;
        pacer.on_write(began, FRAME_BYTES);
        assert!(pacer.delay(began + MS * 20, 80_000, || tcp_info).is_some());
        let pause = pacer.delay(began + MS * 60, 40_000, || tcp_info).unwrap();
        assert!(pause > MS * 15 && pause < MS * 35, "{pause:?}");
        assert!(pacer.delay(began + MS * 90, 9_000, || tcp_info).is_none());
        pacer.on_turn_over();
        pacer.on_turn(began + MS * 500, 0);
        assert!(pacer.stalled_for(began + MS * 500).is_zero());
    }
}
