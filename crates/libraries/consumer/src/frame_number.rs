//! Which frame of a camera it is, for this process.

/// The number of a frame among those of its camera that this process has seen come into the slot.
/// Frames that came and were not read have their numbers, too, so that two numbers say how many
/// frames lie between them. The number of no frame, which is before all others, is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameNumber(u64);

impl FrameNumber {
    /// The number of the frame that comes next.
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many frames came after `last` and before this one, for a client that got `last` and gets
    /// this one next. None for a client that has got no frame yet.
    pub fn skipped_since(self, last: Self) -> u64 {
        if last == Self::default() {
            return 0;
        }
        self.0.saturating_sub(last.0 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_between_two_were_skipped() {
        let first = FrameNumber::default().next();
        let fourth = first.next().next().next();
        assert_eq!(fourth.skipped_since(first), 2);
        assert_eq!(first.next().skipped_since(first), 0);
        assert_eq!(first.skipped_since(first), 0);
        assert_eq!(
            fourth.skipped_since(FrameNumber::default()),
            0,
            "none before"
        );
    }
}
