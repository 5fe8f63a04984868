//! When the next picture is encoded, how large it may become, and when it is a keyframe: for all
//! viewers of one encode. Apart from clocks, threads and sockets.
//!
//! H.264 is a chain: who misses a picture cannot decode those behind it. So no picture is made that
//! would wait: while a viewer's pacer still has packets of the last one, the camera's next is
//! passed by, and what is encoded then is newer. A picture that was made is sent, and waits for
//! nothing but the wire. For one viewer that is all there is to be decided. Of several, one that is
//! stuck must not hold the others for ever: it then misses pictures, and goes on at a keyframe when
//! its packets are gone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use self::watching::Watching;
use crate::feeds::{Pace, Report};

mod watching;

/// How far keyframes are apart at least: each is as many bytes as five to ten others, and viewers
/// that have lost something ask again while it is on its way to them.
const KEYS_APART: Duration = Duration::from_millis(300);

/// How far those are apart at least that a viewer needs because it was too slow for what others
/// got, or lost too much of it: they make the picture worse for all.
const KEYS_OF_SLOW_APART: Duration = Duration::from_secs(1);

/// What is encoded with until a viewer's path is estimated: a first picture that goes through
/// nearly every link at once (at 1.5 Mbit/s, it stood for 3 s in one of 0.5).
const START_BPS: u32 = 300_000;

/// How long it takes until pictures may have twice as many bits, whatever is estimated: from the
/// first one on, and from the one that a viewer gets which is alone and has lost too much. The
/// first estimates are of probes, which a link's token bucket lets through at once. (At 0.5 Mbit/s
/// with a bucket of 15 KB, 1.6 Mbit/s were sent for 350 ms, and what was lost of that stood for
/// 3 s.) And where a link has faded the estimate is of before: a keyframe as large as that allows
/// was lost, too.
const DOUBLED_IN: Duration = Duration::from_millis(400);

/// Below this nothing is a picture (`eyelid_config::Bitrate::LEAST`).
pub(crate) const LEAST_BPS: u32 = eyelid_config::Bitrate::LEAST;

/// The share of what a path carries that pictures take: the rest is for what is sent again, and for
/// pictures that become larger than they were to.
const SHARE: f64 = 0.9;

/// A viewer whose path carries less than this share of what others get is slow, and is not to make
/// pictures worse for them. One that may miss pictures does, where the fastest gets so much more;
/// of those that miss none [`Split`](crate::feeds::split::Split) compares with the one in the
/// middle.
pub(crate) const SLOW_SHARE: f64 = 0.25;

/// Which viewer it is.
pub(crate) type ViewerId = u64;

/// What the configuration says of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EncodeLimits {
    /// Bits a second at most.
    pub(crate) most_bps: u32,
    /// How far keyframes are apart at most for who needs them so.
    pub(crate) gop: Option<Duration>,
}

/// One encode, and who watches it.
#[derive(Debug)]
pub(crate) struct Policy {
    limits: EncodeLimits,
    viewers: BTreeMap<ViewerId, Watching>,
    /// Somebody has asked for a keyframe.
    key_asked: bool,
    /// From when on pictures get more bits little by little.
    grows_since: Option<Instant>,
    last_key: Option<Instant>,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nobody can take pictures yet, but somebody will: the camera is to be awake.
    KeepAwake,
    /// Nothing, until something changes, or this moment.
    Wait(Option<Instant>),
    /// The next picture of the camera is to be encoded.
    Encode,
}

/// How a picture is to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// As one that can be decoded by itself.
    pub(crate) is_key: bool,
    /// With so many bits a second.
    pub(crate) bits_per_second: u32,
}

/// What a viewer gets of a picture that was encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It gets it, in the place of one that it has not taken.
    Takes,
    /// It does not, and has none from now on until a keyframe.
    Misses,
    /// It takes none yet.
    Waits,
}

impl Policy {
    /// Nobody watches yet.
    pub(crate) fn new(limits: EncodeLimits) -> Self {
        Self {
            limits,
            viewers: BTreeMap::new(),
            key_asked: false,
            grows_since: None,
            last_key: None,
        }
    }

    /// Other limits hold.
    pub(crate) fn set_limits(&mut self, limits: EncodeLimits) {
        self.limits = limits;
    }

    /// One more watches. It is to be woken before it gets pictures.
    pub(crate) fn enter(&mut self, id: ViewerId, pace: Pace) {
        self.viewers.insert(id, Watching::new(pace));
    }

    /// One leaves.
    pub(crate) fn leave(&mut self, id: ViewerId) {
        self.viewers.remove(&id);
    }

    /// Says whether nobody watches.
    pub(crate) fn is_empty(&self) -> bool {
        self.viewers.is_empty()
    }

    /// One comes for the next picture: it can take one, and has none left. Gives whether that is
    /// new.
    pub(crate) fn comes(&mut self, id: ViewerId) -> bool {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return false;
        };
        let was_active = std::mem::replace(&mut viewer.is_active, true);
        !was_active | viewer.untaken_since.take().is_some()
    }

    /// One says how its connection does. Gives whether that may let the next picture be made.
    pub(crate) fn report(&mut self, id: ViewerId, report: Report) -> bool {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return false;
        };
        let before = std::mem::replace(&mut viewer.report, report);
        match (before.waiting_since, report.waiting_since) {
            (Some(before), Some(now)) => now > before,
            (before, now) => before.is_some() && now.is_none(),
        }
    }

    /// One wants keyframes from time to time.
    pub(crate) fn want_gop(&mut self, id: ViewerId) {
        if let Some(viewer) = self.viewers.get_mut(&id) {
            viewer.wants_gop = true;
        }
    }

    /// Somebody needs a keyframe.
    pub(crate) fn ask_key(&mut self) {
        self.key_asked = true;
    }

    /// One has lost so much that it cannot decode anything but a keyframe. Until there is one it
    /// gets nothing.
    pub(crate) fn breaks_off(&mut self, id: ViewerId) {
        let is_alone = self.viewers.len() == 1;
        let viewer = self.viewers.get_mut(&id);
        let Some(viewer) = viewer.filter(|viewer| !viewer.needs_key) else {
            return;
        };
        viewer.needs_key = true;
        if is_alone {
            viewer.key_allowed = None;
            // Its path carries less than was thought, and how much less is not known yet.
            self.grows_since = None;
        } else {
            viewer.key_allowed = self.last_key.map(|last| last + KEYS_OF_SLOW_APART);
        }
    }

    /// What is to be done now.
    pub(crate) fn step(&mut self, now: Instant) -> Step {
        if !self.viewers.values().any(|viewer| viewer.is_active) {
            return Step::KeepAwake;
        }
        let mut until = None::<Instant>;
        let others = self.others_than_stuck();
        for viewer in self.viewers.values_mut() {
            if let Some(moment) = viewer.holds_until(now, others) {
                until = Some(until.map_or(moment, |until| until.min(moment)));
            }
        }
        if until.is_some() {
            return Step::Wait(until);
        }
        // Of those that can take a picture, who could decode one now?
        let key_at = self.last_key.map(|last| last + KEYS_APART);
        let key_at = key_at.filter(|at| *at > now);
        for viewer in self.viewers.values().filter(|viewer| viewer.can_take()) {
            if !viewer.needs_key {
                return Step::Encode;
            }
            match key_at.max(viewer.key_allowed.filter(|at| *at > now)) {
                None => return Step::Encode,
                Some(at) => until = Some(until.map_or(at, |until| until.min(at))),
            }
        }
        Step::Wait(until)
    }

    /// How many are served that are not stuck.
    fn others_than_stuck(&self) -> usize {
        let active = self.viewers.values().filter(|viewer| viewer.is_active);
        active.filter(|viewer| !viewer.is_stuck).count()
    }

    /// How the picture is to be encoded that is there now.
    pub(crate) fn order(&self, now: Instant) -> Order {
        let since_key = self
            .last_key
            .map(|last| now.saturating_duration_since(last));
        let is_key = match since_key {
            None => true,
            Some(since) if since < KEYS_APART => false,
            Some(since) => self.key_asked || self.is_key_needed(now) || self.is_gop_over(since),
        };
        let bits_per_second = self.bits_per_second(now);
        Order {
            is_key,
            bits_per_second,
        }
    }

    fn is_key_needed(&self, now: Instant) -> bool {
        let needs = |viewer: &&Watching| viewer.can_take() && viewer.needs_key;
        let is_allowed = |viewer: &Watching| viewer.key_allowed.is_none_or(|at| at <= now);
        let mut needing = self.viewers.values().filter(needs);
        needing.any(is_allowed)
    }

    fn is_gop_over(&self, since_key: Duration) -> bool {
        let mut active = self.viewers.values().filter(|viewer| viewer.is_active);
        let is_wanted = active.any(|viewer| viewer.wants_gop);
        is_wanted && self.limits.gop.is_some_and(|gop| since_key >= gop)
    }

    /// What the slowest path carries, of those that are estimated; where none is yet, little. One
    /// that may miss pictures does so where its path carries far less than another's.
    fn bits_per_second(&self, now: Instant) -> u32 {
        let most = self.limits.most_bps.max(LEAST_BPS);
        let served = || {
            self.viewers
                .values()
                .filter(|viewer| viewer.can_be_served())
        };
        let carried = |viewer: &Watching| match (viewer.report.estimate_bps, viewer.pace) {
            (Some(bps), _) => bps.min(u64::from(most)),
            // It is on this machine.
            (None, Pace::Misses) => u64::from(most),
            (None, Pace::Holds) => 0,
        };
        let least = served().map(carried).max().unwrap_or(0) as f64 * SLOW_SHARE;
        let counts =
            |viewer: &&Watching| viewer.pace == Pace::Holds || carried(viewer) as f64 >= least;
        let counted = served().filter(counts);
        let slowest = counted.filter_map(|it| it.report.estimate_bps).min();
        let is_any_to_be_estimated = || served().any(|viewer| viewer.pace == Pace::Holds);
        let bits_per_second = slowest.map_or(f64::from(most), |bps| bps as f64 * SHARE);
        let bits_per_second = match (slowest, is_any_to_be_estimated()) {
            (Some(_), true) => bits_per_second.min(self.most_while_growing(now)),
            (None, true) => f64::from(START_BPS),
            (_, false) => bits_per_second,
        };
        (bits_per_second.min(f64::from(u32::MAX)) as u32).clamp(LEAST_BPS, most)
    }

    /// What may be sent by now to who cannot miss any of it.
    fn most_while_growing(&self, now: Instant) -> f64 {
        let since = self.grows_since.unwrap_or(now);
        let times = now.saturating_duration_since(since).as_secs_f64() / DOUBLED_IN.as_secs_f64();
        f64::from(START_BPS) * times.exp2()
    }

    /// A picture was encoded.
    pub(crate) fn encoded(&mut self, is_key: bool, now: Instant) {
        if is_key {
            self.grows_since.get_or_insert(now);
            self.last_key = Some(now);
            self.key_asked = false;
        }
    }

    /// It could not be: the next one is a keyframe.
    pub(crate) fn failed(&mut self) {
        self.last_key = None;
        for viewer in self.viewers.values_mut() {
            viewer.needs_key = true;
            viewer.key_allowed = None;
        }
    }

    /// What a viewer gets of a picture that was encoded now.
    pub(crate) fn offer(&mut self, id: ViewerId, is_key: bool, now: Instant) -> Offer {
        let viewer = self.viewers.get_mut(&id);
        let Some(viewer) = viewer.filter(|viewer| viewer.is_active) else {
            return Offer::Waits;
        };
        let follows = viewer.untaken_since.is_none() && !viewer.needs_key;
        if !viewer.is_stuck && (is_key || follows) {
            viewer.needs_key = false;
            viewer.untaken_since = Some(now);
            return Offer::Takes;
        }
        if !viewer.needs_key {
            viewer.key_allowed = Some(now + KEYS_OF_SLOW_APART);
            viewer.needs_key = true;
        }
        Offer::Misses
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
