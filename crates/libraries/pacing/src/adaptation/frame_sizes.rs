//! How many bytes a frame has as each rendition: what was seen of late, and for those that were
//! not, what the others suggest.
//!
//! The numbers are in the table of [`adaptation`](super).

use super::Rung;
use crate::units::Bytes;

/// What each rung of [`Rung::ALL`] has of the bytes of the first, until one of its frames was seen:
/// 1080p at quality 85, encoded with libjpeg-turbo (126, 50, 37 and 13 KB).
const TYPICAL_SHARES: [f64; 4] = [1.0, 0.4, 0.3, 0.1];

/// A mean follows the sizes of so many frames.
const MEAN_FRAMES: f64 = 5.0;

/// A rung counts as seen of late for so many frames.
const SEEN_OF_LATE_FRAMES: u64 = 30;

/// A rung that has more than this share of the bytes of a larger picture is not worth what it loses
/// in sharpness.
const WORTH_SHARE: f64 = 0.9;

/// A `Low` of more than this share of the frame's bytes is that of a picture with much noise:
/// `Half` has fewer bytes, and is more like the frame.
const LARGE_LOW_SHARE: f64 = 0.5;

/// What was seen of two rungs holds for so many frames: the scene may change, and with it what they
/// have in common.
const HOLDS_FRAMES: u64 = 1000;

/// The mean size of a frame on each rung.
#[derive(Debug)]
pub(super) struct FrameSizes {
    mean: [Bytes; 4],
    /// How many frames had been seen when one of this rung was seen last.
    seen: [Option<u64>; 4],
    frames: u64,
}

impl Default for FrameSizes {
    fn default() -> Self {
        Self {
            mean: TYPICAL_SHARES.map(|share| Bytes::from(1) * share),
            seen: [None; 4],
            frames: 0,
        }
    }
}

impl FrameSizes {
    /// The mean size on a rung; next to nothing before the first frame.
    pub(super) fn mean(&self, rung: Rung) -> Bytes {
        self.mean[rung.index()]
    }

    /// Says whether a rung was seen to save next to no bytes over a larger one: which of two is the
    /// smaller depends on the quality that is configured, and on the scene.
    pub(super) fn saves_nothing(&self, rung: Rung, is_there: impl Fn(Rung) -> bool) -> bool {
        let holds = |rung: &Rung| {
            let seen = self.seen[rung.index()];
            seen.is_some_and(|seen| self.frames - seen < HOLDS_FRAMES)
        };
        let larger = Rung::ALL.into_iter().take(rung.index());
        let mut larger = larger.filter(|larger| is_there(*larger) && self.is_seen(*larger));
        holds(&rung) && larger.any(|larger| self.mean(rung) > self.mean(larger) * WORTH_SHARE)
    }

    /// Says whether `Low` was seen to have a large share of the frame's bytes.
    pub(super) fn is_low_large(&self) -> bool {
        let share = self.mean(Rung::Low).ratio(self.mean(Rung::Main));
        self.is_seen(Rung::Low) && self.is_seen(Rung::Main) && share > LARGE_LOW_SHARE
    }

    /// A frame of this rung had so many bytes.
    pub(super) fn on_frame(&mut self, rung: Rung, bytes: u64) {
        let (bytes, index) = (Bytes::from(bytes), rung.index());
        self.frames += 1;
        let before = self.mean[index];
        let was_seen = self.is_seen_of_late(index);
        let is_first = self.seen.iter().all(Option::is_none);
        self.mean[index] = if was_seen {
            before + (bytes - before) * (1.0 / MEAN_FRAMES)
        } else {
            bytes
        };
        self.seen[index] = Some(self.frames);
        if !was_seen && !is_first {
            // How its size relates to the others' is what was learned, not that all are larger. Of
            // one that was never seen the last guess and this one's usual relation count the same.
            let others = self.mean.iter_mut().zip(&self.seen).zip(TYPICAL_SHARES);
            for ((mean, _), share) in others.filter(|((_, seen), _)| seen.is_none()) {
                let guess = bytes * (share / TYPICAL_SHARES[index]);
                *mean = *mean * guess.ratio(*mean).sqrt();
            }
            return;
        }
        // The scene has become busier or calmer for those that are not seen, too.
        let factor = self.mean[index].ratio(before);
        for other in 0..self.mean.len() {
            if other != index && !self.is_seen_of_late(other) {
                self.mean[other] = self.mean[other] * factor;
            }
        }
    }

    fn is_seen(&self, rung: Rung) -> bool {
        self.seen[rung.index()].is_some()
    }

    fn is_seen_of_late(&self, index: usize) -> bool {
        self.seen[index].is_some_and(|seen| self.frames - seen < SEEN_OF_LATE_FRAMES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn see(sizes: &mut FrameSizes, frames: u32, rung: Rung, bytes: u64) {
        (0..frames).for_each(|_| sizes.on_frame(rung, bytes));
    }

    fn assert_near(sizes: &FrameSizes, rung: Rung, bytes: u64) {
        let mean = sizes.mean(rung).whole();
        let range = bytes * 95 / 100..=bytes * 105 / 100;
        assert!(range.contains(&mean), "{rung:?}: {mean} for {bytes}");
    }

    #[test]
    fn what_was_never_seen_is_its_usual_share_of_what_was() {
        let mut sizes = FrameSizes::default();
        see(&mut sizes, 1, Rung::Main, 100_000);
        assert_near(&sizes, Rung::Low, 40_000);
        assert_near(&sizes, Rung::Quarter, 10_000);
        let mut sizes = FrameSizes::default();
        see(&mut sizes, 1, Rung::Half, 60_000);
        assert_near(&sizes, Rung::Main, 200_000);
    }

    #[test]
    fn one_frame_of_a_rung_tells_its_size_and_nothing_of_others_that_were_seen() {
        let mut sizes = FrameSizes::default();
        see(&mut sizes, 20, Rung::Main, 100_000);
        see(&mut sizes, 1, Rung::Half, 50_000);
        assert_near(&sizes, Rung::Half, 50_000);
        assert_near(&sizes, Rung::Main, 100_000);
    }

    #[test]
    fn what_was_never_seen_is_guessed_from_all_that_were() {
        let mut sizes = FrameSizes::default();
        see(&mut sizes, 20, Rung::Main, 100_000);
        // 30 KB by the frame, 12 by this.
        see(&mut sizes, 1, Rung::Quarter, 4_000);
        assert_near(&sizes, Rung::Half, 19_000);
    }

    #[test]
    fn a_busier_scene_makes_larger_what_is_not_seen_too() {
        let mut sizes = FrameSizes::default();
        see(&mut sizes, 20, Rung::Main, 100_000);
        see(&mut sizes, 50, Rung::Half, 30_000);
        see(&mut sizes, 50, Rung::Half, 60_000);
        assert_near(&sizes, Rung::Main, 200_000);
        assert_near(&sizes, Rung::Quarter, 20_000);
        // Seen again, it says itself how large it is.
        see(&mut sizes, 1, Rung::Main, 150_000);
        assert_near(&sizes, Rung::Main, 150_000);
        assert_near(&sizes, Rung::Half, 60_000);
    }

    #[test]
    fn one_odd_frame_hardly_counts_and_a_second_of_them_does() {
        let mut sizes = FrameSizes::default();
        see(&mut sizes, 20, Rung::Main, 100_000);
        see(&mut sizes, 1, Rung::Main, 150_000);
        assert_near(&sizes, Rung::Main, 110_000);
        see(&mut sizes, 30, Rung::Main, 150_000);
        assert_near(&sizes, Rung::Main, 150_000);
    }

    #[test]
    fn what_saves_next_to_nothing_is_known_once_it_was_seen_and_for_a_while() {
        let mut sizes = FrameSizes::default();
        let saves_nothing =
            |sizes: &FrameSizes| Rung::ALL.map(|rung| sizes.saves_nothing(rung, |_| true));
        see(&mut sizes, 20, Rung::Main, 50_000);
        assert_eq!(saves_nothing(&sizes), [false; 4]);
        see(&mut sizes, 1, Rung::Low, 46_000);
        assert_eq!(saves_nothing(&sizes), [false, true, false, false]);
        see(&mut sizes, 1, Rung::Half, 44_000);
        assert_eq!(saves_nothing(&sizes), [false, true, true, false]);
        // It would, were `Low` not there.
        assert!(!sizes.saves_nothing(Rung::Half, |rung| rung == Rung::Half));
        // The scene becomes busier, and nothing else is known.
        see(&mut sizes, 900, Rung::Quarter, 10_000);
        see(&mut sizes, 50, Rung::Quarter, 20_000);
        assert_eq!(saves_nothing(&sizes), [false, true, true, false]);
        see(&mut sizes, 100, Rung::Quarter, 20_000);
        assert_eq!(saves_nothing(&sizes), [false; 4]);
        let mut sizes = FrameSizes::default();
        see(&mut sizes, 20, Rung::Main, 50_000);
        see(&mut sizes, 1, Rung::Low, 44_000);
        assert_eq!(saves_nothing(&sizes), [false; 4]);
    }

    #[test]
    fn two_rungs_in_turns_are_known_each_by_its_own_frames() {
        let mut sizes = FrameSizes::default();
        for frame in 0..100 {
            see(&mut sizes, 1, Rung::Main, 100_000 + frame * 1000);
            see(&mut sizes, 1, Rung::Half, 30_000);
        }
        assert_near(&sizes, Rung::Main, 190_000);
        assert_near(&sizes, Rung::Half, 30_000);
    }
}
