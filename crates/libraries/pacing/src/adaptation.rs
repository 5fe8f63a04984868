//! With which rendition a client's next frame goes: the largest that its link still carries often
//! enough (`docs/newest-frame.md`, "A stream that fits").
//!
//! Two things are taken of each frame. How long it kept the next one from being chosen
//! ([`Adaptation::on_wait`]) says how many frames a second the client gets while its link is the
//! limit, and so whether the rendition is too large; a source or a client that wants fewer frames
//! makes no link look slow. How fast its bytes were acknowledged once the round trip was over says
//! what the link carries even where it is idle between frames, and so whether a larger rendition
//! would fit. (The kernel's delivery rate says less: it is at most what was sent, and may be that
//! of a link which is no more.) A client that keeps up with a small rendition is looked at once
//! more a frame for that, at the moment which decides ([`Adaptation::check_at`]), and once before:
//! a router may let the first bytes of a frame through at once.
//!
//! A rendition is made when it may go, and the link is idle meanwhile. So that time, the shortest
//! wait for a frame of late, counts with what a frame takes.
//!
//! A proxy near the server acknowledges what has not gone over the client's link yet. As long as
//! its buffers are full, the rate counts which [`ProxyBuffer`](crate::proxy_buffer) finds. When
//! they are not, all seems to fit: a larger rendition is tried, which shows within seconds, and
//! after each failure more rarely. On a Unix socket, which tells nothing, it is the next larger
//! one.
//!
//! # The numbers
//!
//! Each has a test that fails if it is much smaller, and one that fails if it is much greater.
//! Those of whole links are in `simulation::adapted`:
//!
//! - A: `steady::gives_the_largest_rendition_that_comes_often_enough`
//! - B: `steady::who_wants_detail_gets_the_whole_size_always_and_all_of_it_as_long_as_it_comes`
//! - C: `steady::no_rate_is_one_at_which_it_goes_up_and_down`
//! - D: `changing::follows_pictures_that_become_busier_or_calmer`
//! - E: `changing::goes_down_at_once_when_a_link_fades_and_is_up_again_within_ten_seconds`
//! - F: `changing::a_link_of_bursts_is_up_again_when_it_carries_more`
//! - G: `steady::a_link_that_carries_nothing_for_30_ms_and_then_all_is_taken_for_what_it_carries`
//!
//! Others, on given values, are beside what they test:
//!
//! - I: `tests::a_client_of_a_smaller_one_is_looked_at_when_it_matters`
//! - J: `tests::a_frame_that_takes_twice_as_long_as_it_may_is_enough_and_a_shorter_one_is_not`
//! - K: `tests::one_late_frame_of_few_makes_no_mean`
//! - L: `tests::pauses_between_failures_grow_and_begin_anew_after_a_success`
//! - M: `frame_sizes::tests::one_odd_frame_hardly_counts_and_a_second_of_them_does`
//! - H: `tests::where_a_socket_tells_nothing_the_next_larger_one_is_tried_after_some_seconds`
//! - O: `frame_sizes::tests::what_saves_next_to_nothing_is_known_once_it_was_seen_and_for_a_while`
//! - P: `changing::whoever_failed_is_up_again_as_soon_as_the_link_is_seen_to_be_another`
//! - Q: `steady::a_low_that_saves_little_gives_way_to_a_half_that_comes_more_often`
//! - R: `steady::what_is_long_in_the_making_gives_way_to_what_comes_more_often`
//! - S: `steady::a_source_that_gives_fewer_frames_than_it_says_takes_no_time_for_making`
//! - T: `making::tests::the_shortest_wait_of_late_is_what_making_takes`
//! - N: `frame_sizes::tests::a_busier_scene_makes_larger_what_is_not_seen_too`
//!
//! | number | smaller | greater |
//! | --- | --- | --- |
//! | [`HOLD_SHARE`] | B | A |
//! | [`RAISE_FACTOR`] | D | D |
//! | [`FADED_FACTOR`] | J | J |
//! | [`MIN_STAY`] | G | E |
//! | [`TRY_AFTER`] | [`MIN_STAY`] is longer | H |
//! | `observation::SLOW_START_ROUND_TRIPS` | A | J |
//! | `observation::FIRST_FRAME_ROUND_TRIPS` | B | C |
//! | `observation::LEARNING_ROUND_TRIPS` | B | C |
//! | `observation::MEAN_SPAN` | D | A |
//! | `observation::MEAN_FRAMES` | K | D |
//! | `observation::BEST_SHARE` | G | F |
//! | `observation::BEST_SPAN` | three frames count anyway | E |
//! | `observation::CHECK_LEAD` | I | I |
//! | `observation::FIRST_LOOK_SHARE` | R | R |
//! | `observation::REST_SHARE` | what a single acknowledgement shows is no rate | R |
//! | `needs::SMOOTH_SHARE` | A | A |
//! | `needs::MAX_MAKING_SHARE` | R | S |
//! | `making::FORGOTTEN_OVER_FRAMES` | T | T |
//! | `frame_sizes::MEAN_FRAMES` | M | N |
//! | `frame_sizes::SEEN_OF_LATE_FRAMES` | N | N |
//! | `frame_sizes::WORTH_SHARE` | O | O |
//! | `frame_sizes::HOLDS_FRAMES` | O | O |
//! | `frame_sizes::LARGE_LOW_SHARE` | A | Q |
//! | `retry::PROVEN_AFTER` | L | L |
//! | `retry::FIRST_PAUSE` | L | L |
//! | `retry::MAX_PAUSE` | L | L |
//! | `retry::RECOVERED_FACTOR` | P | P |

use std::time::{Duration, Instant};

use crate::pacer::{Pacer, Path};
use crate::units::BytesPerSecond;

mod frame_sizes;
mod ladder;
mod making;
mod needs;
mod observation;
mod rate_samples;
mod retry;

use frame_sizes::FrameSizes;
pub use ladder::{Ladder, Rung, WantedRate};
use making::Making;
use observation::Observation;
use retry::Retries;

/// A rung is kept as long as the link carries this share of the frames that are asked of it, so
/// that a link which carries just so many does not lose it again.
const HOLD_SHARE: f64 = 0.95;

/// A larger rung must promise so many times the frames that are asked of it.
const RAISE_FACTOR: f64 = 1.15;

/// A frame that takes so many times as long as it may is one of a link that has faded: it alone
/// decides, and at once.
const FADED_FACTOR: f64 = 2.0;

/// A rung is kept for so long at least, unless the link fades.
const MIN_STAY: Duration = Duration::from_secs(3);

/// For so long must a client have kept up of whose link nothing is known, until the next larger
/// rung is tried.
const TRY_AFTER: Duration = Duration::from_secs(2);

/// Why a client gets the rendition that it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is what every client begins with.
    Start,
    /// The link carried too few frames of a larger one.
    SlowLink,
    /// The link carries enough of it, by what smaller ones showed.
    Fits,
    /// The client kept up with a smaller one, and nothing more is known of its link.
    Trial,
    /// The one before is not made any more.
    NotOffered,
    /// The one before saved next to no bytes over a larger one.
    SavesNothing,
}

/// Decides for one client.
///
/// Whoever sends the frames asks [`next`](Self::next) when its [`Pacer`] lets the next frame be
/// chosen, and tells of every frame that it writes and of every pause that the pacer asks for. It
/// knows neither the socket nor the time.
#[derive(Debug)]
pub struct Adaptation {
    ladder: Ladder,
    wanted: WantedRate,
    /// Which of [`Rung::ALL`] are made.
    offered: [bool; 4],
    sizes: FrameSizes,
    rung: Rung,
    reason: Reason,
    /// When the rung was changed last.
    changed: Option<Instant>,
    retries: Retries,
    observation: Observation,
    /// What the link carried when that was known last; `None` behind a proxy.
    carried: Option<BytesPerSecond>,
    making: Making,
}

impl Adaptation {
    /// Begins with the largest rendition, which is all that is offered until
    /// [`set_offered`](Self::set_offered) says more.
    #[must_use]
    pub fn new(ladder: Ladder, wanted: WantedRate) -> Self {
        Self {
            ladder,
            wanted,
            offered: [true, false, false, false],
            sizes: FrameSizes::default(),
            rung: Rung::Main,
            reason: Reason::Start,
            changed: None,
            retries: Retries::default(),
            observation: Observation::default(),
            carried: None,
            making: Making::default(),
        }
    }

    /// Only these are made, and what is configured always.
    pub fn set_offered(&mut self, is_offered: impl Fn(Rung) -> bool) {
        self.offered = Rung::ALL.map(|rung| rung == Rung::Main || is_offered(rung));
    }

    /// The rungs that the client may get.
    #[must_use]
    pub fn ladder(&self) -> Ladder {
        self.ladder
    }

    /// How many frames are wanted.
    #[must_use]
    pub fn wanted(&self) -> WantedRate {
        self.wanted
    }

    /// From now on so many frames are wanted.
    pub fn set_wanted(&mut self, wanted: WantedRate) {
        self.wanted = wanted;
    }

    /// The rendition that is wished for now, and why.
    #[must_use]
    pub fn rung(&self) -> (Rung, Reason) {
        (self.rung, self.reason)
    }

    /// How long no frame has kept the next one from being chosen for longer than is wanted; `None`
    /// if the last one has. It begins anew with each change of the rendition.
    #[must_use]
    pub fn keeps_up_for(&self, now: Instant) -> Option<Duration> {
        self.observation.kept_up_for(now)
    }

    /// The pacer wants a pause before the next frame, and has been told what is left now. Gives how
    /// long to pause: the same, or shorter where there is something to be seen before its end.
    pub fn on_wait(&mut self, now: Instant, pause: Duration, pacer: &Pacer) -> Duration {
        self.observation.on_wait();
        self.on_check(now, pacer);
        let check = self.check_at(now, pacer).map(|check| check - now);
        check.map_or(pause, |check| check.min(pause))
    }

    /// A frame of so many bytes was written, of which the pacer is not told before this is.
    pub fn on_write(&mut self, began: Instant, rung: Rung, bytes: u64, pacer: &Pacer) {
        self.sizes.on_frame(rung, bytes);
        self.making.on_write(began, rung);
        self.observation.on_write(began, bytes, pacer.path(began));
    }

    /// When to look once more how much of the last frame has been acknowledged, unless the next one
    /// comes first: when all of it must have been if a larger rendition is to fit, and once before.
    /// Then the pacer is told what is left ([`Pacer::observe`]), and this asked again after
    /// [`on_check`](Self::on_check).
    #[must_use]
    pub fn check_at(&self, now: Instant, pacer: &Pacer) -> Option<Instant> {
        let (frame, path) = (self.observation.followed()?, pacer.path(now));
        let larger = self.larger().filter(|_| !path.has_no_figures);
        let rates = larger.map(|rung| self.needed_rate(rung) * RAISE_FACTOR);
        frame.check_at(now, path, rates)
    }

    /// Takes what the pacer was told, without choosing a frame.
    pub fn on_check(&mut self, now: Instant, pacer: &Pacer) {
        self.observation.on_poll(now, pacer.path(now));
    }

    /// The rendition of the next frame, which may be chosen now. One that has not been made yet is
    /// not to be waited for for long: another may go, and the wished one from when it is there.
    pub fn next(&mut self, now: Instant, pacer: &Pacer) -> Rung {
        self.on_check(now, pacer);
        let path = pacer.path(now);
        self.making.on_permission(now);
        let shown = self.observation.carried(now).or(self.carried);
        self.carried = shown.filter(|_| path.proxied_rate.is_none());
        let faded = self.faded(now, path);
        if !self.is_there(self.rung) {
            let rung = self.larger().next_back().unwrap_or(Rung::Main);
            self.change(now, rung, Reason::NotOffered);
        } else if self.saves_nothing(self.rung) {
            // It was taken because the link carried too little of a larger one.
            let smaller = self.smaller().next();
            let rung = smaller.or_else(|| self.larger().next_back());
            self.change(now, rung.unwrap_or(Rung::Main), Reason::SavesNothing);
        } else if let Some(rate) = faded.or_else(|| self.too_slow(now, path)) {
            self.lower(now, rate, path);
        } else if self.stayed(now) {
            self.retries.on_carried(self.observation.throughput(now));
            if let Some((rung, reason)) = self.larger_that_fits(now, path) {
                self.retries.on_raised(now, rung);
                self.change(now, rung, reason);
            }
        }
        self.rung
    }

    /// What the link carries, if the last frame shows by itself that it has faded.
    fn faded(&mut self, now: Instant, path: Path) -> Option<BytesPerSecond> {
        let least = self.wanted.least_fps();
        let interval = 1.0 / self.wanted.all_fps().unwrap_or(least);
        let rate = self.observation.on_permission(
            now,
            path,
            Duration::from_secs_f64(interval).saturating_sub(self.making(self.rung)),
            Duration::from_secs_f64(FADED_FACTOR / least),
        )?;
        // Behind a proxy, a single frame says less: it takes nothing for a while, and then much.
        (self.stayed(now) || !path.may_have_proxy()).then_some(rate)
    }

    /// What the link carries, if that is too little for this rung.
    fn too_slow(&self, now: Instant, path: Path) -> Option<BytesPerSecond> {
        if !self.stayed(now) || self.observation.kept_up_for(now).is_some() {
            return None;
        }
        let carried = || self.observation.carried(now);
        let rate = path.proxied_rate.or_else(carried)?;
        (rate < self.needed_rate(self.rung) * HOLD_SHARE).then_some(rate)
    }

    /// Leaves a rung of which a link of this rate carries too little.
    fn lower(&mut self, now: Instant, rate: BytesPerSecond, path: Path) {
        // Where nothing is known of the link, only one rung is left.
        let of_link = Some(rate).filter(|_| !path.has_no_figures);
        let Some(rung) = self.smaller_that_fits(path.proxied_rate.or(of_link)) else {
            return;
        };
        if path.may_have_proxy() {
            self.retries.on_failed(now, self.rung);
        } else {
            self.retries.on_lowered(now, self.rung, of_link);
        }
        self.change(now, rung, Reason::SlowLink);
    }

    /// The largest of the smaller rungs that a link of this rate carries often enough, else the
    /// smallest of all; `None` where there is no smaller one.
    fn smaller_that_fits(&self, rate: Option<BytesPerSecond>) -> Option<Rung> {
        let mut smaller = self.smaller();
        let fits = |rung: &Rung| rate.is_none_or(|rate| rate >= self.needed_rate(*rung));
        smaller.clone().find(fits).or_else(|| smaller.next_back())
    }

    /// A larger rung that may be taken in place of this one, if there is one.
    fn larger_that_fits(&self, now: Instant, path: Path) -> Option<(Rung, Reason)> {
        let best = || self.observation.best(now).filter(|_| !path.has_no_figures);
        let shown = path.proxied_rate.or_else(best);
        let fits = |rung: &Rung| {
            let needed = self.needed_rate(*rung) * RAISE_FACTOR;
            shown.is_some_and(|rate| rate >= needed)
        };
        let may = |rung: &Rung| self.retries.may_try(now, *rung, self.rung);
        let mut larger = self.larger();
        if let Some(rung) = larger.clone().find(|rung| fits(rung) && may(rung)) {
            return Some((rung, Reason::Fits));
        }
        let keeps_up = self.observation.kept_up_for(now) >= Some(TRY_AFTER);
        let is_to_try = path.has_no_figures && shown.is_none() && keeps_up;
        let next = larger.next_back().filter(|rung| is_to_try && may(rung))?;
        Some((next, Reason::Trial))
    }

    fn change(&mut self, now: Instant, rung: Rung, reason: Reason) {
        (self.rung, self.reason, self.changed) = (rung, reason, Some(now));
        self.observation.begin_anew();
    }

    /// Says whether this rung has been kept for long enough.
    fn stayed(&self, now: Instant) -> bool {
        self.changed.is_none_or(|changed| now - changed >= MIN_STAY)
    }

    /// Says whether the client may get this rung, and whether it is made.
    fn is_there(&self, rung: Rung) -> bool {
        self.ladder.has(rung) && self.offered[rung.index()]
    }

    fn saves_nothing(&self, rung: Rung) -> bool {
        let is_there = |larger| self.is_there(larger);
        self.sizes.saves_nothing(rung, is_there)
    }

    fn is_allowed(&self, rung: Rung) -> bool {
        self.is_there(rung) && !self.saves_nothing(rung)
    }

    /// The smaller ones that there are for this client, the largest first.
    fn smaller(&self) -> impl DoubleEndedIterator<Item = Rung> + Clone {
        self.allowed()
            .filter(|rung| rung.index() > self.rung.index())
    }

    /// The larger ones that there are for this client, the largest first.
    fn larger(&self) -> impl DoubleEndedIterator<Item = Rung> + Clone {
        self.allowed()
            .filter(|rung| rung.index() < self.rung.index())
    }

    /// The rungs that there are for this client, the largest first.
    fn allowed(&self) -> impl DoubleEndedIterator<Item = Rung> + Clone {
        Rung::ALL.into_iter().filter(|rung| self.is_allowed(*rung))
    }
}

#[cfg(test)]
mod tests;
