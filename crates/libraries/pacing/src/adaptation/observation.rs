//! What single frames show of a client's link: how long they kept the next one from being chosen,
//! and how fast they were acknowledged.
//!
//! The numbers are in the table of [`adaptation`](super).

use std::time::{Duration, Instant};

use super::rate_samples::{RateSample, RateSamples};
use crate::pacer::{DELAYED_ACK_BYTES, Path};
use crate::units::{Bytes, BytesPerSecond};

/// As many round trips of a frame's time may be due to TCP, whose window opens anew with each size
/// of a frame that it has not seen of late.
const SLOW_START_ROUND_TRIPS: u32 = 2;

/// As many of the first frame of all, whose window begins with ten segments (RFC 6928).
const FIRST_FRAME_ROUND_TRIPS: u32 = 4;

/// For so many round trips TCP's window and what it knows of the path are still growing.
const LEARNING_ROUND_TRIPS: u32 = 10;

/// What a link carries is the mean of this time, and of at least so many frames.
const MEAN_SPAN: Duration = Duration::from_secs(2);
const MEAN_FRAMES: usize = 3;

/// What a link carries at most is what this share of the frames of the last [`BEST_SPAN`] shows,
/// and of at least [`MEAN_FRAMES`]: Wi-Fi carries nothing for a while and then much, and frames
/// that met with the while show less than the link carries.
const BEST_SHARE: f64 = 0.33;
const BEST_SPAN: Duration = Duration::from_secs(3);

/// A client is looked at so much sooner than a frame must have been acknowledged if a larger rung
/// is to fit: a timer is late by a millisecond or so.
const CHECK_LEAD: Duration = Duration::from_micros(1500);

/// It is looked at before that, when this share of the time has gone by: a router may let the first
/// bytes through at once, and only those that follow show what the link carries.
const FIRST_LOOK_SHARE: f64 = 0.3;

/// What came of a frame after it was looked at first shows what the link carries, if it is this
/// share of it at least: of less, each acknowledgement counts too much.
const REST_SHARE: f64 = 0.25;

/// The frames of late.
#[derive(Debug, Default)]
pub(super) struct Observation {
    /// When the first frame of all was written.
    first: Option<Instant>,
    /// The last frame, until the next one may be chosen.
    last: Option<LastFrame>,
    /// The frame whose acknowledgement is awaited.
    followed: Option<FollowedFrame>,
    /// What frames took until the next ones might be chosen.
    intervals: RateSamples,
    /// What frames took until they were acknowledged.
    drains: RateSamples,
    /// Since when no frame has kept the next one from being chosen for long.
    kept_up_since: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct LastFrame {
    began: Instant,
    bytes: u64,
    /// Bytes acknowledged in all when it was written.
    acknowledged_before: u64,
    /// How many round trips of its time are no time of the link.
    round_trips: u32,
    /// The next frame had to wait for it.
    is_waited_for: bool,
}

/// A frame whose acknowledgement is awaited.
#[derive(Clone, Copy, Debug)]
pub(super) struct FollowedFrame {
    began: Instant,
    bytes: u64,
    /// The bytes acknowledged in all once all before this frame are.
    first_byte: u64,
    /// When some of it was found acknowledged first, and how much.
    first_seen: Option<(Instant, u64)>,
}

impl FollowedFrame {
    /// When to look whether the link carries one of these rates, if there is something left to see.
    pub(super) fn check_at(
        &self,
        now: Instant,
        path: Path,
        rates: impl Iterator<Item = BytesPerSecond> + Clone,
    ) -> Option<Instant> {
        let (since, bytes) = match self.first_seen {
            Some((then, before)) => (then, self.bytes - before),
            None => (self.began + path.round_trip.unwrap_or_default(), self.bytes),
        };
        let times = rates.map(|rate| rate.time_for(Bytes::from(bytes)));
        let is_first = self.first_seen.is_none() && path.proxied_rate.is_none();
        let first = times.clone().min().filter(|_| is_first);
        let first = first.map(|time| time.mul_f64(FIRST_LOOK_SHARE));
        // Of a small frame it would say nothing: a timer is as late.
        let first = first.filter(|time| *time >= CHECK_LEAD);
        let looks = times.map(|time| time.saturating_sub(CHECK_LEAD));
        let moments = looks.chain(first).map(|after| since + after);
        moments.filter(|moment| *moment > now).min()
    }

    /// What it shows of the link, so much of it being acknowledged by now.
    fn drained(&self, now: Instant, acknowledged: u64, path: Path) -> RateSample {
        let round_trip = path.round_trip.unwrap_or_default();
        let whole = RateSample {
            at: now,
            bytes: acknowledged,
            took: (now - self.began).saturating_sub(round_trip),
        };
        let rest = self.first_seen.map(|(then, before)| RateSample {
            at: now,
            bytes: acknowledged - before,
            took: now - then,
        });
        // What a router lets through at once is more than the link carries.
        let counts = |rest: &RateSample| {
            rest.bytes as f64 >= self.bytes as f64 * REST_SHARE && rest.rate() < whole.rate()
        };
        rest.filter(counts).unwrap_or(whole)
    }
}

impl Observation {
    /// The next frame has to wait for the last one.
    pub(super) fn on_wait(&mut self) {
        if let Some(last) = &mut self.last {
            last.is_waited_for = true;
        }
    }

    /// A frame of so many bytes was written to a path that was like this before.
    pub(super) fn on_write(&mut self, began: Instant, bytes: u64, path: Path) {
        let learning = path.round_trip.unwrap_or_default() * LEARNING_ROUND_TRIPS;
        let round_trips = match self.first {
            None => FIRST_FRAME_ROUND_TRIPS,
            Some(first) if began - first < learning => SLOW_START_ROUND_TRIPS,
            // One that is alone on its way waits a round trip for its first acknowledgement.
            Some(_) => u32::from(path.unacknowledged_bytes <= DELAYED_ACK_BYTES),
        };
        self.first.get_or_insert(began);
        self.last = Some(LastFrame {
            began,
            bytes,
            acknowledged_before: path.acknowledged_bytes,
            round_trips,
            is_waited_for: false,
        });
        self.followed.get_or_insert(FollowedFrame {
            began,
            bytes,
            first_byte: path.acknowledged_bytes + path.unacknowledged_bytes,
            first_seen: None,
        });
    }

    /// The frame whose acknowledgement is awaited.
    pub(super) fn followed(&self) -> Option<FollowedFrame> {
        self.followed
    }

    /// The socket was polled.
    pub(super) fn on_poll(&mut self, now: Instant, path: Path) {
        let Some(frame) = &mut self.followed else {
            return;
        };
        let acknowledged = path.acknowledged_bytes.saturating_sub(frame.first_byte);
        let acknowledged = acknowledged.min(frame.bytes);
        // The last few bytes may be acknowledged late; of a small frame they are too much.
        let most = frame.bytes.saturating_sub(DELAYED_ACK_BYTES);
        if acknowledged >= most.max(frame.bytes / 2) {
            let sample = frame.drained(now, acknowledged, path);
            self.drains.push(sample);
            self.followed = None;
        } else if acknowledged > 0 && path.proxied_rate.is_none() {
            frame.first_seen.get_or_insert((now, acknowledged));
        }
    }

    /// The next frame may be chosen. One in `interval` is wanted. Gives what the link carries if
    /// the last frame alone has taken longer than `most`.
    pub(super) fn on_permission(
        &mut self,
        now: Instant,
        path: Path,
        interval: Duration,
        most: Duration,
    ) -> Option<BytesPerSecond> {
        let last = self.last.take()?;
        let took = now - last.began;
        if last.is_waited_for && took > interval {
            self.kept_up_since = None;
        } else {
            self.kept_up_since.get_or_insert(last.began);
        }
        if !last.is_waited_for {
            // The path may take more, and less is not wanted.
            self.intervals.push(RateSample {
                at: now,
                bytes: last.bytes,
                took: took.min(interval),
            });
            return None;
        }
        let round_trip = path.round_trip.unwrap_or_default();
        let sample = RateSample {
            at: now,
            // More than this frame has, if the pacer lets less be under way than before.
            bytes: path
                .acknowledged_bytes
                .saturating_sub(last.acknowledged_before),
            took: took.saturating_sub(round_trip * last.round_trips),
        };
        self.intervals.push(sample);
        let least = took.saturating_sub(round_trip * SLOW_START_ROUND_TRIPS);
        (least.min(sample.took) > most).then(|| sample.rate())
    }

    /// How long the client has kept up; `None` if it does not.
    pub(super) fn kept_up_for(&self, now: Instant) -> Option<Duration> {
        self.kept_up_since.map(|since| now - since)
    }

    /// What the link carries, by how soon after each frame the next one might be chosen.
    pub(super) fn carried(&self, now: Instant) -> Option<BytesPerSecond> {
        self.intervals.mean(now, MEAN_SPAN, MEAN_FRAMES)
    }

    /// What it has carried.
    pub(super) fn throughput(&self, now: Instant) -> BytesPerSecond {
        self.intervals.throughput(now, MEAN_SPAN)
    }

    /// What it could carry, by how fast frames were acknowledged.
    pub(super) fn best(&self, now: Instant) -> Option<BytesPerSecond> {
        self.drains
            .reached_by(BEST_SHARE, now, BEST_SPAN, MEAN_FRAMES)
    }

    /// Frames are larger or smaller from now on.
    pub(super) fn begin_anew(&mut self) {
        self.kept_up_since = None;
        self.intervals.clear();
        self.drains.clear();
    }
}
