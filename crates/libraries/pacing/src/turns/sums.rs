//! Who shares a link, by what clients have acknowledged at the same moments.
//!
//! TCP gives one of those that share a link more now and another then, by a fifth to a half from
//! one tenth of a second to the next, and what it gives to one the others lack: what all of them
//! get is what the link carries, and steady to a few percent. So those are sought of whom what
//! each gets varies much, and the sum hardly. That costs nobody anything, and shows several links
//! at once. It only says who is to be tried: where a router shares fairly nothing varies, and
//! nothing is found.
//!
//! The numbers are of recordings of TCP (cubic, Linux 6) on shaped links: nine of 10 s, two or
//! three links of 2 to 10 Mbit/s in seven of them, with one to three clients each, and five of
//! their own in two. Of what was to be found 86 of 100 were after a second, 91 after 1.6 s and 97
//! after 3.2 s; of 100 that were found after a second four lacked a client, one of 600 was wrong,
//! and nobody ever with a link of its own was in one. With what is acknowledged in order alone
//! (`tcpi_bytes_acked`) 21 of 100 were found, and 32 after 3.2 s.

use std::cmp::Ordering;
use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::MemberId;
use super::unit::Unit;

/// What clients had acknowledged is compared at moments this far apart, over windows of so many of
/// these steps: less than that and what is seen of it late or early is as much as what varies.
const STEP: Duration = Duration::from_millis(40);
const STEPS_OF_WINDOW: usize = 3;

/// So many windows are needed, and so many for each client, and no more are looked at. With fewer,
/// sums are steady by chance.
const MIN_WINDOWS: usize = 22;
const MIN_WINDOWS_EACH: usize = 4;
const MAX_WINDOWS: usize = 90;

/// A sum is steady that varies by no more than this share of what it would if each varied for
/// itself (variances), divided by how many there are: where but one is missing of those that share
/// a link, it is 1 divided by that.
const STEADY: f64 = 0.6;

/// Who does not make a sum steadier by this share is none of it.
const GAIN: f64 = 0.015;

/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a client must have sent as it does before it is said whom it shares a link with.
const KNOWN_AFTER: Duration = STEP.saturating_mul((MIN_WINDOWS + STEPS_OF_WINDOW - 1) as u32);

/// Clients whose sum is steady.
#[derive(Debug, Default)]
pub(super) struct SteadySums {
    looked: Option<Instant>,
    found: Vec<BTreeSet<MemberId>>,
    /// When some were held back who do not share a link, or may not.
    held_back: VecDeque<(Instant, Instant)>,
}

impl SteadySums {
    /// From `began` until now some were held back who do not share a link, or may not.
    pub(super) fn on_held_back(&mut self, now: Instant, began: Instant) {
        let longest = STEP * (MAX_WINDOWS + STEPS_OF_WINDOW) as u32;
        let is_over = |(_, end): &(Instant, Instant)| now > *end + longest;
        while self.held_back.front().is_some_and(is_over) {
            self.held_back.pop_front();
        }
        self.held_back.push_back((began, now));
    }

    /// Gives those that seem to share a link, the surest first.
    pub(super) fn of(&mut self, now: Instant, units: &[Unit<'_>]) -> &[BTreeSet<MemberId>] {
        if self
            .looked
            .is_none_or(|at| now.saturating_duration_since(at) >= PAUSE)
        {
            self.looked = Some(now);
            self.found = self.find(now, units);
        }
        &self.found
    }

    fn find(&self, now: Instant, units: &[Unit<'_>]) -> Vec<BTreeSet<MemberId>> {
        let known = units.iter().filter_map(|unit| {
            let known_for = now.saturating_duration_since(unit.known_since()?);
            (known_for >= KNOWN_AFTER).then_some((unit, known_for))
        });
        let (units, times): (Vec<_>, Vec<_>) = known.unzip();
        // Of two there is nothing to choose.
        if units.len() < 3 {
            return Vec::new();
        }
        let time = times.into_iter().min().unwrap_or_default();
        let windows = self.windows(now, time);
        if windows.len() < MIN_WINDOWS.max(MIN_WINDOWS_EACH * units.len()) {
            return Vec::new();
        }
        let progress = units.iter().map(|unit| {
            let progress = |(begin, end): &(Instant, Instant)| {
                Some(unit.acknowledged_at(*end)? - unit.acknowledged_at(*begin)?)
            };
            windows.iter().map(progress).collect::<Option<Vec<_>>>()
        });
        let Some(progress) = progress.collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let groups = Covariances::of(&progress).groups().into_iter();
        let ids = |unit: usize| units[unit].ids.iter().copied();
        groups
            .map(|group| group.into_iter().flat_map(ids).collect())
            .collect()
    }

    /// Windows within the last `time` in which nobody was held back in vain.
    fn windows(&self, now: Instant, time: Duration) -> Vec<(Instant, Instant)> {
        let length = STEP * STEPS_OF_WINDOW as u32;
        let ends = (0..MAX_WINDOWS as u32).map(|number| STEP * number);
        let windows = ends.take_while(|before| *before + length <= time);
        let windows = windows.filter_map(|before| {
            let end = now.checked_sub(before)?;
            Some((end.checked_sub(length)?, end))
        });
        let is_within = |(begin, end): &(Instant, Instant)| {
            let mut times = self.held_back.iter();
            times.any(|(from, until)| from < end && begin < until)
        };
        windows.filter(|window| !is_within(window)).collect()
    }
}

/// How what units get varies together.
struct Covariances {
    of: Vec<Vec<f64>>,
    /// Those that are in no group so far.
    left: BTreeSet<usize>,
}

/// Units, and how steady their sum is.
#[derive(Clone)]
struct Sum {
    units: BTreeSet<usize>,
    /// For each unit of all, its covariance with this sum.
    with: Vec<f64>,
    variation: Variation,
}

#[derive(Clone, Copy)]
struct Variation {
    variance: f64,
    /// What the variance would be if each unit varied for itself.
    apart: f64,
    units: usize,
}

impl Covariances {
    /// Takes what each unit got in each window.
    fn of(progress: &[Vec<f64>]) -> Self {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let deviations = progress.iter().map(|values| {
            let mean = mean(values);
            values.iter().map(|value| value - mean).collect::<Vec<_>>()
        });
        let deviations: Vec<_> = deviations.collect();
        let covariance = |one: &[f64], other: &[f64]| {
            let products = one.iter().zip(other).map(|(one, other)| one * other);
            products.sum::<f64>() / one.len() as f64
        };
        let of = deviations.iter().map(|one| {
            let others = deviations.iter();
            others
                .map(|other| covariance(one, other))
                .collect::<Vec<_>>()
        });
        let of: Vec<_> = of.collect();
        Self {
            left: (0..of.len()).collect(),
            of,
        }
    }

    /// Those whose sums are steady, the steadiest first; nobody is in two of them.
    fn groups(mut self) -> Vec<BTreeSet<usize>> {
        let mut groups = Vec::new();
        loop {
            let sums = self.left.iter();
            let sums = sums.filter_map(|unit| self.steadiest_with(*unit));
            let Some(sum) = sums.min_by(Sum::compare) else {
                return groups;
            };
            self.left.retain(|unit| !sum.units.contains(unit));
            groups.push(sum.units);
        }
    }

    /// Begins with one unit, and adds whoever makes the sum the steadiest until all are in. Gives
    /// the steadiest of these sums, without those that were added by mistake, if any is steady.
    fn steadiest_with(&self, unit: usize) -> Option<Sum> {
        let mut sum = Sum::nothing(self.of.len());
        self.toggle(&mut sum, unit);
        let mut steadiest: Option<Sum> = None;
        while let Some((next, _)) = self.best_toggle(&sum, self.left.difference(&sum.units)) {
            self.toggle(&mut sum, next);
            let needed = self.without_needless(sum.clone());
            let is_steadier = |steadiest: &Sum| needed.compare(steadiest).is_lt();
            if needed.variation.is_steady() && steadiest.as_ref().is_none_or(is_steadier) {
                steadiest = Some(needed);
            }
        }
        steadiest
    }

    /// Leaves out who hardly makes a sum steadier, as long as it is steady without it.
    fn without_needless(&self, mut sum: Sum) -> Sum {
        while let Some((unit, without)) = self.best_toggle(&sum, sum.units.iter())
            && without.is_steady()
            && without.share() < sum.variation.share() + GAIN
        {
            self.toggle(&mut sum, unit);
        }
        sum
    }

    /// The unit with which, or without which, a sum is the steadiest, and how steady it is then.
    fn best_toggle<'a>(
        &self,
        sum: &Sum,
        units: impl Iterator<Item = &'a usize>,
    ) -> Option<(usize, Variation)> {
        let toggled = units.map(|unit| (*unit, self.toggled(sum, *unit)));
        toggled.min_by(|(_, one), (_, other)| one.share().total_cmp(&other.share()))
    }

    /// How a sum varies with a unit that was none of it, or without one that was.
    fn toggled(&self, sum: &Sum, unit: usize) -> Variation {
        let Variation {
            variance,
            apart,
            units,
        } = sum.variation;
        let (own, with) = (self.of[unit][unit], sum.with[unit]);
        match sum.units.contains(&unit) {
            true => Variation {
                variance: variance - 2.0 * with + own,
                apart: apart - own,
                units: units - 1,
            },
            false => Variation {
                variance: variance + 2.0 * with + own,
                apart: apart + own,
                units: units + 1,
            },
        }
    }

    fn toggle(&self, sum: &mut Sum, unit: usize) {
        sum.variation = self.toggled(sum, unit);
        let sign = if sum.units.remove(&unit) {
            -1.0
        } else {
            sum.units.insert(unit);
            1.0
        };
        for (with, covariance) in sum.with.iter_mut().zip(&self.of[unit]) {
            *with += sign * covariance;
        }
    }
}

impl Sum {
    fn nothing(units: usize) -> Self {
        Self {
            units: BTreeSet::new(),
            with: vec![0.0; units],
            variation: Variation {
                variance: 0.0,
                apart: 0.0,
                units: 0,
            },
        }
    }

    /// The steadier one is less.
    fn compare(&self, other: &Self) -> Ordering {
        let (one, other) = (self.variation, other.variation);
        one.unsteadiness().total_cmp(&other.unsteadiness())
    }
}

impl Variation {
    /// The variance, as a share of what it would be if each varied for itself.
    fn share(self) -> f64 {
        self.variance / self.apart
    }

    /// About 1 where but one is missing of those that share a link.
    fn unsteadiness(self) -> f64 {
        self.share() * self.units as f64
    }

    fn is_steady(self) -> bool {
        self.units > 1 && self.unsteadiness() < STEADY
    }
}

#[cfg(test)]
mod tests;
