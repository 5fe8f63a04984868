//! A camera, an encoder and a viewer behind a link, in time that is only counted. What is modelled:
//! an encoder that hits its bitrate on average and needs some bytes for any picture at all; a pacer
//! that sends at 1.5 times the estimate; a link with a queue; and an estimate that follows what
//! arrives and how long it has waited there, as Google's congestion control does in outline: it
//! grows until there is a queue, and falls to 0.85 of what came through then.

use std::collections::VecDeque;

use super::*;

const MS: Duration = Duration::from_millis(1);
const INTERVAL_MS: u64 = 33;
const ENCODE_MS: u64 = 10;
const PACKET_BYTES: u64 = 1200;

struct World {
    /// Bits a second that the link carries at this millisecond.
    link_bps: fn(u64) -> u64,
    /// How long the link's queue may become.
    queue_ms: u64,
    /// One way, without a queue.
    delay_ms: u64,
    /// Bytes that a picture has at least.
    least_bytes: u64,
    /// How many bytes a keyframe has for one of the others.
    key_factor: f64,
}

/// 1080p: what does not move costs something, too.
const FULL_HD: World = World {
    link_bps: |_| 2_000_000,
    queue_ms: 200,
    delay_ms: 10,
    least_bytes: 2500,
    key_factor: 6.0,
};

struct Packet {
    picture: usize,
    bytes: u64,
    queued_ms: u64,
}

#[derive(Clone, Copy)]
struct Sent {
    captured_ms: u64,
    is_key: bool,
    packets_left: u64,
    is_broken: bool,
    bits_per_second: u32,
    shown_ms: Option<u64>,
}

#[derive(Debug)]
struct Seen {
    age_p50_ms: u64,
    per_second: f64,
    longest_gap_ms: u64,
}

struct Run {
    world: World,
    policy: Policy,
    start: Instant,
    pictures: Vec<Sent>,
    pacer: VecDeque<Packet>,
    link: VecDeque<Packet>,
    pacer_credit: f64,
    link_credit: f64,
    estimate_bps: f64,
    arrived_bits: VecDeque<(u64, u64)>,
    last_captured_ms: Option<u64>,
    encoding: Option<(u64, usize, u64)>,
    probing: bool,
    /// The viewer says how it goes.
    reports: bool,
}

impl Run {
    fn new(world: World) -> Self {
        let mut policy = Policy::new(EncodeLimits {
            most_bps: 2_500_000,
            gop: None,
        });
        policy.enter(0, Pace::Holds);
        Self {
            world,
            policy,
            start: Instant::now(),
            pictures: Vec::new(),
            pacer: VecDeque::new(),
            link: VecDeque::new(),
            pacer_credit: 0.0,
            link_credit: 0.0,
            estimate_bps: 300_000.0,
            arrived_bits: VecDeque::new(),
            last_captured_ms: None,
            encoding: None,
            probing: true,
            reports: true,
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + MS * ms as u32
    }

    fn run(mut self, seconds: u64) -> Self {
        for ms in 0..seconds * 1000 {
            self.pace(ms);
            self.transmit(ms);
            if ms.is_multiple_of(50) {
                self.estimate(ms);
            }
            self.encode(ms);
        }
        self
    }

    fn encode(&mut self, ms: u64) {
        let now = self.at(ms);
        if let Some((done_ms, index, bytes)) = self.encoding {
            if ms < done_ms {
                return;
            }
            self.encoding = None;
            let picture = self.pictures[index];
            self.policy.encoded(picture.is_key, now);
            if self.policy.offer(0, picture.is_key, now) == Offer::Takes {
                let packets = bytes.div_ceil(PACKET_BYTES);
                self.pictures[index].packets_left = packets;
                for packet in 0..packets {
                    self.pacer.push_back(Packet {
                        picture: index,
                        bytes: PACKET_BYTES.min(bytes - packet * PACKET_BYTES),
                        queued_ms: ms,
                    });
                }
            }
        }
        self.policy.comes(0);
        let waiting = self.pacer.front().map(|packet| packet.queued_ms);
        let report = Report {
            waiting_since: waiting.map(|ms| self.at(ms)),
            estimate_bps: Some(self.estimate_bps as u64),
        };
        if self.reports {
            self.policy.report(0, report);
        }
        // The newest exposure, if it was not encoded yet.
        let captured_ms = ms / INTERVAL_MS * INTERVAL_MS;
        if self.last_captured_ms == Some(captured_ms) || self.policy.step(now) != Step::Encode {
            return;
        }
        let order = self.policy.order(now);
        let since_ms = self
            .last_captured_ms
            .map_or(INTERVAL_MS, |last| captured_ms - last);
        // The rate control goes by the moments, and does not save up for ever.
        let bits = f64::from(order.bits_per_second) * since_ms.min(100) as f64 / 1000.0;
        let one = f64::from(order.bits_per_second) * INTERVAL_MS as f64 / 1000.0;
        let bits = if order.is_key {
            one * self.world.key_factor
        } else {
            bits
        };
        let bytes = ((bits / 8.0) as u64).max(self.world.least_bytes);
        self.last_captured_ms = Some(captured_ms);
        self.encoding = Some((ms + ENCODE_MS, self.pictures.len(), bytes));
        self.pictures.push(Sent {
            captured_ms,
            is_key: order.is_key,
            packets_left: 0,
            is_broken: false,
            bits_per_second: order.bits_per_second,
            shown_ms: None,
        });
    }

    fn pace(&mut self, ms: u64) {
        self.pacer_credit = (self.pacer_credit + self.estimate_bps * 1.5 / 8000.0).min(3000.0);
        let queued: u64 = self.link.iter().map(|packet| packet.bytes).sum();
        let room = (self.world.link_bps)(ms) / 8000 * self.world.queue_ms;
        let mut queued = queued;
        while let Some(packet) = self.pacer.front()
            && self.pacer_credit >= packet.bytes as f64
        {
            self.pacer_credit -= packet.bytes as f64;
            let mut packet = self.pacer.pop_front().unwrap();
            if queued + packet.bytes > room {
                // Lost: it is sent again a little later (NACK), which is as if it were longer.
                self.pictures[packet.picture].is_broken = true;
                packet.queued_ms = ms;
            }
            queued += packet.bytes;
            self.link.push_back(packet);
        }
        if self.pacer.is_empty() {
            self.pacer_credit = self.pacer_credit.min(1500.0);
        }
    }

    fn transmit(&mut self, ms: u64) {
        self.link_credit += (self.world.link_bps)(ms) as f64 / 8000.0;
        while let Some(packet) = self.link.front()
            && self.link_credit >= packet.bytes as f64
        {
            self.link_credit -= packet.bytes as f64;
            let packet = self.link.pop_front().unwrap();
            self.arrived_bits.push_back((ms, packet.bytes * 8));
            let picture = &mut self.pictures[packet.picture];
            picture.packets_left -= 1;
            if picture.packets_left == 0 {
                let again_ms = if picture.is_broken {
                    2 * self.world.delay_ms + 20
                } else {
                    0
                };
                picture.shown_ms = Some(ms + self.world.delay_ms + again_ms);
            }
        }
        if self.link.is_empty() {
            self.link_credit = self.link_credit.min(1500.0);
        }
    }

    /// What arrives, and how long it waited, decides what is believed of the link.
    fn estimate(&mut self, ms: u64) {
        while self
            .arrived_bits
            .front()
            .is_some_and(|(at, _)| *at + 500 < ms)
        {
            self.arrived_bits.pop_front();
        }
        let queued: u64 = self.link.iter().map(|packet| packet.bytes * 8).sum();
        let link_bps = (self.world.link_bps)(ms);
        let queue_ms = queued * 1000 / link_bps.max(1);
        let acked_bps = self.arrived_bits.iter().map(|(_, bits)| bits).sum::<u64>() as f64 * 2.0;
        if queue_ms > 40 {
            self.probing = false;
            self.estimate_bps = (acked_bps * 0.85).clamp(50_000.0, self.estimate_bps);
        } else if self.probing && self.estimate_bps < 4_000_000.0 {
            self.estimate_bps *= 1.2;
        } else {
            // Never far beyond what is sent: nothing is known of that, but by probes now and then.
            let probe = if ms.is_multiple_of(5000) { 2.0 } else { 1.004 };
            let most = (acked_bps * 1.5 + 10_000.0).max(self.estimate_bps);
            self.estimate_bps = (self.estimate_bps * probe).min(most.max(300_000.0));
        }
    }

    /// What a viewer saw between these seconds.
    fn seen(&self, from: u64, to: u64) -> Seen {
        let shown: Vec<_> = self
            .pictures
            .iter()
            .filter_map(|picture| Some((picture.shown_ms?, picture.captured_ms)))
            .filter(|(shown, _)| (from * 1000..to * 1000).contains(shown))
            .collect();
        // Over its time a picture ages until the next one is there.
        let mut ages: Vec<u64> = Vec::new();
        let mut longest_gap_ms = 0;
        for pair in shown.windows(2) {
            let ((shown, captured), (next, _)) = (pair[0], pair[1]);
            ages.push(shown - captured);
            longest_gap_ms = longest_gap_ms.max(next.saturating_sub(shown));
        }
        ages.sort_unstable();
        Seen {
            age_p50_ms: ages[ages.len() / 2],
            per_second: shown.len() as f64 / (to - from) as f64,
            longest_gap_ms,
        }
    }

    fn bits_per_second_at(&self, second: u64) -> u32 {
        let later = self
            .pictures
            .iter()
            .find(|it| it.captured_ms >= second * 1000);
        later.unwrap().bits_per_second
    }
}

#[test]
fn full_hd_through_2_mbit() {
    let seen = Run::new(FULL_HD).run(30).seen(5, 30);
    assert!(seen.age_p50_ms <= 60 && seen.per_second >= 15.0, "{seen:?}");
    assert!(seen.longest_gap_ms <= 1000, "{seen:?}");
}

#[test]
fn hd_through_half_a_mbit() {
    let world = World {
        link_bps: |_| 500_000,
        least_bytes: 1300,
        ..FULL_HD
    };
    let run = Run::new(world).run(30);
    let seen = run.seen(5, 30);
    assert!(
        seen.age_p50_ms <= 120 && seen.per_second >= 10.0,
        "{seen:?}"
    );
    assert!(run.seen(0, 30).longest_gap_ms <= 1000, "{seen:?}");
}

#[test]
fn a_long_queue_is_not_filled() {
    let world = World {
        link_bps: |_| 10_000_000,
        queue_ms: 400,
        ..FULL_HD
    };
    let seen = Run::new(world).run(30).seen(5, 30);
    assert!(seen.age_p50_ms <= 80 && seen.per_second >= 25.0, "{seen:?}");
}

#[test]
fn a_fade_is_survived_and_forgotten() {
    let world = World {
        link_bps: |ms| match ms {
            10_000..20_000 => 1_000_000,
            _ => 10_000_000,
        },
        ..FULL_HD
    };
    let run = Run::new(world).run(40);
    assert!(run.bits_per_second_at(9) > 2_000_000);
    let seen = run.seen(5, 40);
    assert!(seen.longest_gap_ms <= 1000, "{seen:?}");
    assert!(run.seen(12, 20).per_second >= 10.0);
    assert!(
        run.bits_per_second_at(30) > 2_000_000,
        "sharp again within ten seconds"
    );
}

#[test]
fn the_first_picture_goes_through_a_slow_link_at_once() {
    let world = World {
        link_bps: |_| 500_000,
        ..FULL_HD
    };
    let run = Run::new(world).run(5);
    let first = run.pictures[0];
    assert!(
        first.is_key && first.shown_ms.unwrap() < 250,
        "{:?}",
        first.shown_ms
    );
}

#[test]
fn without_the_rule_pictures_grow_old() {
    // That the simulation shows what the rule is for: nothing is said of pacer and path, all else
    // is the same.
    let mut run = Run::new(FULL_HD);
    run.reports = false;
    run.policy.leave(0);
    run.policy.enter(0, Pace::Misses);
    let seen = run.run(30).seen(5, 30);
    assert!(seen.age_p50_ms > 500, "{seen:?}");
}
