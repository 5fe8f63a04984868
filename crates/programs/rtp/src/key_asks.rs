//! Receivers that have lost something ask for a keyframe: how often that goes on to the tap.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use tokio::net::unix::WriteHalf;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What asks a tap for a keyframe.
const KEY: &[u8] = b"k";

/// How far apart that is asked: eyelid-video makes no two sooner.
const APART: Duration = Duration::from_millis(300);

/// What receivers of one camera ask for.
#[derive(Debug, Default)]
pub(crate) struct KeyAsks {
    /// Somebody waits for one.
    wanted: Cell<bool>,
    /// When the tap was asked last.
    asked: Cell<Option<Instant>>,
    changed: Notify,
}

impl KeyAsks {
    /// A receiver needs a keyframe.
    pub(crate) fn ask(&self) {
        self.wanted.set(true);
        self.changed.notify_one();
    }

    /// One has come.
    pub(crate) fn answer(&self) {
        self.wanted.set(false);
    }

    /// Passes on what is asked to a tap. Nothing is lost by giving up on it.
    pub(crate) async fn pass_on(&self, tap: &WriteHalf<'_>) -> Infallible {
        loop {
            while !self.wanted.get() {
                self.changed.notified().await;
            }
            if let Some(asked) = self.asked.get() {
                sleep_until(asked + APART).await;
            }
            self.wanted.set(false);
            self.asked.set(Some(Instant::now()));
            // A tap that takes nothing has the byte before this one still to read, or is lost.
            if tap.try_write(KEY).is_err() {
                return pending().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::UnixStream;
    use tokio::time::{sleep, timeout};

    /// Asks so often, so far apart; gives when the tap hears it, in milliseconds.
    async fn heard(asks: &KeyAsks, times: u32, apart: Duration) -> Vec<u128> {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let (_, writing) = near.split();
        let began = Instant::now();
        let mut heard = Vec::new();
        let ask = async {
            for _ in 0..times {
                asks.ask();
                sleep(apart).await;
            }
            sleep(2 * APART).await;
        };
        let hear = async {
            loop {
                assert_eq!(far.read_u8().await.unwrap(), b'k');
                heard.push(began.elapsed().as_millis());
            }
        };
        tokio::select! {
            never = asks.pass_on(&writing) => match never {},
            () = hear => {}
            () = ask => {}
        }
        heard
    }

    #[tokio::test(start_paused = true)]
    async fn one_goes_at_once_and_many_300_ms_apart() {
        let asks = KeyAsks::default();
        assert_eq!(heard(&asks, 1, Duration::ZERO).await, [0]);
        sleep(APART).await;
        let heard = heard(&asks, 100, Duration::from_millis(10)).await;
        assert_eq!(heard, [0, 300, 600, 900, 1200]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_too_soon_is_not_lost_unless_a_keyframe_comes() {
        let asks = KeyAsks::default();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let (_, writing) = near.split();
        for is_answered in [false, true] {
            asks.ask();
            let pause = Duration::from_millis(1);
            let _ = timeout(pause, asks.pass_on(&writing)).await;
            assert_eq!(far.read_u8().await.unwrap(), b'k');
            asks.ask();
            // Given up while it waits, as for each picture that comes.
            let _ = timeout(pause, asks.pass_on(&writing)).await;
            if is_answered {
                asks.answer();
            }
            let _ = timeout(2 * APART, asks.pass_on(&writing)).await;
            let more = timeout(pause, far.read_u8()).await;
            assert_eq!(more.is_err(), is_answered);
            sleep(APART).await;
        }
    }
}
