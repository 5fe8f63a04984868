//! What single frames make of the estimate.

use super::*;
use crate::simulation::{FRAME_BYTES, MS, mbit_per_second};

fn said(mbit: f64, min_rtt: Duration) -> TcpInfo {
    TcpInfo {
        min_rtt,
        delivery_rate: mbit_per_second(mbit),
        unsent_bytes: 0,
        window_bytes: None,
    }
}

/// A connection whose frames go one by one, each as soon as all of the last one is acknowledged.
struct Connection {
    link: LinkEstimate,
    said: TcpInfo,
    now: Instant,
    written_bytes: u64,
}

impl Connection {
    fn new(said: TcpInfo) -> Self {
        Self {
            link: LinkEstimate::default(),
            said,
            now: Instant::now(),
            written_bytes: 0,
        }
    }

    fn acknowledged(&mut self, acknowledged_bytes: u64) {
        self.link.on_ack(AckSample {
            at: self.now,
            acknowledged_bytes,
        });
    }

    /// A frame whose first bytes are acknowledged after one time, and whose last ones after
    /// another, for which the pacer waits. Gives the rate that is believed then.
    fn frame(&mut self, bytes: u64, first: Duration, last: Duration) -> BytesPerSecond {
        self.link.on_tcp_info(self.now, self.said);
        let (began, before) = (self.now, self.written_bytes);
        let start = AckSample {
            at: began,
            acknowledged_bytes: before,
        };
        self.link.on_write(start, 0, before, bytes);
        self.link.on_backlog();
        self.written_bytes += bytes;
        self.now = began + first;
        // The pacer has looked once while nothing was acknowledged.
        self.acknowledged(before);
        self.acknowledged(before + 1);
        self.now = began + last;
        self.acknowledged(before + bytes);
        self.link.rate(self.said)
    }
}

#[test]
fn a_frame_that_takes_a_little_longer_than_the_kernel_says_raises_no_doubt() {
    // 392 ms by the kernel's figures.
    let kernels = mbit_per_second(2.0);
    for (longer, doubts) in [
        (1.0, false),
        (1.3, false),
        (1.5, false),
        (1.7, true),
        (2.5, true),
    ] {
        let mut connection = Connection::new(said(2.0, MS / 5));
        let rate = connection.frame(FRAME_BYTES, MS, MS.mul_f64(392.0 * longer));
        assert_eq!(rate < kernels, doubts, "{longer} times: {rate:?}");
    }
}

#[test]
fn a_hiccup_of_a_computer_raises_no_doubt_and_a_late_frame_does() {
    // A frame that takes 2.4 ms.
    let kernels = mbit_per_second(100.0);
    for (hiccup, doubts) in [(MS * 12, false), (MS * 16, false), (MS * 40, true)] {
        let mut connection = Connection::new(said(100.0, MS / 5));
        let rate = connection.frame(30_000, MS, hiccup + MS * 3);
        assert_eq!(rate < kernels, doubts, "{hiccup:?}: {rate:?}");
    }
}

#[test]
fn follows_within_a_few_frames_a_rate_that_becomes_a_little_lower() {
    // The kernel says less than there is, so that nothing is late.
    let mut connection = Connection::new(said(4.0, MS / 5));
    let mut frames = |mbit: f64| {
        let wire_time = mbit_per_second(mbit).time_for(Bytes::from(FRAME_BYTES));
        let mut rate = BytesPerSecond::ZERO;
        for _ in 0..10 {
            rate = connection.frame(FRAME_BYTES, MS, wire_time + MS);
        }
        rate
    };
    assert!(frames(10.0) > mbit_per_second(9.9));
    let rate = frames(7.0);
    assert!(
        rate < mbit_per_second(7.1) && rate > mbit_per_second(6.9),
        "{rate:?}"
    );
}

#[test]
fn a_longer_round_trip_is_proved_by_two_frames_and_believed_for_a_while() {
    let kernels = said(10.0, MS * 5);
    let mut connection = Connection::new(kernels);
    let hold = |connection: &Connection, seconds| {
        connection
            .link
            .bdp_bytes(connection.now + Duration::from_secs(seconds))
    };
    // 5 ms at 10 Mbit/s hold 6,250 bytes, 100 ms 125,000.
    connection.frame(FRAME_BYTES, MS * 100, MS * 178);
    assert!(
        hold(&connection, 0) < 7_000,
        "one may have met with a hiccup"
    );
    connection.frame(FRAME_BYTES, MS * 100, MS * 178);
    assert!(hold(&connection, 0) >= 125_000);
    // To try the kernel's again costs a round trip twice: a hundredth of the rate at most if it is
    // 150 ms.
    assert!(hold(&connection, 29) >= 125_000);
    // A route that has become short again must not be taken for long for much more than that.
    assert!(hold(&connection, 40) < 7_000);
    connection.frame(FRAME_BYTES, MS * 5, MS * 83);
    assert!(
        hold(&connection, 0) < 7_000,
        "that frame proves the kernel right"
    );
}

#[test]
fn no_rate_at_all_is_no_reason_to_panic() {
    let mut connection = Connection::new(said(0.0, MS));
    let expected = connection
        .link
        .expected(connection.said, connection.now, FRAME_BYTES);
    assert_eq!(expected, MAX_WIRE_TIME + MS);
    connection.frame(FRAME_BYTES, MS, MS * 392);
}
