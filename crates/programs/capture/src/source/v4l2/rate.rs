//! Which of a camera's rates to take.

use eyelid_config::Fps;
use eyelid_v4l2::{Fraction, Node, Span};

/// A rate that is this much too slow is the one that was asked for: 29.97 frames a second are 30.
const NEARLY: f64 = 0.98;

/// No camera names more.
const MOST: u32 = 64;

/// The times between frames that a camera can have at one format and size.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct V4l2Rates(Vec<Span<Fraction>>);

impl V4l2Rates {
    /// Asks a camera.
    pub(super) fn of(node: &Node, fourcc: u32, size: (u32, u32)) -> Self {
        let all = (0..MOST).map_while(|index| node.interval(fourcc, size, index));
        Self(all.filter(is_sound).collect())
    }

    /// The slowest and the fastest, in frames per second; `None` where the camera does not say.
    pub(super) fn ends(&self) -> Option<(f64, f64)> {
        let ends = self.0.iter().flat_map(|span| match span {
            Span::One(only) => [*only; 2],
            Span::Range { min, max, .. } => [*min, *max],
        });
        let rates: Vec<f64> = ends.map(rate).collect();
        let slowest = rates.iter().copied().reduce(f64::min)?;
        Some((slowest, rates.iter().copied().reduce(f64::max)?))
    }

    /// Chooses the slowest one that gives as many frames as asked for, else the fastest. The caller
    /// holds back what is too many. A camera that lists none is asked for just that.
    pub(super) fn choose(&self, fps: Fps) -> Fraction {
        let wanted = fps.per_second();
        let exactly = Fraction {
            numerator: u32::try_from(fps.interval().as_micros()).unwrap_or(u32::MAX),
            denominator: 1_000_000,
        };
        let within = |span: &Span<Fraction>| match *span {
            Span::One(only) => only,
            Span::Range { min, .. } if wanted >= rate(min) => min,
            Span::Range { max, .. } if wanted <= rate(max) => max,
            Span::Range { .. } => exactly,
        };
        let offered = || self.0.iter().map(within);
        offered()
            .filter(|interval| rate(*interval) >= wanted * NEARLY)
            .min_by(|a, b| rate(*a).total_cmp(&rate(*b)))
            .or_else(|| offered().max_by(|a, b| rate(*a).total_cmp(&rate(*b))))
            .unwrap_or(exactly)
    }
}

/// Frames per second.
pub(super) fn rate(interval: Fraction) -> f64 {
    f64::from(interval.denominator) / f64::from(interval.numerator)
}

fn is_sound(span: &Span<Fraction>) -> bool {
    let sound = |interval: &Fraction| interval.numerator > 0 && interval.denominator > 0;
    match span {
        Span::One(only) => sound(only),
        Span::Range { min, max, .. } => sound(min) && sound(max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(numerator: u32, denominator: u32) -> Fraction {
        Fraction {
            numerator,
            denominator,
        }
    }

    fn chosen(rates: &V4l2Rates, fps: f64) -> f64 {
        rate(rates.choose(fps.try_into().unwrap()))
    }

    #[test]
    fn of_listed_rates_the_slowest_that_is_enough_is_taken() {
        let rates = V4l2Rates([30, 15, 5].map(|fps| Span::One(interval(1, fps))).to_vec());
        for (wanted, taken) in [
            (30.0, 30.0),
            (10.0, 15.0),
            (15.2, 15.0),
            (1.0, 5.0),
            (60.0, 30.0),
        ] {
            assert_eq!(chosen(&rates, wanted), taken, "{wanted}");
        }
        assert_eq!(rates.ends(), Some((5.0, 30.0)));
        let tv = V4l2Rates(vec![Span::One(interval(1001, 30_000))]);
        assert!((chosen(&tv, 30.0) - 29.97).abs() < 0.01);
    }

    #[test]
    fn of_a_range_it_is_what_was_asked_for() {
        let rates = V4l2Rates(vec![Span::Range {
            min: interval(1, 60),
            max: interval(1, 5),
            step: interval(1, 1),
        }]);
        for (wanted, taken) in [(12.5, 12.5), (90.0, 60.0), (1.0, 5.0)] {
            assert_eq!(chosen(&rates, wanted), taken, "{wanted}");
        }
        assert_eq!(rates.ends(), Some((5.0, 60.0)));
    }

    #[test]
    fn a_camera_that_says_nothing_is_asked_for_just_that() {
        let none = V4l2Rates(Vec::new());
        assert_eq!((chosen(&none, 12.5), none.ends()), (12.5, None));
        assert_eq!(chosen(&none, 0.01), 0.01, "100 s are no overflow");
    }
}
