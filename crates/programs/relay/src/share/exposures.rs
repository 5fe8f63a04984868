//! The numbers of a camera's exposures, by which askers know what they have had.

use std::collections::VecDeque;
use std::time::SystemTime;

/// How many of the last exposures are known. A rendition comes some frames after its exposure at
/// most.
const KNOWN: usize = 16;

/// The exposures of one camera: files of the same moment of capture are of the same exposure
/// (`docs/slot.md`).
#[derive(Debug, Default)]
pub(super) struct Exposures {
    last: u64,
    known: VecDeque<(SystemTime, u64)>,
}

impl Exposures {
    /// Gives the number of the exposure that was captured then: that of another file of it, or the
    /// next one.
    pub(super) fn number(&mut self, captured: SystemTime) -> u64 {
        let known = self.known.iter().rev();
        if let Some((_, number)) = { known }.find(|(when, _)| *when == captured) {
            return *number;
        }
        self.last += 1;
        if self.known.len() == KNOWN {
            self.known.pop_front();
        }
        self.known.push_back((captured, self.last));
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn files_of_one_exposure_have_one_number() {
        let mut exposures = Exposures::default();
        let first = SystemTime::UNIX_EPOCH;
        let at = |number: u32| first + Duration::from_millis(33) * number;
        assert_eq!(exposures.number(at(0)), 1);
        assert_eq!(exposures.number(at(1)), 2);
        assert_eq!(exposures.number(at(0)), 1, "a rendition of the first");
        let hour = Duration::from_secs(3600);
        assert_eq!(exposures.number(at(0) - hour), 3, "the clock was set back");
        for number in 2..30 {
            assert_eq!(exposures.number(at(number)), u64::from(number) + 2);
        }
        assert!(exposures.known.len() <= KNOWN);
    }
}
