//! When an endpoint and a camera may be asked again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Between two questions of one camera: things that matter last longer.
pub const BETWEEN_QUESTIONS: Duration = Duration::from_secs(10);

/// After a first failure; doubled with each in a row.
const FIRST_PAUSE: Duration = Duration::from_secs(15);

/// The longest, but for what an endpoint asks for itself.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Cameras that are remembered: more than a process watches.
const MOST_CAMERAS: usize = 1000;

/// When was asked, and when an endpoint wants to be asked again.
#[derive(Debug, Default)]
pub struct Pauses {
    asked: HashMap<String, Instant>,
    not_before: Option<Instant>,
    failures: u32,
}

impl Pauses {
    /// How long to wait with a question of `camera`: zero is now.
    pub fn wait(&self, camera: &str, now: Instant) -> Duration {
        let asked = self.asked.get(camera);
        let camera = asked.map_or(Duration::ZERO, |&asked| {
            BETWEEN_QUESTIONS.saturating_sub(now.saturating_duration_since(asked))
        });
        camera.max(self.endpoint_wait(now))
    }

    /// How long the endpoint is to be left alone.
    pub fn endpoint_wait(&self, now: Instant) -> Duration {
        let not_before = self.not_before;
        not_before.map_or(Duration::ZERO, |it| it.saturating_duration_since(now))
    }

    /// A question of `camera` goes out.
    pub fn asked(&mut self, camera: &str, now: Instant) {
        if self.asked.len() >= MOST_CAMERAS {
            self.asked
                .retain(|_, &mut at| now.saturating_duration_since(at) < BETWEEN_QUESTIONS);
        }
        self.asked.insert(camera.to_owned(), now);
    }

    /// An answer has come, whatever it was worth.
    pub fn answered(&mut self) {
        self.failures = 0;
        self.not_before = None;
    }

    /// None has, or one that says that the endpoint has trouble; `retry_after` is what it asks for.
    pub fn failed(&mut self, retry_after: Option<Duration>, now: Instant) {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let pause = retry_after.unwrap_or(doubled.min(LONGEST_PAUSE));
        self.not_before = now.checked_add(pause);
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_asked_about_every_ten_seconds() {
        let start = Instant::now();
        let mut pauses = Pauses::default();
        assert_eq!(pauses.wait("door", start), Duration::ZERO);
        pauses.asked("door", start);
        let later = start + Duration::from_secs(4);
        assert_eq!(pauses.wait("door", later), Duration::from_secs(6));
        assert_eq!(pauses.wait("garden", later), Duration::ZERO);
        assert_eq!(
            pauses.wait("door", start + BETWEEN_QUESTIONS),
            Duration::ZERO
        );
    }

    #[test]
    fn an_endpoint_in_trouble_is_left_alone_for_longer_and_longer() {
        let start = Instant::now();
        let mut pauses = Pauses::default();
        let mut waits = Vec::new();
        for _ in 0..9 {
            pauses.failed(None, start);
            waits.push(pauses.wait("door", start).as_secs());
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 600, 600, 600]);
        pauses.answered();
        assert_eq!(pauses.wait("door", start), Duration::ZERO);
    }

    #[test]
    fn an_endpoint_s_own_wish_counts() {
        let start = Instant::now();
        let mut pauses = Pauses::default();
        for seconds in [7, 0, 3600] {
            let wished = Duration::from_secs(seconds);
            pauses.failed(Some(wished), start);
            assert_eq!(pauses.endpoint_wait(start), wished);
        }
        assert_eq!(pauses.failures(), 3);
    }
}
