//! Links with several viewers each, packet by packet, and a server that lets them take turns or
//! does not.
//!
//! Each link has a queue before it, of which nothing is lost: who finds no room in it waits, and
//! who gets the next place in it is drawn by lot, so that viewers get unequal parts as they do of
//! TCP. Time goes in steps of a millisecond.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use super::{FRAME_INTERVAL, MS};
use crate::turns::{MemberId, Pace, Punctuality, Turns, Waited};

const PACKET_BYTES: u64 = 1448;

/// What the pacer leaves under way at least.
const ALLOWED_BYTES: u64 = 2 * PACKET_BYTES;

#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) mbit: f64,
    /// What its queue holds, as a time at the link's rate.
    pub(super) queue: Duration,
    pub(super) round_trip: Duration,
    /// It gives nothing for so long, and then all at once, as Wi-Fi may.
    pub(super) burst: Duration,
    pub(super) sharing: Sharing,
}

/// What frames under way at once get of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// About the same each.
    Fair,
    /// One up to four times as much as another, as it happens to TCP in a short queue. Some lose
    /// their last packets, and send them again only after [`LOST_AFTER`].
    AsItHappens,
}

/// When TCP sends again what was lost at the end, at the earliest (RFC 6298, with Linux's 200 ms).
const LOST_AFTER: Duration = Duration::from_millis(210);

/// What is held back of a frame that loses its end, and which share of frames beside others do.
const TAIL_BYTES: u64 = 3 * PACKET_BYTES;
const ONE_LOST_IN: u64 = 8;

impl Link {
    pub(super) fn new(mbit: f64) -> Self {
        Self {
            mbit,
            queue: MS * 50,
            round_trip: MS,
            burst: MS,
            sharing: Sharing::Fair,
        }
    }
}

#[derive(Debug)]
struct LinkState {
    link: Link,
    queue: VecDeque<(usize, u64)>,
    queued_bytes: u64,
    credit_bytes: f64,
}

/// Whether viewers take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Turns,
    AllAtOnce,
}

pub(super) struct Network {
    start: Instant,
    now: Instant,
    rule: Rule,
    random: Random,
    links: Vec<LinkState>,
    pub(super) viewers: Vec<Viewer>,
    pub(super) turns: Turns,
}

#[derive(Debug)]
pub(super) struct Viewer {
    link: usize,
    network: Option<IpAddr>,
    pub(super) frame_bytes: u64,
    /// How much less and more than that its frames have.
    pub(super) varies_by: u64,
    /// The rate of a narrower link of its own behind the one that it shares.
    pub(super) own_mbit: f64,
    own_link_free: Instant,
    pub(super) is_there: bool,
    /// It takes nothing any more.
    pub(super) is_dead: bool,
    member: Option<MemberId>,
    punctuality: Punctuality,
    /// It has been told that there is a next frame.
    knows_next: bool,
    /// How often it began to take part.
    pub(super) entered: u32,
    acknowledged_bytes: u64,
    /// How large a part of its link's queue it takes beside others, and when it sends the last few
    /// packets of a frame if one of them was lost.
    weight: u64,
    loses_tail: bool,
    tail_at: Option<Instant>,
    /// In the socket and not in the link's queue; in all not acknowledged.
    unsent_bytes: u64,
    unacknowledged_bytes: u64,
    acknowledgements: VecDeque<(Instant, u64)>,
    /// What it has yet to get of each frame, and when that was captured.
    frames: VecDeque<(u64, Instant)>,
    last_captured: Option<Instant>,
    is_sending: bool,
    asks_again: Option<Instant>,
    /// When each frame had come, and how old it was.
    pub(super) seen: Vec<(Instant, Duration)>,
}

/// Numbers drawn by lot, the same in each run (xorshift, Marsaglia 2003).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

impl Network {
    pub(super) fn new(rule: Rule, seed: u64, links: &[Link]) -> Self {
        let start = Instant::now();
        let links = links.iter().map(|link| LinkState {
            link: *link,
            queue: VecDeque::new(),
            queued_bytes: 0,
            credit_bytes: 0.0,
        });
        Self {
            start,
            now: start,
            rule,
            random: Random(0x9E37_79B9_7F4A_7C15 + seed),
            links: links.collect(),
            viewers: Vec::new(),
            turns: Turns::default(),
        }
    }

    /// Adds a viewer behind a link, whose address is the link's.
    pub(super) fn join(&mut self, link: usize) -> usize {
        let network = IpAddr::V4(Ipv4Addr::new(192, 0, 2, link as u8));
        self.viewers.push(Viewer {
            link,
            network: Some(network),
            frame_bytes: super::FRAME_BYTES,
            varies_by: 0,
            own_mbit: f64::INFINITY,
            own_link_free: self.now,
            is_there: true,
            is_dead: false,
            member: None,
            punctuality: Punctuality::default(),
            knows_next: false,
            entered: 0,
            acknowledged_bytes: 0,
            weight: 1,
            loses_tail: false,
            tail_at: None,
            unsent_bytes: 0,
            unacknowledged_bytes: 0,
            acknowledgements: VecDeque::new(),
            frames: VecDeque::new(),
            last_captured: None,
            is_sending: false,
            asks_again: None,
            seen: Vec::new(),
        });
        self.viewers.len() - 1
    }

    /// Says where a viewer seems to be.
    pub(super) fn set_network(&mut self, viewer: usize, network: u8) {
        self.viewers[viewer].network = Some(IpAddr::V4(Ipv4Addr::new(198, 51, 100, network)));
    }

    pub(super) fn leave(&mut self, viewer: usize) {
        self.viewers[viewer].is_there = false;
        if let Some(member) = self.viewers[viewer].member.take() {
            self.turns.leave(self.now, member);
        }
    }

    pub(super) fn set_rate(&mut self, link: usize, mbit: f64) {
        self.links[link].link.mbit = mbit;
    }

    pub(super) fn set_link(&mut self, viewer: usize, link: usize) {
        self.viewers[viewer].link = link;
    }

    /// How many take turns with each viewer.
    pub(super) fn group_sizes(&self) -> Vec<usize> {
        let members = self.viewers.iter().map(|viewer| viewer.member);
        members
            .map(|member| member.map_or(0, |member| self.turns.group_size(member)))
            .collect()
    }

    /// Lets time go on. Gives the moment at which that begins.
    pub(super) fn run(&mut self, time: Duration) -> Instant {
        let (from, end) = (self.now, self.now + time);
        while self.now < end {
            self.now += MS;
            for link in 0..self.links.len() {
                self.serve(link);
                self.fill(link);
            }
            for viewer in 0..self.viewers.len() {
                self.take_acknowledgements(viewer);
                self.serve_viewer(viewer, false);
            }
            self.look();
            self.answer_calls();
        }
        from
    }

    /// A link's step: what it has sent leaves the queue.
    fn serve(&mut self, link: usize) {
        let state = &mut self.links[link];
        state.credit_bytes += state.link.mbit * 125.0;
        let since = (self.now - self.start).as_nanos();
        if !since.is_multiple_of(state.link.burst.as_nanos()) {
            return;
        }
        while let Some((viewer, bytes)) = state.queue.front().copied() {
            if state.credit_bytes < bytes as f64 {
                return;
            }
            state.credit_bytes -= bytes as f64;
            state.queued_bytes -= bytes;
            state.queue.pop_front();
            let viewer = &mut self.viewers[viewer];
            let own = Duration::from_secs_f64(bytes as f64 / viewer.own_mbit / 125_000.0);
            viewer.own_link_free = viewer.own_link_free.max(self.now) + own;
            let (at, round_trip) = (viewer.own_link_free, state.link.round_trip);
            viewer.acknowledgements.push_back((at + round_trip, bytes));
            viewer.take(at + round_trip / 2, bytes);
        }
        // An idle link saves nothing for later.
        state.credit_bytes = state.credit_bytes.min(PACKET_BYTES as f64);
    }

    /// Fills a link's queue.
    fn fill(&mut self, link: usize) {
        let state = &mut self.links[link];
        let capacity = state.link.mbit * 125_000.0 * state.link.queue.as_secs_f64();
        let sending = self.viewers.iter().enumerate().filter(|(_, viewer)| {
            let is_own_queue_full = viewer.own_link_free > self.now + state.link.queue;
            let waits = viewer.tail_at.is_some_and(|at| self.now < at);
            let is_blocked = viewer.is_dead || is_own_queue_full || waits;
            viewer.link == link && viewer.unsent_bytes > 0 && !is_blocked
        });
        let mut sending: Vec<usize> = sending.map(|(viewer, _)| viewer).collect();
        while !sending.is_empty() && (state.queued_bytes as f64) < capacity {
            let weights = sending.iter().map(|viewer| self.viewers[*viewer].weight);
            let mut lot = self.random.below(weights.clone().sum());
            let drawn = weights.clone().take_while(|weight| {
                let is_before = lot >= *weight;
                lot = lot.saturating_sub(*weight);
                is_before
            });
            let drawn = drawn.count();
            let viewer = sending[drawn];
            let is_beside = sending.len() > 1;
            let sender = &mut self.viewers[viewer];
            if sender.loses_tail && is_beside && sender.unsent_bytes <= TAIL_BYTES {
                sender.loses_tail = false;
                sender.tail_at = Some(self.now + LOST_AFTER);
                sending.swap_remove(drawn);
                continue;
            }
            let bytes = PACKET_BYTES.min(sender.unsent_bytes);
            sender.unsent_bytes -= bytes;
            if sender.unsent_bytes == 0 {
                sending.swap_remove(drawn);
            }
            state.queue.push_back((viewer, bytes));
            state.queued_bytes += bytes;
        }
    }

    fn take_acknowledgements(&mut self, viewer: usize) {
        let viewer = &mut self.viewers[viewer];
        while let Some((at, bytes)) = viewer.acknowledgements.front().copied()
            && at <= self.now
        {
            viewer.unacknowledged_bytes -= bytes;
            viewer.acknowledged_bytes += bytes;
            viewer.acknowledgements.pop_front();
        }
    }

    /// What the server's task for a viewer does, if there is anything to do.
    fn serve_viewer(&mut self, number: usize, is_called: bool) {
        let (now, viewer) = (self.now, &mut self.viewers[number]);
        if !viewer.is_there {
            return;
        }
        let link = self.links[viewer.link].link;
        let path_bytes = link.mbit * 125_000.0 * link.round_trip.as_secs_f64();
        let captured = newest(self.start, now);
        let has_news = viewer.last_captured < Some(captured);
        if viewer.is_sending {
            // It looks at the socket every other millisecond.
            let is_looked_at = self.random.below(2) == 0;
            if !is_looked_at || viewer.unacknowledged_bytes > ALLOWED_BYTES.max(path_bytes as u64) {
                return;
            }
            viewer.is_sending = false;
            viewer.punctuality.on_drained(now, Waited::Yes);
            if let Some(member) = viewer.member {
                self.turns.on_drained(now, member);
            }
        }
        if has_news && !viewer.knows_next && self.rule == Rule::Turns {
            viewer.knows_next = true;
            let pace = viewer.punctuality.on_next_frame(now, FRAME_INTERVAL);
            match viewer.member {
                Some(member) if self.turns.on_pace(now, member, pace, FRAME_INTERVAL) => {
                    self.turns.leave(now, member);
                    viewer.member = None;
                }
                None if pace == Pace::Slow => {
                    viewer.member = self.turns.enter(now, viewer.network);
                    viewer.entered += 1;
                }
                _ => {}
            }
        }
        let is_time = is_called || viewer.asks_again.is_none_or(|at| now >= at);
        if !has_news || !is_time {
            return;
        }
        if let Some(member) = viewer.member
            && let Some(pause) = self.turns.ask(now, member)
        {
            viewer.asks_again = Some(now + pause);
            return;
        }
        let least = viewer.frame_bytes - viewer.varies_by;
        let bytes = least + self.random.below(2 * viewer.varies_by + 1);
        viewer.write(captured, bytes);
        viewer.punctuality.on_write(now);
        viewer.knows_next = false;
        if link.sharing == Sharing::AsItHappens {
            viewer.weight = 1 + self.random.below(4);
            viewer.loses_tail = self.random.below(ONE_LOST_IN) == 0;
        }
        if let Some(member) = viewer.member {
            self.turns.on_write(now, member, bytes);
        }
    }

    fn look(&mut self) {
        if self.turns.is_look_due(self.now) {
            let viewers = &self.viewers;
            self.turns.look(self.now, |id| {
                let viewer = viewers.iter().find(|viewer| viewer.member == Some(id))?;
                Some(viewer.acknowledged_bytes)
            });
        }
    }

    fn answer_calls(&mut self) {
        loop {
            let called = self.turns.take_called();
            if called.is_empty() {
                return;
            }
            for member in called {
                let viewer = self
                    .viewers
                    .iter()
                    .position(|viewer| viewer.member == Some(member));
                if let Some(viewer) = viewer {
                    self.serve_viewer(viewer, true);
                }
            }
        }
    }
}

impl Viewer {
    fn write(&mut self, captured: Instant, bytes: u64) {
        self.unsent_bytes += bytes;
        self.unacknowledged_bytes += bytes;
        self.frames.push_back((bytes, captured));
        (self.last_captured, self.is_sending, self.asks_again) = (Some(captured), true, None);
    }

    fn take(&mut self, now: Instant, mut bytes: u64) {
        while let Some((left, captured)) = self.frames.front_mut() {
            let taken = bytes.min(*left);
            *left -= taken;
            bytes -= taken;
            if *left > 0 {
                return;
            }
            self.seen.push((now, now - *captured));
            self.frames.pop_front();
        }
    }

    /// Frames a second from a time on, and their ages in ms: the median, and the 99th percentile.
    pub(super) fn figures(&self, from: Instant, time: Duration) -> Figures {
        let seen = self
            .seen
            .iter()
            .filter(|(at, _)| *at >= from && *at < from + time);
        let mut ages: Vec<f64> = seen.map(|(_, age)| age.as_secs_f64() * 1000.0).collect();
        ages.sort_by(f64::total_cmp);
        let percentile = |share: f64| {
            let last = ages.len().saturating_sub(1);
            ages.get((last as f64 * share) as usize)
                .copied()
                .unwrap_or(f64::INFINITY)
        };
        Figures {
            frames_per_s: ages.len() as f64 / time.as_secs_f64(),
            age_p50: percentile(0.5),
            age_p99: percentile(0.99),
        }
    }
}

/// What a viewer saw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) frames_per_s: f64,
    pub(super) age_p50: f64,
    pub(super) age_p99: f64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            frames_per_s,
            age_p50,
            age_p99,
        } = self;
        write!(
            f,
            "{frames_per_s:.2} a second, {age_p50:.0} and {age_p99:.0} ms"
        )
    }
}

/// When the camera captured the newest frame.
fn newest(start: Instant, now: Instant) -> Instant {
    let frames = (now - start).as_nanos() / FRAME_INTERVAL.as_nanos();
    start + FRAME_INTERVAL * u32::try_from(frames).unwrap()
}
