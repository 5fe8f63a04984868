//! The decision on given times and figures. `simulation::adapted` has what it comes to on whole
//! links.

use super::*;
use crate::simulation::{MS, mbit_per_second};
use crate::tcp_info::TcpInfo;

const SECOND: Duration = Duration::from_secs(1);

fn wanted(source_fps: f64) -> WantedRate {
    WantedRate {
        source_fps: Some(source_fps),
        cap_fps: None,
        min_fps: 8.0,
    }
}

/// A client of whose link nothing is known but what its socket tells.
struct Client {
    adaptation: Adaptation,
    pacer: Pacer,
    tcp_info: Option<TcpInfo>,
    interval: Duration,
    start: Instant,
    now: Instant,
}

impl Client {
    fn new(ladder: Ladder, tcp_info: Option<TcpInfo>) -> Self {
        let start = Instant::now();
        let mut adaptation = Adaptation::new(ladder, wanted(30.0));
        adaptation.set_offered(|_| true);
        Self {
            adaptation,
            pacer: Pacer::new(start),
            tcp_info,
            interval: MS * 33,
            start,
            now: start,
        }
    }

    /// One frame, of which all but the first segment lies in the socket for so long. Gives what the
    /// next one goes as, which comes a source's interval later at the earliest.
    fn frame(&mut self, bytes: u64, took: Duration) -> Rung {
        let (rung, began) = (self.adaptation.rung().0, self.now);
        self.adaptation.on_write(began, rung, bytes, &self.pacer);
        self.pacer.on_write(began, bytes);
        while self.now < began + took {
            let tcp_info = self.tcp_info;
            let pause = self.pacer.delay(self.now, bytes - 1448, || tcp_info);
            let pause = pause.unwrap_or(MS);
            let pause = self.adaptation.on_wait(self.now, pause, &self.pacer);
            self.now = (began + took).min(self.now + pause);
        }
        let tcp_info = self.tcp_info;
        assert_eq!(self.pacer.delay(self.now, 0, || tcp_info), None);
        let next = self.adaptation.next(self.now, &self.pacer);
        self.now = self.now.max(began + self.interval);
        next
    }
}

fn far() -> Option<TcpInfo> {
    Some(TcpInfo {
        min_rtt: MS * 20,
        delivery_rate: mbit_per_second(10.0),
        unsent_bytes: 0,
        window_bytes: None,
    })
}

#[test]
fn no_more_frames_are_wanted_than_there_are() {
    for (source_fps, cap_fps, all, least) in [
        (Some(30.0), None, Some(30.0), 8.0),
        (Some(30.0), Some(5.0), Some(5.0), 5.0),
        (Some(1.0), Some(5.0), Some(1.0), 1.0),
        (None, Some(15.0), Some(15.0), 8.0),
        (Some(0.0), None, None, 8.0),
    ] {
        let wanted = WantedRate {
            source_fps,
            cap_fps,
            min_fps: 8.0,
        };
        assert_eq!((wanted.all_fps(), wanted.least_fps()), (all, least));
    }
}

#[test]
fn a_frame_that_takes_twice_as_long_as_it_may_is_enough_and_a_shorter_one_is_not() {
    for (ms, rung) in [(230, Rung::Main), (320, Rung::Low)] {
        let mut client = Client::new(Ladder::Sharp, far());
        (0..30).for_each(|_| {
            client.frame(98_000, MS * 30);
        });
        assert_eq!(client.frame(98_000, MS * ms), rung, "{ms} ms");
    }
}

#[test]
fn one_late_frame_of_few_makes_no_mean() {
    let mut client = Client::new(Ladder::Sharp, far());
    client.interval = SECOND;
    client.adaptation.set_wanted(wanted(1.0));
    (0..5).for_each(|_| {
        client.frame(98_000, MS * 30);
    });
    assert_eq!(client.frame(98_000, MS * 1700), Rung::Main);
}

#[test]
fn a_client_of_the_largest_rendition_is_not_looked_at_once_more() {
    let mut client = Client::new(Ladder::Smooth, far());
    client.frame(98_000, MS * 30);
    let (now, pacer) = (client.now, &client.pacer);
    client.adaptation.on_write(now, Rung::Main, 98_000, pacer);
    assert_eq!(client.adaptation.check_at(now, pacer), None);
}

#[test]
fn a_client_of_a_smaller_one_is_looked_at_when_it_matters() {
    let mut client = Client::new(Ladder::Sharp, far());
    client.frame(98_000, MS * 30);
    assert_eq!(client.frame(98_000, MS * 500), Rung::Low);
    client.frame(38_000, MS * 100);
    let (now, pacer) = (client.now, &client.pacer);
    client.adaptation.on_write(now, Rung::Low, 38_000, pacer);
    // 38 of 98 KB at 8 frames a second and some more, after a round trip.
    let check_after = |time| Some(client.adaptation.check_at(now + time, pacer)? - now);
    let first = check_after(Duration::ZERO).unwrap();
    assert!(first > MS * 30 && first < MS * 35, "{first:?}");
    let check = check_after(first).unwrap();
    assert!(check > MS * 58 && check < MS * 62, "{check:?}");
    assert_eq!(check_after(check), None);
}

#[test]
fn where_a_socket_tells_nothing_the_next_larger_one_is_tried_after_some_seconds() {
    let mut client = Client::new(Ladder::Smooth, None);
    while client.frame(98_000, MS * 500) == Rung::Main {
        assert!(client.now < client.start + SECOND * 4);
    }
    // One at a time, for nobody knows the rate.
    assert_eq!(client.adaptation.rung(), (Rung::Low, Reason::SlowLink));
    let lowered = client.now;
    while client.frame(38_000, MS * 2) == Rung::Low {
        assert!(client.now < lowered + SECOND * 12);
    }
    assert_eq!(client.adaptation.rung(), (Rung::Main, Reason::Trial));
    assert!(client.now > lowered + SECOND * 6);
}

#[test]
fn pauses_between_failures_grow_and_begin_anew_after_a_success() {
    let (start, mut retries) = (Instant::now(), Retries::default());
    let (mut now, mut pauses) = (start, Vec::new());
    let mut stay = |retries: &mut Retries, stay: Duration| {
        retries.on_raised(now, Rung::Low);
        now += stay;
        retries.on_lowered(now, Rung::Low, None);
        let failed = now;
        while !retries.may_try(now, Rung::Main, Rung::Half) {
            assert!(!retries.may_try(now, Rung::Low, Rung::Half));
            assert!(retries.may_try(now, Rung::Half, Rung::Quarter));
            now += SECOND;
        }
        now - failed
    };
    for seconds in [1, 9, 3, 3, 3, 11, 1] {
        pauses.push(stay(&mut retries, SECOND * seconds).as_secs());
    }
    assert_eq!(pauses, [8, 16, 32, 64, 64, 0, 8]);
}
