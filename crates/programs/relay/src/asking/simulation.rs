//! A camera, a share, a link and a fetch side in simulated time, beside what the link itself
//! carries: the newest exposure each time that the link is free.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;

use crate::answering::{Answer, Answering, Offer, What};
use crate::asking::{Asking, Outcome, Rejected, Turns};
use crate::wire::{Asker, Head, NoFrame, Reply, Request, Subject, SubjectTag, cut};

/// What a broker's and TCP's headers take of each message.
const OVERHEAD_BYTES: usize = 100;

/// What happens at the start is not counted.
const WARM_UP: Duration = Duration::from_secs(2);

const MS: Duration = Duration::from_millis(1);

/// What is simulated.
pub(super) struct World {
    /// What the link carries from a moment on, in bytes a second.
    pub(super) rates: Vec<(Duration, f64)>,
    /// How long anything takes from the share to the fetch side beside that, and back.
    pub(super) down: Duration,
    pub(super) up: Duration,
    /// By how much either is longer at random, at most.
    pub(super) jitter: Duration,
    pub(super) cameras: usize,
    pub(super) frame_bytes: usize,
    /// The time between two exposures.
    pub(super) interval: Duration,
    /// How long a frame takes to be made.
    pub(super) encode: Duration,
    /// How long readers take to wish for the next.
    pub(super) wish: Duration,
    /// The requests that get lost.
    pub(super) lost: Vec<u64>,
    /// Who stands still, and from when until when.
    pub(super) stalls: Vec<(Who, Duration, Duration)>,
    pub(super) seed: u64,
    pub(super) length: Duration,
}

/// Who may stand still for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Share,
    /// It is another one after that, and what it was asked before is lost.
    KilledShare,
    /// Both ways.
    Link,
    Readers,
    Fetch,
    /// The first one takes no pictures.
    Camera,
}

impl World {
    /// A link of so many Mbit/s, and frames of 98 KB, 30 a second.
    pub(super) fn mbit(mbit: f64) -> Self {
        Self {
            rates: vec![(Duration::ZERO, mbit * 125_000.0)],
            down: Duration::ZERO,
            up: Duration::ZERO,
            jitter: Duration::ZERO,
            cameras: 1,
            frame_bytes: 98_000,
            interval: Duration::from_secs(1) / 30,
            encode: MS,
            wish: MS,
            lost: vec![],
            stalls: vec![],
            seed: 7,
            length: Duration::from_secs(14),
        }
    }

    /// When this one gets to what is there for it since then.
    fn attended(&self, who: Who, since: Duration) -> Duration {
        let mut stalls = self.stalls.iter();
        let stall = stalls.find(|(whose, from, to)| *whose == who && (*from..*to).contains(&since));
        stall.map_or(since, |(_, _, to)| *to)
    }

    fn share_attends(&self, since: Duration) -> Duration {
        self.attended(Who::Share, since)
            .max(self.attended(Who::KilledShare, since))
    }

    fn rate(&self, at: Duration) -> f64 {
        let rates = self.rates.iter().rev();
        rates
            .filter(|(from, _)| *from <= at)
            .map(|(_, rate)| *rate)
            .next()
            .unwrap()
    }

    /// When the last byte has left, of so many that began to be sent.
    fn sent(&self, began: Duration, bytes: usize) -> Duration {
        let (mut at, mut left) = (self.attended(Who::Link, began), bytes as f64);
        loop {
            let rate = self.rate(at);
            let next = self
                .rates
                .iter()
                .map(|(from, _)| *from)
                .find(|from| *from > at);
            let end = at + Duration::from_secs_f64(left / rate);
            match next {
                Some(next) if next < end => {
                    left -= (next - at).as_secs_f64() * rate;
                    at = next;
                }
                _ => return end,
            }
        }
    }

    /// The number of the newest exposure, counted from 1.
    fn exposure(&self, at: Duration) -> u64 {
        (at.as_nanos() / self.interval.as_nanos()) as u64 + 1
    }

    fn exposed(&self, sequence: u64) -> Duration {
        self.interval * (sequence - 1) as u32
    }

    /// What the link itself carries, of one camera after the other.
    pub(super) fn wire(&self) -> Seen {
        let mut seen = Seen::default();
        let mut at = Duration::ZERO;
        let mut had = vec![0; self.cameras];
        while at < self.length {
            for had in &mut had {
                if self.exposure(at) == *had {
                    at = self.exposed(*had + 1);
                }
                *had = self.exposure(at);
                at = self.sent(at, self.frame_bytes + OVERHEAD_BYTES);
                seen.frame(at + self.down, self.exposed(*had), self.exposed(*had));
            }
        }
        seen
    }

    /// What comes by asking.
    pub(super) fn asked(&self) -> Seen {
        Simulation::new(self).run()
    }
}

/// The frames that came: when, when they were captured, and when they are said to have been.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) frames: Vec<(Duration, Duration, Duration)>,
    /// How many requests were sent.
    pub(super) requests: u64,
    /// How many requests were outstanding at once, and how many with those whose frame was under
    /// way, at most.
    pub(super) outstanding: usize,
    pub(super) pending: usize,
    /// How many messages came too late.
    pub(super) late: usize,
}

impl Seen {
    fn frame(&mut self, at: Duration, captured: Duration, said: Duration) {
        self.frames.push((at, captured, said));
    }

    fn counted(&self) -> impl Iterator<Item = &(Duration, Duration, Duration)> {
        self.frames.iter().filter(|(at, ..)| *at >= WARM_UP)
    }

    /// Frames a second.
    pub(super) fn rate(&self) -> f64 {
        let count = self.counted().count();
        let last = self.frames.last().map_or(WARM_UP, |(at, ..)| *at);
        count as f64 / last.saturating_sub(WARM_UP).as_secs_f64()
    }

    /// The age that so many percent of frames are no older than, in milliseconds.
    pub(super) fn age_ms(&self, percent: usize) -> f64 {
        let mut ages: Vec<f64> = self
            .counted()
            .map(|(at, captured, _)| (*at - *captured).as_secs_f64() * 1e3)
            .collect();
        ages.sort_by(f64::total_cmp);
        ages[(ages.len() * percent / 100).min(ages.len() - 1)]
    }

    /// By how much moments of capture are said too late (or, negative, too early), in milliseconds:
    /// the least and the most.
    pub(super) fn errors_ms(&self) -> (f64, f64) {
        let error = |(_, captured, said): &(Duration, Duration, Duration)| {
            (said.as_secs_f64() - captured.as_secs_f64()) * 1e3
        };
        let errors = self.counted().map(error);
        errors.fold((f64::MAX, f64::MIN), |(least, most), it| {
            (least.min(it), most.max(it))
        })
    }

    /// How many frames came from one moment to another.
    pub(super) fn count(&self, from: Duration, to: Duration) -> usize {
        let times = self.frames.iter().map(|(at, ..)| *at);
        times.filter(|at| (from..to).contains(at)).count()
    }

    /// The longest time between two frames.
    pub(super) fn longest_gap(&self) -> Duration {
        let gaps = self.frames.windows(2).map(|pair| pair[1].0 - pair[0].0);
        gaps.max().unwrap_or(Duration::MAX)
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Request(Vec<u8>),
    Exposure(u64),
    /// The share looks at what it has not seen.
    Look,
    Reply(usize, Vec<u8>),
    Wake,
}

struct Simulation<'a> {
    world: &'a World,
    start: Instant,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    next_event: u64,
    random: Rng,
    instance: u64,
    answering: Answering<usize>,
    cameras: Vec<Camera>,
    turns: Turns,
    /// When the share was killed last.
    killed: Duration,
    link_free: Duration,
    last_reply: Duration,
    last_request: Duration,
    /// When all are asked again, though nothing happens.
    wake: Duration,
    seen: Seen,
}

/// The fetch side of a camera.
struct Camera {
    subject: SubjectTag,
    asking: Asking,
    wished: Duration,
}

impl Camera {
    fn new(number: usize) -> Self {
        let subject: Subject = format!("eyelid.v1.pi.c{number}").parse().unwrap();
        let subject = SubjectTag::of(&subject);
        Self {
            subject,
            asking: Asking::new(Asker(1), subject, 1 << 20),
            wished: Duration::ZERO,
        }
    }
}

impl<'a> Simulation<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            start: Instant::now(),
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            next_event: 0,
            random: Rng::with_seed(world.seed),
            instance: 3,
            answering: Answering::new(3),
            cameras: (0..world.cameras).map(Camera::new).collect(),
            turns: Turns::default(),
            killed: Duration::ZERO,
            link_free: Duration::ZERO,
            last_reply: Duration::ZERO,
            last_request: Duration::ZERO,
            wake: Duration::ZERO,
            seen: Seen::default(),
        }
    }

    fn instant(&self) -> Instant {
        self.start + self.now
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.next_event += 1;
        self.events.push(Reverse((at, self.next_event, event)));
    }

    fn late(&mut self, by: Duration) -> Duration {
        by + self.world.jitter.mul_f64(self.random.f64())
    }

    fn run(mut self) -> Seen {
        self.at(Duration::ZERO, Event::Wake);
        self.at(Duration::ZERO, Event::Exposure(1));
        for (_, _, to) in self.world.stalls.clone() {
            self.at(to, Event::Wake);
        }
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            if at >= self.world.length {
                break;
            }
            let attended = match event {
                Event::Request(_) | Event::Look => self.world.share_attends(at),
                Event::Reply(..) | Event::Wake => self.world.attended(Who::Fetch, at),
                Event::Exposure(_) => at,
            };
            if attended > at {
                // In the order in which they came.
                self.at(attended, event);
                continue;
            }
            self.now = at;
            match event {
                Event::Request(request) => self.request(&Request::parse(&request).unwrap()),
                Event::Exposure(sequence) => {
                    self.at(at, Event::Look);
                    self.at(
                        self.world.exposed(sequence + 1),
                        Event::Exposure(sequence + 1),
                    );
                }
                Event::Look => self.look(),
                Event::Reply(camera, reply) => self.reply(camera, &reply),
                Event::Wake => {}
            }
            self.ask();
        }
        self.seen
    }

    fn offer(&self, sequence: u64) -> Offer {
        Offer {
            sequence,
            bytes: self.world.frame_bytes as u32,
        }
    }

    /// The share gets a request.
    fn request(&mut self, request: &Request) {
        self.be_killed();
        let (now, subject) = (self.instant(), request.id.subject);
        let camera = self
            .cameras
            .iter()
            .position(|camera| camera.subject == subject);
        let reply_to = camera.unwrap();
        let newest = self.offer(self.world.exposure(self.now));
        let newest = Some(newest).filter(|_| self.takes_pictures(reply_to));
        let answers = self
            .answering
            .request(now, subject, request, reply_to, newest);
        self.answer(answers.unwrap());
    }

    /// The share is another one after it was killed.
    fn be_killed(&mut self) {
        let mut stalls = self.world.stalls.iter();
        let killed = stalls.any(|(who, _, to)| *who == Who::KilledShare && *to == self.now);
        if killed && self.killed != self.now {
            self.killed = self.now;
            self.instance += 1;
            self.answering = Answering::new(self.instance);
        }
    }

    fn takes_pictures(&self, camera: usize) -> bool {
        camera > 0 || self.world.attended(Who::Camera, self.now) == self.now
    }

    /// The cameras take pictures.
    fn look(&mut self) {
        self.be_killed();
        let (now, offer) = (self.instant(), self.offer(self.world.exposure(self.now)));
        let mut answers = self.answering.expire(now);
        for (index, camera) in self.cameras.iter().enumerate() {
            if !self.takes_pictures(index) {
                continue;
            }
            answers.extend(self.answering.frame(now, camera.subject, offer));
        }
        self.answer(answers);
    }

    fn answer(&mut self, answers: Vec<Answer<usize>>) {
        for answer in answers {
            let sent = self.now + self.world.encode;
            let held_us = (answer.held + self.world.encode).as_micros() as u32;
            let messages = match answer.what {
                What::NoFrame(reason) => {
                    let no_frame = NoFrame {
                        id: answer.id,
                        reason,
                        instance: self.instance,
                        held_us,
                    };
                    vec![no_frame.to_bytes()]
                }
                What::Frame(frame) => {
                    let head = Head {
                        id: answer.id,
                        frame,
                        held_us,
                        age_us: (sent - self.world.exposed(frame.sequence)).as_micros() as u64,
                        width_px: 640,
                        height_px: 480,
                        bytes: self.world.frame_bytes as u32,
                    };
                    let bytes = vec![0; self.world.frame_bytes];
                    cut(head, &bytes, 1 << 20).unwrap().collect()
                }
            };
            for message in messages {
                let began = self.link_free.max(sent);
                self.link_free = self.world.sent(began, message.len() + OVERHEAD_BYTES);
                // They come in the order in which they were sent.
                let at = self.link_free + self.late(self.world.down);
                self.last_reply = self.last_reply.max(at);
                self.at(self.last_reply, Event::Reply(answer.reply_to, message));
            }
        }
    }

    /// The fetch side gets a message.
    fn reply(&mut self, index: usize, message: &[u8]) {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + self.now;
        let now = self.instant();
        let camera = &mut self.cameras[index];
        let reply = Reply::parse(message).unwrap();
        match camera.asking.reply(now, wall, reply, 0.5) {
            Ok(Outcome::Coming | Outcome::NoFrame(_)) => {}
            // Who is given up is answered nonetheless.
            Err(Rejected::NotOutstanding(_)) => self.seen.late += 1,
            Err(Rejected::NotNewer) if self.instance > 3 => self.seen.late += 1,
            Err(error) => panic!("{error}"),
            Ok(Outcome::Frame(frame)) => {
                let age = wall.duration_since(frame.captured).unwrap();
                let wished = self.now + self.world.wish;
                camera.wished = self.world.attended(Who::Readers, wished);
                let captured = self.world.exposed(frame.id.sequence);
                self.seen
                    .frame(self.now, captured, self.now - age.min(self.now));
                let wished = self.cameras[index].wished;
                self.at(wished, Event::Wake);
            }
        }
    }

    fn ask(&mut self) {
        if self.world.attended(Who::Fetch, self.now) > self.now {
            return;
        }
        let cameras = 0..self.cameras.len();
        let deadlines: Vec<_> = cameras.filter_map(|index| self.ask_for(index)).collect();
        let next = deadlines.into_iter().filter(|at| *at > self.now).min();
        let is_sooner = |at: &Duration| self.wake <= self.now || *at < self.wake;
        if let Some(at) = next.filter(is_sooner) {
            self.wake = at;
            self.at(at, Event::Wake);
        }
    }

    /// Asks, and says when to ask again.
    fn ask_for(&mut self, index: usize) -> Option<Duration> {
        let now = self.instant();
        let camera = &mut self.cameras[index];
        let wished = (camera.wished <= self.now).then_some(self.start + camera.wished);
        let mut requests = vec![];
        while let Some(request) = camera.asking.next(now, wished, &mut self.turns) {
            requests.push(request);
        }
        let deadline = camera.asking.deadline(now, wished);
        let pending = &camera.asking.pending;
        let outstanding = pending.iter().filter(|it| !it.has_head()).count();
        self.seen.outstanding = self.seen.outstanding.max(outstanding);
        self.seen.pending = self.seen.pending.max(pending.len());
        for request in requests {
            self.seen.requests += 1;
            if !self.world.lost.contains(&request.id.number) {
                let at = self.now + self.late(self.world.up);
                let at = self.world.attended(Who::Link, at);
                // They come in the order in which they were sent.
                let at = at.max(self.last_request);
                self.last_request = at;
                self.at(at, Event::Request(request.to_bytes()));
            }
        }
        deadline.map(|deadline| deadline.saturating_duration_since(self.start))
    }
}
