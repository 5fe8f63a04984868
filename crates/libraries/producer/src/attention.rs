//! When it has to be known what readers do with a frame: at once, or not before the next frame is
//! at hand. Each look at readers wakes the process, and one for every frame costs as much as the
//! frame's publication. Nothing here reads a clock.
//!
//! A camera that gives many frames a second to readers that take every one has nothing to answer
//! them with until its next frame comes, and looks for their wish then. That is so until a frame
//! lies at hand for which nobody has wished, the camera stops, or the next frame is not on time.

use std::time::{Duration, Instant};

use eyelid_slot::Hearing;

use crate::Source;

/// The longest interval of a camera that gives many frames a second.
const MANY: Duration = Duration::from_millis(100);

/// For how long readers may stay unheard: until a next frame is overdue, and as short as nobody
/// notices at the end of `linger`.
const UNHEARD: Duration = Duration::from_millis(200);

/// What is known of one camera's frames and wishes.
#[derive(Debug, Default)]
pub(crate) struct Attention {
    /// Of each new frame it is told at once.
    is_told: bool,
    published: Option<Instant>,
    /// The frame for which nobody had wished when it came.
    unwished: Option<u64>,
    unheard_until: Option<Instant>,
}

impl Attention {
    /// Begins with a camera that has published nothing.
    pub(crate) fn of(source: &impl Source) -> Self {
        Self {
            is_told: source.tells_of_frames(),
            ..Self::default()
        }
    }

    /// The frame of this number is published now.
    pub(crate) fn publishing(&mut self, now: Instant, sequence: u64) -> Hearing {
        let before = self.published.replace(now);
        let gives_many = before.is_some_and(|before| now.duration_since(before) <= MANY);
        let is_awaited = self.unwished != Some(sequence);
        self.unheard_until = (self.is_told && gives_many && is_awaited).then(|| now + UNHEARD);
        match self.unheard_until {
            Some(_) => Hearing::WhenAsked,
            None => Hearing::AtOnce,
        }
    }

    /// Nothing is left to do now, and the frame of this number is at hand and was not published, or
    /// none is; the camera is awake, or not. Says whether readers have to be heard at once.
    pub(crate) fn is_needed(
        &mut self,
        now: Instant,
        unpublished: Option<u64>,
        is_awake: bool,
    ) -> bool {
        self.unwished = unpublished;
        let is_unheard = self.unheard_until.is_some_and(|until| now < until);
        if is_unheard && unpublished.is_none() && is_awake {
            return false;
        }
        self.unheard_until = None;
        true
    }

    /// Says whether readers of the frame that lies in the slot are not heard before the next.
    pub(crate) fn is_put_off(&self) -> bool {
        self.unheard_until.is_some()
    }

    /// When to ask again although nothing has happened.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.unheard_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    fn told() -> Attention {
        Attention {
            is_told: true,
            ..Attention::default()
        }
    }

    /// A camera that has published its second frame a moment ago, when it was awaited.
    fn busy() -> (Attention, Instant) {
        let (mut attention, start) = (told(), Instant::now());
        assert_eq!(attention.publishing(start, 1), Hearing::AtOnce);
        assert!(attention.is_needed(start, None, true));
        let now = start + FRAME;
        assert_eq!(attention.publishing(now, 2), Hearing::WhenAsked);
        (attention, now)
    }

    #[test]
    fn readers_are_not_heard_between_frames_that_come_and_are_awaited() {
        let (mut attention, mut now) = busy();
        for sequence in 3..10 {
            assert!(!attention.is_needed(now, None, true));
            assert_eq!(attention.deadline(), Some(now + UNHEARD));
            now += FRAME;
            assert_eq!(attention.publishing(now, sequence), Hearing::WhenAsked);
        }
    }

    #[test]
    fn they_are_heard_once_a_frame_is_at_hand_that_they_did_not_wish_for() {
        let (mut attention, now) = busy();
        assert!(attention.is_needed(now + FRAME, Some(3), true));
        assert_eq!(attention.deadline(), None);
        // A reader that is slow will be so again.
        assert_eq!(attention.publishing(now + FRAME * 2, 3), Hearing::AtOnce);
        assert!(attention.is_needed(now + FRAME * 2, None, true));
        // One that had to be waited for shows that it is quick again.
        assert_eq!(attention.publishing(now + FRAME * 3, 4), Hearing::WhenAsked);
    }

    #[test]
    fn they_are_heard_when_the_next_frame_is_late_or_the_camera_stops() {
        let (mut attention, now) = busy();
        assert!(!attention.is_needed(now + UNHEARD - FRAME, None, true));
        assert!(attention.is_needed(now + UNHEARD, None, true));
        assert_eq!(attention.deadline(), None);
        let (mut attention, now) = busy();
        assert!(attention.is_needed(now, None, false));
        assert_eq!(attention.deadline(), None);
    }

    #[test]
    fn those_of_a_camera_with_few_frames_are_always_heard() {
        let (mut attention, now) = busy();
        for (sequence, second) in (3..9).zip(1..) {
            let now = now + Duration::from_secs(second);
            assert_eq!(attention.publishing(now, sequence), Hearing::AtOnce);
            assert!(attention.is_needed(now, None, true));
        }
    }

    #[test]
    fn those_of_a_source_that_does_not_tell_of_frames_are_always_heard() {
        let (mut attention, start) = (Attention::default(), Instant::now());
        for sequence in 1..9 {
            let now = start + FRAME * sequence;
            assert_eq!(attention.publishing(now, sequence.into()), Hearing::AtOnce);
        }
    }
}
