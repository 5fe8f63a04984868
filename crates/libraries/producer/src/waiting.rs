//! Why those who wait for a frame get none although the camera is awake: the decisions about
//! `waiting` in `state.json`.

use std::time::{Duration, Instant};

use eyelid_slot::PublishError;

/// How long a wish may be unanswered before it is said why, besides the camera's own interval.
/// Shorter than clients wait for a snapshot (4 s), longer than a camera takes that is well.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the wishes that are not answered.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    since: Option<Instant>,
    deadline: Option<Instant>,
    /// What the slot said to the newest frame, if it did not take it.
    refused: Option<String>,
    /// What makes frames late that are published.
    slow: Option<String>,
}

impl Waiting {
    /// A frame of this size was published, which took so long to be made.
    pub(crate) fn published(&mut self, took: Duration, width: u32, height: u32) {
        self.since = None;
        self.refused = None;
        let seconds = took.as_secs_f64();
        self.slow = (took >= PATIENCE).then(|| {
            format!("a picture of {width}x{height} takes {seconds:.0}s to make; a smaller size is quicker")
        });
    }

    /// The slot did not take a frame.
    pub(crate) fn refused(&mut self, error: &PublishError) {
        self.refused = Some(error.to_string());
    }

    /// Gives why a wish is not answered, if that is so for too long. `source` says it of a source
    /// that works; its frames have this interval in seconds.
    pub(crate) fn why(
        &mut self,
        now: Instant,
        wished: bool,
        interval: f64,
        source: impl FnOnce() -> String,
    ) -> Option<String> {
        self.deadline = None;
        if !wished {
            self.since = None;
            return None;
        }
        let since = *self.since.get_or_insert(now);
        let interval = Duration::try_from_secs_f64(interval).unwrap_or_default();
        let due = since + PATIENCE + interval;
        if now < due {
            self.deadline = Some(due);
            return self.slow.clone();
        }
        Some(self.refused.clone().unwrap_or_else(source))
    }

    /// When to call [`Waiting::why`] again although nothing has happened.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_why_once_a_wish_is_older_than_the_interval_and_its_patience() {
        let start = Instant::now();
        let (mut waiting, interval) = (Waiting::default(), Duration::from_millis(500));
        let why = |waiting: &mut Waiting, after: Duration, wished| {
            waiting.why(start + after, wished, 0.5, || "empty".to_owned())
        };
        assert_eq!(why(&mut waiting, Duration::ZERO, true), None);
        let due = PATIENCE + interval;
        assert_eq!(waiting.deadline(), Some(start + due));
        assert_eq!(why(&mut waiting, due, true).as_deref(), Some("empty"));
        assert_eq!(waiting.deadline(), None, "nothing more to say");
        waiting.published(Duration::ZERO, 640, 480);
        assert_eq!(why(&mut waiting, due, true), None, "another wish");
        assert_eq!(waiting.deadline(), Some(start + due + due));
        assert_eq!(why(&mut waiting, due * 3, false), None, "nobody waits");
        assert_eq!(why(&mut waiting, due * 4, true), None, "a new wish");
    }

    #[test]
    fn a_slot_that_refuses_and_a_slow_picture_are_named() {
        let start = Instant::now();
        let mut waiting = Waiting::default();
        let why = |waiting: &mut Waiting, after| {
            let why = waiting.why(start + after, true, 0.0, || "source".to_owned());
            why.unwrap_or_default()
        };
        assert_eq!(why(&mut waiting, Duration::ZERO), "");
        waiting.refused(&PublishError::Io {
            path: "/x/current.jpg".into(),
            reason: std::io::ErrorKind::StorageFull.into(),
        });
        assert!(why(&mut waiting, PATIENCE).contains("/x/current.jpg"));
        waiting.published(Duration::from_secs(3), 8000, 6000);
        let slow = why(&mut waiting, PATIENCE);
        assert!(slow.contains("8000x6000 takes 3s"), "{slow}");
        assert_eq!(why(&mut waiting, PATIENCE * 2), "source");
        waiting.published(Duration::from_millis(30), 640, 480);
        assert_eq!(why(&mut waiting, PATIENCE * 2), "");
    }
}
