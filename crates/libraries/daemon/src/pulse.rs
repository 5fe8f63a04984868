//! The watchdog's food: proof that the loops a program lives by still go round, not that a timer
//! does.

use std::future::pending;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::manager;

/// Whether one loop goes round. The loop answers beside all else that it waits for.
#[derive(Debug, Default)]
pub struct Pulse {
    asked: Notify,
    answered: Notify,
}

impl Pulse {
    /// Waits until it is asked for, and answers. It is safe to drop: what was asked stays asked.
    pub async fn answer(&self) {
        self.asked.notified().await;
        self.answered.notify_one();
    }

    async fn beat(&self) {
        self.asked.notify_one();
        self.answered.notified().await;
    }
}

/// Tells the service manager's watchdog, if there is one, that all loops go round. Ends never.
pub async fn feed_watchdog<const N: usize>(loops: [&Pulse; N]) {
    match manager::watchdog_interval() {
        Some(period) => feed(period, loops, manager::alive).await,
        None => pending().await,
    }
}

/// Calls `alive` in each period once every loop has answered, and never again after one has not.
/// Ends never. It waits for one timer: between two periods the process sleeps.
async fn feed<const N: usize>(period: Duration, loops: [&Pulse; N], alive: impl Fn()) -> ! {
    loop {
        for pulse in loops {
            pulse.beat().await;
        }
        alive();
        sleep(period).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::time::timeout;

    const PERIOD: Duration = Duration::from_secs(10);

    /// A loop that answers so many times, and hangs then.
    async fn answers(pulse: &Pulse, times: usize) -> ! {
        for _ in 0..times {
            pulse.answer().await;
        }
        pending().await
    }

    async fn fed_in_a_minute(accepting: usize, watching: usize) -> u32 {
        let (one, other, fed) = (Pulse::default(), Pulse::default(), Cell::new(0));
        let minute = timeout(Duration::from_secs(59), async {
            tokio::select! {
                _ = feed(PERIOD, [&one, &other], || fed.set(fed.get() + 1)) => {}
                _ = answers(&one, accepting) => {}
                _ = answers(&other, watching) => {}
            }
        });
        assert!(minute.await.is_err());
        fed.get()
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_hangs_starves_the_watchdog() {
        assert_eq!(fed_in_a_minute(usize::MAX, usize::MAX).await, 6);
        assert_eq!(fed_in_a_minute(2, usize::MAX).await, 2);
        assert_eq!(fed_in_a_minute(usize::MAX, 3).await, 3);
        assert_eq!(fed_in_a_minute(0, 0).await, 0);
    }

    #[tokio::test]
    async fn what_is_asked_stays_asked_while_a_loop_does_something_else() {
        let pulse = Pulse::default();
        let other_work = async {
            loop {
                tokio::select! {
                    biased;
                    () = tokio::task::yield_now() => {}
                    () = pulse.answer() => {}
                }
            }
        };
        tokio::select! {
            () = pulse.beat() => {}
            () = other_work => {}
        }
    }
}
