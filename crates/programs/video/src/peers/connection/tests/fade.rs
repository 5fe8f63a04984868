//! A camera, an encoder and a browser around a connection, on a link that fades: in time that is
//! only counted. What is modelled: an encoder that hits its bitrate; a link with a bucket and a
//! queue; and a browser that asks for packets as str0m does, shows what it can decode, and asks for
//! a keyframe as Chromium does, when it could show nothing for 3 s. The rest is the program's.

use std::collections::BTreeMap;

use str0m::rtp::RtpPacket;

use super::*;
use crate::feeds::{EncodeLimits, Offer, Pace, Policy, Report, Step};

const MS: Duration = Duration::from_millis(1);
const INTERVAL_MS: u64 = 33;
const ENCODE_MS: u64 = 10;
/// One way, without the queue.
const DELAY_MS: u64 = 3;
/// As the benchmark's router has it.
const BUCKET_BYTES: f64 = 15_000.0;
const QUEUE_MS: u64 = 100;
/// How many of the others have as many bytes as a keyframe.
const KEY_FACTOR: u64 = 4;
/// Chromium's (`kMaxWaitForFrame`).
const ASKS_AFTER_MS: u64 = 3000;

/// What the browser has of a picture.
#[derive(Default)]
struct Received {
    numbers: Vec<u64>,
    first: Option<u64>,
    last: Option<u64>,
}

impl Received {
    fn take(&mut self, packet: &RtpPacket) {
        let number = *packet.seq_no;
        // Pictures are of one unit, in pieces (RFC 6184, 5.8).
        if packet.payload[1] & 0x80 != 0 {
            self.first = Some(number);
        }
        if packet.header.marker {
            self.last = Some(number);
        }
        if !self.numbers.contains(&number) {
            self.numbers.push(number);
        }
    }

    fn is_whole(&self) -> bool {
        let range = self.first.zip(self.last);
        range.is_some_and(|(first, last)| self.numbers.len() as u64 == last - first + 1)
    }
}

/// A link of 10 Mbit/s that carries less from a moment on, until the 12th second.
#[derive(Clone, Copy)]
struct Fade {
    from_ms: u64,
    bps: u64,
}

impl Fade {
    fn bps(self, ms: u64) -> u64 {
        match (self.from_ms..12_000).contains(&ms) {
            true => self.bps,
            false => 10_000_000,
        }
    }
}

struct World {
    start: Instant,
    server: Connection,
    client: Client,
    policy: Policy,
    link: Fade,
    credit_bytes: f64,
    queue: VecDeque<Transmit>,
    to_client: VecDeque<(u64, Transmit)>,
    to_server: VecDeque<(u64, Transmit)>,
    encoding: Option<(u64, Coded)>,
    captured_ms: Option<u64>,
    /// Whether pictures are keyframes, by their time in RTP.
    made: BTreeMap<u32, (u64, bool)>,
    received: BTreeMap<u64, Received>,
    /// The picture that is shown, and when each was.
    shown: Option<u64>,
    shown_ms: Vec<u64>,
    keys: u64,
    asked_ms: u64,
}

impl World {
    fn new(link: Fade) -> Self {
        let start = Instant::now();
        let mut client = Client::of(config().set_rtp_mode(true), start);
        let offer = Description::parse(client.offer(&[MediaKind::Video]).as_bytes()).unwrap();
        let (server, answer) = Connection::answer(&set_up(), &offer, start).unwrap();
        client.accept(&answer);
        let mut policy = Policy::new(EncodeLimits {
            most_bps: 2_500_000,
            gop: None,
        });
        policy.enter(0, Pace::Holds);
        Self {
            start,
            server,
            client,
            policy,
            link,
            credit_bytes: 0.0,
            queue: VecDeque::new(),
            to_client: VecDeque::new(),
            to_server: VecDeque::new(),
            encoding: None,
            captured_ms: None,
            made: BTreeMap::new(),
            received: BTreeMap::new(),
            shown: None,
            shown_ms: Vec::new(),
            keys: 0,
            asked_ms: 0,
        }
    }

    fn run(mut self, seconds: u64) -> Self {
        for ms in 0..seconds * 1000 {
            self.serve(ms);
            self.transmit(ms);
            self.look(ms);
            self.show(ms);
            self.encode(ms);
        }
        self
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + MS * ms as u32
    }

    /// Drives the connection, as a session does.
    fn serve(&mut self, ms: u64) {
        let now = self.at(ms);
        while self.to_server.front().is_some_and(|(at, _)| *at <= ms) {
            let (_, transmit) = self.to_server.pop_front().unwrap();
            let from = CLIENT.parse().unwrap();
            self.server.receive(from, &transmit.contents, now);
        }
        let most_bytes = self.link.bps(ms) / 8000 * QUEUE_MS;
        let queue = &mut self.queue;
        self.server.run(now, &mut |transmit| {
            let queued: usize = queue.iter().map(|it| it.contents.len()).sum();
            if queued + transmit.contents.len() <= most_bytes as usize {
                queue.push_back(transmit);
            }
        });
        let told = self.server.take_told();
        if told.wants_key {
            self.policy.ask_key();
        }
        if told.is_broken {
            self.policy.breaks_off(0);
        }
        let report = Report {
            waiting_since: self.server.waiting_since(),
            estimate_bps: self.server.estimate_bps(),
        };
        self.policy.report(0, report);
    }

    fn transmit(&mut self, ms: u64) {
        self.credit_bytes += self.link.bps(ms) as f64 / 8000.0;
        while let Some(next) = self.queue.front()
            && self.credit_bytes >= next.contents.len() as f64
        {
            let next = self.queue.pop_front().unwrap();
            self.credit_bytes -= next.contents.len() as f64;
            self.to_client.push_back((ms + DELAY_MS, next));
        }
        self.credit_bytes = self.credit_bytes.min(BUCKET_BYTES);
    }

    /// Drives the browser.
    fn look(&mut self, ms: u64) {
        let now = self.at(ms);
        let mut answers = VecDeque::new();
        while self.to_client.front().is_some_and(|(at, _)| *at <= ms) {
            let (_, transmit) = self.to_client.pop_front().unwrap();
            self.client.receive(&transmit, now);
            self.client.poll(&mut answers);
        }
        self.client.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.client.poll(&mut answers);
        let later = answers.into_iter().map(|it| (ms + DELAY_MS, it));
        self.to_server.extend(later);
        for packet in std::mem::take(&mut self.client.packets) {
            if let Some((picture, _)) = self.made.get(&packet.header.timestamp) {
                self.received.entry(*picture).or_default().take(&packet);
            }
        }
    }

    fn show(&mut self, ms: u64) {
        let next = self.shown.map_or(0, |shown| shown + 1);
        let is_key = |picture: u64| self.made.values().any(|it| *it == (picture, true));
        let whole = self.received.range(next..).filter(|(_, it)| it.is_whole());
        let mut can_be_shown = whole.filter(|(picture, _)| **picture == next || is_key(**picture));
        if let Some((picture, _)) = can_be_shown.next() {
            self.shown = Some(*picture);
            self.shown_ms.push(ms);
            self.asked_ms = ms;
        } else if self.shown.is_some() && ms >= self.asked_ms + ASKS_AFTER_MS {
            self.asked_ms = ms;
            let mut direct = self.client.rtc.direct_api();
            let stream = direct.stream_rx_by_mid(self.client.mid.unwrap(), None);
            stream.unwrap().request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    fn encode(&mut self, ms: u64) {
        let now = self.at(ms);
        if let Some((done_ms, _)) = &self.encoding {
            if ms < *done_ms {
                return;
            }
            let (_, coded) = self.encoding.take().unwrap();
            self.policy.encoded(coded.is_key, now);
            if self.policy.offer(0, coded.is_key, now) == Offer::Takes {
                self.keys += u64::from(coded.is_key);
                let time = to_90k(coded.captured) as u32;
                self.made
                    .insert(time, (self.made.len() as u64, coded.is_key));
                self.server
                    .write(&coded, now, coded.captured + ENCODE_MS as u32 * MS);
            }
        }
        if self.server.is_connected() {
            self.policy.comes(0);
        }
        let captured_ms = ms / INTERVAL_MS * INTERVAL_MS;
        if self.captured_ms == Some(captured_ms) || self.policy.step(now) != Step::Encode {
            return;
        }
        self.captured_ms = Some(captured_ms);
        let order = self.policy.order(now);
        let one = u64::from(order.bits_per_second) * INTERVAL_MS / 8000;
        let (bytes, unit) = match order.is_key {
            true => (one * KEY_FACTOR, 0x65),
            false => (one, 0x41),
        };
        // So that it is in pieces, always.
        let mut annex_b = vec![0, 0, 0, 1, unit];
        annex_b.resize(bytes.max(2000) as usize, 7);
        let captured = UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + captured_ms);
        let coded = Coded::new(annex_b, order.is_key, captured, captured_ms);
        self.encoding = Some((ms + ENCODE_MS, coded));
    }

    /// The longest time without another picture between these moments.
    fn longest_pause_ms(&self, from_ms: u64, to_ms: u64) -> u64 {
        let shown = self.shown_ms.iter().filter(|ms| **ms < to_ms);
        let shown: Vec<_> = shown.copied().chain([to_ms]).collect();
        let pauses = shown.windows(2).filter(|pair| pair[1] >= from_ms);
        pauses.map(|pair| pair[1] - pair[0]).max().unwrap()
    }

    fn per_second(&self, from_ms: u64, to_ms: u64) -> f64 {
        let shown = self.shown_ms.iter();
        let shown = shown.filter(|ms| (from_ms..to_ms).contains(*ms)).count();
        shown as f64 * 1000.0 / (to_ms - from_ms) as f64
    }
}

#[test]
fn a_link_that_fades_shows_pictures_all_the_time() {
    let fades = [
        (6000, 1_000_000),
        (6009, 1_000_000),
        (6018, 1_000_000),
        (6027, 500_000),
    ];
    for (from_ms, bps) in fades {
        let world = World::new(Fade { from_ms, bps }).run(15);
        let pause_ms = world.longest_pause_ms(5000, 15_000);
        let before = world.per_second(4000, 6000);
        let during = world.per_second(8000, 12_000);
        assert!(pause_ms <= 1000, "{pause_ms} ms without a picture");
        assert!(
            before > 25.0 && during > 10.0,
            "{before} then {during} a second"
        );
        assert!(world.keys < 12, "{} keyframes", world.keys);
    }
}
