//! How sure it is that a print fails, from what is found in picture after picture: Obico's rule, by
//! its server's numbers (obico-server, `backend/config/settings.py` and its documentation), for
//! pictures every ten seconds. In short: what is found now, over the last two minutes, against what
//! is always found with this camera, over a day.

/// Pictures of a print in which nothing is said: its first layer looks like spaghetti.
const FIRST: u32 = 30;

/// Weight of the newest picture in the mean that follows quickly: that of 12 pictures.
const NEWEST: f64 = 2.0 / 13.0;

/// Pictures of the mean over the print's last hour, and of that over the camera's last day.
const SHORT: u32 = 310;
const LONG: u32 = 7200;

/// Below this nothing fails, above the other something does; between them it depends on how much
/// was found in the last hour.
const LOW: f64 = 0.38;
const HIGH: f64 = 0.78;

/// Times what is usual in the last hour, for a failure between the two.
const UNUSUAL: f64 = 3.8;

/// What was found so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Score {
    pictures: u32,
    quick: f64,
    short: f64,
    long: f64,
}

/// What is to be thought of a print now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weighed {
    pub(crate) is_failing: bool,
    /// 1 from where it is certain by Obico's rule.
    pub(crate) confidence: f64,
}

impl Score {
    /// Takes in what was found in the next picture: the sum of all certainties. `None` for the
    /// first pictures.
    pub(crate) fn next(&mut self, sum: f64) -> Option<Weighed> {
        self.pictures = self.pictures.saturating_add(1);
        self.quick += NEWEST * (sum - self.quick);
        self.short += (sum - self.short) / f64::from(self.pictures.min(SHORT));
        self.long += (sum - self.long) / f64::from(self.pictures.min(LONG));
        if self.pictures <= FIRST {
            return None;
        }
        let above = self.quick - self.long;
        let is_unusual = above > UNUSUAL * (self.short - self.long);
        Some(Weighed {
            is_failing: above > HIGH || (above >= LOW && is_unusual),
            confidence: (above / HIGH).clamp(0.0, 1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which picture of `sums` a failure is told, if at any.
    fn failing(sums: impl IntoIterator<Item = f64>) -> Option<usize> {
        let mut score = Score::default();
        sums.into_iter()
            .position(|sum| score.next(sum).is_some_and(|it| it.is_failing))
    }

    fn then(calm: usize, level: f64, rest: f64) -> impl Iterator<Item = f64> {
        std::iter::repeat_n(level, calm).chain(std::iter::repeat_n(rest, 200))
    }

    #[test]
    fn tells_of_what_is_found_again_and_again() {
        let at = failing(then(100, 0.0, 0.9)).unwrap();
        // Two to six pictures: a minute at most.
        assert!((102..107).contains(&at), "{at}");
    }

    #[test]
    fn says_nothing_of_one_picture_nor_of_what_is_always_there() {
        let flicker = (0..500).map(|it| if it % 50 == 49 { 0.9 } else { 0.05 });
        assert_eq!(failing(flicker), None);
        // A cable that is taken for spaghetti since the beginning.
        assert_eq!(failing(std::iter::repeat_n(0.7, 2000)), None);
    }

    #[test]
    fn says_nothing_at_first() {
        let mut score = Score::default();
        let told = (0..FIRST).filter_map(|_| score.next(5.0)).count();
        assert_eq!(told, 0);
        assert!(score.next(5.0).is_some());
    }
}
