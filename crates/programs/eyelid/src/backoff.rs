//! How long to wait before starting again what died.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// A program that ran this long was well; its next death is a first one.
const WELL: Duration = Duration::from_secs(10);

/// The pause of one program: doubled with each death, short again after a good run.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    deaths: u32,
}

impl Backoff {
    /// The program died after it `ran` so long: gives the pause before its next start.
    pub(crate) fn died(&mut self, ran: Duration) -> Duration {
        if ran >= WELL {
            self.deaths = 0;
        }
        self.deaths += 1;
        FIRST
            .saturating_mul(1 << (self.deaths - 1).min(16))
            .min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_shrink_after_a_good_run() {
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..9)
            .map(|_| backoff.died(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000]);
        assert_eq!(backoff.died(WELL), FIRST);
    }
}
