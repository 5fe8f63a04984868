//! An answer that costs the more the more cameras there are, and that anybody may ask for as often
//! as they like: who asks while one is made waits for that one, and one that took long holds for a
//! while.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// One that took less than this is made anew for each who asks: a hundred cameras take it.
const QUICK: Duration = Duration::from_millis(5);

/// One that took longer holds for so many times as long: a quarter of the time is spent on it at
/// most.
const HOLDS_TIMES: u32 = 3;

/// But no longer than this: people see it change.
const HOLDS_AT_MOST: Duration = Duration::from_secs(1);

/// The answer, while it holds.
#[derive(Default)]
pub(crate) struct SharedAnswer {
    last: Mutex<Option<Held>>,
}

struct Held {
    answer: Bytes,
    until: Instant,
}

impl SharedAnswer {
    /// Gives the one that holds, or makes one. If whoever asked first is gone before it is made,
    /// the next makes it.
    ///
    /// # Errors
    /// What making it said.
    pub(crate) async fn get<E>(
        &self,
        make: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        let mut last = self.last.lock().await;
        let start = Instant::now();
        if let Some(held) = &*last
            && start < held.until
        {
            return Ok(held.answer.clone());
        }
        // Its memory is needed for the next one.
        *last = None;
        let answer = make.await?;
        let holds = holds_for(start.elapsed());
        *last = holds.map(|time| Held {
            answer: answer.clone(),
            until: Instant::now() + time,
        });
        Ok(answer)
    }
}

/// For how long an answer holds that took so long, if it is held at all.
fn holds_for(took: Duration) -> Option<Duration> {
    (took >= QUICK).then(|| (took * HOLDS_TIMES).min(HOLDS_AT_MOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::convert::Infallible;
    use tokio::time::{advance, sleep};

    #[tokio::test(start_paused = true)]
    async fn one_that_took_long_is_shared_and_holds_in_proportion() {
        let (answer, made) = (SharedAnswer::default(), Cell::new(0_u8));
        let ask = async |takes_ms| {
            let make = async {
                sleep(Duration::from_millis(takes_ms)).await;
                made.set(made.get() + 1);
                Ok::<_, Infallible>(Bytes::copy_from_slice(&[made.get()]))
            };
            answer.get(make).await.unwrap()[0]
        };
        assert_eq!([ask(4).await, ask(4).await], [1, 2], "these are quick");
        let asked = tokio::join!(ask(20), ask(20), ask(20));
        assert_eq!(asked, (3, 3, 3));
        advance(Duration::from_millis(59)).await;
        assert_eq!(ask(20).await, 3);
        advance(Duration::from_millis(1)).await;
        assert_eq!(ask(500).await, 4);
        advance(Duration::from_millis(999)).await;
        assert_eq!(ask(500).await, 4);
        advance(Duration::from_millis(1)).await;
        assert_eq!(ask(1).await, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_first_may_go() {
        let answer = SharedAnswer::default();
        let never = answer.get(std::future::pending::<Result<Bytes, Infallible>>());
        assert!(
            tokio::time::timeout(Duration::from_secs(1), never)
                .await
                .is_err()
        );
        let made = answer.get(async { Ok::<_, Infallible>(Bytes::from_static(b"it")) });
        assert_eq!(made.await.unwrap(), "it");
    }
}
