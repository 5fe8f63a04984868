//! For log lines that strangers can cause: one now and then says as much as thousands.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// How far such lines are apart. A day full of them is not a megabyte of log.
const PAUSE: Duration = Duration::from_secs(10);

/// Says when one kind of line may be logged.
#[derive(Default)]
pub(crate) struct Seldom {
    last: Cell<Option<Instant>>,
    kept_back: Cell<u64>,
}

impl Seldom {
    /// Gives how many lines were kept back since the last one, if another may be logged now.
    pub(crate) fn now(&self) -> Option<u64> {
        let now = Instant::now();
        if self.last.get().is_some_and(|last| now - last < PAUSE) {
            self.kept_back.set(self.kept_back.get() + 1);
            return None;
        }
        self.last.set(Some(now));
        Some(self.kept_back.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn lets_one_through_and_counts_the_rest() {
        let seldom = Seldom::default();
        assert_eq!(seldom.now(), Some(0));
        for _ in 0..3 {
            assert_eq!(seldom.now(), None);
        }
        advance(PAUSE).await;
        assert_eq!(seldom.now(), Some(3));
        assert_eq!(seldom.now(), None);
    }
}
