//! Which viewers of a camera are so slow that all others had better not wait for them: they get an
//! encode of their own, of half the size. Apart from clocks and threads.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::feeds::policy::{SLOW_SHARE, ViewerId};

/// One in the encode for slow viewers is not slow any more with this share of what the one in the
/// middle gets: more than [`SLOW_SHARE`] of it, so that none goes to and fro.
const FAST_SHARE: f64 = 0.4;

/// How long that has to be so. Estimates begin low and grow within seconds, so the first takes
/// longer; to come back costs a keyframe, and must not happen with each probe.
const SLOW_FOR: Duration = Duration::from_secs(3);
const FAST_FOR: Duration = Duration::from_secs(6);

/// One that is slow again this soon after it came back has shown that its estimate is worth little
/// while it gets small pictures: the next time that takes twice as long, four times in a row at
/// most.
const SLOW_AGAIN: Duration = Duration::from_secs(30);
const MOST_DOUBLED: u32 = 4;

/// Who is slow.
#[derive(Debug, Default)]
pub(crate) struct Split {
    viewers: BTreeMap<ViewerId, Place>,
}

#[derive(Debug, Default)]
struct Place {
    is_slow: bool,
    /// Since when it looks as if it belonged to the others.
    otherwise_since: Option<Instant>,
    /// When it came back last.
    came_back: Option<Instant>,
    /// How often in a row that was too early.
    too_early: u32,
}

impl Place {
    /// How long it has to look otherwise.
    fn patience(&self) -> Duration {
        match self.is_slow {
            false => SLOW_FOR,
            true => FAST_FOR * (1 << self.too_early.min(MOST_DOUBLED)),
        }
    }

    /// It changes places.
    fn change(&mut self, now: Instant) {
        self.is_slow = !self.is_slow;
        self.otherwise_since = None;
        if !self.is_slow {
            self.came_back = Some(now);
            return;
        }
        let back_for = self.came_back.map(|at| now.saturating_duration_since(at));
        self.too_early = match back_for {
            Some(back_for) if back_for < SLOW_AGAIN => self.too_early + 1,
            _ => 0,
        };
    }
}

impl Split {
    /// One leaves.
    pub(crate) fn leave(&mut self, id: ViewerId) {
        self.viewers.remove(&id);
    }

    /// Takes in what the paths carry of all viewers that have an estimate, in bits a second, where
    /// a picture has `most_bps` at most. Gives those that change places now, and whether they are
    /// slow.
    pub(crate) fn estimated(
        &mut self,
        estimates: &[(ViewerId, u64)],
        most_bps: u32,
        now: Instant,
    ) -> Vec<(ViewerId, bool)> {
        // What is carried beyond what is sent makes nobody else slow.
        let useful = |bps: u64| bps.min(u64::from(most_bps));
        let mut sorted: Vec<u64> = estimates.iter().map(|(_, bps)| useful(*bps)).collect();
        sorted.sort_unstable();
        // Of two, the faster one: else the slower one would pull it down to where it is.
        let Some(middle) = sorted.get(sorted.len() / 2) else {
            return Vec::new();
        };
        let middle = *middle as f64;
        let mut changes = Vec::new();
        for (id, bps) in estimates {
            let place = self.viewers.entry(*id).or_default();
            let bps = useful(*bps) as f64;
            let looks_otherwise = match place.is_slow {
                false => bps < middle * SLOW_SHARE,
                true => bps >= middle * FAST_SHARE,
            };
            if !looks_otherwise {
                place.otherwise_since = None;
                continue;
            }
            let since = *place.otherwise_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= place.patience() {
                place.change(now);
                changes.push((*id, place.is_slow));
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u32 = 2_500_000;

    /// Has these estimates for so many seconds; gives the changes with the second in which they
    /// came.
    fn run(
        split: &mut Split,
        start: &mut Instant,
        seconds: u32,
        estimates: &[(ViewerId, u64)],
    ) -> Vec<(u32, ViewerId, bool)> {
        let mut all = Vec::new();
        for second in 0..seconds {
            let changes = split.estimated(estimates, MOST, *start);
            all.extend(
                changes
                    .into_iter()
                    .map(|(id, is_slow)| (second, id, is_slow)),
            );
            *start += Duration::from_secs(1);
        }
        all
    }

    #[test]
    fn one_far_below_the_others_goes_and_comes_back() {
        let (mut split, mut now) = (Split::default(), Instant::now());
        let slow = [(1, 9_000_000), (2, 400_000), (3, 5_000_000)];
        let changes = run(&mut split, &mut now, 10, &slow);
        assert_eq!(changes, [(3, 2, true)], "after three seconds, once");
        // Neither slow nor fast: it stays where it is.
        let between = [(1, 9_000_000), (2, 800_000), (3, 5_000_000)];
        assert_eq!(run(&mut split, &mut now, 60, &between), []);
        let fast = [(1, 9_000_000), (2, 1_200_000), (3, 5_000_000)];
        let changes = run(&mut split, &mut now, 10, &fast);
        assert_eq!(changes, [(6, 2, false)]);
        assert_eq!(run(&mut split, &mut now, 60, &between), []);
    }

    #[test]
    fn who_is_slow_again_soon_stays_longer_each_time() {
        let (mut split, mut now) = (Split::default(), Instant::now());
        let slow = [(1, 9_000_000), (2, 400_000)];
        let fast = [(1, 9_000_000), (2, 2_500_000)];
        let mut waits = Vec::new();
        for _ in 0..7 {
            assert_eq!(run(&mut split, &mut now, 4, &slow), [(3, 2, true)]);
            let changes = run(&mut split, &mut now, 100, &fast[..]);
            let &[(second, 2, false)] = &changes[..] else {
                panic!("{changes:?}");
            };
            waits.push(second);
            // As if it had come back just now.
            now -= Duration::from_secs(u64::from(99 - second));
        }
        assert_eq!(waits, [6, 12, 24, 48, 96, 96, 96]);
        // One that was fast for a while is as it was at first.
        run(&mut split, &mut now, 60, &fast);
        run(&mut split, &mut now, 4, &slow);
        assert_eq!(run(&mut split, &mut now, 10, &fast), [(6, 2, false)]);
    }

    #[test]
    fn a_dip_is_nothing() {
        let (mut split, mut now) = (Split::default(), Instant::now());
        for _ in 0..20 {
            let dip = [(1, 2_500_000), (2, 300_000)];
            assert_eq!(run(&mut split, &mut now, 2, &dip), []);
            let well = [(1, 2_500_000), (2, 2_000_000)];
            assert_eq!(run(&mut split, &mut now, 1, &well), []);
        }
    }

    #[test]
    fn who_is_alone_is_not_slow_and_what_is_not_sent_does_not_count() {
        let (mut split, mut now) = (Split::default(), Instant::now());
        assert_eq!(run(&mut split, &mut now, 20, &[(1, 150_000)]), []);
        // A hundred times what is sent is no faster than what is sent.
        let both = [(1, 700_000), (2, 250_000_000)];
        assert_eq!(run(&mut split, &mut now, 20, &both), []);
        assert_eq!(split.estimated(&[], MOST, now), []);
    }

    #[test]
    fn of_two_the_slow_one_goes() {
        let (mut split, mut now) = (Split::default(), Instant::now());
        let both = [(7, 2_400_000), (8, 200_000)];
        assert_eq!(run(&mut split, &mut now, 10, &both), [(3, 8, true)]);
    }
}
