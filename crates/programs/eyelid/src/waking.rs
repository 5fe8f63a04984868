//! Which cameras are still wanted: each is waited for by itself, from the look that woke it until
//! it has been awake, and then runs while it, or another, is awake. The decision, apart from slots
//! and processes.

use std::time::Duration;

use tokio::time::Instant;

/// How long a camera that a reader woke may take to say that it is awake: libcamera takes 2 s on a
/// Raspberry Pi.
const WAKING: Duration = Duration::from_secs(10);

/// Until when a camera is waited for that a look has woken.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Waking(Option<Instant>);

/// What is seen of a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing yet since its program was started.
    Nothing,
    /// It is awake, by what its program says: that one knows of every reader.
    Awake,
    /// It is awake no longer: a frame of its lies in the slot, in the place of the card.
    BeenAwake,
}

impl Waking {
    /// A look has woken the camera.
    pub(crate) fn woken(now: Instant) -> Self {
        Self(Some(now + WAKING))
    }

    fn is_wanted(&mut self, seen: Seen, now: Instant) -> bool {
        if seen != Seen::Nothing {
            self.0 = None;
        }
        seen == Seen::Awake || self.0.is_some_and(|until| now < until)
    }
}

/// Says whether one of the cameras is awake, or is waited for. What is seen of one ends the wait
/// for that one alone.
pub(crate) fn is_one_wanted<'c>(
    cameras: impl Iterator<Item = (&'c mut Waking, Seen)>,
    now: Instant,
) -> bool {
    cameras.fold(false, |is_wanted, (waking, seen)| {
        waking.is_wanted(seen, now) || is_wanted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Duration = Duration::from_secs(1);

    #[test]
    fn one_that_starts_is_waited_for_while_others_are_awake_and_fall_asleep() {
        let start = Instant::now();
        let mut wakings = [Waking::woken(start), Waking::default()];
        let mut is_wanted = |looks: u32, seen: [Seen; 2]| {
            is_one_wanted(wakings.iter_mut().zip(seen), start + looks * LOOK)
        };
        assert!(is_wanted(1, [Seen::Nothing, Seen::Awake]));
        assert!(is_wanted(2, [Seen::Nothing, Seen::BeenAwake]));
        assert!(is_wanted(3, [Seen::Awake, Seen::BeenAwake]));
        assert!(!is_wanted(4, [Seen::BeenAwake, Seen::BeenAwake]));
    }

    #[test]
    fn one_that_never_wakes_is_waited_for_for_ten_seconds() {
        let start = Instant::now();
        let mut waking = Waking::woken(start);
        let last = start + WAKING - Duration::from_millis(1);
        assert!(is_one_wanted(
            [(&mut waking, Seen::Nothing)].into_iter(),
            last
        ));
        let end = start + WAKING;
        assert!(!is_one_wanted(
            [(&mut waking, Seen::Nothing)].into_iter(),
            end
        ));
    }

    #[test]
    fn one_that_was_awake_between_two_looks_is_waited_for_no_longer() {
        let start = Instant::now();
        let mut waking = Waking::woken(start);
        let cameras = [(&mut waking, Seen::BeenAwake)].into_iter();
        assert!(!is_one_wanted(cameras, start + LOOK));
    }

    #[test]
    fn one_that_was_started_for_a_connection_is_not_waited_for() {
        let mut waking = Waking::default();
        let cameras = [(&mut waking, Seen::Nothing)].into_iter();
        assert!(!is_one_wanted(cameras, Instant::now()));
    }
}
