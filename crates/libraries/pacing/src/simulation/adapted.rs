//! What a client sees whose frames come as the rendition that fits its link.

use super::varying::{Rate, VaryingLink};
use super::*;
use crate::{Adaptation, Ladder, Rung, WantedRate};

mod changing;
mod proxied;
mod steady;

const SECOND: Duration = Duration::from_secs(1);

/// Bytes of a full HD frame as each of [`Rung::ALL`].
const SIZES: [u64; 4] = [98_000, 38_000, 29_000, 10_000];

/// How long after the camera's next frame a rendition is there that was not made before.
const FIRST_FRAME: Duration = Duration::from_millis(5);

/// A camera and a client that looks at it.
struct Watched {
    start: Instant,
    now: Instant,
    pacer: Pacer,
    adaptation: Adaptation,
    link: VaryingLink,
    interval: Duration,
    sizes: Box<dyn Fn(Duration) -> [u64; 4]>,
    last_frame: u32,
    /// How long it takes to make what is smaller than `Main`, from the moment at which it may go.
    making: Duration,
    /// When each frame was captured that was sent, and as what.
    sent: Vec<(Instant, Rung)>,
    changes: Vec<(Duration, Rung)>,
}

fn rate(mbit: f64) -> Rate {
    Box::new(move |_| mbit)
}

/// One rate until a time, and then another, and so on.
fn steps(steps: &'static [(u64, f64)]) -> Rate {
    Box::new(move |time| {
        let began = steps
            .iter()
            .rev()
            .find(|(from, _)| time >= SECOND * *from as u32);
        began.map_or(steps[0].1, |(_, mbit)| *mbit)
    })
}

/// Wi-Fi carries nothing while others talk, and then much.
fn bursts(rate: Rate) -> Rate {
    Box::new(move |time| {
        let is_silent = time.as_millis() % 37 < 30;
        if is_silent {
            0.0
        } else {
            rate(time) * 37.0 / 7.0
        }
    })
}

fn smooth(link: impl FnOnce(Instant) -> VaryingLink) -> Watched {
    Watched::new(Ladder::Smooth, link)
}

impl Watched {
    fn new(ladder: Ladder, link: impl FnOnce(Instant) -> VaryingLink) -> Self {
        let start = Instant::now();
        let wanted = WantedRate {
            source_fps: Some(30.0),
            cap_fps: None,
            min_fps: 8.0,
        };
        let mut adaptation = Adaptation::new(ladder, wanted);
        adaptation.set_offered(|_| true);
        Self {
            start,
            now: start,
            pacer: Pacer::new(start),
            adaptation,
            link: link(start),
            interval: FRAME_INTERVAL,
            sizes: Box::new(|_| SIZES),
            last_frame: 0,
            making: Duration::ZERO,
            sent: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn rung(&self) -> Rung {
        self.adaptation.rung().0
    }

    /// Sends frames until so long after the start, as the server does.
    fn run(&mut self, seconds: u64) -> &mut Self {
        let end = self.start + SECOND * seconds as u32;
        while self.now < end {
            let before = self.rung();
            // One that keeps up with `Main` is not looked at before the next frame is there.
            if before == Rung::Main && !self.sent.is_empty() {
                self.now = self.now.max(self.frame_at(self.last_frame + 1));
                self.link.advance(self.now);
                let unacknowledged = self.link.unacknowledged_bytes();
                if !self.pacer.can_send(self.now, unacknowledged) {
                    self.drained();
                }
            } else {
                self.drained();
            }
            let rung = self.adaptation.next(self.now, &self.pacer);
            let mut next = self.last_frame + 1;
            if rung != before {
                self.changes.push((self.now - self.start, rung));
                // Only now is it wished for.
                next = next.max(self.newest() + 1);
                self.wait_until(self.frame_at(next) + FIRST_FRAME);
            }
            self.wait_until(self.frame_at(next));
            self.send_made(rung);
        }
        self
    }

    fn frame_at(&self, number: u32) -> Instant {
        self.start + self.interval * number
    }

    fn newest(&self) -> u32 {
        ((self.now - self.start).as_nanos() / self.interval.as_nanos()) as u32
    }

    fn drained(&mut self) {
        loop {
            self.link.advance(self.now);
            let (unacknowledged, link) = (self.link.unacknowledged_bytes(), &self.link);
            let Some(pause) = self
                .pacer
                .delay(self.now, unacknowledged, || link.tcp_info())
            else {
                return;
            };
            self.now += self.adaptation.on_wait(self.now, pause, &self.pacer) + MS / 2;
        }
    }

    fn wait_until(&mut self, then: Instant) {
        while let Some(check) = self.adaptation.check_at(self.now, &self.pacer) {
            if check >= then {
                break;
            }
            self.now = check + MS / 2;
            self.link.advance(self.now);
            self.pacer
                .observe(self.now, self.link.unacknowledged_bytes());
            self.adaptation.on_check(self.now, &self.pacer);
        }
        self.now = self.now.max(then);
    }

    /// Sends what is made of the newest exposure.
    fn send_made(&mut self, rung: Rung) {
        self.last_frame = self.newest();
        if rung != Rung::Main {
            self.wait_until(self.now + self.making);
        }
        let captured = self.frame_at(self.last_frame);
        let bytes = (self.sizes)(self.now - self.start)[rung.index()];
        self.link.write(self.now, bytes);
        self.sent.push((captured, rung));
        self.adaptation.on_write(self.now, rung, bytes, &self.pacer);
        self.pacer.on_write(self.now, bytes);
    }

    /// What the client has seen in these seconds.
    fn seen(&self, from: u64, to: u64) -> SeenAdapted {
        let seconds = (to - from) as f64;
        let (from, to) = (
            self.start + SECOND * from as u32,
            self.start + SECOND * to as u32,
        );
        let arrived = self.link.arrivals().zip(&self.sent);
        let arrived = arrived.filter_map(|(arrived, (captured, _))| Some((arrived?, *captured)));
        let arrived: Vec<_> = arrived
            .filter(|(arrived, _)| (from..to).contains(arrived))
            .collect();
        let mut ages: Vec<_> = arrived
            .iter()
            .map(|(at, captured)| *at - *captured)
            .collect();
        ages.sort();
        // A picture is oldest when the next one takes its place.
        let replaced = arrived.windows(2).map(|pair| pair[1].0 - pair[0].1);
        SeenAdapted {
            fps: arrived.len() as f64 / seconds,
            median_age: ages[ages.len() / 2],
            oldest: replaced.max().unwrap(),
            rung: self.rung(),
            changes: self.changes.clone(),
        }
    }

    /// That this client's rendition was not changed more often than every 3 s.
    fn assert_calm(&self, case: &str) {
        for pair in self.changes.windows(2) {
            let apart = pair[1].0 - pair[0].0;
            assert!(apart >= SECOND * 3, "{case}: {:?}", self.changes);
        }
    }
}

/// What a client gets.
#[derive(Debug)]
struct SeenAdapted {
    fps: f64,
    /// Age of the frames when they arrive.
    median_age: Duration,
    /// Age of the oldest picture that was shown.
    oldest: Duration,
    rung: Rung,
    changes: Vec<(Duration, Rung)>,
}
